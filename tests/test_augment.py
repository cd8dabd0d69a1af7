import colorsys
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from PIL import Image
from PIL import ImageEnhance
from PIL import ImageOps

from jaxssl import augment
from jaxssl import color
from jaxssl import parallel
from jaxssl import resample

RESAMPLING = {'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC}
JITTER = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
SIMCLR = dict(
    size=24, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
    jitter=0.8, **JITTER, grayscale=0.2, blur=0.5, solarize=0.2, normalize='none')
CROP = dict(
    SIMCLR, jitter=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
    grayscale=0.0, blur=0.0, solarize=0.0, flip=0.0)


def pixels(*shape, seed=0):
  return np.random.default_rng(seed).random(shape, dtype=np.float32)


def pillow_resize(image, top, left, height, width, size, interpolation):
  """Pillow's resize of a crop, in its float mode, a channel at a time."""
  box = (left, top, left + width, top + height)
  channels = [
      Image.fromarray(c).crop(box).resize((size, size), RESAMPLING[interpolation])
      for c in np.moveaxis(image, -1, 0)]
  return np.stack(channels, -1)


@jax.jit
def keys(ids):
  return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), ids)


def over_keys(function, n, image, **settings):
  """The outcomes of one operation on one image for n keys: [n, ...]."""
  function = jax.jit(jax.vmap(functools.partial(function, **settings), (0, None)))
  return np.asarray(function(keys(np.arange(n)), image))


# Crops.

AREAS = dict(min_area=0.2, max_area=0.5)


@pytest.mark.parametrize('interpolation', RESAMPLING)
@pytest.mark.parametrize('size', [9, 48])
def test_resized_box_is_pillows(interpolation, size):
  image = pixels(40, 37)[..., None] + pixels(40, 37, 3, seed=1) / 2
  image /= image.max()
  boxes = np.array([  # Top, left, height, width.
      (0, 0, 40, 37), (3, 5, 31, 20), (39, 36, 1, 1), (0, 10, 9, 9), (20, 0, 7, 33),
  ])
  resize = jax.jit(jax.vmap(functools.partial(
      resample.resize_box, image, size=size, interpolation=interpolation)))
  for box, got in zip(boxes, resize(*boxes.T)):
    want = pillow_resize(image, *box.tolist(), size, interpolation)
    np.testing.assert_allclose(got, want.clip(0, 1), atol=1e-5)


def test_random_resized_crop_resizes_the_box_that_it_draws():
  image = pixels(30, 26, 3)
  got = over_keys(
      augment.random_resized_crop, 8, image, size=12, interpolation='bicubic',
      valid=jnp.array([25, 20]), **AREAS)
  boxes = draw_boxes(8, (25, 20), **AREAS)
  for view, box in zip(got, boxes.T.tolist()):
    want = pillow_resize(image, *map(int, box), 12, 'bicubic')
    np.testing.assert_allclose(view, want.clip(0, 1), atol=1e-5)


@functools.cache
def box_drawer(**areas):
  draw = functools.partial(
      resample.crop_box, min_aspect=3 / 4, max_aspect=4 / 3, **areas)
  return jax.jit(jax.vmap(draw, (0, None)))


def draw_boxes(n, valid, **areas):
  """Top, left, height and width of n crops: [4, n]."""
  return np.array(box_drawer(**areas)(keys(np.arange(n)), jnp.array(valid)))


def torchvision_boxes(n, valid, min_area, max_area, rng):
  """The loop of torchvision's RandomResizedCrop: [4, n]."""
  image_height, image_width = valid
  boxes = []
  for _ in range(n):
    for _ in range(10):
      area = image_height * image_width * rng.uniform(min_area, max_area)
      aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
      width, height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
      if 0 < width <= image_width and 0 < height <= image_height:
        top = rng.integers(0, image_height - height + 1)
        left = rng.integers(0, image_width - width + 1)
        break
    else:
      width, height = image_width, image_height
      if image_width / image_height < 3 / 4:
        height = round(width / (3 / 4))
      elif image_width / image_height > 4 / 3:
        width = round(height * (4 / 3))
      top, left = (image_height - height) // 2, (image_width - width) // 2
    boxes.append((top, left, height, width))
  return np.array(boxes).T


