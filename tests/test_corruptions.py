"""Corruptions against NumPy, SciPy and Pillow, on canvases and in a run's views."""

import colorsys
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pictures
import pytest
import scipy.ndimage
import tiny_run
from PIL import Image

from jaxssl import augment
from jaxssl import corruptions
from jaxssl import errors
from jaxssl import parallel
from jaxssl import recipe as recipes

RNG = jax.random.key(3)
SEVERE = (
    'gaussian_noise', 'gaussian_blur', 'pixelate', 'contrast', 'brightness')
SETTINGS = {
    'salt_and_pepper': dict(p=0.2), 'jpeg': dict(quality=20),
    'resize': dict(size=17), 'downsample': dict(factor=3),
    **{name: dict(severity=3) for name in SEVERE}}


@functools.cache
def corrupter(name, **settings):
  return jax.jit(functools.partial(corruptions.BY_NAME[name], **settings))


def photograph(height, width):
  """Smooth blobs of colour with some noise: float32 in [0, 1]."""
  noise = pictures.pixels(height, width, 3)
  smooth = scipy.ndimage.gaussian_filter(noise, (4, 4, 0))
  smooth = (smooth - smooth.min()) / np.ptp(smooth)
  return np.clip(smooth + 0.1 * noise - 0.05, 0, 1, dtype=np.float32)


def pillow_resize(image, height, width, how):
  """Pillow's resize in its float mode, a channel at a time."""
  return np.stack([
      Image.fromarray(c).resize((width, height), how)
      for c in np.moveaxis(image, -1, 0)], -1)


def test_salt_and_pepper_hits_whole_pixels_as_often_as_told():
  image = np.full((200, 300, 3), 0.5, np.float32)
  image[..., 1] = 0.25
  got = np.asarray(corrupter('salt_and_pepper', p=0.1)(RNG, image))
  black, white = (got == 0).all(-1), (got == 1).all(-1)
  kept = (got == image).all(-1)
  assert (black | white | kept).all()
  deviation = np.sqrt(0.05 * 0.95 / kept.size)
  assert abs(black.mean() - 0.05) < 4 * deviation
  assert abs(white.mean() - 0.05) < 4 * deviation
  # Neighbours are independent: a pair is as rare as two of them should be.
  pairs = (black[:, 1:] & white[:, :-1]).mean()
  assert abs(pairs - 0.05**2) < 4 * 0.05 / np.sqrt(kept.size)


@pytest.mark.parametrize('p, values', [(0.0, [0.5]), (1.0, [0, 1])])
def test_salt_and_pepper_at_its_ends(p, values):
  got = corrupter('salt_and_pepper', p=p)(RNG, np.full((9, 9, 3), 0.5, np.float32))
  assert set(np.unique(got)) == set(values)


@pytest.mark.parametrize('shape, size, to', [
    ((61, 40), 17, (26, 17)), ((40, 61), 39, (39, 59)), ((33, 20), 20, (33, 20)),
    ((20, 33), 64, (20, 33)), ((50, 3), 1, (17, 1))])
def test_resize_is_pillows(shape, size, to):
  image = photograph(*shape)
  got = corrupter('resize', size=size)(RNG, image)
  assert got.shape == (*to, 3)
  want = pillow_resize(image, *to, Image.BILINEAR)
  np.testing.assert_allclose(got, want.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize('shape, factor, small', [
    ((48, 36), 2, (24, 18)), ((61, 45), 4, (15, 11)), ((37, 2), 4, (9, 1))])
def test_downsample_is_pillows_there_and_back(shape, factor, small):
  image = photograph(*shape)
  got = corrupter('downsample', factor=factor)(RNG, image)
  shrunk = pillow_resize(image, *small, Image.BILINEAR)
  want = pillow_resize(shrunk, *shape, Image.BILINEAR)
  np.testing.assert_allclose(got, want.clip(0, 1), atol=1e-5)


def test_downsample_with_a_size_resizes_first():
  image = photograph(40, 61)
  got = corrupter('downsample', factor=2, size=20)(RNG, image)
  small = corrupter('resize', size=20)(RNG, image)
  want = corrupter('downsample', factor=2)(RNG, small)
  np.testing.assert_allclose(got, want, atol=1e-6)


@functools.cache
def by_severity(name, side):
  """An image [side, 2 * side, 3], and what severities 0 to 5 make of it.

  No pixel's centre lies on the border of two boxes: there Pillow leaves it out.
  """
  image = photograph(side, 2 * side)
  image[0, :3] = [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5)]
  function = corruptions.BY_NAME[name]
  all_of_them = jax.jit(lambda rng, image: [
      function(rng, image, severity=severity) for severity in range(6)])
  return image, [np.asarray(x) for x in all_of_them(RNG, image)]


