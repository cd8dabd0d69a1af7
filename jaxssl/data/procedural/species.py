"""Living things: the silhouette decides kingdom and family, the marks the genus, and
which of two colours is the ground and which the marks decides the species."""

import numpy as np

from jaxssl.data.procedural import sheet as sh

LEVELS = ('kingdom', 'family', 'genus', 'species')


def habitat(sheet):
  """A blurred surrounding: clouds of every hue, so that none is typical of it."""
  light = sheet.uniform(0.3, 0.8)
  sheet.paint(np.float32(1), sh.colour(light, np.float32(0), np.float32(0)))
  cos, sin = sh.circle(sheet.uniform())
  slope = 1 + sheet.uniform(0, 0.5) * (cos * sheet.x + sin * sheet.y)
  sheet.shade(slope)
  cells = 4
  for c in range(3):
    sheet.rgb[c] += 0.55 * (sheet.noise(cells, cells) - 0.5)
  sheet.shade(0.6 + 0.8 * sheet.noise(7, 7))
  for _ in range(3):
    tone = sh.colour(
        sheet.uniform(0.2, 0.9), sheet.uniform(0.0, 0.12), sheet.uniform())
    u, v, unit = sheet.frame((0.3, 0.9), reach=0.9, turn=0.5)
    thing = sh.ellipse(u, v, 0.9, sheet.uniform(0.06, 0.6))
    sheet.paint(sheet.cover(thing, unit, blur=0.12) * sheet.uniform(0.3, 0.9), tone)


def light(sheet):
  """A light of any strength and direction, and a tint."""
  cos, sin = sh.circle(sheet.uniform())
  slant = sheet.uniform(0.0, 0.35)
  sheet.shade(
      sheet.uniform(0.6, 1.25) * (1 + slant * (cos * sheet.x + sin * sheet.y)))
  tint = sh.colour(np.float32(0.9), sheet.uniform(0.0, 0.025), sheet.uniform())
  sheet.shade(tint * 1.15)

HUES=(0.08,0.26,0.52,0.78)
PAIRS=[(i,j) for i in range(4) for j in range(4) if i!=j]
def coat(sheet, sp):
  """The colours of ground and marks: warm marked with cool, or cool with warm."""
  i,j=sp
  ground = sheet.uniform(-0.03, 0.03)+HUES[i]; marks=sheet.uniform(-.03,.03)+HUES[j]
  lightness = sheet.uniform(0.5, 0.75)
  darker = sheet.chance(0.5)
  other = lightness + sheet.uniform(0.2, 0.3) * (1 - 2 * darker)
  return (
      sh.colour(lightness, sheet.uniform(0.1, 0.17), ground),
      sh.colour(other, sheet.uniform(0.1, 0.17), marks))


def wear(sheet, silhouette, unit, marks, colours, v):
  """Paints a silhouette with a shadow, its ground colour, marks and round light."""
  ground, other = colours
  shadow = sheet.cover(silhouette - 0.05, unit, blur=0.25)
  sheet.shade(1 - 0.4 * shadow)
  cover = sheet.cover(silhouette, unit)
  sheet.paint(cover, ground)
  sheet.paint(cover * marks, other)
  rim = np.clip(-silhouette * 4, 0, 1)
  sheet.shade(1 + cover * (0.7 + 0.35 * rim - 0.25 * v - 1))


def dots(sheet, u, v, unit, pitch, radius):
  """A staggered pattern of discs."""
  p, q = u / pitch, v / pitch
  row = np.floor(q + 0.5)
  p = p + 0.5 * (row - 2 * np.floor(row / 2))
  p, q = p - np.floor(p + 0.5), q - row
  return sheet.cover(sh.disc(p, q, radius), unit * pitch)


def bars(sheet, t, unit, period, share):
  """Stripes across t that fill `share` of each period."""
  wave = sh.triangle(t / period)
  return sheet.cover((1 - 2 * share - wave) * (period / 4), unit)


def fish(sheet, second, azure):
  u, v, unit = sheet.frame((0.85, 1.15), reach=0.2, turn=0.1)
  u = u * (1 - 2 * sheet.chance(0.5))
  high = sheet.uniform(0.4, 0.58)
  body = sh.lens(u + 0.12, v, 0.82, high)
  fork = sheet.uniform(0.3, 0.48)
  tail = np.maximum(
      sh.convex(u, abs(v), (0.4, 0.0), (0.98, fork), (0.4, 0.02)),
      sh.disc(u - 1.25, v, 0.4) * -1)
  tail = np.maximum(sh.convex(u, v, (0.45, 0), (1.0, -fork), (1.0, fork)),
                    -sh.disc(u - 1.22, v, 0.38))
  fin = sh.convex(u, v, (-0.3, -0.25), (0.2, -high - 0.2), (0.4, -0.15))
  silhouette = np.minimum(np.minimum(body, tail), fin)
  if second:
    marks = dots(sheet, u, v, unit, sheet.uniform(0.26, 0.36), 0.3)
  else:
    marks = bars(sheet, u, unit, sheet.uniform(0.3, 0.42), 0.42)
  wear(sheet, silhouette, unit, marks, coat(sheet, azure), v)
  eye = sheet.cover(sh.disc(u + 0.6, v + 0.1, 0.09), unit)
  sheet.paint(eye, np.float32([1, 1, 1]))
  sheet.paint(sheet.cover(sh.disc(u + 0.61, v + 0.1, 0.05), unit),
              np.float32([0, 0, 0]))


