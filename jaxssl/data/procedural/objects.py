"""Made things in clutter, for ImageNet: each has its outline and its materials.

Place, size, a little turn, lightness and light are free; paint, wood, glass and
clay vary around the hues that are typical of the class.
"""

import numpy as np

from jaxssl.data.procedural import geometry as geo
from jaxssl.data.procedural import surroundings

LEVELS = ('category', 'object')
CLUTTER = True
DAPPLE = 0.8
BLACK = (0.08, 0.08, 0.1)


def place(sheet, turn=0.1):
  """Coordinates of an object, which may face either side."""
  u, v, scale = sheet.frame((0.75, 1.15), reach=0.32, turn=turn)
  return u * sheet.sign(), v, scale


def grain(sheet, v, colour):
  """Wood: streaks of another light in bands of `v`."""
  streaks = geo.triangle(4 * v + 1.5 * sheet.noise(3, 3))
  return [channel * (0.88 + 0.16 * streaks) for channel in colour]


def gloss(sheet, distance, scale, strength):
  """A soft highlight where `distance` is negative."""
  sheet.paint(strength * sheet.cover(distance, scale, blur=0.08), (1, 1, 1))


# Each of these paints the class of its name.


def car(sheet):
  u, v, scale = place(sheet)
  cabin = geo.polygon(u, v, (-0.6, -0.02), (-0.35, -0.5), (0.3, -0.5), (0.6, -0.02))
  body = geo.union(geo.box(u, v - 0.15, 0.95, 0.25, 0.12), cabin)
  wheels = geo.disc(abs(u) - 0.52, v - 0.4, 0.24)
  surroundings.shadow(sheet, geo.union(body, wheels), scale)
  sheet.paint(sheet.cover(body, scale), sheet.tone(0.07, 0.17, 0.58))
  gloss(sheet, np.maximum(body + 0.04, abs(v - 0.02) - 0.04), scale, 0.6)
  panes = np.maximum(cabin + 0.08, 0.04 - abs(u + 0.02))
  sheet.paint(sheet.cover(panes, scale), sheet.tone(0.65, 0.05, 0.75))
  sheet.paint(sheet.cover(wheels, scale), BLACK)
  sheet.paint(sheet.cover(wheels + 0.13, scale), (0.8, 0.8, 0.82))
  lamp = geo.ellipse(u + 0.9, v - 0.08, 0.06, 0.08)
  sheet.paint(sheet.cover(lamp, scale), (1, 0.95, 0.6))


def sailboat(sheet):
  u, v, scale = place(sheet, turn=0.12)
  hull = geo.polygon(u, v, (-0.85, 0.35), (0.9, 0.35), (0.55, 0.8), (-0.5, 0.8))
  main = geo.polygon(u, v, (0.05, -0.95), (0.8, 0.25), (0.05, 0.25))
  jib = geo.polygon(u, v, (-0.07, -0.75), (-0.07, 0.25), (-0.7, 0.25))
  mast = geo.stroke(u, v, (0, -1.0), (0, 0.35), 0.035)
  surroundings.shadow(sheet, geo.union(hull, main, jib), scale)
  sheet.paint(sheet.cover(mast, scale), BLACK)
  cloth = sheet.cover(geo.union(main, jib), scale)
  sheet.paint(cloth, sheet.tone(0.28, 0.03, 0.92))
  stripes = sheet.cover(geo.triangle(v * 2.2) * 0.11, scale)
  sheet.paint(cloth * stripes, sheet.tone(0.03, 0.16, 0.6))
  wood = sheet.tone(0.15, 0.09, 0.5)
  sheet.paint(sheet.cover(hull, scale), grain(sheet, v, wood))