@pytest.mark.parametrize('side, sigmas', [
    (32, (0.04, 0.06, 0.08, 0.09, 0.10)), (64, (0.08, 0.12, 0.18, 0.26, 0.38))])
def test_gaussian_noise_has_its_deviation(side, sigmas):
  image, corrupted = by_severity('gaussian_noise', side)
  noise = np.random.default_rng(0).normal(size=(9, *image.shape))
  for got, sigma in zip(corrupted[1:], sigmas):
    want = np.clip(image + sigma * noise, 0, 1) - image
    assert abs((got - image).std() / want.std() - 1) < 0.04
    assert abs((got - image).mean() - want.mean()) < 5 * sigma / np.sqrt(image.size)
  channels = (corrupted[1] - image).reshape(-1, 3).T
  assert abs(np.corrcoef(channels) - np.eye(3)).max() < 0.1


@pytest.mark.parametrize('side, sigmas', [
    (32, (0.4, 0.6, 0.7, 0.8, 1.0)), (64, (1.0, 2.0, 3.0, 4.0, 6.0))])
def test_gaussian_blur_is_scipys(side, sigmas):
  image, corrupted = by_severity('gaussian_blur', side)
  for got, sigma in zip(corrupted[1:], sigmas):
    want = scipy.ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode='nearest', truncate=4)
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize('side, fractions', [
    (32, (0.95, 0.9, 0.85, 0.75, 0.65)), (64, (0.6, 0.5, 0.4, 0.3, 0.25))])
def test_pixelate_is_pillows(side, fractions):
  image, corrupted = by_severity('pixelate', side)
  for got, fraction in zip(corrupted[1:], fractions):
    want = pillow_resize(
        image, int(side * fraction), int(2 * side * fraction), Image.BOX)
    want = pillow_resize(want, side, 2 * side, Image.BOX)
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize('side, rests', [
    (32, (0.75, 0.5, 0.4, 0.3, 0.15)), (64, (0.4, 0.3, 0.2, 0.1, 0.05))])
def test_contrast_is_numpys(side, rests):
  image, corrupted = by_severity('contrast', side)
  mean = image.mean((0, 1), dtype=np.float64)
  for got, rest in zip(corrupted[1:], rests):
    np.testing.assert_allclose(got, (image - mean) * rest + mean, atol=1e-5)


@pytest.mark.parametrize('side, more', [
    (32, (0.05, 0.1, 0.15, 0.2, 0.3)), (64, (0.1, 0.2, 0.3, 0.4, 0.5))])
def test_brightness_is_the_value_of_hsv(side, more):
  image, corrupted = by_severity('brightness', side)
  for got, plus in zip(corrupted[1:], more):
    pixels = (x[::7, :5].reshape(-1, 3) for x in (image, got))
    for pixel, brighter in zip(*pixels):
      hue, saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
      want = colorsys.hsv_to_rgb(hue, saturation, min(value + plus, 1))
      np.testing.assert_allclose(brighter, want, atol=1e-5)


@pytest.mark.parametrize('name', SEVERE)
def test_severity_zero_is_the_identity_and_others_are_ever_stronger(name):
  image, corrupted = by_severity(name, 64)
  assert all(x.min() >= 0 and x.max() <= 1 for x in corrupted)
  changes = [np.abs(x - image).mean() for x in corrupted]
  assert changes[0] == 0 and (np.diff(changes) > 0).all()