@pytest.mark.parametrize('valid', [(64, 64), (50, 90), (120, 31), (32, 32)])
def test_crops_are_distributed_as_torchvisions(valid):
  got = draw_boxes(20_000, valid, min_area=0.08, max_area=1.0)
  want = torchvision_boxes(4000, valid, 0.08, 1.0, np.random.default_rng(1))
  for g, w in zip(got, want):
    assert scipy.stats.ks_2samp(g, w).statistic < 0.035  # p is about 1e-4.
  top, left, height, width = got
  assert (got == got.round()).all()
  assert (top >= 0).all() and (top + height <= valid[0]).all()
  assert (left >= 0).all() and (left + width <= valid[1]).all()
  # The ends are drawn too: crops that touch each border without filling the side.
  assert ((top == 0) & (height < valid[0])).any()
  assert ((top + height == valid[0]) & (top > 0)).any()
  assert ((left + width == valid[1]) & (left > 0)).any()


def test_crop_areas_are_uniform_and_aspects_uniform_in_their_logarithm():
  _, _, height, width = draw_boxes(20_000, (4000, 4000), **AREAS)
  area = height * width / 4000**2
  aspect = np.log(width / height) / np.log(4 / 3)
  assert 0.199 < area.min() < 0.201 and 0.499 < area.max() < 0.501
  assert scipy.stats.kstest(area, 'uniform', (0.2, 0.3)).statistic < 0.015
  assert scipy.stats.kstest(aspect, 'uniform', (-1, 2)).statistic < 0.015


@pytest.mark.parametrize('valid, want', [
    ((10, 100), [0, 43, 10, 13]), ((100, 10), [43, 0, 13, 10])])
def test_a_crop_that_never_fits_is_central_with_the_nearest_aspect(valid, want):
  boxes = draw_boxes(100, valid, min_area=0.9, max_area=1.0)
  assert np.unique(boxes, axis=1).T.tolist() == [want]


def test_pixels_outside_of_the_valid_region_do_not_count():
  black, white = np.zeros((2, 24, 24, 3), np.float32) + [[[[0]]], [[[1]]]]
  black[:13, :17] = white[:13, :17] = pixels(13, 17, 3)
  valid = jnp.array([13, 17])
  crop = functools.partial(over_keys, augment.random_resized_crop, 20, size=16,
                           min_area=0.5, max_area=1.0, interpolation='bicubic',
                           valid=valid)
  np.testing.assert_array_equal(crop(black), crop(white))


# Other operations.

def test_flip_mirrors_left_and_right():
  image = pixels(5, 7, 3)
  got = over_keys(augment.flip, 2000, image, p=0.3)
  flipped = (got == image[:, ::-1]).all((1, 2, 3))
  assert (flipped | (got == image).all((1, 2, 3))).all()
  assert abs(flipped.mean() - 0.3) < 0.04  # Four standard deviations.


def gray(image):
  return image @ np.array([0.299, 0.587, 0.114])


def shift_hue(image, turns):
  def shift(rgb):
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    return colorsys.hsv_to_rgb((h + turns) % 1, s, v)
  return np.array([shift(rgb) for rgb in image.reshape(-1, 3)]).reshape(image.shape)


NUMPY = {
    'brightness': lambda x, f: (f * x).clip(0, 1),
    'contrast': lambda x, f: (f * x + (1 - f) * gray(x).mean()).clip(0, 1),
    'saturation': lambda x, f: (f * x + (1 - f) * gray(x)[..., None]).clip(0, 1),
    'hue': shift_hue}


