"""Results of a study as rows: means over seeds, with the paper's number beside.

A measure is written 'evaluation/metric'. A part of it in braces, as in
'granularity/top1_{level}', stands for all metrics of that form, and `level` becomes
one more axis; of two that differ by an ending after an underscore, such as
`top1_genus` and `top1_genus_trained`, the shorter counts. A dict such as
{'classifier': {'linear': 'linear/top1', 'kNN': 'knn/top1'}} is several measures with
an axis of their own. 'finetune/top1 or linear/top1' is the first that a cell has.
"""

import math
import re

import numpy as np
import scipy.stats

LEVEL = 0.95
NUMBERS = (
    'value', 'low', 'high', 'num_seeds', 'by_seed', 'published', 'difference',
    'certainty')
CONTROLS = ('random_init', 'chance')
KEYS = ('value', 'low', 'high', *CONTROLS)
NO_VALUE = {'value': None, 'low': None, 'high': None, 'num_seeds': 0, 'by_seed': {}}


def points(cells, y, *, where=None, items=''):
  """Every number of a measure in some cells.

  Args:
    cells: list of `plots.Cell`.
    y: a measure, or several; see the module's docstring.
    where: {axis: value or tuple of values} of the cells to take; a cell without the
      axis is taken. None takes all.
    items: where the metric is an array, the name of the metric that names its
      entries, such as 'names_class'; `item` becomes one more axis.

  Returns:
    A list of dicts: `axes` without the seed, `seed`, `value`, `low` and `high` of the
    result's own interval, `random_init` and `chance`; what is not there is None.
  """
  (axis, measures), = y.items() if isinstance(y, dict) else [('', {'': y})]
  found = []
  for cell in cells:
    axes = {k: v for k, v in cell.axes.items() if k != 'seed'}
    for name, measure in measures.items():
      for option in measure.split(' or '):
        evaluation, _, pattern = option.partition('/')
        if evaluation not in cell.results:
          continue
        more = {axis: name} if axis else {}
        here = [
            {'axes': {**axes, **more, **part}, 'seed': cell.axes.get('seed', 0),
             **numbers}
            for part, numbers in measured(cell.results[evaluation], pattern, items)]
        found += here
        if here:
          break
  return [point for point in found if taken(point['axes'], where or {})]


def measured(result, pattern, items=''):
  """All (more axes, numbers) of a result's metrics that a pattern stands for."""
  metrics, intervals = result['metrics'], result.get('intervals') or {}
  controls = result.get('controls') or {}
  for axes, metric in matches(pattern, metrics):
    low, high = intervals.get(metric, (None, None))
    untrained, guess = ((controls.get(c) or {}).get(metric) for c in CONTROLS)
    found = [metrics[metric], low, high, untrained, guess]
    if not items:
      yield axes, dict(zip(KEYS, found))
      continue
    # Protocols that count by class have intervals of their own.
    found[1:3] = (
        metrics.get(metric.replace('accuracy', end)) for end in ('lower', 'upper'))
    for i, name in enumerate(metrics[items]):
      yield {**axes, 'item': name}, {
          key: None if v is None else v[i] for key, v in zip(KEYS, found)}


def matches(pattern, metrics):
  """The metrics that a pattern stands for, each with the part in braces as an axis."""
  before, brace, rest = pattern.partition('{')
  if not brace:
    return [({}, pattern)] if pattern in metrics else []
  axis, _, after = rest.partition('}')
  form = re.compile(re.escape(before) + '(.+)' + re.escape(after))
  parts = {m[1]: metric for metric in metrics if (m := form.fullmatch(metric))}
  return [
      ({axis: number(part)}, metric) for part, metric in parts.items()
      if not any(part.startswith(f'{other}_') for other in parts)]


def number(text):
  """A text as the number that it is, if it is one."""
  return int(text) if text.isdecimal() else text


def taken(axes, where):
  """Whether a cell or a row of the paper has the values that are asked for."""
  return all(
      same(axes.get(axis, ''), '') or any(same(axes[axis], v) for v in several(value))
      for axis, value in where.items())


def several(value):
  return value if isinstance(value, (list, tuple)) else (value,)