@pytest.mark.parametrize('name', SETTINGS)
def test_bfloat16_stays_and_is_close_to_float32(name):
  image = photograph(40, 28)
  corrupt = corrupter(name, **SETTINGS[name])
  image = np.asarray(jnp.asarray(image, jnp.bfloat16), np.float32)
  got = corrupt(RNG, jnp.asarray(image, jnp.bfloat16))
  assert got.dtype == jnp.bfloat16
  assert np.abs(np.asarray(got, np.float32) - corrupt(RNG, image)).max() < 0.005


@pytest.mark.parametrize('name', sorted(SETTINGS.keys() - {'jpeg'}))
def test_a_part_of_a_canvas_is_corrupted_as_if_alone(name):
  canvas = photograph(72, 68)
  corrupt = functools.partial(corruptions.BY_NAME[name], **SETTINGS[name])
  parts = np.array([(33, 47), (67, 65)])
  got = jax.jit(jax.vmap(lambda image, valid: corrupt(RNG, image, valid=valid)))(
      np.stack([canvas] * len(parts)), parts)
  got, regions = got if isinstance(got, tuple) else (got, parts)
  for image, region, (height, width) in zip(got, regions, parts):
    alone = corrupter(name, **SETTINGS[name])(RNG, canvas[:height, :width])
    assert tuple(region) == alone.shape[:2]
    np.testing.assert_allclose(image[:region[0], :region[1]], alone, atol=2e-6)
    assert not image[region[0]:height, :width].any()  # Where a larger image was.
    assert not image[:height, region[1]:width].any()
    np.testing.assert_array_equal(image[height:], canvas[height:])
    np.testing.assert_array_equal(image[:, width:], canvas[:, width:])


@pytest.mark.parametrize('name, wrong, message', [
    ('salt_and_pepper', dict(p=1.1), 'p is 1.1; it must be from 0 to 1'),
    ('salt_and_pepper', dict(p='1'), "p is '1'"),
    ('resize', dict(size=0), 'size is 0; it must be a whole number of at least 1'),
    ('downsample', dict(factor=2.5), 'factor is 2.5; it must be a whole'),
    ('downsample', dict(factor=2, size=0), 'size is 0'),
    ('jpeg', dict(quality=0), 'quality is 0'),
    ('pixelate', dict(severity=6), 'severity is 6; it must be .* from 0 to 5'),
    ('contrast', dict(severity=1.0), 'severity is 1.0')])
def test_wrong_settings_are_refused(name, wrong, message):
  with pytest.raises(ValueError, match=message):
    corruptions.BY_NAME[name](RNG, jnp.zeros((8, 8, 3)), **wrong)
  with pytest.raises(ValueError, match=message):
    corruptions.make(dict(name=name, **wrong), seed=0)


@pytest.mark.parametrize('settings, message', [
    (dict(name='fog'), "No corruption 'fog'. There are: brightness, con"),
    (dict(), 'No corruption None'),
    (dict(name='jpeg'), r'\(jpeg\) lacks quality; its keys are quality, subs'),
    (dict(name='jpeg', quality=9, p=1), 'unknown p'),
    (dict(name='jpeg', quality=9, valid=(8, 8)), 'unknown valid'),
    ((dict(name='jpeg', quality=9), dict(name='x')), "No corruption 'x'"),
    ('jpeg', "config.corruption is 'jpeg'; it must be None, dict")])
def test_wrong_configs_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    augment.make_views(dict(a=pictures.CROP), dtype='float32', corruption=settings)


def in_order(*settings, seed=0):
  corrupt = corruptions.make(settings, seed=seed)
  return jax.jit(jax.vmap(corrupt))


def test_several_are_applied_in_order_each_with_its_own_key():
  image = np.full((1, 32, 24, 3), 0.5, np.float32)
  size, index = np.array([[30, 24]]), np.array([7])
  pepper, jpeg = dict(name='salt_and_pepper', p=0.3), dict(name='jpeg', quality=5)
  clean, _ = in_order(jpeg, pepper)(image, size, index)
  assert set(np.unique(clean[0, :30])) == {0, np.float32(128 / 255), 1}
  dirty, _ = in_order(pepper, jpeg)(image, size, index)
  assert len(np.unique(dirty[0, :30])) > 20
  twice, _ = in_order(pepper, pepper)(image, size, index)
  assert abs((twice[0, :30] == 0.5).mean() - 0.7**2) < 0.05
  flat = dict(name='contrast', severity=1)
  got, regions = in_order(dict(name='resize', size=12), flat)(image, size, index)
  np.testing.assert_array_equal(regions, [[15, 12]])
  assert not got[0, 15:30].any() and (got[0, 30:] == 0.5).all()


