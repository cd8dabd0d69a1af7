"""Land from above, for GeoLifeCLEF 2020: the texture decides, however turned.

Season, light and soil change the colours of every class; each class keeps its own
pattern of edges, rows, crowns or roofs.
"""

import functools

import numpy as np

from jaxssl.data.procedural import geometry as geo

LEVELS = ('origin', 'group', 'cover')
CLUTTER = False
DAPPLE = 0.8


def tone(sheet, hue, chroma, lightness, spread=0.1):
  """A colour, freer than those of objects: here the texture tells the class."""
  return sheet.tone(hue, chroma, lightness, spread=spread, contrast=0.2)


def ground(sheet, colour, rough):
  """Covers everything with a colour of uneven light."""
  sheet.paint(1, colour)
  cloudy = sheet.noise(5, 5) + 0.6 * sheet.noise(14, 14) - 0.8
  sheet.shade(1 + rough * cloudy)


def crowns(sheet, u, v, pitch, where, colour):
  """Trees in staggered rows, each with its own size, light and shadow."""
  p, q = u / pitch, v / pitch
  p = p + 0.5 * np.floor(q)
  size = 0.3 + 0.2 * sheet.patches(p, q)
  a = geo.cell(p) + 0.25 * (sheet.patches(p, q) - 0.5)
  b = geo.cell(q) + 0.25 * (sheet.patches(p, q) - 0.5)
  shadow = where * sheet.cover(geo.disc(a - 0.12, b - 0.12, size), pitch)
  sheet.shade(1 - 0.5 * shadow)
  tree = where * sheet.cover(geo.disc(a, b, size), pitch)
  sheet.paint(tree, colour)
  sheet.shade(1 + tree * (0.3 * sheet.patches(p, q) - 0.7 * (a + b) - 0.15))


# Each of these paints the class of its name.


def river(sheet, u, v):
  ground(sheet, tone(sheet, 0.34, 0.08, 0.55), 0.5)
  bend = 0.25 * geo.sine(u * 0.5 + sheet.uniform()) + 0.3 * sheet.noise(4, 4)
  bank = abs(v + 0.15 - bend) - sheet.uniform(0.18, 0.35)
  sheet.paint(sheet.cover(bank - 0.07, blur=0.05), tone(sheet, 0.23, 0.06, 0.78))
  water = sheet.cover(bank)
  sheet.paint(water, tone(sheet, 0.62, 0.09, 0.42))
  waves = geo.sine(bank * 3 + sheet.noise(8, 8))
  sheet.shade(1 + 0.5 * water * np.clip(-2 * bank, 0, 1) * waves)


def marsh(sheet, u, v):
  ground(sheet, tone(sheet, 0.3, 0.08, 0.5), 0.4)
  level = sheet.noise(5, 5) + 0.6 * sheet.noise(11, 11) - 0.8
  sheet.paint(sheet.cover((level - 0.12) * 0.4), tone(sheet, 0.35, 0.1, 0.62))
  pools = sheet.cover(level * 0.4)
  sheet.paint(pools, tone(sheet, 0.6, 0.05, 0.3))
  deep = pools * sheet.cover((level + 0.22) * 0.4)
  sheet.paint(deep, tone(sheet, 0.62, 0.05, 0.7))


def glacier(sheet, u, v):
  ground(sheet, tone(sheet, 0.6, 0.02, 0.9), 0.15)
  bend = v + 0.35 * (sheet.noise(3, 3) - 0.5) + 0.15 * u * u
  cracks = geo.triangle(bend * 3.2 + 0.5 * sheet.noise(9, 9))
  sheet.paint(sheet.cover((0.72 - cracks) * 0.08), tone(sheet, 0.58, 0.1, 0.6))
  sheet.paint(sheet.cover((0.9 - cracks) * 0.08), tone(sheet, 0.62, 0.09, 0.35))
  rock = sheet.noise(4, 4) + 0.4 * sheet.noise(16, 16) - 0.35
  sheet.paint(sheet.cover(rock * 0.5), tone(sheet, 0.1, 0.02, 0.4))


def forest(sheet, u, v):
  ground(sheet, tone(sheet, 0.33, 0.06, 0.3), 0.3)
  crowns(sheet, u, v, 0.36, 1, tone(sheet, 0.38, 0.1, 0.45))
  u, v = geo.rotate(u, v, np.float32(0.1))
  crowns(sheet, u, v, 0.27, 1, tone(sheet, 0.34, 0.1, 0.52))