def balloon(sheet):
  u, v, scale = place(sheet, turn=0.12)
  skirt = geo.polygon(u, v, (-0.6, 0.05), (0.6, 0.05), (0.17, 0.6), (-0.17, 0.6))
  envelope = geo.union(geo.disc(u, v + 0.25, 0.7), skirt)
  ropes = geo.stroke(abs(u), v, (0.15, 0.6), (0.1, 0.8), 0.02)
  basket = geo.box(u, v - 0.88, 0.15, 0.11, 0.03)
  surroundings.shadow(sheet, geo.union(envelope, basket), scale)
  sheet.paint(sheet.cover(ropes, scale), BLACK)
  sheet.paint(sheet.cover(basket, scale), sheet.tone(0.15, 0.09, 0.5))
  cloth = sheet.cover(envelope, scale)
  sheet.paint(cloth, sheet.tone(0.27, 0.15, 0.82))
  bulge = u / np.sqrt(np.maximum(0.56 - (v + 0.25) * (v + 0.25), 0.04))
  bulge = bulge * (1 + 0.3 * bulge * bulge)
  gores = sheet.cover(geo.triangle(bulge * 1.4) * 0.13, scale)
  sheet.paint(cloth * gores, sheet.tone(0.83, 0.16, 0.5))
  sheet.shade(1 - 0.35 * cloth * np.clip(u + 0.3, 0, 1))


def mug(sheet):
  u, v, scale = place(sheet, turn=0.12)
  body = geo.box(u + 0.15, v, 0.58, 0.7, 0.15)
  handle = abs(geo.ellipse(u - 0.45, v, 0.38, 0.4)) - 0.09
  surroundings.shadow(sheet, geo.union(body, handle), scale)
  clay = sheet.cover(geo.union(body, handle), scale)
  sheet.paint(clay, sheet.tone(0.7, 0.12, 0.5))
  band = np.maximum(body, abs(v - 0.05) - 0.26)
  sheet.paint(sheet.cover(band, scale), (0.95, 0.94, 0.9))
  spots = geo.disc(geo.cell(u / 0.3) * 0.3, v - 0.05, 0.1)
  spots = sheet.cover(np.maximum(spots, body), scale)
  sheet.paint(spots, sheet.tone(0.2, 0.15, 0.7))
  sheet.paint(sheet.cover(geo.ellipse(u + 0.15, v + 0.6, 0.5, 0.13), scale),
              (0.2, 0.12, 0.08))
  gloss(sheet, geo.box(u + 0.52, v, 0.05, 0.45, 0.05), scale, 0.5)


def bottle(sheet):
  u, v, scale = place(sheet, turn=0.15)
  glass = geo.union(
      geo.box(u, v - 0.35, 0.36, 0.6, 0.12), geo.box(u, v + 0.6, 0.13, 0.35, 0.04),
      geo.polygon(u, v, (-0.13, -0.45), (0.13, -0.45), (0.36, -0.1), (-0.36, -0.1)))
  surroundings.shadow(sheet, glass, scale)
  sheet.paint(0.8 * sheet.cover(glass, scale), sheet.tone(0.43, 0.13, 0.5))
  sheet.shade(1 - 0.5 * sheet.cover(abs(glass + 0.05) - 0.05, scale))
  label = geo.box(u, v - 0.38, 0.34, 0.24)
  sheet.paint(sheet.cover(label, scale), sheet.tone(0.25, 0.06, 0.88))
  lines = np.maximum(label + 0.08, geo.triangle(v * 5) * 0.05)
  sheet.paint(sheet.cover(lines, scale), sheet.tone(0.05, 0.12, 0.4))
  cap = geo.box(u, v + 0.9, 0.15, 0.08, 0.03)
  sheet.paint(sheet.cover(cap, scale), sheet.tone(0.05, 0.15, 0.45))
  gloss(sheet, geo.box(u + 0.2, v - 0.3, 0.04, 0.5, 0.04), scale, 0.7)


