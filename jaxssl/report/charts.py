"""Line charts as numbers for the template: everything in percent of the plot.

The template draws them as SVG that stretches with the page while its text does not,
follows the reader's light or dark setting, and needs no script; the script only
adds what is shown on hover.
"""

import math

import numpy as np

MAX_POINTS = 400  # More than a screen shows; longer series are averaged.


def chart(
    title, series, *, kind='number', levels=(), note='', across='step', places=(),
    bands=None, columns=(), from_zero=False):
  """Lays out one chart.

  Args:
    title: what is drawn.
    series: dict of name -> (steps [m], values [m]), each with a finite value.
    kind: how values are written: 'number', 'percent' (of values in [0, 1]) or
      'log', numbers on a logarithmic axis where they span more than a factor of 30.
    levels: (name, value) pairs for horizontal lines to compare with.
    note: a sentence below the chart.
    across: what the steps are, where they are something else.
    places: (step, text) pairs: the only steps there are, where they have names.
    bands: dict of name -> (lower [m], upper [m]), drawn behind the series' line.
    columns: (first step, last step, height) of columns drawn behind all lines.
    from_zero: whether the axis of the values begins at 0, as with columns.

  Returns:
    dict for the template, or None without a finite value.
  """
  series = {name: thinned(*xy) for name, xy in series.items() if len(xy[0])}
  bands = {name: np.asarray(band, float) for name, band in (bands or {}).items()}
  named = dict(places)
  values = np.concatenate([y for _, y in series.values()] or [[]])
  values = values[np.isfinite(values)]
  if not len(values):
    return None
  levels = [(name, value) for name, value in levels if np.isfinite(value)]
  log = kind == 'log' and values.min() > 0 and values.max() / values.min() > 30
  write = percent if kind == 'percent' else number
  write_tick = whole_percent if kind == 'percent' else compact

  def height(y):
    return np.log10(y) if log else np.asarray(y, float)

  drawn = [value for _, value in levels] + [y for *_, y in columns]
  drawn += [0] if columns or from_zero else []
  drawn += [y for band in bands.values() for y in band[np.isfinite(band)]]
  ends = height(np.append(values, drawn))
  low, high = widened(ends.min(), ends.max())
  ticks = decades(low, high) if log else steps_between(low, high, 4)
  if not log:
    low, high = min(low, ticks[0]), max(high, ticks[-1])
  steps = np.concatenate([x for x, _ in series.values()])
  first, last = float(steps.min()), float(max(steps.max(), steps.min() + 1))

  def along(x):
    return (np.asarray(x, float) - first) / (last - first) * 100

  def down(y):
    return 100 - (height(y) - low) / (high - low) * 100

  lines = []
  for name, (x, y) in series.items():
    left, top = along(x), down(np.where(np.isfinite(y), y, values[0]))
    keep = np.isfinite(y)
    lines.append({
        'name': name,
        'path': path(left, top, keep),
        'last': write(y[keep][-1]) if keep.any() else '',
        'points': [
            [round(a, 2), round(b, 2), named.get(s, f'{int(s):,}'), write(v)]
            for a, b, s, v, k in zip(left, top, x, y, keep) if k],
        'band': area(left, *down(bands[name])) if name in bands else ''})
  return {
      'title': title, 'note': note, 'lines': lines, 'across': across,
      'log': log, 'slanted': any(len(text) > 4 for text in named.values()),
      'columns': ''.join(
          f'M{along(a):.2f} {down(0):.2f}V{down(y):.2f}H{along(b):.2f}V{down(0):.2f}Z'
          for a, b, y in columns),
      'levels': [
          {'name': name, 'top': float(down(value)), 'text': write(value)}
          for name, value in levels],
      'y_ticks': [
          {'top': float(100 - (t - low) / (high - low) * 100),
           'text': write_tick(10 ** t if log else t)} for t in ticks],
      'x_ticks': [
          {'left': float(along(t)), 'text': text}
          for t, text in named.items() or [
              (t, compact(t)) for t in steps_between(first, last, 4)]
          if first <= t <= last],
      'summary': summary(title, lines, levels, write, across)}