def same(a, b):
  """Whether two values of an axis are the same: 10 and '10.0' are."""
  try:
    return float(a) == float(b)
  except (TypeError, ValueError):
    return str(a) == str(b)


def relative(found, reference):
  """What each point lies below the point that is its reference.

  Args:
    found: from `points`.
    reference: {axis: value}, such as {'corruption': 'clean'}; the reference of a point
      has this value there and else the same axes and seed.

  Returns:
    The points that are no reference and have one, as value of the reference less
    theirs. The two are taken as independent in the interval.
  """
  def key(point):
    others = {k: str(v) for k, v in point['axes'].items() if k not in reference}
    return point['seed'], tuple(sorted(others.items()))

  def is_reference(point):
    return all(same(point['axes'].get(k), v) for k, v in reference.items())

  bases = {key(point): point for point in found if is_reference(point)}
  drops = []
  for point in found:
    base = bases.get(key(point))
    if base is None or is_reference(point) or not (
        finite(base['value']) and finite(point['value'])):
      continue
    value = base['value'] - point['value']
    half = math.hypot(*(
        (p['high'] - p['low']) / 2 if finite(p['low']) else math.nan
        for p in (base, point)))
    drops.append({
        **point, **dict.fromkeys(CONTROLS), 'value': value,
        'low': value - half if finite(half) else None,
        'high': value + half if finite(half) else None})
  return drops


def rows(found, axes):
  """Points as rows: for each combination of axes the mean over seeds.

  Args:
    found: from `points`.
    axes: names of the axes to keep, in the order of the columns.

  Returns:
    A list of dicts, in the order of the points: the axes, `value`, `low` and `high`,
    `num_seeds` and `by_seed`, {seed: value}. Values that are not finite are left out;
    a row without any has None for its value. The interval is that of Student's t
    at 95 % over two seeds or more, and the result's own for one.

  Raises:
    ValueError: points of one row and one seed vary along an axis that is not kept.
  """
  groups = {}
  for point in found:
    group = groups.setdefault(tuple(point['axes'].get(a, '') for a in axes), {})
    same_seed = group.setdefault(point['seed'], [])
    for other in same_seed[:1]:
      for axis, value in point['axes'].items():
        if axis not in axes and not same(other['axes'].get(axis), value):
          raise ValueError(
              f'The figure does not show the axis {axis!r}, which has the values '
              f'{other["axes"].get(axis)} and {value} at one place; show it, or take '
              'one of them by `where`.')
    same_seed.append(point)
  return [
      {**dict(zip(axes, values)), **over_seeds(group)}
      for values, group in groups.items()]


def over_seeds(group):
  """{seed: points} as the numbers of a row; points of one seed count as their mean."""
  by_seed = {
      seed: float(np.mean([p['value'] for p in same_seed]))
      for seed, same_seed in sorted(group.items())
      if all(finite(p['value']) for p in same_seed)}
  if not by_seed:
    return dict(NO_VALUE)
  low, high = interval(list(by_seed.values()))
  only = group[next(iter(by_seed))]
  if len(by_seed) == len(only) == 1:
    low, high = (
        only[0][end] if finite(only[0][end]) else None for end in ('low', 'high'))
  return {
      'value': float(np.mean(list(by_seed.values()))), 'low': low, 'high': high,
      'num_seeds': len(by_seed), 'by_seed': by_seed}


def interval(values, level=LEVEL):
  """Student's t interval of the mean of a few values; (None, None) below two."""
  if len(values) < 2:
    return None, None
  mean, spread = np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))
  half = float(scipy.stats.t.ppf((1 + level) / 2, len(values) - 1) * spread)
  return float(mean) - half, float(mean) + half


def finite(value):
  return isinstance(value, (int, float)) and math.isfinite(value)


def ordered(values, order=()):
  """The distinct values of an axis: by `order`, then numbers ascending, then texts."""
  place = {str(v): i for i, v in enumerate(order)}
  return sorted(dict.fromkeys(values), key=lambda v: (
      place.get(str(v), len(place)), *((0, v) if finite(v) else (1, 0))))