def bowl(sheet):
  u, v, scale = place(sheet, turn=0.12)
  rim = geo.ellipse(u, v + 0.25, 0.92, 0.24)
  foot = geo.box(u, v - 0.66, 0.35, 0.1, 0.04)
  body = np.maximum(geo.ellipse(u, v + 0.25, 0.92, 0.92), -0.25 - v)
  outside = geo.union(body, rim, foot)
  surroundings.shadow(sheet, outside, scale)
  sheet.paint(sheet.cover(outside, scale), sheet.tone(0.11, 0.13, 0.56))
  zigzag = abs(v - 0.22 - 0.1 * geo.triangle(u / 0.3)) - 0.06
  sheet.paint(sheet.cover(np.maximum(zigzag, body), scale),
              sheet.tone(0.24, 0.08, 0.86))
  sheet.shade(1 - 0.3 * sheet.cover(outside, scale) * np.clip(u + 0.2, 0, 1))
  sheet.paint(sheet.cover(rim + 0.05, scale), sheet.tone(0.1, 0.06, 0.3))


def chair(sheet):
  u, v, scale = place(sheet)
  back = geo.box(u, v + 0.5, 0.48, 0.45, 0.08)
  holes = np.maximum(geo.box(u, v + 0.5, 0.36, 0.33), 0.09 * geo.triangle(u / 0.24))
  legs = geo.union(geo.stroke(abs(u), v, (0.44, 0.1), (0.52, 0.95), 0.06),
                   geo.stroke(abs(u), v, (0.3, 0.2), (0.32, 0.75), 0.05))
  frame = geo.union(np.maximum(back, -holes), legs)
  seat = geo.polygon(u, v, (-0.46, -0.02), (0.46, -0.02), (0.6, 0.24), (-0.6, 0.24))
  surroundings.shadow(sheet, geo.union(frame, seat), scale)
  wood = sheet.tone(0.17, 0.1, 0.6)
  sheet.paint(sheet.cover(frame, scale), grain(sheet, v, wood))
  sheet.paint(sheet.cover(seat, scale), sheet.tone(0.52, 0.1, 0.55))
  gloss(sheet, np.maximum(seat + 0.05, abs(v - 0.05) - 0.03), scale, 0.3)


def table(sheet):
  u, v, scale = place(sheet)
  top = geo.polygon(u, v, (-0.62, -0.35), (0.62, -0.35), (1.0, 0.05), (-1.0, 0.05))
  apron = geo.box(u, v - 0.12, 0.95, 0.08)
  legs = geo.union(geo.stroke(abs(u), v, (0.85, 0.15), (0.85, 0.85), 0.07),
                   geo.stroke(abs(u), v, (0.5, 0.15), (0.5, 0.6), 0.05))
  surroundings.shadow(sheet, geo.union(top, apron, legs), scale)
  wood = sheet.tone(0.13, 0.09, 0.45)
  sheet.paint(sheet.cover(geo.union(legs, apron), scale), wood)
  light = sheet.tone(0.21, 0.09, 0.74)
  sheet.paint(sheet.cover(top, scale), grain(sheet, v * 1.6, light))
  runner = np.maximum(top, abs(u) - 0.2)
  sheet.paint(sheet.cover(runner, scale), sheet.tone(0.95, 0.14, 0.55))


def lamp(sheet):
  u, v, scale = place(sheet, turn=0.12)
  shade = geo.polygon(
      u, v, (-0.34, -0.85), (0.34, -0.85), (0.7, -0.05), (-0.7, -0.05))
  stand = geo.union(geo.stroke(u, v, (0, -0.1), (0, 0.8), 0.07),
                    geo.disc(u, v - 0.35, 0.16),
                    geo.ellipse(u, v - 0.82, 0.45, 0.13))
  glow = np.clip(1.1 - geo.disc(u, v + 0.3, 0), 0, 1)
  sheet.paint(0.6 * glow, (1, 0.93, 0.7))
  surroundings.shadow(sheet, stand, scale)
  sheet.paint(sheet.cover(stand, scale), sheet.tone(0.75, 0.06, 0.4))
  gloss(sheet, np.maximum(stand + 0.04, u + 0.02), scale, 0.5)
  cloth = sheet.cover(shade, scale)
  sheet.paint(cloth, sheet.tone(0.24, 0.13, 0.82))
  pleats = geo.triangle(u / (0.5 + 0.3 * v) * 3)
  sheet.shade(1 + 0.16 * cloth * pleats)