def meadow(sheet, u, v):
  ground(sheet, tone(sheet, 0.34, 0.11, 0.68), 0.35)
  blades = geo.triangle(6 * (u + 0.4 * sheet.noise(8, 8)))
  sheet.shade(1 + 0.08 * blades)
  for hue in (0.28, 0.95, 0.1):
    p, q = geo.rotate(u / 0.17, v / 0.17, sheet.uniform())
    sway = 0.3 * sheet.patches(p, q) - 0.15
    bloom = geo.disc(geo.cell(p) + sway, geo.cell(q), 0.3)
    patch = np.clip(sheet.noise(4, 4) * 4 - 1.9, 0, 1)
    there = patch * (sheet.patches(p, q) > 0.45)
    sheet.paint(there * sheet.cover(bloom, 0.17), tone(sheet, hue, 0.15, 0.75))


def desert(sheet, u, v):
  ground(sheet, tone(sheet, 0.2, 0.08, 0.72), 0.12)
  bend = v * 2.2 + 0.9 * sheet.noise(4, 4) + 0.25 * geo.sine(u * 0.7)
  rise = bend - np.floor(bend)
  sheet.shade(0.72 + 0.45 * rise)
  sheet.shade(1 - 0.45 * sheet.cover((rise - 0.2) * 0.4))
  sheet.shade(1 + 0.07 * geo.triangle(7 * (u * 0.4 + bend)))


def fields(sheet, u, v):
  p, q = u / 0.8, v / 0.65
  p = p + 0.4 * np.floor(q)
  crop = sheet.patches(p, q)
  sheet.paint(1, tone(sheet, 0.22, 0.07, 0.6))
  sheet.paint(sheet.patches(p, q), tone(sheet, 0.37, 0.12, 0.6))
  sheet.paint(sheet.patches(p, q) > 0.7, tone(sheet, 0.29, 0.13, 0.85))
  turned = np.where(crop > 0.5, u, v)
  sheet.shade(1 + 0.22 * geo.triangle(turned * (5 + 3 * np.floor(crop * 4) / 4)))
  hedge = np.minimum(0.4 - 0.8 * abs(geo.cell(p)), 0.325 - 0.65 * abs(geo.cell(q)))
  sheet.paint(sheet.cover(hedge - 0.035), tone(sheet, 0.38, 0.07, 0.3))


def orchard(sheet, u, v):
  ground(sheet, tone(sheet, 0.22, 0.07, 0.68), 0.25)
  sheet.shade(1 - 0.15 * sheet.cover(geo.triangle(v / 0.34) * 0.08))
  p, q = u / 0.34, v / 0.34
  size = 0.3 + 0.06 * sheet.patches(p, q)
  a, b = geo.cell(p), geo.cell(q)
  sheet.shade(1 - 0.5 * sheet.cover(geo.disc(a - 0.14, b - 0.14, size), 0.34))
  tree = sheet.cover(geo.disc(a, b, size), 0.34)
  sheet.paint(tree, tone(sheet, 0.39, 0.12, 0.5))
  sheet.shade(1 - tree * 0.8 * (a + b))


def greenhouses(sheet, u, v):
  ground(sheet, tone(sheet, 0.27, 0.06, 0.5), 0.3)
  p, q = u / 1.1, v / 0.5
  roof = geo.box(geo.cell(p) * 1.1, geo.cell(q) * 0.5, 0.5, 0.2)
  sheet.shade(1 - 0.4 * sheet.cover(roof - 0.03, blur=0.06))
  glass = sheet.cover(roof)
  sheet.paint(glass, tone(sheet, 0.57, 0.04, 0.85))
  sheet.shade(1 - 0.3 * glass * (sheet.patches(p, q) > 0.6))
  sheet.shade(1 + 0.28 * glass * geo.triangle(geo.cell(q) * 5))
  ribs = sheet.cover((0.75 - geo.triangle(u / 0.15)) * 0.03)
  sheet.shade(1 - 0.35 * glass * ribs)