@functools.cache
def measured_factors():
  """What `color_jitter` draws for 3000 keys, by what each operation does alone."""
  dull = np.array([[[0.50, 0.46, 0.46], [0.46, 0.5, 0.48]]], np.float32)
  factors = {}
  for name in NUMPY:
    only = {k: v if k == name else 0.0 for k, v in JITTER.items()}
    got = over_keys(augment.color_jitter, 3000, dull, p=1.0, **only)
    if name == 'hue':
      h = [colorsys.rgb_to_hsv(*x[0, 0].astype(float))[0] for x in got]
      factors[name] = (np.array(h) + 0.5) % 1 - 0.5
    else:
      base = {'brightness': 0.0, 'contrast': gray(dull).mean(),
              'saturation': gray(dull)[0, 0]}[name]
      factors[name] = (got[:, 0, 0, 0] - base) / (dull[0, 0, 0] - base)
  return factors


def test_jitter_is_the_sequence_of_its_operations_in_a_random_order():
  image = pixels(2, 2, 3)
  factors = measured_factors()
  seen = dict.fromkeys(itertools.permutations(NUMPY), 0)
  views = over_keys(augment.color_jitter, 600, image, p=1.0, **JITTER)
  for i, got in enumerate(views):
    after = {(): image.astype(float)}  # Each sequence of operations -> its image.
    for length in range(1, 5):
      for order in itertools.permutations(NUMPY, length):
        after[order] = NUMPY[order[-1]](after[order[:-1]], factors[order[-1]][i])
    errors = {order: abs(got - after[order]).max() for order in seen}
    best, second = sorted(errors, key=errors.get)[:2]
    assert errors[best] < 1e-4, (i, errors)
    seen[best] += errors[second] > 1e-3  # Where nothing is clipped, some commute.
  assert min(seen.values()) >= 2, seen


def test_jitter_factors_are_uniform_and_independent():
  factors = measured_factors()
  for name, values in factors.items():
    low, high = (-0.2, 0.2) if name == 'hue' else (0.2, 1.8)
    fit = scipy.stats.kstest(values, 'uniform', (low, high - low))
    assert fit.statistic < 0.04, (name, fit)
  correlation = np.corrcoef(list(factors.values())) - np.eye(4)
  assert abs(correlation).max() < 0.08


def test_strengths_above_one_start_at_zero():
  image = np.full((1, 1, 3), 0.1, np.float32)
  got = over_keys(
      augment.color_jitter, 1000, image, p=1.0, brightness=3.0, contrast=0.0,
      saturation=0.0, hue=0.0)[:, 0, 0, 0] / 0.1
  assert scipy.stats.kstest(got, 'uniform', (0, 4)).statistic < 0.06


def test_jitter_has_its_probability():
  got = over_keys(augment.color_jitter, 2000, pixels(2, 2, 3), p=0.8, **JITTER)
  same = (got == pixels(2, 2, 3)).all((1, 2, 3))  # To the bit.
  assert abs(same.mean() - 0.2) < 0.04


def test_hue_is_colorsys():
  levels = np.linspace(0, 1, 9, dtype=np.float32)
  image = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
  shift = jax.jit(
      lambda x, turns: color._shift_hue(jnp.moveaxis(x, -1, 0), 6 * turns))
  for turns in (-0.5, -0.21, 0.0, 0.1, 1 / 3, 0.5):
    got = np.moveaxis(shift(image, turns), 0, -1)
    np.testing.assert_allclose(got, shift_hue(image, turns), atol=2e-6)


@pytest.mark.parametrize('name, enhance', [
    ('brightness', ImageEnhance.Brightness), ('contrast', ImageEnhance.Contrast),
    ('saturation', ImageEnhance.Color)])
def test_jitter_operations_are_pillows_enhancements(name, enhance):
  image = (pixels(16, 16, 3) * 255).astype(np.uint8)
  factors = measured_factors()[name]
  only = {k: v if k == name else 0.0 for k, v in JITTER.items()}
  got = over_keys(
      augment.color_jitter, 10, image.astype(np.float32) / 255, p=1.0, **only)
  for view, factor in zip(got, factors):
    want = np.asarray(enhance(Image.fromarray(image)).enhance(float(factor)))
    assert abs(view * 255 - want).max() <= 2  # Pillow rounds grey and result.


