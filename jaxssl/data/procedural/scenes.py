"""Places, for Places365: the arrangement decides, in three levels.

The view is shifted, scaled, mirrored and tilted; the time of day, the colours of
walls and roofs and the heights of whatever stands there are free.
"""

import functools

import numpy as np

from jaxssl.data.procedural import geometry as geo

LEVELS = ('side', 'setting', 'scene')
CLUTTER = False
DAPPLE = 1.2


def tone(sheet, hue, chroma, lightness, spread=0.12):
  """A colour, freer than those of objects: here the arrangement tells the class."""
  return sheet.tone(hue, chroma, lightness, spread=spread, contrast=0.25)


def sky(sheet, v):
  """Day, dusk or night above, brighter towards the horizon, with clouds."""
  dusk = sheet.coin(0.4)
  lightness = sheet.uniform(0.2, 0.85)
  hue = 0.66 + dusk * sheet.uniform(0.1, 0.3)
  sheet.paint(1, geo.colour(lightness, 0.09, hue))
  low = geo.colour(lightness + 0.2, 0.07, hue + 0.3 * dusk)
  sheet.paint(np.clip(0.9 + v, 0, 1) * 0.8, low)
  clouds = np.clip(sheet.noise(6, 3) * 2.2 - 1.2, 0, 1) * sheet.uniform(0, 0.9)
  sheet.paint(clouds, (0.95, 0.95, 0.95))


def ridge(sheet, u, height, rough, waves):
  """[n, s, s] where hills end above each `u`, the smaller the steeper."""
  line = height
  for frequency in waves:
    line = line - rough / frequency * geo.triangle(
        u * frequency * 0.5 + sheet.uniform())
  return line


# Each of these paints the class of its name, whose horizon is near v = 0.


def sea(sheet, u, v):
  sky(sheet, v)
  sun = sheet.uniform(-0.5, 0.5)
  sheet.paint(sheet.cover(geo.disc(u - sun, v + 0.45, 0.16)), (1, 0.95, 0.75))
  water = sheet.cover(-v)
  sheet.paint(water, tone(sheet, 0.6, 0.09, 0.5))
  depth = np.clip(v, 0.03, 2)
  ripples = geo.triangle(1.1 / (depth + 0.12) + 1.2 * sheet.noise(10, 4))
  sheet.shade(1 + 0.25 * water * ripples)
  glitter = np.clip(1 - abs(u - sun) / (0.15 + 0.3 * depth), 0, 1)
  sheet.paint(0.7 * water * glitter * np.clip(ripples, 0, 1), (1, 0.95, 0.75))
  shore = sheet.cover(ridge(sheet, u, sheet.uniform(0.6, 0.8), 0.08, (1, 2)) - v)
  sheet.paint(shore, tone(sheet, 0.22, 0.06, 0.82))


def mountains(sheet, u, v):
  sky(sheet, v)
  for height, lightness in (-0.35, 0.6), (0.05, 0.48), (0.5, 0.36):
    peaks = ridge(sheet, u, height, 0.38, (1.3, 2.9, 7))
    rock = sheet.cover(peaks - v)
    sheet.paint(rock, tone(sheet, 0.68, 0.03, lightness))
    sheet.shade(1 + 0.25 * rock * geo.triangle(2.3 * (u + 0.6 * v)))
    snow = ridge(sheet, u, height - 0.12, 0.1, (4, 7))
    sheet.paint(rock * sheet.cover(v - snow), (0.95, 0.96, 1))


def forest(sheet, u, v):
  sheet.paint(1, tone(sheet, 0.33, 0.08, 0.75))
  sheet.paint(sheet.cover(0.35 - v), tone(sheet, 0.26, 0.07, 0.45))
  for pitch, width, foot, lightness in (
      (0.28, 0.035, 0.4, 0.55), (0.45, 0.07, 0.6, 0.4), (0.8, 0.13, 0.9, 0.25)):
    t = u / pitch + sheet.uniform(0, 9)
    sway = 0.35 * (sheet.patches(t, 0 * t) - 0.5)
    trunk = (abs(geo.cell(t) + sway) * pitch) - width * (1.1 + 0.15 * v)
    sheet.paint(sheet.cover(np.maximum(trunk, v - foot)),
                tone(sheet, 0.17, 0.05, lightness))
  leaves = sheet.noise(12, 12) + 0.4 * sheet.noise(24, 24) - 0.75
  crowns = np.clip(4 * (leaves - 0.5 * v - 0.25), 0, 1)
  sheet.paint(crowns, tone(sheet, 0.38, 0.1, 0.45))


