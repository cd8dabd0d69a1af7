"""Crops, resizing, flips and blurs, against Pillow, SciPy and torchvision's rules."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pictures
import pytest
import scipy.ndimage
import scipy.stats

from jaxssl import augment
from jaxssl import resample

AREAS = dict(min_area=0.2, max_area=0.5)


@pytest.mark.parametrize('interpolation', pictures.RESAMPLING)
@pytest.mark.parametrize('size', [9, 48])
def test_resized_box_is_pillows(interpolation, size):
  image = pictures.pixels(40, 37)[..., None] + pictures.pixels(40, 37, 3, seed=1) / 2
  image /= image.max()
  boxes = np.array([  # Top, left, height, width.
      (0, 0, 40, 37), (3, 5, 31, 20), (39, 36, 1, 1), (0, 10, 9, 9), (20, 0, 7, 33),
  ])
  resize = jax.jit(jax.vmap(functools.partial(
      resample.resize_box, image, size=size, interpolation=interpolation)))
  for box, got in zip(boxes, resize(*boxes.T)):
    want = pictures.pillow_resize(image, *box.tolist(), size, interpolation)
    np.testing.assert_allclose(got, want.clip(0, 1), atol=1e-5)


def test_random_resized_crop_resizes_the_box_that_it_draws():
  image = pictures.pixels(30, 26, 3)
  got = pictures.over_keys(
      augment.random_resized_crop, 8, image, size=12, interpolation='bicubic',
      valid=jnp.array([25, 20]), **AREAS)
  boxes = draw_boxes(8, (25, 20), **AREAS)
  for view, box in zip(got, boxes.T.tolist()):
    want = pictures.pillow_resize(image, *map(int, box), 12, 'bicubic')
    np.testing.assert_allclose(view, want.clip(0, 1), atol=1e-5)


@functools.cache
def box_drawer(**areas):
  draw = functools.partial(
      resample.crop_box, min_aspect=3 / 4, max_aspect=4 / 3, **areas)
  return jax.jit(jax.vmap(draw, (0, None)))


def draw_boxes(n, valid, **areas):
  """Top, left, height and width of n crops: [4, n]."""
  return np.array(box_drawer(**areas)(pictures.keys(np.arange(n)), jnp.array(valid)))


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
  black[:13, :17] = white[:13, :17] = pictures.pixels(13, 17, 3)
  valid = jnp.array([13, 17])
  crop = functools.partial(pictures.over_keys, augment.random_resized_crop, 20, size=16,
                           min_area=0.5, max_area=1.0, interpolation='bicubic',
                           valid=valid)
  np.testing.assert_array_equal(crop(black), crop(white))


def test_flip_mirrors_left_and_right():
  image = pictures.pixels(5, 7, 3)
  got = pictures.over_keys(augment.flip, 2000, image, p=0.3)
  flipped = (got == image[:, ::-1]).all((1, 2, 3))
  assert (flipped | (got == image).all((1, 2, 3))).all()
  assert abs(flipped.mean() - 0.3) < 0.04  # Four standard deviations.


@pytest.mark.parametrize('sigma', [0.1, 0.7, 2.0])
@pytest.mark.parametrize('kernel_size', [1, 3, 9, 13])
def test_blur_is_scipys(sigma, kernel_size):
  image = pictures.pixels(14, 7, 3)
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
        jax.random.key(0), pictures.pixels(14, 7, 3), p=1.0, min_sigma=1.0,
        max_sigma=1.0, kernel_size=kernel_size)


def test_blur_has_its_probability_and_a_sigma_for_each_image():
  line = np.zeros((21, 21, 3), np.float32)
  line[:, 10] = 1
  got = pictures.over_keys(
      augment.gaussian_blur, 2000, line, p=0.5, min_sigma=0.5, max_sigma=2.0,
      kernel_size=19)[:, 10, :, 0]
  blurred = got[:, 10] < 1
  assert abs(blurred.mean() - 0.5) < 0.05
  ratio = got[blurred, 11] / got[blurred, 10]  # exp(-1 / (2 sigma^2))
  sigma = np.sqrt(-0.5 / np.log(ratio))
  assert scipy.stats.kstest(sigma, 'uniform', (0.5, 1.5)).statistic < 0.06
