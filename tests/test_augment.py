"""Views: their keys, their bits on any devices, their settings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pictures
import pytest

from jaxssl import augment
from jaxssl import color
from jaxssl import parallel

IDENTITIES = {
    'crop': functools.partial(
        augment.random_resized_crop, size=12, min_area=1.0, max_area=1.0,
        interpolation='bicubic'),
    'flip': functools.partial(augment.flip, p=0.0),
    'jitter never': functools.partial(augment.color_jitter, p=0.0, **pictures.JITTER),
    'jitter of strength 0': functools.partial(
        augment.color_jitter, p=1.0, **dict.fromkeys(pictures.JITTER, 0.0)),
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
  image = jnp.asarray(pictures.pixels(12, 12, 3), dtype)
  for seed in range(2):
    got = jax.jit(IDENTITIES[name])(jax.random.key(seed), image)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, image)


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
    b=dict(pictures.SIMCLR, size=20, normalize='imagenet'),
    a=dict(pictures.SIMCLR, solarize=0.0))
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


@pytest.mark.parametrize('size, canvas', [(17, 33), (96, 120)])
def test_views_have_the_same_bits_on_any_devices(size, canvas, monkeypatch):
  batch = canvases(8, canvas)
  views = augment.make_views(
      dict(a=dict(VIEWS['b'], size=size)), dtype='float32')
  want = jax.jit(views)(RNG, *batch)['a']
  for num_devices in (2, 4):
    monkeypatch.setattr(parallel, 'devices', lambda n=num_devices: jax.devices()[:n])
    mapped = parallel.mapped(views, (None, 0, 0, 0), 0)
    got = parallel.join(mapped(RNG, *parallel.split(batch)))['a']
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('size, canvas, n', [(17, 33, 1), (96, 120, 2)])
def test_views_have_the_same_bits_in_any_chunks(size, canvas, n, monkeypatch):
  batch = canvases(8, canvas)
  views = augment.make_views(dict(a=dict(VIEWS['b'], size=size)), dtype='float32')
  want = jax.jit(views)(RNG, *batch)['a']
  monkeypatch.setattr(augment, 'FLOATS', n * 3 * size**2)
  got = jax.jit(lambda *args: views(*args))(RNG, *batch)['a']  # Not from jax's cache.
  np.testing.assert_array_equal(got, want)


def test_views_differ_between_names_examples_and_epochs():
  images, sizes, _ = canvases(1)
  images, sizes = images.repeat(8, 0), sizes.repeat(8, 0)
  index = np.arange(8, dtype=np.int32)
  views = jax.jit(augment.make_views(
      dict(a=pictures.CROP, b=pictures.CROP), dtype='float32'))
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
  views = jax.jit(augment.make_views(dict(a=pictures.CROP), dtype='float32'))
  for epoch in range(3):
    rng = jax.random.fold_in(RNG, epoch)
    views(rng, images, sizes - epoch, index + epoch)
  assert views._cache_size() == 1


@pytest.mark.parametrize('settings, operations', [
    (pictures.CROP, 1), (pictures.SIMCLR, 6)])
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
    want = pictures.pillow_resize(image, *box, 24, 'bicubic')
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
    augment.make_views(dict(a={**pictures.SIMCLR, **wrong}), dtype='float32')


def test_wrong_eval_settings_and_missing_views_are_refused():
  with pytest.raises(ValueError, match=r'config\.eval_view\.fraction is 1.2'):
    augment.make_eval_view(
        dict(size=24, fraction=1.2, interpolation='bicubic'), dtype='float32')
  with pytest.raises(ValueError, match=r'config\.eval_view lacks fraction'):
    augment.make_eval_view(dict(size=24, interpolation='bicubic'), dtype='float32')
  with pytest.raises(ValueError, match=r'config\.views is empty'):
    augment.make_views({}, dtype='float32')
