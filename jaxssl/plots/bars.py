"""Groups of bars: a measure for each value of two axes."""

import numpy as np
from matplotlib import patches

from jaxssl import comparison
from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy

WIDTH = 0.8  # Of a group, where groups are 1 apart.


def make(
    *, x, y, hue, title, panel='', row='', percent=True, relative_to=None, control='',
    chance='chance', order=(), names=None, stands_for=None, where=None, items=''):
  """Draws `y` as bars: mean and 95 % interval over seeds.

  The paper's numbers are white diamonds on the bars, or where a bar would be.

  Args:
    x: the axis with a group for each value.
    y: a measure, or {axis: {value: measure}} for several; see `jaxssl.tidy`.
    hue: the axis with a bar in each group for each value.
    title: of the figure.
    panel: the axis with a column of panels for each value, or ''.
    row: the axis with a row of panels for each value, or ''.
    percent: whether y is a share.
    relative_to: None, or {axis: value}, such as {'corruption': 'clean'}: the bars are
      what y drops by from there; see `tidy.relative`.
    control: what the untrained network's result is called, one more bar; '' leaves
      it out.
    chance: what the level of chance is called, a dotted line; '' leaves it out.
    order, names, stands_for, where: see `jaxssl.plots`.
    items: see `tidy.points`; `item` is then an axis.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`.
  """
  names = names or {}
  axes = tuple(filter(None, (row, panel, x, hue)))
  controls = {
      key: name for key, name in (('random_init', control), ('chance', chance))
      if name}
  scale = 100 if percent else 1
  said = looks.metric_label(y, names)
  if relative_to:
    said = f'drop of {said}'
    unit = ' (points)' if percent else ''
  else:
    unit = ' (%)' if percent else ''

  def draw(cells, published, *, num_missing):
    rows = comparison.collect(
        cells, published, axes, y, x=x, hue=hue, controls=controls, where=where,
        stands_for=stands_for, items=items, relative_to=relative_to, order=order)
    hues = [
        v for v in tidy.ordered([r[hue] for r in rows], order) if v != chance]
    colors = looks.colors(hues) | ({control: looks.PAPER} if control else {})
    groups = len({str(r[x]) for r in rows}) or 1
    width = min(max(2.4, 0.6 + groups * max(0.84, 0.2 + 0.13 * len(hues))), 6.8)
    with looks.settings():
      figure, panels = looks.facets(
          rows, panel, row, order=order, names=names, width=width, height=2.4,
          title=title, x_label='', y_label=f'{said}{unit}')
      entries = {}
      for axis, here in panels:
        place = looks.along(  # Of texts, so that groups are evenly spaced.
            axis, [{**r, x: str(r[x])} for r in here], x, width=width - 0.4,
            order=tidy.ordered([r[x] for r in here], order), names=names)
        axis.tick_params(axis='x', length=0)
        axis.axhline(0, color=looks.MUTED, linewidth=0.8, zorder=4)
        for i, value in enumerate(hues):
          bars = [r for r in here if r[hue] == value]
          at = np.array([place(r) for r in bars]) + WIDTH * (
              (i + 0.5) / len(hues) - 0.5)
          entries |= group(axis, at, bars, value, colors[value], len(hues))
        for r in here:
          if r[hue] == chance and r['value'] is not None:
            entries[chance] = axis.hlines(
                scale * r['value'], place(r) - WIDTH / 2, place(r) + WIDTH / 2,
                color=looks.INK, linestyle=':', linewidth=1.2, zorder=5)
      looks.bounded(panels, rows, percent)
      looks.legend(figure, {
          looks.called(value, names): entries[value]
          for value in [*hues, chance, 'paper'] if value in entries},
          looks.called(hue, names))
      looks.partial(figure, num_missing, cells)
    return plots.Drawing(figure, rows, (*axes, *tidy.NUMBERS), percent)

  def group(axis, at, bars, value, color, num_hues):
    """Draws the bars of one hue and the paper's marks; returns them for the legend."""
    entries = {}
    there = [(a, r) for a, r in zip(at, bars) if r['value'] is not None]
    if there:
      entries[value] = patches.Patch(color=color)
    axis.bar(
        [a for a, _ in there], [scale * r['value'] for _, r in there],
        0.9 * WIDTH / num_hues, color=color, zorder=2)
    known = [(a, r) for a, r in there if r['low'] is not None]
    axis.vlines(
        [a for a, _ in known], [scale * r['low'] for _, r in known],
        [scale * r['high'] for _, r in known], color=looks.INK, linewidth=1, zorder=3)
    theirs = [(a, r) for a, r in zip(at, bars) if r['published'] is not None]
    if theirs:
      entries['paper'], = axis.plot(
          [a for a, _ in theirs], [scale * r['published'] for _, r in theirs],
          linestyle='', marker='D', markersize=4.5, markerfacecolor='white',
          markeredgecolor=looks.INK, markeredgewidth=0.9, zorder=6)
    return entries

  return draw
