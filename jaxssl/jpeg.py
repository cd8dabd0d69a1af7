"""What JPEG does to an image: everything but the bits of the file, on the device.

A file is a lossless account of rounded DCT coefficients, so writing and reading it
would change nothing more. Steps and roundings are those of libjpeg, which Pillow
uses.

All of it is int32, with libjpeg's own fixed point. Rounding turns a difference in
the last bit into one of a whole step, and compilers order float sums as they like;
and images that have been JPEG files before, as most have, are full of coefficients
that lie exactly between two steps, where only the same digits give the same image.

In shapes, h and w are the canvas's height and width, multiples of 8 or 16 inside; p
is planes: brightness, or the two of colour.
"""

import jax.numpy as jnp
import numpy as np

from jaxssl import regions

SUBSAMPLINGS = ('4:2:0', '4:4:4')

# Steps between coefficients at quality 50 (ITU-T T.81, Annex K).
LUMA_TABLE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]])
CHROMA_TABLE = np.full((8, 8), 99)
CHROMA_TABLE[:4, :4] = [
    [17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# YCbCr from RGB and back (JFIF), in units of 2^-16.
TO_YCBCR = np.array([
    [19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]])
TO_RGB = np.array([[65536, 0, 91881], [65536, -22554, -46802], [65536, 116130, 0]])

# Left half of the waves of the DCT, in units of 2^-13 / sqrt(8). Last digits are
# those that come out of the products in libjpeg's accurate method.
_HALF_WAVES = np.array([
    [8192, 8192, 8192, 8192], [11363, 9633, 6437, 2260],
    [10703, 4433, -4433, -10703], [9633, -2259, -11362, -6436],
    [8192, -8192, -8192, 8192], [6437, -11362, 2261, 9633],
    [4433, -10704, 10704, -4433], [2260, -6436, 9633, -11363]])
_SIGNS = np.array([[1], [-1]] * 4)  # The right half mirrors the left or -left.
WAVES = np.concatenate([_HALF_WAVES, _SIGNS * _HALF_WAVES[:, ::-1]], 1)


def quantization_tables(quality):
  """The steps between coefficients, as libjpeg scales them.

  Args:
    quality: 1 to 100, whole.

  Returns:
    [8, 8] steps of brightness and [8, 8] of colour, from 1 to 255.
  """
  percent = 5000 // quality if quality < 50 else 200 - 2 * quality
  return tuple(
      np.clip((table * percent + 50) // 100, 1, 255)
      for table in (LUMA_TABLE, CHROMA_TABLE))


def _mix(equation, weights, planes, shift, offset=0):
  """A product of whole numbers, divided by 2^shift and rounded half up."""
  sums = jnp.einsum(equation, jnp.asarray(weights, jnp.int32), planes)
  return (sums + (1 << (shift - 1)) + offset) >> shift


def _round_coefficients(planes, table):
  """Cuts planes [p, h, w] into blocks and rounds the coefficients of each."""
  p, h, w = planes.shape
  blocks = planes.reshape(p, h // 8, 8, w // 8, 8) - 128
  x = _mix('vj,phiwj->phiwv', WAVES, blocks, 11)      # Rows, then columns, ...
  x = _mix('ui,phiwv->phuwv', WAVES, x, 15)           # ... to 8 x coefficients.
  table = jnp.asarray(table, jnp.int32)[:, None]      # [8, 1, 8]
  x = jnp.sign(x) * ((jnp.abs(x) + 4 * table) // (8 * table)) * table
  x = _mix('ui,phuwv->phiwv', WAVES, x, 11)           # Columns, then rows.
  x = _mix('vj,phiwv->phiwj', WAVES, x, 18)
  return jnp.clip(x + 128, 0, 255).reshape(p, h, w)


def _halve(planes):
  """Means of 2 x 2 pixels: [p, h, w] -> [p, h/2, w/2]."""
  p, h, w = planes.shape
  sums = planes.reshape(p, h // 2, 2, w // 2, 2).sum((2, 4))
  # Halves are rounded down in even columns and up in odd ones, to be fair.
  return (sums + 1 + jnp.arange(w // 2) % 2) >> 2


def _double(planes):
  """Enlarges [p, h, w] to [p, 2h, 2w]: three parts the nearer, one the next."""
  p, h, w = planes.shape
  padded = jnp.pad(planes, [(0, 0), (1, 1), (0, 0)], 'edge')
  rows = jnp.stack([padded[:, :-2], padded[:, 2:]], 2) + 3 * planes[:, :, None]
  rows = rows.reshape(p, 2 * h, w)
  padded = jnp.pad(rows, [(0, 0), (0, 0), (1, 1)], 'edge')
  sums = jnp.stack([padded[..., :-2] + 8, padded[..., 2:] + 7], -1)
  sums += 3 * rows[..., None]
  return (sums >> 4).reshape(p, 2 * h, 2 * w)


def jpeg(rng, image, *, quality, subsampling='4:2:0', valid=None):
  """Compresses with loss and decodes again (ITU-T T.81).

  Args:
    rng: not used: nothing here is random.
    image: [h, w, 3] in [0, 1]; it is rounded to multiples of 1/255 first.
    quality: 1 to 100, whole, as Pillow and libjpeg mean it.
    subsampling: '4:2:0' halves the resolution of colour, as Pillow does unless told
      otherwise; '4:4:4' keeps it.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner; None for all of it.

  Returns:
    [h, w, 3] in the type of `image`; multiples of 1/255 inside of the valid part.

  Raises:
    ValueError: a setting is out of range.
  """
  del rng
  if not isinstance(quality, int) or not 1 <= quality <= 100:
    raise ValueError(
        f'quality is {quality!r}; it must be a whole number from 1 to 100.')
  if subsampling not in SUBSAMPLINGS:
    raise ValueError(
        f'subsampling is {subsampling!r}. There are: {", ".join(SUBSAMPLINGS)}.')
  height, width, _ = image.shape
  region = regions.of(image, valid)
  halves = subsampling == '4:2:0'
  side = 16 if halves else 8
  luma_table, chroma_table = quantization_tables(quality)

  planes = jnp.round(jnp.moveaxis(image, -1, 0).astype(jnp.float32) * 255)
  planes = planes.astype(jnp.int32)
  planes = jnp.pad(planes, [(0, 0), (0, -height % side), (0, -width % side)])
  for axis in (1, 2):
    planes = regions.extend(planes, region[axis - 1], axis=axis)
  # Colour is rounded half down, so that its greatest value is 255.
  offset = np.array([0, 2**23 - 1, 2**23 - 1])[:, None, None]
  planes = _mix('dc,chw->dhw', TO_YCBCR, planes, 16, offset)
  luma, chroma = planes[:1], planes[1:]

  if halves:
    half = (region + 1) // 2
    chroma = regions.extend(_halve(chroma), half[0], axis=1)
  luma = _round_coefficients(luma, luma_table)
  chroma = _round_coefficients(chroma, chroma_table)
  if halves:
    for axis in (1, 2):
      chroma = regions.extend(chroma, half[axis - 1], axis=axis)
    chroma = _double(chroma)

  planes = jnp.concatenate([luma, chroma - 128])
  planes = _mix('dc,chw->dhw', TO_RGB, planes, 16)
  planes = jnp.clip(planes, 0, 255).astype(jnp.float32) / 255
  new = jnp.moveaxis(planes[:, :height, :width], 0, -1)
  return regions.replace(image, new, region)
