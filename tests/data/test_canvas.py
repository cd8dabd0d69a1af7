import numpy as np
import pytest
from PIL import Image

from jaxssl.data import canvas


def noise(height, width, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize('height, width', [(1, 1), (5, 9), (16, 16), (16, 20)])
def test_small_images_keep_every_pixel(height, width):
  image = noise(height, width)
  square, size = canvas.place(image, short_side=16, canvas=20)
  assert size == (height, width)
  assert square.dtype == np.uint8
  np.testing.assert_array_equal(square[:height, :width], image)
  assert square.sum() == image.sum()  # Nothing but zeros elsewhere.


@pytest.mark.parametrize('height, width, shrunk, placed', [
    (64, 64, (16, 16), (16, 16)),
    (32, 40, (16, 20), (16, 20)),
    (40, 32, (20, 16), (20, 16)),
    (100, 160, (16, 26), (16, 24)),     # 25.6 rounds to 26; the canvas holds 24.
    (4000, 17, (3765, 16), (24, 16)),
    (1, 4000, (1, 4000), (1, 24)),      # Too short to shrink.
])
def test_sizes(height, width, shrunk, placed):
  assert canvas.shrunk((height, width), 16) == shrunk
  _, size = canvas.place(noise(height, width), short_side=16, canvas=24)
  assert size == placed


def test_long_side_is_cropped_in_the_centre():
  columns = np.arange(40, dtype=np.uint8)
  image = np.broadcast_to(columns[None, :, None], (8, 40, 3))
  square, size = canvas.place(image, short_side=8, canvas=11)
  assert size == (8, 11)
  np.testing.assert_array_equal(square[0, :, 0], columns[14:25])  # 14 off, 15 off.


def test_geometry_is_true():
  """A disc of a tall image is a disc on the canvas."""
  y, x = np.mgrid[:300, :200]
  disc = ((y - 150) ** 2 + (x - 100) ** 2 < 80 ** 2) * np.uint8(255)
  square, _ = canvas.place(np.dstack([disc] * 3), short_side=50, canvas=80)
  on = square[..., 0] > 127
  assert on.any(axis=1).sum() == on.any(axis=0).sum() == 40
  assert abs(on.sum() - np.pi * 20 ** 2) < 12


def test_shrinking_does_not_alias():
  """A pattern that is finer than the result becomes its mean, not a moire."""
  y, x = np.mgrid[:120, :120]
  checks = ((x + y) % 2 * 255).astype(np.uint8)
  square, _ = canvas.place(np.dstack([checks] * 3), short_side=37, canvas=37)
  assert np.abs(square[4:-4, 4:-4].astype(int) - 127).max() <= 2


def test_shrinking_keeps_a_ramp():
  """Pixel i of the result is the centre of its four pixels: 4 i + 1.5."""
  columns = np.arange(160, dtype=np.uint8)
  ramp = np.broadcast_to(columns[None, :, None], (160, 160, 3))
  square, _ = canvas.place(ramp, short_side=40, canvas=40)
  want = 4 * np.arange(40) + 1.5
  assert np.abs(square[20, 4:-4, 0] - want[4:-4]).max() <= 0.5


@pytest.mark.parametrize('height, width', [(12, 30), (64, 30), (300, 200)])
def test_a_pillow_image_is_as_good_as_an_array(height, width):
  image = noise(height, width)
  settings = dict(short_side=16, canvas=20)
  want, size = canvas.place(image, **settings)
  got, same = canvas.place(Image.fromarray(image), **settings)
  np.testing.assert_array_equal(got, want)
  assert same == size
  with pytest.raises(ValueError, match='mode L'):
    canvas.place(Image.fromarray(image[..., 0]), **settings)


def test_filter_is_bicubic():
  image = noise(50, 70)
  square, _ = canvas.place(image, short_side=20, canvas=28)
  want = Image.fromarray(image).resize((28, 20), Image.Resampling.BICUBIC)
  np.testing.assert_array_equal(square[:20], np.asarray(want))


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
def test_filter_is_the_one_that_is_named(interpolation):
  image = noise(50, 70)
  square, _ = canvas.place(
      image, short_side=20, canvas=28, interpolation=interpolation)
  want = Image.fromarray(image).resize(
      (28, 20), Image.Resampling[interpolation.upper()])
  np.testing.assert_array_equal(square[:20], np.asarray(want))


def test_no_such_filter():
  with pytest.raises(ValueError, match=r"'box' of a canvas.*: bicubic, bilinear\."):
    canvas.place(noise(50, 70), short_side=20, canvas=28, interpolation='box')


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('height, width', [(50, 170), (170, 50), (333, 517)])
def test_a_crop_is_what_the_whole_has_there(height, width, interpolation):
  image = noise(height, width)
  square, (h, w) = canvas.place(
      image, short_side=20, canvas=24, interpolation=interpolation)
  tall, wide = canvas.shrunk((height, width), 20)
  top, left = (tall - h) // 2, (wide - w) // 2
  whole = np.asarray(Image.fromarray(image).resize(
      (wide, tall), Image.Resampling[interpolation.upper()]))
  want = whole[top:top + h, left:left + w]
  # Pillow rounds to whole numbers between rows and columns, in either order.
  assert np.abs(square[:h, :w].astype(int) - want).max() <= 1


@pytest.mark.parametrize('short_side', [0, -1, 25])
def test_impossible_canvas(short_side):
  with pytest.raises(ValueError, match=f'short_side is {short_side} and canvas 24'):
    canvas.place(noise(30, 30), short_side=short_side, canvas=24)


@pytest.mark.parametrize('image', [
    np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8),
    np.zeros((8, 8, 4), np.uint8), np.zeros((0, 8, 3), np.uint8)])
def test_not_an_image(image):
  with pytest.raises(ValueError, match='where uint8'):
    canvas.place(image, short_side=4, canvas=4)
