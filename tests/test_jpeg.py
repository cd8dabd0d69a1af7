"""JPEG against Pillow's own files, digit by digit."""

import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pictures
import pytest
import sklearn.datasets
from PIL import Image

from jaxssl import jpeg

QUALITIES = (5, 10, 25, 50, 75, 95)
SUBSAMPLINGS = {'4:4:4': 0, '4:2:0': 2}
# Other builds of the library may have another fixed point: a level here and there.
CLOSE = 0.1


@functools.cache
def photographs():
  """Pieces of photographs, with sides that 8 and 16 do not divide."""
  china, flower = sklearn.datasets.load_sample_images().images
  return china[100:223, 280:437], flower[120:243, 150:307]


@functools.cache
def compressor(**settings):
  return jax.jit(functools.partial(jpeg.jpeg, None, **settings))


def ours(image, **settings):
  """Through `jpeg.jpeg` and back to uint8."""
  got = compressor(**settings)(np.float32(image) / 255)
  levels = np.asarray(got, np.float64) * 255
  np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
  return levels.round().astype(np.uint8)


def pillows(image, quality, subsampling=-1):
  """What Pillow reads from the file that it has written, and the file's tables."""
  file = io.BytesIO()
  Image.fromarray(image).save(
      file, 'JPEG', quality=quality, subsampling=subsampling)
  image = Image.open(file)
  return np.asarray(image), image.quantization


def mean_difference(a, b):
  return np.abs(np.float64(a) - b).mean()


def test_tables_are_those_in_pillows_files():
  for quality in range(1, 101):
    _, tables = pillows(np.zeros((8, 8, 3), np.uint8), quality)
    for i, table in enumerate(jpeg.quantization_tables(quality)):
      np.testing.assert_array_equal(table.ravel(), tables[i])


@pytest.mark.parametrize('quality', QUALITIES)
def test_photographs_are_pillows(quality):
  for image in photographs():
    want, _ = pillows(image, quality)
    assert mean_difference(want, image) > 10 * CLOSE  # It does something.
    assert mean_difference(ours(image, quality=quality), want) < CLOSE


@pytest.mark.parametrize('subsampling', SUBSAMPLINGS)
def test_resolution_of_colour_is_pillows(subsampling):
  image = photographs()[1]
  want, _ = pillows(image, 75, SUBSAMPLINGS[subsampling])
  got = {s: ours(image, quality=75, subsampling=s) for s in SUBSAMPLINGS}
  assert mean_difference(got.pop(subsampling), want) < CLOSE
  [other] = got.values()
  assert mean_difference(other, want) > 0.3


@pytest.mark.parametrize('height, width', [(1, 1), (7, 16), (18, 33)])
def test_any_size_and_pure_noise(height, width):
  noise = np.uint8(pictures.pixels(height, width, 3) * 255)
  for quality in (1, 100):
    want, _ = pillows(noise, quality)
    assert mean_difference(ours(noise, quality=quality), want) < CLOSE


def test_a_second_time_at_half_the_quality_is_pillows():
  # The steps at 75 are half of those at 50: most coefficients lie between two.
  image = photographs()[0][:96, :144]
  once, _ = pillows(image, 75)
  twice, _ = pillows(once, 50)
  assert mean_difference(ours(once, quality=50), twice) < CLOSE


def test_a_part_of_a_canvas_is_compressed_as_if_alone():
  compress = jax.jit(jax.vmap(lambda image, valid: jpeg.jpeg(
      None, image, quality=25, valid=valid)))
  canvas = pictures.pixels(60, 52, 3)
  parts = np.array([(60, 52), (33, 47), (1, 1), (16, 32)])
  got = compress(np.stack([canvas] * len(parts)), parts)
  for image, (height, width) in zip(got, parts):
    alone = compressor(quality=25)(canvas[:height, :width])
    np.testing.assert_array_equal(image[:height, :width], alone)
    np.testing.assert_array_equal(image[height:], canvas[height:])
    np.testing.assert_array_equal(image[:, width:], canvas[:, width:])


def test_bfloat16_holds_all_levels():
  image = photographs()[0]
  got = compressor(quality=50)(jnp.asarray(image, jnp.bfloat16) / 255)
  assert got.dtype == jnp.bfloat16
  levels = np.asarray(got, np.float32) * 255
  np.testing.assert_array_equal(levels.round(), ours(image, quality=50))


@pytest.mark.parametrize('wrong, message', [
    (dict(quality=0), 'quality is 0; it must be a whole number from 1 to 100'),
    (dict(quality=101), 'quality is 101'),
    (dict(quality=10.0), 'quality is 10.0'),
    (dict(quality='10'), "quality is '10'"),
    (dict(quality=10, subsampling='4:2:2'), "'4:2:2'. There are: 4:2:0, 4:4:4")])
def test_wrong_settings_are_refused(wrong, message):
  with pytest.raises(ValueError, match=message):
    jpeg.jpeg(None, jnp.zeros((8, 8, 3)), **wrong)