def skyline(sheet, u, v):
  sky(sheet, v)
  for pitch, low, high, lightness in (
      (0.3, -0.7, 0.3, 0.55), (0.42, -0.3, 0.7, 0.38)):
    t = u / pitch + sheet.uniform(0, 9)
    top = low + (high - low) * sheet.patches(t, 0 * t)
    tower = np.maximum(top - v, (abs(geo.cell(t)) - 0.47) * pitch)
    walls = sheet.cover(tower)
    sheet.paint(walls, tone(sheet, 0.7, 0.04, lightness))
    p, q = t * 4, v / 0.12
    pane = np.maximum(abs(geo.cell(p)), abs(geo.cell(q))) - 0.3
    lit = sheet.patches(p, q) > 0.45
    sheet.paint(walls * lit * sheet.cover(pane * 0.1), (1, 0.9, 0.55))


def road(sheet, u, v):
  sky(sheet, v)
  hills = ridge(sheet, u, -0.02, 0.12, (1, 2.3))
  sheet.paint(sheet.cover(hills - v), tone(sheet, 0.4, 0.05, 0.5))
  ground = sheet.cover(-v)
  sheet.paint(ground, tone(sheet, 0.33, 0.09, 0.55))
  sheet.shade(1 + 0.3 * ground * (sheet.noise(14, 6) - 0.5))
  depth = np.maximum(v, 0.01)
  across = (u - sheet.uniform(-0.2, 0.2) * (1 - v)) / depth
  way = abs(across) - 0.8
  sheet.paint(ground * sheet.cover(way * depth), tone(sheet, 0.7, 0.01, 0.4))
  lines = abs(abs(across) - 0.72) - 0.04
  dashes = np.maximum(abs(across) - 0.04, geo.triangle(0.9 / depth + 0.5) * 0.2)
  sheet.paint(ground * sheet.cover(np.minimum(lines, dashes) * depth),
              (0.95, 0.93, 0.85))


def village(sheet, u, v):
  sky(sheet, v)
  sheet.paint(sheet.cover(ridge(sheet, u, 0.2, 0.12, (1, 2)) - v),
              tone(sheet, 0.35, 0.09, 0.6))
  for middle, foot, size in (
      (-0.55, 0.35, 0.33), (0.55, 0.5, 0.4), (-0.05, 0.75, 0.48)):
    p, q = (u - middle - sheet.uniform(-0.12, 0.12)) / size, (v - foot) / size
    wall = sheet.cover(geo.box(p, q + 0.4, 0.75, 0.4), size)
    sheet.paint(wall, tone(sheet, 0.22, 0.04, 0.85, spread=0.2))
    roof = geo.polygon(
        p, q, (-0.55, -1.4), (0.55, -1.4), (0.95, -0.75), (-0.95, -0.75))
    sheet.paint(sheet.cover(roof, size), tone(sheet, 0.08, 0.12, 0.48))
    holes = geo.union(geo.box(p + 0.05, q + 0.22, 0.14, 0.24),
                      geo.box(abs(p) - 0.48, q + 0.42, 0.13, 0.14))
    sheet.paint(sheet.cover(holes, size), tone(sheet, 0.7, 0.06, 0.35))


def room(sheet, v, floor):
  """A wall and a floor of boards, of any colour."""
  sheet.paint(1, tone(sheet, 0.25, 0.05, 0.78, spread=0.3))
  ground = sheet.cover(floor - v)
  sheet.paint(ground, tone(sheet, 0.16, 0.07, 0.5))
  boards = geo.triangle(2.2 / (0.5 + np.maximum(v - floor, 0)))
  sheet.shade(1 + 0.12 * ground * boards)
  sheet.paint(sheet.cover(abs(v - floor) - 0.03), (0.92, 0.9, 0.86))


def framed(sheet, u, v, a, b, colour):
  """Something in a dark frame on the wall, half sides `a` and `b`."""
  sheet.paint(sheet.cover(geo.box(u, v, a + 0.05, b + 0.05)), (0.25, 0.17, 0.12))
  sheet.paint(sheet.cover(geo.box(u, v, a, b)), colour)


