"""Images of any size on squares of one size, in their true geometry.

An image keeps its aspect ratio. It is shrunk so that its shorter side fits the
setting, never enlarged, and lies in the top left corner of the square; zeros fill
the rest. Shrinking is Pillow's bicubic filter, which widens with the scale, so that
it does not alias.
"""

import numbers

import numpy as np
from PIL import Image

RESAMPLING = Image.Resampling.BICUBIC


def check(short_side, canvas):
  """Raises a ValueError where no image could lie on such a canvas."""
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


def place(image, *, short_side, canvas):
  """Puts an image on a canvas.

  Args:
    image: uint8 [h, w, 3].
    short_side: pixels of the shorter side after shrinking; a shorter one stays.
    canvas: side of the square in pixels. What the longer side has beyond it is cut
      off equally at both ends (`shrunk` tells whether that happens).

  Returns:
    uint8 [canvas, canvas, 3], and the (height, width) of the image on it.

  Raises:
    ValueError: the image is not uint8 [h, w, 3], or it would not fit.
  """
  check(short_side, canvas)
  if image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size:
    raise ValueError(
        f'An image is {image.dtype} {list(image.shape)} where uint8 [h, w, 3] with '
        'h and w above 0 is wanted.')
  height, width = shrunk(image.shape[:2], short_side)
  if (height, width) != image.shape[:2]:
    image = np.asarray(Image.fromarray(image).resize((width, height), RESAMPLING))
  top, left = max(0, height - canvas) // 2, max(0, width - canvas) // 2
  image = image[top:top + canvas, left:left + canvas]
  height, width = image.shape[:2]
  square = np.zeros((canvas, canvas, 3), np.uint8)
  square[:height, :width] = image
  return square, (height, width)
