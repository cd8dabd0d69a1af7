"""Which classes gain and which lose between two cells, and what they are."""

import collections

import numpy as np
from matplotlib import patches

from jaxssl import comparison
from jaxssl import looks
from jaxssl import paired
from jaxssl import plots
from jaxssl import tidy

GAIN, LOSE, SAME = looks.COLORS[0], looks.COLORS[1], looks.RULE
SEED = 0  # Of the bootstrap within `paired`.


def make(
    *, between, title, evaluation='per_class', panel='', taxon='', order=(),
    names=None, stands_for=None, where=None):
  """Draws the difference of each class's accuracy, in order, with shares of both sides.

  Classes are compared on the same test images (`paired.differences`), seed by seed.
  Some classes gain and some lose by luck alone: their expected share is given, and a
  real change lies beyond it.

  Args:
    between: {axis: (from, to)}: a class gains if it is better at `to`.
    title: of the figure.
    evaluation: the key of a `per_class` evaluation.
    panel: the axis with a column of panels for each value, or ''.
    taxon: a level of the taxonomy, such as 'kingdom', whose taxa's shares among the
      classes that gain and lose are drawn below; or ''.
    order, names, stands_for, where: see `jaxssl.plots`.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`. Its rows are told apart
    by `quantity`: the share of 'classes that gain', that lose and of either 'by luck';
    with `taxon`, the share of each taxon 'among all classes', 'among gainers' and
    'among losers'; and the 'difference' of each class, `item`.
  """
  (axis, (before, after)), = between.items()
  names = names or {}
  columns = (
      *((panel,) if panel else ()), 'quantity', *((taxon,) if taxon else ()), 'item')

  def draw(cells, published, *, num_missing):
    found = [point for a, b in pairs(cells) for point in points(a, b)]
    rows = comparison.beside(
        tidy.rows(found, columns), published, columns, stands_for=stands_for,
        where=where, known={'item': [''], taxon: ['']})
    rows = [r for r in rows if r['value'] is not None]
    rows.sort(key=lambda r: (str(r.get(panel, '')), r['item'] != ''))
    across = tidy.ordered([r.get(panel, '') for r in rows], order) or ['']
    entries = {}
    with looks.settings():
      figure, grid = looks.panels(
          2 if taxon else 1, len(across), width=3.3, height=2.1, sharey=False,
          title=title)
      for column, value in zip(grid.T, across):
        here = [r for r in rows if r.get(panel, '') == value]
        if not here:
          for axes in column:
            looks.nothing(axes)
          continue
        curve(column[0], here)
        if panel:
          column[0].set_title(looks.called(value, names), loc='left')
        if taxon:
          entries |= shares(column[1], here)
      grid[0, 0].set_ylabel('accuracy after − before\n(points)')
      looks.legend(figure, entries, looks.called(taxon, names))
      looks.partial(figure, num_missing, cells)
    return plots.Drawing(figure, rows, (*columns, *tidy.NUMBERS), True)

  def pairs(cells):
    """Every cell at `before` and the one at `after` that is else the same."""
    chosen = [
        c for c in cells if evaluation in c.results and tidy.taken(c.axes, where or {})]

    def at(value):
      return {
          tuple(sorted((k, str(v)) for k, v in c.axes.items() if k != axis)): c
          for c in chosen if tidy.same(c.axes.get(axis), value)}

    first, second = at(before), at(after)
    return [(first[key], second[key]) for key in first if key in second]

  def points(a, b):
    """The numbers of two cells as `tidy.points` has them."""
    for axes, value, low, high in compared(
        *(c.results[evaluation]['metrics'] for c in (a, b))):
      yield {
          'axes': {panel: a.axes.get(panel, ''), **axes},
          'seed': a.axes.get('seed', 0), 'value': value, 'low': low, 'high': high}

  def taxa(metrics):
    """The name of each class's taxon."""
    which = metrics.get(f'taxon_{taxon}')
    if which is None:
      return [''] * len(metrics['names'])
    return [metrics[f'names_{taxon}'][i] if i >= 0 else 'none' for i in which]

  def compared(a, b):
    """All (axes, value, low, high) of one seed."""
    if list(a['ids']) != list(b['ids']):
      raise ValueError(
          f'The results at {before} and {after} are of other test images; evaluate '
          'both on the same.')
    got = paired.differences(a['correct'], b['correct'], np.asarray(a['labels']), SEED)
    of_class = taxa(a)

    def axes(quantity, name='', item=''):
      return {'quantity': quantity, 'item': item, **({taxon: name} if taxon else {})}

    for side in ('gain', 'lose'):
      yield (axes(f'classes that {side}'), got[f'share_{side}'],
             got[f'share_{side}_lower'], got[f'share_{side}_upper'])
    yield axes('gain or lose by luck, each'), got['share_by_luck'], None, None
    if taxon:
      for quantity, chosen in (
          ('among all classes', np.ones(len(got['group']), bool)),
          ('among gainers', got['group_difference'] > 0),
          ('among losers', got['group_difference'] < 0)):
        counts = collections.Counter(of_class[c] for c in got['group'][chosen])
        for name in sorted(set(of_class)):
          if chosen.any():
            yield axes(quantity, name), counts[name] / chosen.sum(), None, None
    for i, c in enumerate(got['group']):
      yield (axes('difference', of_class[c], a['names'][c]),
             float(got['group_difference'][i]), float(got['group_lower'][i]),
             float(got['group_upper'][i]))

  def curve(axes, rows):
    """The differences in descending order, and the shares of both sides."""
    values = np.sort([100 * r['value'] for r in rows if r['item'] != ''])[::-1]
    at = (np.arange(len(values)) + 0.5) / len(values) * 100
    edges = np.linspace(0, 100, len(values) + 1)
    axes.stairs(np.maximum(values, 0), edges, fill=True, color=GAIN)
    axes.stairs(np.minimum(values, 0), edges, fill=True, color=LOSE)
    axes.axhline(0, color=looks.MUTED, linewidth=0.8)
    axes.margins(y=0.35)  # Room for the shares above and below.
    axes.set(xlim=(0, 100), xlabel=f'{len(at):,} classes, from gain to loss (%)')
    said = {r['quantity']: r for r in rows if r['item'] == ''}
    by_luck = said['gain or lose by luck, each']['value']
    for side, color, x, y, ha in (
        ('gain', GAIN, 0.97, 0.95, 'right'), ('lose', LOSE, 0.03, 0.05, 'left')):
      row = said[f'classes that {side}']
      paper = row['published']
      axes.text(
          x, y, f'{100 * row["value"]:.0f} % {side}'
          + (f' (paper {100 * paper:.0f} %)' if paper is not None else ''),
          transform=axes.transAxes, ha=ha, va='top' if side == 'gain' else 'bottom',
          color=color, fontweight='bold')
    axes.text(
        0.97, 0.84, f'by luck alone {100 * by_luck:.0f} % each',
        transform=axes.transAxes, ha='right', va='top', color=looks.MUTED, fontsize=8)

  def shares(axes, rows):
    """What the classes of each side are, as stacked bars."""
    quantities = ('among losers', 'among all classes', 'among gainers')
    taxa = tidy.ordered(
        [r[taxon] for r in rows if r['quantity'] == quantities[1]], order)
    # Apart from the two colours of gain and loss above.
    colors = dict(zip(taxa, (looks.COLORS[2:] + looks.COLORS[:2]) * len(taxa)))
    left = np.zeros(len(quantities))
    for name in taxa:
      found = {
          r['quantity']: r['value'] for r in rows if r[taxon] == name}
      widths = np.array([100 * found.get(q, 0) for q in quantities])
      axes.barh(
          range(len(quantities)), widths, left=left, color=colors[name],
          edgecolor='white')
      for i, (start, width) in enumerate(zip(left, widths)):
        if width >= 9:
          axes.text(
              start + width / 2, i, f'{width:.0f}', ha='center', va='center',
              fontsize=8, color=looks.text_on(colors[name]))
      left += widths
    axes.set_yticks(range(len(quantities)), ['losers', 'all classes', 'gainers'])
    axes.set(xlim=(0, 100), xlabel=f'share of each {looks.called(taxon, names)} (%)')
    axes.grid(visible=False)
    return {looks.called(name, names): patches.Patch(color=colors[name])
            for name in taxa}

  return draw