def butterfly(sheet, second, azure):
  u, v, unit = sheet.frame((0.85, 1.15), reach=0.2, turn=0.5)
  side = abs(u)
  spread = sheet.uniform(0.04, 0.12)
  cos, sin = sh.circle(spread)
  p, q = side - 0.45, v + 0.28
  upper = sh.ellipse(cos * p - sin * q, sin * p + cos * q, 0.5, 0.34)
  p, q = side - 0.33, v - 0.38
  lower = sh.ellipse(cos * p + sin * q, cos * q - sin * p, 0.36, 0.32)
  wings = np.minimum(upper, lower)
  if second:
    eyes = np.minimum(sh.disc(side - 0.52, v + 0.3, 0.2),
                      sh.disc(side - 0.38, v - 0.42, 0.17))
    marks = sheet.cover(abs(eyes) - 0.06, unit)
  else:
    marks = np.maximum(sheet.cover(-(wings + 0.1), unit) ,
                       bars(sheet, side - 0.5 * v, unit, 0.34, 0.3))
  wear(sheet, wings, unit, marks, coat(sheet, azure), v)
  trunk = sh.ellipse(u, v - 0.05, 0.07, 0.55)
  horn = sh.stroke(side, v, (0.02, -0.4), (0.25, -0.85), 0.02)
  sheet.paint(sheet.cover(np.minimum(trunk, horn), unit), np.float32([.12, .09, .08]))


def flower(sheet, second, azure):
  u, v, unit = sheet.frame((0.8, 1.1), reach=0.2, turn=0.5)
  r = np.sqrt(u * u + v * v) + 1e-6
  c = u / r
  five = c * (5 + c * c * (16 * c * c - 20))   # Cosine of five times the angle.
  deep = sheet.uniform(0.25, 0.4)
  edge = 1 - deep * (0.5 - 0.5 * five) ** 2
  petals = (r - edge) * 0.8
  if second:
    marks = sheet.cover(abs(r - 0.62) - 0.13, unit)
  else:
    marks = sheet.cover((0.55 - five) * 0.2 * r + np.maximum(0.25-r, 0), unit)
  wear(sheet, petals, unit, marks, coat(sheet, azure), v)
  heart = sh.colour(sheet.uniform(0.3, 0.9), np.float32(0.1), np.float32(0.28))
  sheet.paint(sheet.cover(r - 0.24, unit), heart)


def leaf(sheet, second, azure):
  u, v, unit = sheet.frame((0.9, 1.2), reach=0.2, turn=0.5)
  blade = sh.lens(u, v, 0.9, sheet.uniform(0.4, 0.56))
  stem = sh.stroke(u, v, (0.6, 0.0), (1.15, sheet.uniform(-0.1, 0.1)), 0.04)
  silhouette = np.minimum(blade, stem)
  if second:
    marks = dots(sheet, u, v, unit, sheet.uniform(0.26, 0.36), 0.3)
  else:
    veins = bars(sheet, u + 0.9 * abs(v), unit, sheet.uniform(0.26, 0.34), 0.3)
    marks = np.maximum(veins, sheet.cover(abs(v) - 0.05, unit))
  wear(sheet, silhouette, unit, marks, coat(sheet, azure), v)


TABLE=[(0,1),(2,3),(1,2),(3,0), (0,2),(1,3),(2,0),(3,1), (0,3),(2,1),(1,0),(3,2), (1,2),(0,2),(3,1),(2,3)]
def _classes():
  out=[]
  families = (
      ('animal', fish, ('barred', 'spotted')),
      ('animal', butterfly, ('banded', 'eyed')),
      ('plant', flower, ('rayed', 'ringed')),
      ('plant', leaf, ('veined', 'dotted')))
  for kingdom, paint, marks in families:
    for second, mark in enumerate(marks):
      for t, tone in enumerate(('ember', 'azure')):
        azure = TABLE[len(out)]; out.append(0)
        family = paint.__name__
        genus = f'{mark} {family}'
        yield (kingdom, family, genus, f'{tone} {genus}'), (paint, second, azure)


CLASSES = tuple(_classes())


def draw(sheet, which):
  paint, second, azure = CLASSES[which][1]
  habitat(sheet)
  paint(sheet, second, azure)
  light(sheet)
