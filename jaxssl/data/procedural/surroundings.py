"""What is around an object and the light on it, for objects and species."""

import numpy as np

from jaxssl.data.procedural import geometry as geo


def clutter(sheet):
  """Clouds, stems and stones out of focus.

  Light and arrangement differ from image to image, but each has every hue: no mean
  colour tells images apart, and two crops of one have no colour in common.
  """
  cos, sin = geo.circle(sheet.uniform())
  light = sheet.uniform(0.25, 0.75) + sheet.uniform(0, 0.15) * (
      cos * sheet.x + sin * sheet.y)
  light = light + 0.5 * (sheet.noise(5, 5) - 0.5)
  for channel in sheet.rgb:
    channel += light + 0.35 * (sheet.noise(5, 5) - 0.5)
  k = 8  # Leaf-shaped things, all drawn at once: numbers are [n, k, 1].
  tones = geo.colour(
      sheet.uniform(0.25, 0.95, k), sheet.uniform(0.0, 0.12, k),
      sheet.uniform(0, 1, k))
  left, top = sheet.uniform(-1, 1, k), sheet.uniform(-1, 1, k)
  cos, sin = geo.circle(sheet.uniform(0, 1, k))
  long = sheet.uniform(0.15, 0.5, k)
  wide = long * sheet.uniform(0.1, 0.7, k)
  strength = sheet.uniform(0.2, 0.8, k)
  for i in (np.s_[..., i:i + 1, :] for i in range(k)):
    x, y = sheet.x - left[i], sheet.y - top[i]
    thing = geo.lens(
        cos[i] * x + sin[i] * y, cos[i] * y - sin[i] * x, long[i], wide[i])
    sheet.paint(strength[i] * sheet.cover(thing, blur=0.1), tones[i])


def shadow(sheet, silhouette, scale):
  """Darkens the ground around an object that is yet to be painted."""
  sheet.shade(1 - 0.4 * sheet.cover(silhouette - 0.05, scale, blur=0.25))


def light(sheet, *, dapple):
  """Light over all that is painted: strength, direction, a slight tint, shade.

  `dapple` is the difference between the lightest spots and the darkest, around 1.
  """
  cos, sin = geo.circle(sheet.uniform())
  slant = sheet.uniform(0.0, 0.35) * (cos * sheet.x + sin * sheet.y)
  sheet.shade(sheet.uniform(0.8, 1.6) * (1 + slant))
  sheet.shade(1 + dapple * (sheet.noise(3, 3) - 0.5))
  sheet.shade(geo.colour(0.9, sheet.uniform(0.0, 0.025), sheet.uniform()))
