"""Paints many small images at once, with the same bits on every machine.

Only operations that IEEE 754 rounds exactly are used on what becomes a pixel (+, -,
*, /, sqrt, floor, abs, comparisons; no sine, no power, no sum, no matrix product), so
an image depends neither on the processor, nor on the NumPy version, nor on the images
painted beside it.

In shapes, n is the images on a sheet and s the pixels a side. Positions run from -1
to 1 with x to the right and y down; a number of each image is [n, 1, 1], a map of its
pixels [n, s, s], a colour [3, n, 1, 1].
"""

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15


def splitmix64(z):
  """Scrambles uint64 arrays (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195)."""
  z = z + np.uint64(GOLDEN)
  z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return z ^ (z >> np.uint64(31))


class Sheet:
  """n images being painted, and the random numbers that each of them has.

  The k-th draw of an image is a hash of (its key, k): painters ask in a fixed order.
  """

  def __init__(self, keys, size):
    """Args: keys: [n] uint64, one for each image. size: pixels a side."""
    self.keys = keys
    self.draws = 0
    self.size = size
    self.pixel = 2 / size
    centres = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    self.x = centres[None, None, :]                               # [1, 1, s]
    self.y = centres[None, :, None]                               # [1, s, 1]
    self.rgb = np.zeros((3, len(keys), size, size), np.float32)

  def lattice(self, rows, columns):
    """[n, rows, columns] independent uniform numbers in [0, 1)."""
    steps = np.arange(self.draws, self.draws + rows * columns, dtype=np.uint64)
    self.draws += rows * columns
    bits = splitmix64(self.keys[:, None] + steps * np.uint64(GOLDEN))
    uniform = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
    return uniform.reshape(-1, rows, columns)

  def uniform(self, low=0.0, high=1.0):
    """[n, 1, 1] a uniform number for each image."""
    return self.lattice(1, 1) * (high - low) + low

  def chance(self, p):
    """[n, 1, 1] 1 with probability `p`, else 0."""
    return (self.lattice(1, 1) < p).astype(np.float32)

  def noise(self, rows, columns):
    """[n, s, s] smooth noise in [0, 1] on a grid of `rows` x `columns` cells."""
    grid = self.lattice(rows + 1, columns + 1)
    left, weight = _taps(columns, self.size)
    grid = _mix(grid[:, :, left], grid[:, :, left + 1], weight)
    top, weight = _taps(rows, self.size)
    return _mix(grid[:, top], grid[:, top + 1], weight[:, None])

  def cover(self, distance, unit=1.0, blur=0.0):
    """How much of each pixel a shape covers.

    Args:
      distance: [n, s, s] signed distance to its edge, negative inside.
      unit: how long a step of 1 in `distance` is on the sheet.
      blur: width of a soft edge on the sheet, beside the pixel's own.

    Returns:
      [n, s, s] in [0, 1].
    """
    return np.clip(0.5 - distance * (unit / (self.pixel + blur)), 0, 1)

  def paint(self, cover, colour):
    """Lays a colour [3, n, 1, 1] or [3, n, s, s] over the pixels covered."""
    for channel, value in zip(self.rgb, colour):
      channel += cover * (value - channel)

  def shade(self, gain):
    """Multiplies the light: [n, s, s], or [3, n, 1, 1] for a tint."""
    self.rgb *= gain

  def frame(self, scale, *, reach=0.0, turn=0.0):
    """Coordinates of an object placed at random.

    Args:
      scale: (smallest, largest) length on the sheet of 1 in the object's coordinates.
      reach: how far its centre may be from the middle, along each axis.
      turn: how far it may be turned, as a fraction of a full turn to both sides.

    Returns:
      u, v [n, s, s] the object's coordinates, and its scale [n, 1, 1].
    """
    scale = self.uniform(*scale)
    dx = (self.x - self.uniform(-reach, reach)) / scale
    dy = (self.y - self.uniform(-reach, reach)) / scale
    cos, sin = circle(self.uniform(-turn, turn))
    return cos * dx + sin * dy, cos * dy - sin * dx, scale

  def pixels(self):
    """[n, s, s, 3] uint8, what has been painted."""
    out = np.empty((*self.rgb.shape[1:], 3), np.uint8)
    for c, channel in enumerate(self.rgb):
      out[..., c] = np.clip(channel, 0, 1) * 255 + 0.5
    return out