def test_grayscale_is_pillows():
  image = (pixels(16, 16, 3) * 255).astype(np.uint8)
  got = augment.grayscale(jax.random.key(0), image.astype(np.float32) / 255, p=1.0)
  want = np.asarray(Image.fromarray(image).convert('L'))[..., None]
  assert abs(np.asarray(got) * 255 - want).max() <= 0.51


def test_solarize_is_pillows():
  image = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, -1)
  got = augment.solarize(
      jax.random.key(0), image.astype(np.float32) / 255, p=1.0, threshold=128 / 255)
  want = np.asarray(ImageOps.solarize(Image.fromarray(image), 128))
  np.testing.assert_array_equal((np.asarray(got) * 255).round(), want)


@pytest.mark.parametrize('sigma', [0.1, 0.7, 2.0])
@pytest.mark.parametrize('kernel_size', [1, 3, 9, 13])
def test_blur_is_scipys(sigma, kernel_size):
  image = pixels(14, 7, 3)
  got = augment.gaussian_blur(
      jax.random.key(0), image, p=1.0, min_sigma=sigma, max_sigma=sigma,
      kernel_size=kernel_size)
  radius = kernel_size // 2
  want = scipy.ndimage.gaussian_filter(
      image, (sigma, sigma, 0), mode='mirror', radius=(radius, radius, 0))
  np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize('kernel_size', [4, 15])
def test_a_kernel_that_cannot_be_used_is_refused(kernel_size):
  with pytest.raises(ValueError, match=f'kernel_size is {kernel_size}'):
    augment.gaussian_blur(
        jax.random.key(0), pixels(14, 7, 3), p=1.0, min_sigma=1.0, max_sigma=1.0,
        kernel_size=kernel_size)


def test_blur_has_its_probability_and_a_sigma_for_each_image():
  line = np.zeros((21, 21, 3), np.float32)
  line[:, 10] = 1
  got = over_keys(
      augment.gaussian_blur, 2000, line, p=0.5, min_sigma=0.5, max_sigma=2.0,
      kernel_size=19)[:, 10, :, 0]
  blurred = got[:, 10] < 1
  assert abs(blurred.mean() - 0.5) < 0.05
  ratio = got[blurred, 11] / got[blurred, 10]  # exp(-1 / (2 sigma^2))
  sigma = np.sqrt(-0.5 / np.log(ratio))
  assert scipy.stats.kstest(sigma, 'uniform', (0.5, 1.5)).statistic < 0.06


def test_normalize_gives_mean_zero_and_deviation_one():
  image = pixels(30, 30, 3)
  mean, std = image.mean((0, 1)), image.std((0, 1))
  got = np.asarray(augment.normalize(image, mean=mean, std=std))
  np.testing.assert_allclose(got.mean((0, 1)), 0, atol=1e-5)
  np.testing.assert_allclose(got.std((0, 1)), 1, atol=1e-5)


IDENTITIES = {
    'crop': functools.partial(
        augment.random_resized_crop, size=12, min_area=1.0, max_area=1.0,
        interpolation='bicubic'),
    'flip': functools.partial(augment.flip, p=0.0),
    'jitter never': functools.partial(augment.color_jitter, p=0.0, **JITTER),
    'jitter of strength 0': functools.partial(
        augment.color_jitter, p=1.0, **dict.fromkeys(JITTER, 0.0)),
    'grayscale': functools.partial(augment.grayscale, p=0.0),
    'blur never': functools.partial(
        augment.gaussian_blur, p=0.0, min_sigma=0.1, max_sigma=2.0, kernel_size=5),
    'blur of one tap': functools.partial(
        augment.gaussian_blur, p=1.0, min_sigma=0.1, max_sigma=2.0, kernel_size=1),
    'solarize': functools.partial(augment.solarize, p=0.0, threshold=0.5),
    'normalize': lambda rng, image: augment.normalize(
        image, mean=(0, 0, 0), std=(1, 1, 1)),
    'center': lambda rng, image: augment.center_view(
        image, np.array([12, 12]), size=12, fraction=1.0, interpolation='bilinear')}


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('name', IDENTITIES)
def test_zero_strength_is_the_identity_to_the_bit(name, dtype):
  image = jnp.asarray(pixels(12, 12, 3), dtype)
  for seed in range(2):
    got = jax.jit(IDENTITIES[name])(jax.random.key(seed), image)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, image)