def bedroom(sheet, u, v):
  room(sheet, v, 0.3)
  framed(sheet, u - 0.5, v + 0.45, 0.28, 0.3, tone(sheet, 0.65, 0.06, 0.85))
  cross = np.minimum(abs(u - 0.5), abs(v + 0.45)) - 0.025
  cross = np.maximum(cross, geo.box(u - 0.5, v + 0.45, 0.28, 0.3))
  sheet.paint(sheet.cover(cross), (0.25, 0.17, 0.12))
  head = geo.box(u + 0.75, v - 0.15, 0.1, 0.45, 0.06)
  sheet.paint(sheet.cover(head), tone(sheet, 0.15, 0.07, 0.35))
  bed = geo.box(u - 0.05, v - 0.5, 0.85, 0.2, 0.08)
  sheet.paint(sheet.cover(bed), tone(sheet, 0.85, 0.1, 0.6, spread=0.2))
  quilt = np.maximum(bed, 0.09 * geo.triangle((u + v) / 0.25))
  sheet.paint(sheet.cover(quilt) * 0.5, (0.95, 0.93, 0.95))
  pillow = geo.box(u + 0.5, v - 0.27, 0.2, 0.12, 0.1)
  sheet.paint(sheet.cover(pillow), (0.97, 0.97, 0.97))


def kitchen(sheet, u, v):
  room(sheet, v, 0.75)
  joints = np.minimum(abs(geo.triangle(u / 0.36)), abs(geo.triangle(v / 0.36)))
  wall = sheet.cover(v - 0.15)
  sheet.paint(wall, tone(sheet, 0.55, 0.04, 0.88, spread=0.3))
  sheet.shade(1 - 0.3 * wall * sheet.cover((joints - 0.12) * 0.1))
  front = tone(sheet, 0.5, 0.08, 0.6, spread=0.2)
  for middle, height in (-0.75, 0.22), (0.48, 0.27):
    cupboard = abs(v - middle) - height
    sheet.paint(sheet.cover(cupboard), front)
    hinge = abs(geo.triangle(u / 0.9 + 0.25)) * 0.22
    sheet.shade(1 - 0.5 * sheet.cover(np.maximum(cupboard, hinge - 0.013)))
    knob = geo.disc(hinge - 0.05, v - middle, 0.035)
    sheet.paint(sheet.cover(knob), (0.9, 0.88, 0.8))
  sheet.paint(sheet.cover(abs(v - 0.18) - 0.06), tone(sheet, 0.2, 0.03, 0.35))
  u = u - 0.3
  pot = geo.union(geo.box(u, v, 0.2, 0.13, 0.04), geo.box(u, v + 0.05, 0.27, 0.025),
                  geo.disc(u, v + 0.17, 0.04))
  sheet.paint(sheet.cover(pot), tone(sheet, 0.08, 0.14, 0.5))


def lounge(sheet, u, v):
  room(sheet, v, 0.35)
  painting = tone(sheet, 0.1, 0.12, 0.65, spread=0.5)
  framed(sheet, u + 0.1, v + 0.6, 0.3, 0.17, painting)
  rug = geo.ellipse(u, v - 0.8, 0.9, 0.18)
  sheet.paint(sheet.cover(rug), tone(sheet, 0.05, 0.1, 0.6, spread=0.3))
  sofa = tone(sheet, 0.45, 0.1, 0.5, spread=0.2)
  for part, gain in (
      (geo.box(u + 0.1, v - 0.1, 0.62, 0.3, 0.12), 0.85),
      (geo.box(u + 0.1, v - 0.42, 0.66, 0.16, 0.06), 1.1),
      (geo.box(abs(u + 0.1) - 0.68, v - 0.32, 0.13, 0.28, 0.1), 1.0)):
    sheet.paint(sheet.cover(part), sofa * np.float32(gain))
  for du in (-0.25, 0.05):
    pillow = geo.box(u - du, v - 0.16, 0.13, 0.12, 0.06)
    sheet.paint(sheet.cover(pillow), tone(sheet, 0.2, 0.13, 0.75, spread=0.2))
  stand = geo.stroke(u, v, (0.85, 0.7), (0.85, -0.3), 0.025)
  sheet.paint(sheet.cover(stand), (0.1, 0.1, 0.1))
  lamp = geo.polygon(u, v, (0.77, -0.6), (0.93, -0.6), (1.05, -0.25), (0.65, -0.25))
  sheet.paint(sheet.cover(lamp), (1, 0.92, 0.65))


