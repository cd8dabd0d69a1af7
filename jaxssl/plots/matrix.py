"""A table of numbers as colours: such as pretraining domain by target domain."""

import matplotlib
import numpy as np
from matplotlib import patches

from jaxssl import comparison
from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy


def make(
    *, down, across, y, title, apart=(), percent=True, order=(), names=None,
    stands_for=None, where=None):
  """Draws a field for each pair of values: ours, its interval, and the paper's number.

  The colour says how far a field lies below the best of its column, since columns are
  of different difficulty. Where both values are the same, the field is framed.

  Args:
    down: the axis with a row for each value.
    across: the axis with a column for each value.
    y: a measure; see `jaxssl.tidy`.
    title: of the figure.
    apart: values of `down` that stand below the others and are not compared with them,
      such as ('supervised',).
    percent: whether y is a share.
    order, names, stands_for, where: see `jaxssl.plots`.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`.
  """
  names = names or {}
  scale = 100 if percent else 1
  form = '.1f' if percent else '.3g'

  def draw(cells, published, *, num_missing):
    rows = comparison.collect(
        cells, published, (down, across), y, where=where, stands_for=stands_for,
        order=order)
    tops = tidy.ordered([r[down] for r in rows], order)
    tops = [v for v in tops if v not in apart] + [v for v in tops if v in apart]
    columns = tidy.ordered([r[across] for r in rows], order)
    # Rows that stand apart are half a field lower.
    heights = {v: i + 0.3 * (v in apart) for i, v in enumerate(tops)}
    below = {}
    for column in columns:
      found = [
          r for r in rows if r[across] == column and r['value'] is not None
          and r[down] not in apart]
      best = max((r['value'] for r in found), default=None)
      below |= {(r[down], column): scale * (best - r['value']) for r in found}
    worst = max(below.values(), default=0) or 1
    shades = matplotlib.colormaps['Blues_r']
    with looks.settings():
      figure, ((axes,),) = looks.panels(
          1, 1, width=1.5 + 0.92 * max(len(columns), 2),
          height=0.5 + 0.66 * max(len(tops), 2), title=title)
      axes.grid(visible=False)
      axes.set(
          xlim=(-0.5, max(len(columns), 1) - 0.5),
          ylim=(max(heights.values(), default=0) + 0.5, -0.5))
      axes.set_xticks(
          range(len(columns)), [looks.wrapped(looks.called(v, names))
                                for v in columns])
      axes.set_yticks(
          list(heights.values()), [looks.wrapped(looks.called(v, names), 20)
                                   for v in heights])
      axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
      axes.spines[:].set_visible(False)
      axes.xaxis.set_label_position('top')
      axes.set(xlabel=looks.called(across, names), ylabel=looks.called(down, names))
      for r in rows:
        gap = below.get((r[down], r[across]))
        color = '#eef0f4' if gap is None else shades(0.15 + 0.8 * gap / worst)
        field(axes, columns.index(r[across]), heights[r[down]], r, color)
      if not rows:
        looks.nothing(axes)
      if below:
        figure.colorbar(
            matplotlib.cm.ScalarMappable(
                matplotlib.colors.Normalize(0, worst), matplotlib.colors.ListedColormap(
                    shades(np.linspace(0.15, 0.95, 256)))), ax=axes, shrink=0.7,
            pad=0.02, label='points below the best\nof the column' if percent
            else 'below the best of the column').ax.invert_yaxis()
      looks.partial(figure, num_missing, cells)
    return plots.Drawing(figure, rows, (down, across, *tidy.NUMBERS), percent)

  def field(axes, x, y, row, color):
    """One field with its number, the half width of the interval, the paper's number."""
    axes.add_patch(patches.Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, color=color))
    if row[down] == row[across]:
      axes.add_patch(patches.Rectangle(
          (x - 0.47, y - 0.46), 0.94, 0.92, fill=False, edgecolor=looks.INK,
          linewidth=1.6))
    ink = looks.text_on(color)
    axes.text(
        x, y - 0.17 if row['published'] is not None or row['low'] is not None else y,
        '—' if row['value'] is None else format(scale * row['value'], form),
        ha='center', va='center', color=ink, fontsize=10.5, fontweight='bold')
    small = []
    if row['low'] is not None:
      small.append(f'±{scale * (row["high"] - row["low"]) / 2:{form}}')
    if row['published'] is not None:
      small.append(f'paper {scale * row["published"]:{form}}')
    axes.text(
        x, y + 0.2, '\n'.join(small), ha='center', va='center', color=ink, fontsize=8,
        linespacing=1.15)

  return draw