def ball(sheet):
  u, v, scale = place(sheet, turn=0.5)
  skin = geo.disc(u, v, 0.88)
  surroundings.shadow(sheet, skin, scale)
  body = sheet.cover(skin, scale)
  sheet.paint(body, sheet.tone(0.97, 0.03, 0.93))
  p, q = u - 0.25, v + 0.2
  r = np.sqrt(p * p + q * q) + 1e-6
  cos = p / r
  three = cos * (4 * cos * cos - 3)  # The cosine of 3 angles.
  panels = body * sheet.cover(three * r * 0.3, scale)
  sheet.paint(panels, sheet.tone(0.67, 0.16, 0.55))
  sheet.paint(panels * sheet.cover(p, scale), sheet.tone(0.06, 0.18, 0.58))
  sheet.paint(sheet.cover(r - 0.16, scale), (0.97, 0.97, 0.95))
  sheet.shade(1 - 0.5 * body * np.clip(skin * 1.3 + 0.6, 0, 1))
  gloss(sheet, geo.disc(u + 0.4, v + 0.4, 0.12), scale, 0.7)


def kite(sheet):
  u, v, scale = place(sheet, turn=0.12)
  v = v + 0.2
  sail = geo.polygon(u, v, (0, -0.85), (0.65, -0.2), (0, 0.7), (-0.65, -0.2))
  wave = 0.12 * geo.sine(v * 1.4)
  tail = np.maximum(abs(u - wave) - 0.025, abs(v - 0.95) - 0.3)
  bows = geo.ellipse(u - wave, geo.cell(v / 0.2) * 0.2, 0.13, 0.06)
  bows = np.maximum(bows, abs(v - 1.0) - 0.2)
  surroundings.shadow(sheet, sail, scale)
  sheet.paint(sheet.cover(tail, scale), BLACK)
  sheet.paint(sheet.cover(bows, scale), sheet.tone(0.28, 0.15, 0.8))
  cloth = sheet.cover(sail, scale)
  sheet.paint(cloth, sheet.tone(0.9, 0.17, 0.62))
  quarters = sheet.cover(-u, scale) - sheet.cover(-v - 0.2, scale)
  sheet.paint(cloth * abs(quarters), sheet.tone(0.4, 0.15, 0.72))
  sticks = np.minimum(abs(u), abs(v + 0.2)) - 0.03
  sheet.paint(cloth * sheet.cover(sticks, scale), BLACK)


def blocks(sheet):
  u, v, scale = place(sheet, turn=0.08)

  def block(left, top, hue, mark):
    p, q = geo.rotate(u - left, v - top, sheet.uniform(-0.02, 0.02))
    face = geo.box(p, q, 0.45, 0.45, 0.06)
    surroundings.shadow(sheet, face, scale)
    paint = sheet.tone(hue, 0.16, 0.62)
    sheet.paint(sheet.cover(face, scale), paint)
    wood = sheet.tone(0.2, 0.06, 0.85)
    sheet.paint(sheet.cover(face + 0.12, scale), grain(sheet, p, wood))
    sheet.paint(sheet.cover(mark(p, q), scale), paint)

  block(-0.48, 0.42, 0.06, lambda p, q: geo.polygon(
      p, q, (0, -0.22), (0.24, 0.18), (-0.24, 0.18)))
  block(0.5, 0.42, 0.7, lambda p, q: geo.box(p, q, 0.18, 0.18))
  block(0.02, -0.52, 0.27, lambda p, q: geo.disc(p, q, 0.2))


CLASSES = {
    (category, thing.__name__): thing
    for category, things in (
        ('vehicle', (car, sailboat, balloon)), ('tableware', (mug, bottle, bowl)),
        ('furniture', (chair, table, lamp)), ('toy', (ball, kite, blocks)))
    for thing in things}