# Views.

def canvases(b, canvas=32):
  """Images of three sizes in the corners of canvases, their sizes and ids."""
  rng = np.random.default_rng(5)
  sizes = np.array([(32, 32), (32, 25), (20, 32)] * b)[:b] * canvas // 32
  sizes = sizes.astype(np.int32)
  images = np.zeros((b, canvas, canvas, 3), np.uint8)
  for image, (h, w) in zip(images, sizes):
    image[:h, :w] = rng.integers(0, 256, (h, w, 3))
  return images, sizes, np.arange(100, 100 + b, dtype=np.int32)


VIEWS = dict(
    b=dict(SIMCLR, size=20, normalize='imagenet'), a=dict(SIMCLR, solarize=0.0))
RNG = jax.random.key(3)
views_of_batch = jax.jit(augment.make_views(VIEWS, dtype='float32'))


def test_views_are_those_of_single_images_with_the_documented_keys():
  images, sizes, index = canvases(8)
  got = views_of_batch(RNG, images, sizes, index)
  assert set(got) == {'a', 'b'}
  assert got['a'].shape == (8, 24, 24, 3) and got['b'].shape == (8, 20, 20, 3)
  view = jax.jit(functools.partial(augment.view, **VIEWS['b']))
  for i in range(8):
    rng = jax.random.fold_in(jax.random.fold_in(RNG, index[i]), 1)
    want = view(rng, jnp.asarray(images[i], jnp.float32) / 255, sizes[i])
    np.testing.assert_allclose(got['b'][i], want, atol=1e-5)


def test_views_depend_on_the_id_alone_not_on_the_place_in_a_batch():
  images, sizes, index = canvases(8)
  order = np.random.default_rng(0).permutation(8)
  got = views_of_batch(RNG, images[order], sizes[order], index[order])
  want = views_of_batch(RNG, images, sizes, index)
  for name in VIEWS:
    np.testing.assert_array_equal(got[name], np.asarray(want[name])[order])


@pytest.mark.parametrize('size, canvas', [(24, 32), (17, 33), (96, 120)])
def test_views_have_the_same_bits_on_any_devices(size, canvas, monkeypatch):
  batch = canvases(8, canvas)
  views = augment.make_views(
      dict(a=dict(VIEWS['b'], size=size)), dtype='float32')
  want = jax.jit(views)(RNG, *batch)['a']
  for num_devices in (1, 2, 4):
    monkeypatch.setattr(parallel, 'devices', lambda n=num_devices: jax.devices()[:n])
    mapped = parallel.mapped(views, (None, 0, 0, 0), 0)
    got = parallel.join(mapped(RNG, *parallel.split(batch)))['a']
    np.testing.assert_array_equal(got, want)


def test_views_differ_between_names_examples_and_epochs():
  images, sizes, _ = canvases(1)
  images, sizes = images.repeat(8, 0), sizes.repeat(8, 0)
  index = np.arange(8, dtype=np.int32)
  views = jax.jit(augment.make_views(dict(a=CROP, b=CROP), dtype='float32'))
  seen = [
      view for epoch in range(2)
      for view in views(jax.random.key(epoch), images, sizes, index).values()]
  assert len(np.unique(np.concatenate(seen).reshape(32, -1), axis=0)) == 32


def test_bfloat16_views_are_close_to_float32():
  batch = canvases(8)
  want = views_of_batch(RNG, *batch)['a']  # Without solarising, which has a jump.
  views = jax.jit(augment.make_views(dict(a=VIEWS['a']), dtype='bfloat16'))
  got = views(RNG, *batch)['a']
  assert got.dtype == jnp.bfloat16
  error = abs(np.asarray(got, np.float32) - np.asarray(want))
  assert error.max() < 0.03 and error.mean() < 0.003, (error.max(), error.mean())