def corridor(sheet, u, v):
  p, q = abs(u), abs(v)
  depth = np.maximum(p / 0.9, q)
  sheet.paint(1, tone(sheet, 0.3, 0.05, 0.7, spread=0.3))
  sheet.paint(sheet.cover((p / 0.9 - v) * 0.7), tone(sheet, 0.15, 0.06, 0.45))
  sheet.paint(sheet.cover((p / 0.9 + v) * 0.7), (0.92, 0.92, 0.9))
  along = 1 / np.maximum(depth, 0.1)
  sides = sheet.cover((q - p / 0.9) * 0.7)
  doors = sides * sheet.cover(
      0.12 * np.maximum(geo.triangle(along * 0.85), -v - 0.45 * depth))
  sheet.paint(doors, tone(sheet, 0.1, 0.09, 0.4, spread=0.3))
  lights = np.maximum(geo.triangle(along * 1.2) * 0.1, p - 0.25 * depth)
  sheet.paint(sheet.cover(np.maximum(lights, v)), (1, 1, 0.93))
  sheet.shade(0.45 + 0.6 * np.clip(depth, 0, 1))
  sheet.paint(sheet.cover(depth - 0.2), tone(sheet, 0.65, 0.04, 0.9))


def library(sheet, u, v):
  rows, books = v / sheet.uniform(0.4, 0.55), u / sheet.uniform(0.09, 0.13)
  sheet.paint(1, tone(sheet, 0.15, 0.06, 0.3))
  height = 0.62 + 0.25 * sheet.patches(books, rows)
  inside = rows - np.floor(rows)
  spine = np.maximum(0.93 - height - inside, inside - 0.9) * 0.45
  edge = abs(geo.cell(books)) - 0.44
  cover = sheet.cover(np.maximum(spine, edge * 0.1))
  colours = [0.25 + 0.6 * sheet.patches(books, rows) for _ in range(3)]
  sheet.paint(cover, colours)
  title = abs(inside - 0.55) - 0.07
  sheet.paint(0.6 * cover * sheet.cover(title * 0.45), (0.95, 0.88, 0.6))
  posts = abs(geo.triangle(u / 1.7 + sheet.uniform())) - 0.07
  planks = np.minimum(posts * 0.42, (abs(inside - 0.96) - 0.05) * 0.45)
  sheet.paint(sheet.cover(planks), tone(sheet, 0.16, 0.08, 0.55))


def gallery(sheet, u, v):
  room(sheet, v, 0.5)
  for du in (-0.62, 0.1, 0.75):
    a, b = sheet.uniform(0.17, 0.26), sheet.uniform(0.2, 0.36)
    canvas = [0.2 + 0.7 * sheet.noise(6, 6) for _ in range(3)]
    framed(sheet, u - du, v + 0.25, a, b, canvas)
    spot = np.clip(0.5 - abs(u - du) + 0.25 * (v + 0.9), 0, 0.5)
    sheet.shade(0.8 + spot * np.clip(0.5 - v, 0, 1))
  bench = geo.union(geo.box(u, v - 0.66, 0.42, 0.06, 0.03),
                    geo.box(abs(u) - 0.33, v - 0.78, 0.04, 0.12))
  sheet.paint(sheet.cover(bench), (0.15, 0.13, 0.13))


def view(sheet, scene):
  """Paints a scene as seen from a random place."""
  u, v, _ = sheet.frame((0.85, 1.9), reach=0.5, turn=0.06)
  scene(sheet, u * sheet.sign(), v)


CLASSES = {
    (side, setting, scene.__name__): functools.partial(view, scene=scene)
    for side, setting, scenes in (
        ('outdoor', 'natural', (sea, mountains, forest)),
        ('outdoor', 'built', (skyline, road, village)),
        ('indoor', 'home', (bedroom, kitchen, lounge)),
        ('indoor', 'public', (corridor, library, gallery)))
    for scene in scenes}