def thinned(x, y):
  """At most MAX_POINTS of a series: the means of that many equal stretches."""
  x, y = np.asarray(x, float), np.asarray(y, float)
  if len(x) <= MAX_POINTS:
    return x, y
  parts = np.array_split(np.arange(len(x)), MAX_POINTS)
  return (
      np.array([x[p[-1]] for p in parts]),
      np.array([y[p].mean() for p in parts]))


def path(left, top, keep):
  """An SVG path through the points to keep, broken where others lie between."""
  commands, pen_down = [], False
  for a, b, k in zip(left, top, keep):
    if k:
      commands.append(f'{"L" if pen_down else "M"}{a:.2f} {b:.2f}')
      # A point on its own is a line of no length, which round ends make a dot.
      commands.extend([] if pen_down else ['h0'])
    pen_down = bool(k)
  return ''.join(commands)


def area(left, lower, upper):
  """An SVG path around what lies between two curves, where both are finite."""
  keep = np.isfinite(lower) & np.isfinite(upper)
  there = [f'{a:.2f} {b:.2f}' for a, b in zip(left[keep], upper[keep])]
  back = [f'{a:.2f} {b:.2f}' for a, b in zip(left[keep], lower[keep])][::-1]
  return f'M{"L".join(there + back)}Z' if there else ''


def widened(low, high):
  """Some room above and below."""
  room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
  return low - room, high + room


def steps_between(low, high, num):
  """Round numbers in a range: multiples of 1, 2 or 5 times a power of 10."""
  rough = (high - low) / num
  power = 10.0 ** math.floor(math.log10(rough))
  step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.7 * rough)
  first = math.ceil(low / step - 1e-9)
  count = math.floor(high / step + 1e-9) - first + 1
  return [round((first + i) * step, 12) + 0.0 for i in range(count)]


def decades(low, high):
  """Whole powers of ten between two logarithms, or the two ends without any."""
  whole = list(range(math.ceil(low), math.floor(high) + 1))
  return whole if len(whole) > 1 else [low, high]


def summary(title, lines, levels, write, across):
  """The chart in words, for those who do not see it."""
  found = [line for line in lines if line['points']]
  ends = '; '.join(
      f'{line["name"]} from {line["points"][0][3]} to {line["points"][-1][3]}'
      for line in found)
  compared = ''.join(f'; {name} is {write(value)}' for name, value in levels)
  first, last = (found[0]['points'][i][2] for i in (0, -1))
  return f'{title}, {across} {first} to {last}: {ends}{compared}.'


def number(value):
  """A number with the digits that matter."""
  value = float(value)
  if not math.isfinite(value):
    return str(value)
  if value == int(value) and abs(value) < 1e15:
    return f'{int(value):,}'.replace('-', '−')
  text = f'{value:.4g}' if abs(value) < 1e4 else f'{value:,.0f}'
  return text.replace('e-0', 'e-').replace('-', '−')


def percent(value):
  """A fraction as a percentage with one decimal."""
  return f'{100 * float(value):.1f}%'.replace('-', '−')


def whole_percent(value):
  """A fraction as a percentage without needless decimals, for axes."""
  return f'{100 * value:g}%'


def points(difference):
  """A difference of fractions as percentage points, with its sign."""
  text = f'{100 * float(difference):+.1f}'
  return text.replace('-', '−') if text != '-0.0' else '0.0'


def compact(value):
  """A number on an axis: 12000 is 12k."""
  units = (1e9, 'G'), (1e6, 'M'), (1e3, 'k')
  size, letter = next((unit for unit in units if abs(value) >= unit[0]), (1, ''))
  return f'{value / size:g}{letter}'.replace('e-0', 'e-').replace('-', '−')