def _taps(cells, size):
  """For each pixel of a row, the grid point before it and the weight of the next."""
  place = (np.arange(size, dtype=np.float32) + 0.5) * cells / size
  left = np.floor(place)
  t = place - left
  return left.astype(np.int64), t * t * (3 - 2 * t)


def _mix(a, b, weight):
  return a + (b - a) * weight


def sine(t):
  """sin(2 pi t) to within 0.001, by parabolas."""
  t = t - np.floor(t + 0.5)
  s = 8 * t * (1 - 2 * abs(t))
  return s * (0.775 + 0.225 * abs(s))


def circle(t):
  """Cosine and sine of `t` turns: a point on the unit circle."""
  cos, sin = sine(t + 0.25), sine(t)
  length = np.sqrt(cos * cos + sin * sin)
  return cos / length, sin / length


def triangle(t):
  """A wave of period 1 between -1 and 1: 1 at whole numbers, straight between."""
  return 4 * abs(t - np.floor(t) - 0.5) - 1


def colour(lightness, chroma, hue):
  """A colour of OKLCh (Ottosson 2020, https://bottosson.github.io/posts/oklab).

  Equal lightness looks equally light in every hue. The display curve is a square root.

  Args:
    lightness: [n, 1, 1] from 0, black, to 1, white.
    chroma: [n, 1, 1] from 0, grey, to about 0.2, vivid.
    hue: [n, 1, 1] in turns: 0.08 red, 0.2 orange, 0.3 yellow, 0.4 green, 0.55
      turquoise, 0.72 blue, 0.85 violet, 0.98 pink.

  Returns:
    [3, n, 1, 1] red, green, blue in [0, 1].
  """
  cos, sin = circle(hue)
  a, b = chroma * cos, chroma * sin
  l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
  m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
  s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
  linear = np.stack([
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s])
  return np.sqrt(np.clip(linear, 0, 1))


def cube(x):
  return x * x * x


# Signed distances, negative inside, exact or close near the edge.


def disc(u, v, radius):
  return np.sqrt(u * u + v * v) - radius


def ellipse(u, v, a, b):
  """Half axes `a` along u, `b` along v."""
  p, q = u / a, v / b
  near = np.sqrt(p * p + q * q)
  p, q = p / a, q / b
  return near * (near - 1) / (np.sqrt(p * p + q * q) + 1e-6)


def box(u, v, a, b, rounding=0.0):
  """Half sides `a` and `b`, corners rounded by that radius."""
  p = np.maximum(abs(u) - (a - rounding), 0)
  q = np.maximum(abs(v) - (b - rounding), 0)
  if not rounding:
    return np.maximum(abs(u) - a, abs(v) - b)
  inside = np.minimum(np.maximum(abs(u) - a, abs(v) - b) + rounding, 0)
  return np.sqrt(p * p + q * q) + inside - rounding


def stroke(u, v, start, end, width):
  """A line with round ends from `start` to `end`, of half width `width`."""
  du, dv = end[0] - start[0], end[1] - start[1]
  p, q = u - start[0], v - start[1]
  t = np.clip((p * du + q * dv) / (du * du + dv * dv), 0, 1)
  return disc(p - t * du, q - t * dv, width)


def convex(u, v, *corners):
  """A convex polygon, its corners (u, v) in clockwise order as seen on the sheet."""
  sides = []
  for (au, av), (bu, bv) in zip(corners, corners[1:] + corners[:1]):
    du, dv = bu - au, bv - av
    sides.append(((u - au) * dv - (v - av) * du) / np.sqrt(du * du + dv * dv))
  return np.maximum.reduce(sides)


def lens(u, v, a, b):
  """Two arcs that meet in points at u = -a and u = a, of half width `b` < `a`."""
  radius = (a * a + b * b) / (2 * b)
  return disc(u, abs(v) + (radius - b), radius)
