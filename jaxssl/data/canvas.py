"""Images of any size on squares of one size, in their true geometry.

An image keeps its aspect ratio. It is shrunk so that its shorter side fits the
setting, never enlarged, and lies in the top left corner of the square; zeros fill
the rest. Pillow shrinks it, whose filters widen with the scale, so that nothing
aliases: bilinear is what torchvision's Resize and tf.image.resize(antialias=True) do;
bicubic is a little sharper, and takes half as long again.
"""

import numbers

import numpy as np
from PIL import Image

INTERPOLATIONS = {
    'bicubic': Image.Resampling.BICUBIC, 'bilinear': Image.Resampling.BILINEAR}


def check(short_side, canvas, interpolation):
  """Raises a ValueError where no image could be laid so on such a canvas."""
  if interpolation not in INTERPOLATIONS:
    raise ValueError(
        f'No interpolation {interpolation!r} of a canvas. There are: '
        f'{", ".join(INTERPOLATIONS)}.')
  whole = isinstance(short_side, numbers.Integral) and isinstance(
      canvas, numbers.Integral)
  if not whole or not 0 < short_side <= canvas:
    raise ValueError(
        f'short_side is {short_side!r} and canvas {canvas!r}: both are whole '
        'numbers of pixels above 0, and the canvas is not the smaller one.')


def shrunk(size, short_side):
  """The (height, width) of an image that is shrunk to `short_side`."""
  shortest = min(size)
  if shortest <= short_side:
    return tuple(size)
  return tuple(round(side * short_side / shortest) for side in size)


def size_of(image):
  """The (height, width) of an array or of a Pillow image."""
  return image.size[::-1] if isinstance(image, Image.Image) else image.shape[:2]


def place(image, *, short_side, canvas, interpolation='bicubic'):
  """Puts an image on a canvas.

  Args:
    image: uint8 [h, w, 3], or a Pillow image in RGB.
    short_side: pixels of the shorter side after shrinking; a shorter one stays.
    canvas: side of the square in pixels. What the longer side has beyond it is cut
      off equally at both ends (`shrunk` tells whether that happens).
    interpolation: 'bicubic' or 'bilinear', how an image is shrunk.

  Returns:
    uint8 [canvas, canvas, 3], and the (height, width) of the image on it.

  Raises:
    ValueError: the image is not uint8 [h, w, 3], or it would not fit, or
      there is no such interpolation.
  """
  check(short_side, canvas, interpolation)
  of_pillow = isinstance(image, Image.Image)
  if of_pillow and image.mode != 'RGB':
    raise ValueError(f'An image has the mode {image.mode} where RGB is wanted.')
  if not of_pillow and (
      image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size):
    raise ValueError(
        f'An image is {image.dtype} {list(image.shape)} where uint8 [h, w, 3] with '
        'h and w above 0 is wanted.')
  before = size_of(image)
  whole = shrunk(before, short_side)
  height, width = (min(side, canvas) for side in whole)
  top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
  if whole == before:
    image = np.asarray(image)[top:top + height, left:left + width]
  else:
    # Only what stays is computed; the filter still reads what lies beyond.
    y, x = (a / b for a, b in zip(before, whole))
    image = (image if of_pillow else Image.fromarray(image)).resize(
        (width, height), INTERPOLATIONS[interpolation],
        (left * x, top * y, (left + width) * x, (top + height) * y))
  square = np.zeros((canvas, canvas, 3), np.uint8)
  square[:height, :width] = image
  return square, (height, width)