def blocks(sheet, p, q, pitch, margin, roofs):
  """A street grid with one flat roof and its shadow on each lot."""
  a, b = geo.cell(p), geo.cell(q)
  wide = (0.5 - margin) * (0.75 + 0.25 * sheet.patches(p, q))
  deep = (0.5 - margin) * (0.75 + 0.25 * sheet.patches(p, q))
  sheet.shade(1 - 0.5 * sheet.cover(geo.box(a - 0.1, b - 0.1, wide, deep), pitch))
  roof = sheet.cover(geo.box(a, b, wide, deep), pitch)
  sheet.paint(roof, roofs)
  sheet.shade(1 + roof * (0.7 * sheet.patches(p, q) - 0.4))
  return roof, a, b


def city(sheet, u, v):
  ground(sheet, tone(sheet, 0.7, 0.01, 0.45), 0.1)
  p, q = u / 0.4, v / 0.4
  roof, a, b = blocks(sheet, p, q, 0.4, 0.12, tone(sheet, 0.15, 0.03, 0.68))
  shaft = roof * sheet.cover(geo.box(a - 0.05, b + 0.03, 0.13, 0.1), 0.4)
  sheet.shade(1 - 0.5 * shaft * (sheet.patches(p, q) > 0.4))
  across = abs(geo.cell(u / 1.6)) * 1.6
  sheet.paint(sheet.cover(across - 0.07), tone(sheet, 0.7, 0.01, 0.35))
  dashes = np.maximum(across - 0.015, geo.triangle(v / 0.2) * 0.05)
  sheet.paint(sheet.cover(dashes), (0.95, 0.95, 0.9))


def suburb(sheet, u, v):
  ground(sheet, tone(sheet, 0.35, 0.09, 0.58), 0.35)
  street = abs(geo.cell(v / 1.3)) * 1.3 - 0.09
  p, q = u / 0.5, v / 0.65
  some = sheet.patches(u / 0.21, v / 0.21) > 0.6
  crowns(sheet, u + 0.1, v, 0.21, some, tone(sheet, 0.39, 0.09, 0.42))
  roof, a, b = blocks(sheet, p, q, 0.5, 0.24, tone(sheet, 0.09, 0.12, 0.52))
  sheet.shade(1 - roof * (0.04 + 0.24 * np.sign(b)))  # The two sides of a ridge.
  pool = geo.ellipse(a - 0.36, b - 0.3, 0.1, 0.07)
  sheet.paint(sheet.cover(pool, 0.5) * (sheet.patches(p, q) > 0.5),
              tone(sheet, 0.58, 0.11, 0.75))
  sheet.paint(sheet.cover(street), tone(sheet, 0.7, 0.01, 0.5))


def motorway(sheet, u, v):
  ground(sheet, tone(sheet, 0.33, 0.07, 0.52), 0.4)
  tar, kerb = tone(sheet, 0.72, 0.01, 0.42), (0.88, 0.87, 0.82)
  ramp = abs(geo.disc(u - 0.45, v - 0.45, 0.4)) - 0.08
  sheet.paint(sheet.cover(ramp - 0.02), kerb)
  sheet.paint(sheet.cover(ramp), tar)
  for across, along in (abs(u + 0.1), v), (abs(v + 0.1), u):
    sheet.shade(1 - 0.35 * sheet.cover(across - 0.3, blur=0.08))
    sheet.paint(sheet.cover(across - 0.27), kerb)
    sheet.paint(sheet.cover(across - 0.25), tar)
    sheet.paint(sheet.cover(across - 0.025), kerb)
    dashes = np.maximum(
        abs(across - 0.135) - 0.012, geo.triangle(along / 0.18) * 0.045)
    sheet.paint(sheet.cover(dashes), (0.95, 0.95, 0.9))
    p, q = across / 0.135, along / 0.3
    cars = geo.box(geo.cell(p) * 0.135, geo.cell(q) * 0.3, 0.035, 0.075)
    there = (sheet.patches(p, q) > 0.6) * sheet.cover(across - 0.25)
    sheet.paint(there * sheet.cover(cars), tone(sheet, 0.05, 0.15, 0.6, spread=0.5))


def view(sheet, land):
  """Paints a land as seen from a random height and side."""
  u, v, _ = sheet.frame((0.75, 1.25), reach=0.4, turn=0.5)
  land(sheet, u, v)


CLASSES = {
    (origin, group, land.__name__): functools.partial(view, land=land)
    for origin, group, lands in (
        ('natural', 'water', (river, marsh, glacier)),
        ('natural', 'land', (forest, meadow, desert)),
        ('artificial', 'farmed', (fields, orchard, greenhouses)),
        ('artificial', 'built', (city, suburb, motorway)))
    for land in lands}
