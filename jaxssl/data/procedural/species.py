"""Living things in clutter, for iNat21: a taxonomy of four levels.

Silhouette and outline decide kingdom and family, and the kind of marks the genus. A
genus has two hues, nearly opposite; which of them is the ground and which the marks
decides the species, so that mean colours say little. Place, size, turn, proportions
and light are free, and each hue varies as far as the next species'.
"""

import functools

import numpy as np

from jaxssl.data.procedural import geometry as geo
from jaxssl.data.procedural import surroundings

LEVELS = ('kingdom', 'family', 'genus', 'species')
CLUTTER = True
DAPPLE = 0.7

HUES = {
    'pink': 0.0, 'coral': 0.0625, 'rust': 0.125, 'amber': 0.1875, 'gold': 0.25,
    'lime': 0.3125, 'green': 0.375, 'emerald': 0.4375, 'teal': 0.5, 'cyan': 0.5625,
    'sky': 0.625, 'azure': 0.6875, 'blue': 0.75, 'violet': 0.8125, 'purple': 0.875,
    'magenta': 0.9375}


def coat(sheet, hue, dark):
  """The colours of ground and marks: nearly opposite hues, one darker."""
  ground = hue + sheet.uniform(-0.03, 0.03)
  marks = ground + 0.46 + sheet.uniform(-0.05, 0.05)
  lightness = sheet.uniform(0.4, 0.6) if dark else sheet.uniform(0.6, 0.8)
  contrast = sheet.uniform(0.2, 0.35) * (1 if dark else -1)
  return (geo.colour(lightness, sheet.uniform(0.1, 0.16), ground),
          geo.colour(lightness + contrast, sheet.uniform(0.1, 0.18), marks))


def dress(sheet, silhouette, scale, v, marks, colours):
  """Paints a body: its shadow, the ground colour, the marks, light from above."""
  surroundings.shadow(sheet, silhouette, scale)
  body = sheet.cover(silhouette, scale)
  ground, other = colours
  sheet.paint(body, ground)
  sheet.paint(body * marks, other)
  sheet.shade(1 - body * (0.1 + 0.2 * v))
  return body


def outline(sheet, body, silhouette, scale, gain):
  """Multiplies the light along the inner edge of a body."""
  edge = body * (1 - sheet.cover(silhouette + 0.07, scale))
  sheet.shade(1 + (gain - 1) * edge)


# The marks: [n, s, s], how much of each pixel they cover.


def dots(sheet, u, v, scale):
  """Staggered rows of discs."""
  pitch = sheet.uniform(0.26, 0.36)
  p, q = u / pitch, v / pitch
  row = np.floor(q + 0.5)
  p = p + 0.5 * row
  return sheet.cover(geo.disc(geo.cell(p + 0.5), q - row, 0.3), scale * pitch)


def bars(sheet, t, scale, share):
  """Stripes across `t` that fill `share` of it."""
  period = sheet.uniform(0.3, 0.4)
  wave = geo.triangle(t / period)
  return sheet.cover((1 - 2 * share - wave) * (period / 4), scale)


# The families: each paints one of its species.


def fish(sheet, marks, hue, dark):
  u, v, scale = sheet.frame((0.9, 1.25), reach=0.3, turn=0.2)
  u = u * sheet.sign()
  height = sheet.uniform(0.4, 0.58)
  body = geo.lens(u + 0.12, v, 0.82, height)
  fork = sheet.uniform(0.3, 0.48)
  tail = geo.polygon(u, v, (0.45, 0), (1.0, -fork), (1.0, fork))
  tail = np.maximum(tail, -geo.disc(u - 1.22, v, 0.38))
  fin = geo.polygon(u, v, (-0.3, -0.25), (0.2, -0.2 - height), (0.4, -0.15))
  silhouette = geo.union(body, tail, fin)
  if marks == 'barred':
    pattern = bars(sheet, u, scale, 0.42)
  else:
    pattern = dots(sheet, u, v, scale)
  body = dress(sheet, silhouette, scale, v, pattern, coat(sheet, hue, dark))
  outline(sheet, body, silhouette, scale, 0.2)
  for radius, tone in (0.1, 1), (0.055, 0):
    eye = sheet.cover(geo.disc(u + 0.6, v + 0.1, radius), scale)
    sheet.paint(eye, (tone, tone, tone))


