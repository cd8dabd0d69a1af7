"""Paints many small images at once, with the same bits on every machine.

What becomes a pixel goes only through float32 operations that IEEE 754 defines to
the last bit (+, -, *, /, sqrt, floor, comparisons; no sine, power, sum or matrix
product). So an image does not depend on the processor, on the version of NumPy, or
on the images painted beside it.

In shapes, n is the images on a sheet and s the pixels a side. Positions run from -1
to 1, x to the right and y down. A number of each image is [n, 1, 1], a map of its
pixels [n, s, s], a colour [3, n, 1, 1].
"""

import numpy as np

from jaxssl.data.procedural import geometry as geo

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def splitmix64(z):
  """A hash of uint64 arrays (Steele et al. 2014, doi:10.1145/2714064.2660195)."""
  z = z + GOLDEN
  z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return z ^ (z >> np.uint64(31))


class Sheet:
  """n images being painted, and the random numbers of each.

  The k-th random number of an image is a hash of its key and k: whoever paints must
  draw them in a fixed order.
  """

  def __init__(self, keys, size):
    """Takes [n] uint64 `keys`, one for each image, and the pixels a side."""
    self.keys = keys
    self.numbers = np.empty((len(keys), 0), np.float32)  # Made many at a time.
    self.drawn = 0
    self.size = size
    self.pixel = 2 / size
    centres = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    self.x = centres[None, None, :]                               # [1, 1, s]
    self.y = centres[None, :, None]                               # [1, s, 1]
    self.rgb = np.zeros((3, len(keys), size, size), np.float32)

  def lattice(self, rows, columns):
    """[n, rows, columns] independent uniform numbers in [0, 1)."""
    first, self.drawn = self.drawn, self.drawn + rows * columns
    made = self.numbers.shape[1]
    if self.drawn > made:
      counter = np.arange(made, max(self.drawn, made + 256), dtype=np.uint64)
      bits = splitmix64(self.keys[:, None] + counter * GOLDEN)
      more = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
      self.numbers = np.concatenate([self.numbers, more], axis=1)
    return self.numbers[:, first:self.drawn].reshape(-1, rows, columns)

  def uniform(self, low=0.0, high=1.0, count=1):
    """[n, count, 1] uniform numbers for each image."""
    return self.lattice(count, 1) * (high - low) + low

  def coin(self, p=0.5):
    """[n, 1, 1] 1 with probability `p`, else 0."""
    return (self.lattice(1, 1) < p).astype(np.float32)

  def sign(self):
    """[n, 1, 1] 1 or -1."""
    return 1 - 2 * self.coin()

  def noise(self, rows, columns):
    """[n, s, s] smooth noise in [0, 1] on a grid of `rows` x `columns` cells."""
    grid = self.lattice(rows + 1, columns + 1)
    left, weight = self._taps(columns)
    grid = grid[:, :, left] + (grid[:, :, left + 1] - grid[:, :, left]) * weight
    top, weight = self._taps(rows)
    above = grid[:, top]                                          # [n, s, s]
    return above + (grid[:, top + 1] - above) * weight[:, None]

  def tone(self, hue, chroma, lightness, spread=0.05, contrast=0.12):
    """[3, n, 1, 1] a colour of each image, like `geo.colour` of these numbers.

    The hue is at most `spread` away, the lightness at most `contrast`.
    """
    return geo.colour(
        lightness + self.uniform(-contrast, contrast),
        chroma * self.uniform(0.6, 1.2), hue + self.uniform(-spread, spread))

  def patches(self, u, v):
    """[n, s, s] a number in [0, 1) for each unit square of (u, v), modulo 8."""
    row, column = (np.floor(t) - 8 * np.floor(np.floor(t) / 8) for t in (v, u))
    index = (8 * row + column).astype(np.int64).reshape(len(self.keys), -1)
    values = np.take_along_axis(self.lattice(1, 64)[:, 0], index, axis=1)
    return values.reshape(self.rgb.shape[1:])

  def _taps(self, cells):
    """[s] the grid line before each pixel, and the weight of the one after it."""
    place = (np.arange(self.size, dtype=np.float32) + 0.5) * cells / self.size
    before = np.floor(place)
    t = place - before
    return before.astype(np.int64), t * t * (3 - 2 * t)

  def frame(self, scale, *, reach, turn):
    """The coordinates of an object placed at random.

    Args:
      scale: (smallest, largest) length on the sheet of 1 in its coordinates.
      reach: how far its middle may be from the sheet's, along each axis.
      turn: how far it may be turned to either side, in turns.

    Returns:
      u, v [n, s, s] in the object's coordinates, and its scale [n, 1, 1].
    """
    scale = self.uniform(*scale)
    u = (self.x - self.uniform(-reach, reach)) / scale
    v = (self.y - self.uniform(-reach, reach)) / scale
    return *geo.rotate(u, v, self.uniform(-turn, turn)), scale

  def cover(self, distance, scale=1.0, blur=0.0):
    """How much of each pixel a shape covers.

    Args:
      distance: [n, s, s] signed distance to its edge, negative inside.
      scale: length on the sheet of 1 in `distance`.
      blur: width of a soft edge on the sheet, beyond the pixel's own.

    Returns:
      [n, s, s] in [0, 1].
    """
    return np.clip(0.5 - distance * (scale / (self.pixel + blur)), 0, 1)

  def paint(self, cover, colour):
    """Lays a colour over the pixels covered."""
    for channel, value in zip(self.rgb, colour):
      channel += cover * (value - channel)

  def shade(self, gain):
    """Multiplies the pixels: by [n, s, s], or by a colour [3, n, 1, 1]."""
    self.rgb *= gain

  def part(self, members):
    """A sheet with a copy of some of the images, and random numbers of its own."""
    part = Sheet(splitmix64(self.keys[members]), self.size)
    part.rgb = self.rgb[:, members]
    return part

  def pixels(self):
    """[n, s, s, 3] uint8, what has been painted."""
    images = np.empty((*self.rgb.shape[1:], 3), np.uint8)
    for c, channel in enumerate(self.rgb):
      images[..., c] = np.clip(channel, 0, 1) * 255 + 0.5
    return images
