"""Waves, colours and signed distances, of IEEE 754's exact operations alone.

Positions are u to the right and v down, arrays that broadcast to [n, s, s] (n
images of s pixels a side). Distances are negative inside, and right near the edge.
"""

import numpy as np


def sine(t):
  """sin(2 pi t) to within 0.001, by parabolas."""
  t = t - np.floor(t + 0.5)
  s = 8 * t * (1 - 2 * abs(t))
  return s * (0.775 + 0.225 * abs(s))


def circle(t):
  """Cosine and sine of `t` turns: a point exactly on the unit circle."""
  cos, sin = sine(t + 0.25), sine(t)
  length = np.sqrt(cos * cos + sin * sin)
  return cos / length, sin / length


def triangle(t):
  """A wave of period 1 between -1 and 1: 1 at whole numbers, straight between."""
  return 4 * abs(t - np.floor(t) - 0.5) - 1


def cell(t):
  """The place within each unit interval, from -0.5 to 0.5."""
  return t - np.floor(t) - 0.5


def colour(lightness, chroma, hue):
  """A colour of OKLCh (Ottosson 2020, https://bottosson.github.io/posts/oklab).

  Equal lightness looks equally light in every hue. A square root stands for the
  display's curve.

  Args:
    lightness: [n, 1, 1], 0 for black to 1 for white.
    chroma: [n, 1, 1], 0 for grey to about 0.2 for vivid.
    hue: [n, 1, 1] in turns: 0.08 red, 0.2 orange, 0.3 yellow, 0.4 green, 0.5 teal,
      0.6 sky, 0.73 blue, 0.83 violet, 0.95 magenta.

  Returns:
    [3, n, 1, 1] red, green, blue in [0, 1].
  """
  cos, sin = circle(np.float32(hue))
  a, b = chroma * cos, chroma * sin
  l = lightness + 0.3963377774 * a + 0.2158037573 * b
  m = lightness - 0.1055613458 * a - 0.0638541728 * b
  s = lightness - 0.0894841775 * a - 1.2914855480 * b
  l, m, s = l * l * l, m * m * m, s * s * s
  linear = np.stack([
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s])
  return np.sqrt(np.clip(linear, 0, 1))


def rotate(u, v, turn):
  """The coordinates of something turned clockwise by `turn` turns."""
  cos, sin = circle(turn)
  return cos * u + sin * v, cos * v - sin * u


def disc(u, v, radius):
  return np.sqrt(u * u + v * v) - radius


def ellipse(u, v, a, b):
  """Half axes `a` along u and `b` along v."""
  p, q = u / a, v / b
  near = np.sqrt(p * p + q * q)
  p, q = p / a, q / b
  return near * (near - 1) / (np.sqrt(p * p + q * q) + 1e-6)


def box(u, v, a, b, rounding=0.0):
  """Half sides `a` and `b`, corners rounded by that radius."""
  p, q = abs(u) - (a - rounding), abs(v) - (b - rounding)
  outside = disc(np.maximum(p, 0), np.maximum(q, 0), rounding)
  return outside + np.minimum(np.maximum(p, q), 0)


def stroke(u, v, start, end, width):
  """A line with round ends from `start` to `end`, of half width `width`."""
  du, dv = end[0] - start[0], end[1] - start[1]
  p, q = u - start[0], v - start[1]
  t = np.clip((p * du + q * dv) / (du * du + dv * dv), 0, 1)
  return disc(p - t * du, q - t * dv, width)


def polygon(u, v, *corners):
  """A convex polygon, its corners (u, v) clockwise as seen."""
  distance = -np.inf
  for (au, av), (bu, bv) in zip(corners, corners[1:] + corners[:1]):
    du, dv = bu - au, bv - av
    length = np.sqrt(np.float32(du * du + dv * dv))
    side = ((u - au) * dv - (v - av) * du) / length
    distance = np.maximum(distance, side)
  return distance


def lens(u, v, a, b):
  """Two arcs that meet in points at u = -a and u = a, of half width `b` < `a`."""
  radius = (a * a + b * b) / (2 * b)
  return disc(u, abs(v) + (radius - b), radius)


def union(*distances):
  """What is inside at least one."""
  out = distances[0]
  for distance in distances[1:]:
    out = np.minimum(out, distance)
  return out