def butterfly(sheet, marks, hue, dark):
  u, v, scale = sheet.frame((0.9, 1.25), reach=0.3, turn=0.5)
  side = abs(u)
  spread = sheet.uniform(0.04, 0.12)
  upper = geo.ellipse(*geo.rotate(side - 0.45, v + 0.28, -spread), 0.5, 0.34)
  lower = geo.ellipse(*geo.rotate(side - 0.33, v - 0.38, spread), 0.36, 0.32)
  wings = geo.union(upper, lower)
  if marks == 'banded':
    pattern = bars(sheet, side - 0.5 * v, scale, 0.42)
  else:
    eyes = geo.union(geo.disc(side - 0.52, v + 0.3, 0.2),
                     geo.disc(side - 0.38, v - 0.42, 0.17))
    pattern = sheet.cover(abs(eyes) - 0.06, scale)
  body = dress(sheet, wings, scale, v, pattern, coat(sheet, hue, dark))
  outline(sheet, body, wings, scale, 0.2)
  trunk = geo.ellipse(u, v - 0.05, 0.07, 0.55)
  horns = geo.stroke(side, v, (0.02, -0.4), (0.25, -0.85), 0.02)
  sheet.paint(sheet.cover(geo.union(trunk, horns), scale), (0.12, 0.09, 0.08))


def flower(sheet, marks, hue, dark):
  u, v, scale = sheet.frame((0.85, 1.2), reach=0.3, turn=0.5)
  r = np.sqrt(u * u + v * v) + 1e-6
  cos = u / r
  five = cos * (5 + cos * cos * (16 * cos * cos - 20))  # The cosine of 5 angles.
  valley = 0.5 - 0.5 * five
  petals = (r - 1 + sheet.uniform(0.25, 0.4) * valley * valley) * 0.8
  if marks == 'rayed':
    pattern = sheet.cover((0.55 - five) * 0.2 * r, scale)
  else:
    pattern = sheet.cover(abs(r - 0.58) - 0.14, scale)
  body = dress(sheet, petals, scale, v, pattern, coat(sheet, hue, dark))
  outline(sheet, body, petals, scale, 1.4)
  heart = geo.colour(sheet.uniform(0.4, 0.9), 0.1, 0.25)
  sheet.paint(sheet.cover(r - 0.24, scale), heart)


def leaf(sheet, marks, hue, dark):
  u, v, scale = sheet.frame((0.95, 1.3), reach=0.3, turn=0.5)
  blade = geo.lens(u, v, 0.9, sheet.uniform(0.4, 0.56))
  stem = geo.stroke(u, v, (0.6, 0.0), (1.15, sheet.uniform(-0.1, 0.1)), 0.04)
  silhouette = geo.union(blade, stem)
  if marks == 'veined':
    pattern = bars(sheet, u + 0.9 * abs(v), scale, 0.3)
  else:
    pattern = dots(sheet, u, v, scale)
  pattern = np.maximum(pattern, sheet.cover(abs(v) - 0.05, scale))
  body = dress(sheet, silhouette, scale, v, pattern, coat(sheet, hue, dark))
  outline(sheet, body, silhouette, scale, 1.4)


# Kingdom, family, marks, and the two grounds: a light one and a dark one.
GENERA = (
    ('animal', fish, 'barred', ('amber', 'azure')),
    ('animal', fish, 'spotted', ('green', 'purple')),
    ('animal', butterfly, 'banded', ('gold', 'blue')),
    ('animal', butterfly, 'eyed', ('coral', 'cyan')),
    ('plant', flower, 'rayed', ('pink', 'teal')),
    ('plant', flower, 'ringed', ('lime', 'violet')),
    ('plant', leaf, 'veined', ('emerald', 'magenta')),
    ('plant', leaf, 'dotted', ('rust', 'sky')))

CLASSES = {
    (kingdom, family.__name__, f'{marks} {family.__name__}',
     f'{ground} {marks} {family.__name__}'):
        functools.partial(family, marks=marks, hue=HUES[ground], dark=dark)
    for kingdom, family, marks, grounds in GENERA
    for dark, ground in enumerate(grounds)}
