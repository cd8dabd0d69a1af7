"""Curves of a measure along an axis, a line for each value of another."""

import math

from jaxssl import comparison
from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy


def make(
    *, x, y, hue, title, panel='', row='', log=False, percent=True, control='',
    chance='chance', counts='', dashed=(), order=(), names=None, stands_for=None,
    where=None, items=''):
  """Draws `y` along `x`: mean and 95 % interval over seeds.

  The paper's curves are thin and pale behind ours, each in the colour of the one that
  it is compared with.

  Args:
    x: the axis to go along. Values that are not all numbers are evenly spaced, in
      their order or, with `counts`, from few classes to many.
    y: a measure, or {axis: {value: measure}} for several; see `jaxssl.tidy`.
    hue: the axis with a line for each value.
    title: of the figure.
    panel: the axis with a column of panels for each value, or ''.
    row: the axis with a row of panels for each value, or ''.
    log: whether the axis of x is logarithmic.
    percent: whether y is a share.
    control: what the untrained network's result is called, a dashed line, such as
      'from scratch' where networks are fine-tuned; '' leaves it out.
    chance: what the level of chance is called, a dotted line; '' leaves it out.
    counts: a measure such as 'granularity/num_classes_{level}', written below x.
    dashed: values of `hue` that are dashed black lines.
    order, names, stands_for, where: see `jaxssl.plots`.
    items: see `tidy.points`; `item` is then an axis.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`.
  """
  names = names or {}
  axes = tuple(filter(None, (row, panel, hue, x)))
  controls = {
      key: name for key, name in (('random_init', control), ('chance', chance))
      if name}
  scale = 100 if percent else 1

  def draw(cells, published, *, num_missing):
    rows = comparison.collect(
        cells, published, axes, y, x=x, hue=hue, controls=controls, counts=counts,
        where=where, stands_for=stands_for, items=items, order=order)
    styles = line_styles(rows)
    with looks.settings():
      figure, panels = looks.facets(
          rows, panel, row, order=order, names=names, width=2.6, height=2.25,
          title=title, x_label=looks.called(x, names),
          y_label=looks.metric_label(y, names) + (' (%)' if percent else ''))
      entries = {}
      for axis, here in panels:
        place = looks.along(
            axis, here, x, width=2.1, log=log, order=order, names=names)
        for value, style in styles.items():
          line = [r for r in here if r[hue] == value]
          drawn = curve(axis, line, place, value, style)
          # Of the paper's curve and ours, the legend shows ours.
          ours = any(r['value'] is not None for r in line)
          entries = entries | drawn if ours else drawn | entries
      looks.bounded(panels, rows, percent)
      looks.legend(figure, {
          looks.called(value, names): entries[value] for value in [*styles, 'paper']
          if value in entries}, looks.called(hue, names))
      looks.partial(figure, num_missing, cells)
    columns = (*axes, *(['count'] if counts else []), *tidy.NUMBERS)
    return plots.Drawing(figure, rows, columns, percent)

  def line_styles(rows):
    """{value of hue: how its line looks}, in the order of the legend."""
    values = tidy.ordered([r[hue] for r in rows], order)
    neutral = [v for v in values if v in (*dashed, *controls.values())]
    values = [v for v in values if v not in neutral]
    if all(tidy.finite(v) and str(v) not in map(str, order) for v in values):
      values.reverse()  # The largest first, as its line is mostly the highest.
    colors = looks.colors(values)
    return {
        v: dict(color=colors[v], marker=looks.MARKERS[i % len(looks.MARKERS)])
        for i, v in enumerate(values)} | {
        v: dict(
            color=looks.MUTED if v == chance else looks.INK, linewidth=1.2,
            linestyle=':' if v == chance else '--') for v in neutral}

  def curve(axis, line, place, value, style):
    """Draws our line and the paper's; returns them for the legend."""
    entries = {}
    line = sorted(line, key=place)
    at = [place(r) for r in line]
    ours, theirs = (
        [math.nan if r[key] is None else scale * r[key] for r in line]
        for key in ('value', 'published'))
    if any(map(math.isfinite, theirs)):
      entries[value], = axis.plot(
          at, theirs, zorder=1, linewidth=1, marker='.', markersize=4,
          color=looks.pale(style['color']), linestyle=style.get('linestyle', '-'))
      entries['paper'] = looks.paper_line()
    if any(map(math.isfinite, ours)):
      entries[value], = axis.plot(at, ours, zorder=3, **style)
      known = [(a, r) for a, r in zip(at, line) if r['low'] is not None]
      axis.vlines(
          [a for a, _ in known], [scale * r['low'] for _, r in known],
          [scale * r['high'] for _, r in known], color=style['color'], linewidth=1,
          zorder=2)
    return entries

  return draw