def test_examples_and_seeds_differ_and_nothing_else_does():
  images = np.full((3, 16, 16, 3), 0.5, np.float32)
  sizes, index = np.full((3, 2), 16), np.array([4, 5, 4])
  noise = dict(name='gaussian_noise', severity=5)
  got, _ = in_order(noise)(images, sizes, index)
  np.testing.assert_array_equal(got[0], got[2])
  assert np.abs(got[0] - got[1]).mean() > 0.05
  other, _ = in_order(noise, seed=1)(images, sizes, index)
  assert np.abs(got[0] - other[0]).mean() > 0.05


def test_images_have_the_same_bits_in_every_epoch_and_on_any_devices(monkeypatch):
  images = np.stack([np.uint8(photograph(48, 40) * 255)] * 8)
  sizes = np.array([(48, 40), (37, 40), (48, 21), (30, 30)] * 2, np.int32)
  index = np.arange(8, dtype=np.int32)
  # A crop that crops nothing shows the corrupted image in each epoch.
  whole = dict(pictures.CROP, size=40, min_area=1.0, max_area=1.0)
  views = augment.make_views(
      dict(a=whole), dtype='float32', seed=5,
      corruption=(
          dict(name='salt_and_pepper', p=0.1), dict(name='contrast', severity=1),
          dict(name='downsample', size=25, factor=2),
          dict(name='jpeg', quality=30)))
  compiled = jax.jit(views)
  want = compiled(jax.random.PRNGKey(0), images, sizes, index)['a']
  assert np.abs(want[0] - want[4]).mean() > 0.01  # Other draws for the same pixels.
  epoch = compiled(jax.random.PRNGKey(1), images, sizes, index)['a']
  np.testing.assert_array_equal(epoch, want)
  for num_devices in (2, 4):
    devices = jax.devices()[:num_devices]
    monkeypatch.setattr(parallel, 'devices', lambda devices=devices: devices)
    mapped = parallel.mapped(views, (None, 0, 0, 0), 0)
    split = parallel.split((images, sizes, index))
    got = parallel.join(mapped(jax.random.PRNGKey(2), *split))['a']
    np.testing.assert_array_equal(got, want)


def test_a_recipe_corrupts_its_views_and_nothing_else():
  config = {**tiny_run.config(), 'corruption': dict(name='contrast', severity=5)}
  recipe = recipes.build(config)
  images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
  sizes, index = np.full((2, 2), 16), np.arange(2)
  views = jax.jit(recipe.views)(jax.random.PRNGKey(0), images, sizes, index)
  clean = jax.jit(recipe.eval_view)(images, sizes)
  assert views['a'].std(axis=(1, 2)).max() < 0.1 < clean.std(axis=(1, 2)).min()
  config['corruption'] = dict(name='contrast', severity=7)
  with pytest.raises(errors.ConfigError, match='severity is 7'):
    recipes.build(config)


def test_a_corruption_sees_grey_levels_that_bfloat16_would_round():
  """JPEG in front of bfloat16 views is that in front of float32 ones, then rounded."""
  view = dict(
      size=16, min_area=1.0, max_area=1.0, interpolation='bilinear', flip=0.0,
      jitter=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
      grayscale=0.0, blur=0.0, solarize=0.0, normalize='none')
  canvas = np.random.default_rng(0).integers(200, 256, (1, 16, 16, 3), np.uint8)
  full, rounded = (
      augment.make_views(
          {'a': view}, dtype=dtype, corruption=dict(name='jpeg', quality=90))(
              jax.random.PRNGKey(0), canvas, np.array([[16, 16]]), np.array([0]))['a']
      for dtype in ('float32', 'bfloat16'))
  assert rounded.dtype == jnp.bfloat16
  np.testing.assert_array_less(
      np.abs(np.asarray(rounded, np.float32) - full), 2 ** -8)
