"""How many clusters have how many images."""

import numpy as np

from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy


def make(*, y, hue, title, panel='', order=(), names=None, where=None):
  """Draws histograms of cluster sizes over each other, means over seeds.

  As in PCL's figure (https://arxiv.org/abs/2005.04966), but that bins double in width,
  so that small clusters and large ones can both be seen: 0, 1, 2 to 3, 4 to 7, ...
  images.

  Args:
    y: a measure that is an array of sizes, such as 'clustering/sizes_k{k}'.
    hue: the axis with a histogram for each value, such as whether concentrations
      were estimated.
    title: of the figure.
    panel: the axis with a column of panels for each value, such as k; or ''.
    order, names, where: see `jaxssl.plots`.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`; its rows have the bin as
    `size_from` and `size_to`, and the mean number of clusters as `value`.
  """
  names = names or {}
  axes = (*((panel,) if panel else ()), hue, 'size_from')

  def draw(cells, published, *, num_missing):
    found = []
    for point in tidy.points(cells, y, where=where):
      counts = bins(np.asarray(point['value'], int))
      found += [
          {**point, 'axes': {**point['axes'], 'size_from': first}, 'value': count,
           'low': None, 'high': None} for first, count in counts.items()]
    rows = [
        {**r, 'size_to': max(2 * r['size_from'] - 1, r['size_from'])}
        for r in tidy.rows(found, axes)]
    hues = tidy.ordered([r[hue] for r in rows], order)
    colors = looks.colors([str(v) for v in hues])
    with looks.settings():
      figure, panels = looks.facets(
          rows, panel, '', order=order, names=names, width=3.0, height=2.3,
          title=title, x_label='images in a cluster', y_label='clusters',
          sharey=False)
      entries = {}
      for axis, here in panels:
        firsts = sorted({r['size_from'] for r in here})
        place = {first: i for i, first in enumerate(firsts)}
        for value in hues:
          bars = [r for r in here if r[hue] == value]
          heights = np.zeros(len(firsts))
          for r in bars:
            heights[place[r['size_from']]] = r['value']
          if bars:
            color = colors[str(value)]
            entries[looks.called(value, names)] = axis.stairs(
                heights, np.arange(len(firsts) + 1) - 0.5, color=color, linewidth=1.6)
            axis.stairs(
                heights, np.arange(len(firsts) + 1) - 0.5, color=color, alpha=0.18,
                fill=True)
            known = [r for r in bars if r['low'] is not None]
            shift = 0.12 * (hues.index(value) - (len(hues) - 1) / 2)
            axis.vlines(
                [place[r['size_from']] + shift for r in known],
                [max(r['low'], 0) for r in known], [r['high'] for r in known],
                color=color, linewidth=1)
        if here:
          step = -(-len(firsts) // 8)
          axis.yaxis.get_major_locator().set_params(integer=True)
          axis.set_xticks(
              range(0, len(firsts), step),
              [looks.called(first, {}) for first in firsts[::step]])
      looks.legend(figure, entries, looks.called(hue, names))
      looks.partial(figure, num_missing, cells)
    columns = (*axes, 'size_to', *tidy.NUMBERS[:5])
    return plots.Drawing(figure, rows, columns, False)

  return draw


def bins(sizes):
  """{smallest size of a bin: how many clusters it has}, up to the largest cluster."""
  power = np.where(sizes > 0, np.frexp(sizes)[1], 0)  # 0; 1; 2 to 3; 4 to 7; ...
  counts = np.bincount(power)
  return {int(2 ** i) // 2: int(count) for i, count in enumerate(counts)}
