"""Maps of features on the plane side by side, coloured by class."""

from matplotlib import lines

from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy
from jaxssl.report import pictures

TRUST = {
    'trustworthiness': 'trustworthiness', 'continuity': 'continuity',
    'accuracy_map': 'kNN accuracy on the map',
    'accuracy_features': 'kNN accuracy of the features'}
MAX_NAMED = 20  # Classes in the legend.


def make(
    *, panel, title, evaluation='embedding', order=(), names=None, where=None):
  """Draws a map for each value of an axis, with how far it can be trusted below.

  Args:
    panel: the axis with a map for each value, such as the method. Of several seeds
      the first is drawn.
    title: of the figure.
    evaluation: the key of an `embedding` evaluation.
    order, names, where: see `jaxssl.plots`.

  Returns:
    draw(cells, published, *, num_missing) -> `plots.Drawing`. Its rows are told apart
    by `quantity`: those of `TRUST`, with their `value`, and each 'point' with its
    `id`, `label`, `x` and `y`.
  """
  names = names or {}

  def draw(cells, published, *, num_missing):
    found = {}
    for cell in sorted(cells, key=lambda c: c.axes.get('seed', 0)):
      if evaluation in cell.results and tidy.taken(cell.axes, where or {}):
        found.setdefault(cell.axes.get(panel, ''), cell.results[evaluation]['metrics'])
    across = tidy.ordered(found, order)
    rows = [row for value in across for row in rows_of(value, found[value])]
    labels = sorted({r['label'] for r in rows if r.get('label') is not None})
    colors = dict(zip(labels, pictures.class_colors(len(labels))))
    with looks.settings():
      figure, grid = looks.panels(
          1, len(across) or 1, width=2.9, height=3.0, sharey=False, title=title)
      for axes, value in zip(grid[0], across or [None]):
        axes.set(xticks=[], yticks=[])
        axes.set_aspect('equal', adjustable='datalim')
        axes.grid(visible=False)
        axes.spines[:].set(visible=True, color=looks.RULE)
        if value is None:
          looks.nothing(axes)
          continue
        here = [r for r in rows if r[panel] == value]
        points = [r for r in here if r['quantity'] == 'point']
        # Thousands of points are a picture within the SVG, whose text stays text.
        axes.scatter(
            [r['x'] for r in points], [r['y'] for r in points],
            c=[colors.get(r['label'], looks.PAPER) for r in points],
            s=max(2, min(14, 6000 / (len(points) or 1))), linewidths=0,
            rasterized=True)
        axes.set_title(looks.called(value, names), loc='left')
        axes.set_xlabel('\n'.join(
            f'{TRUST[r["quantity"]]} {r["value"]:.2f}' for r in here
            if r['quantity'] in TRUST),
            fontsize=8, color=looks.MUTED)
      looks.legend(figure, {
          looks.called(label, names): lines.Line2D(
              [], [], color=color, linestyle='', marker='o')
          for label, color in list(colors.items())[:MAX_NAMED]},
          f'{MAX_NAMED} of {len(labels)} classes' if len(labels) > MAX_NAMED
          else 'class')
      looks.partial(figure, num_missing, cells)
    columns = (panel, 'quantity', 'id', 'label', 'x', 'y', 'value')
    return plots.Drawing(figure, rows, columns, False)

  def rows_of(value, metrics):
    """The rows of one map."""
    for quantity in TRUST:
      if tidy.finite(metrics.get(quantity)):
        yield {panel: value, 'quantity': quantity, 'value': metrics[quantity]}
    called = metrics.get('class_names')
    labels = metrics.get('labels') or [None] * len(metrics['ids'])
    for id_, label, (x, y) in zip(metrics['ids'], labels, metrics['coordinates']):
      yield {
          panel: value, 'quantity': 'point', 'id': id_,
          'label': called[label] if called and label is not None else label,
          'x': x, 'y': y}

  return draw
