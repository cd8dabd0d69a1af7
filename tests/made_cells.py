"""Cells of a study with results as `results.write` leaves them, made up."""

import itertools

from jaxssl import plots


def result(metrics, *, chance=None, untrained=None, interval=None):
  """A result file's content; `interval` is half the width of top1's."""
  top1 = metrics.get('top1')
  return {
      'metrics': metrics,
      'intervals': {} if interval is None else {
          'top1': [top1 - interval, top1 + interval]},
      'controls': {
          'random_init': None if untrained is None else {'top1': untrained},
          'chance': None if chance is None else {'top1': chance}},
      'num_examples': {'train': 100, 'test': 100}}


def grid(value, axes, *, seeds=(0,), evaluation='linear', **more):
  """A cell for each combination of axes and seed; value(**axes, seed) is its top1."""
  cells = []
  for place in itertools.product(*axes.values(), seeds):
    at = dict(zip([*axes, 'seed'], place))
    metrics = value(**at)
    metrics = metrics if isinstance(metrics, dict) else {'top1': metrics}
    cells.append(plots.Cell(
        '_'.join(map(str, place)), at, {evaluation: result(metrics, **more)},
        ('run',)))
  return cells


def texts(drawing):
  """All texts of a drawing, as an SVG keeps them."""
  svg = plots.picture(drawing, 'svg').decode()
  return [part.rpartition('>')[2] for part in svg.split('</text>')[:-1]]