def test_views_stay_in_range():
  views = views_of_batch(RNG, *canvases(8))
  assert views['a'].min() >= 0 and views['a'].max() <= 1
  image = views['b'] * np.array(color.STD) + np.array(color.MEAN)
  assert image.min() >= -1e-6 and image.max() <= 1 + 1e-6
  assert views['b'].min() < -0.5


def test_other_keys_ids_and_sizes_do_not_compile_again():
  images, sizes, index = canvases(8)
  views = jax.jit(augment.make_views(dict(a=CROP), dtype='float32'))
  for epoch in range(3):
    rng = jax.random.fold_in(RNG, epoch)
    views(rng, images, sizes - epoch, index + epoch)
  assert views._cache_size() == 1


@pytest.mark.parametrize('settings, operations', [(CROP, 1), (SIMCLR, 6)])
def test_what_has_probability_zero_is_not_traced(settings, operations, monkeypatch):
  draws, uniform = [], jax.random.uniform
  monkeypatch.setattr(
      jax.random, 'uniform', lambda *args: draws.append(args) or uniform(*args))
  view = functools.partial(augment.view, **settings)
  jax.eval_shape(view, RNG, jnp.zeros((32, 32, 3)), jnp.ones(2, int))
  assert len(draws) == operations


def test_eval_view_cuts_the_center_of_each_image():
  images, sizes, _ = canvases(3)
  settings = dict(size=24, fraction=0.875, interpolation='bicubic')
  got = jax.jit(augment.make_eval_view(settings, dtype='float32'))(images, sizes)
  boxes = [(2, 2, 28, 28), (5, 2, 22, 22), (1, 7, 18, 18)]
  for view, image, box in zip(got, images.astype(np.float32) / 255, boxes):
    want = pillow_resize(image, *box, 24, 'bicubic')
    np.testing.assert_allclose(view, want.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize('wrong, message', [
    (dict(max_area=1.5), r'config\.views\.a\.max_area is 1.5; it must be above 0'),
    (dict(min_area=0.0), 'min_area is 0.0'),
    (dict(min_area=0.5, max_area=0.4), 'min_area is 0.5, above max_area, .* 0.4'),
    (dict(jitter=1.1), 'jitter is 1.1; it must be from 0 to 1'),
    (dict(flip=-0.1), 'flip is -0.1'),
    (dict(blur=float('nan')), 'blur is nan'),
    (dict(hue=0.6), 'hue is 0.6; it must be from 0 to 0.5'),
    (dict(contrast=-1.0), 'contrast is -1.0; it must be 0 or more'),
    (dict(size=0), 'size is 0; it must be a whole number'),
    (dict(size='24'), "size is '24'"),
    (dict(interpolation='lanczos'), "'lanczos'; it must be one of bil"),
    (dict(interpolation=['bicubic']), 'must be one of'),
    (dict(normalize='cifar'), "'cifar'; it must be one of none, imagenet"),
    (dict(zoom=1), 'a has unknown zoom; its keys are blur, ')])
def test_wrong_settings_are_refused_before_tracing(wrong, message):
  with pytest.raises(ValueError, match=message):
    augment.make_views(dict(a={**SIMCLR, **wrong}), dtype='float32')


def test_wrong_eval_settings_and_missing_views_are_refused():
  with pytest.raises(ValueError, match=r'config\.eval_view\.fraction is 1.2'):
    augment.make_eval_view(
        dict(size=24, fraction=1.2, interpolation='bicubic'), dtype='float32')
  with pytest.raises(ValueError, match=r'config\.eval_view lacks fraction'):
    augment.make_eval_view(dict(size=24, interpolation='bicubic'), dtype='float32')
  with pytest.raises(ValueError, match=r'config\.views is empty'):
    augment.make_views({}, dtype='float32')
