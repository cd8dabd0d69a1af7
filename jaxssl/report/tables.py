"""Evaluation results as rows of a table and as the big numbers of the page."""

import re

from jaxssl.report import charts

# Metrics that are shares of examples, written as percentages.
FRACTION = re.compile(
    r'(^|_)(top\d+|accuracy|acc|mean_per_class|map|purity|precision)(_|$)')
HEADLINE = re.compile(r'ami(_|$)')  # No share, but what its protocol is for.

MAX_ROWS = 16  # Of an evaluation; a grid's other numbers follow in one line.

PROTOCOLS = {'linear': 'Linear classifier', 'knn': 'kNN'}


def newest(results):
  """The last result of each evaluation, by name."""
  return {r['name']: r for r in results}


def rows(result):
  """The table rows of a result: its shares of examples, or else all its numbers.

  A standard deviation stands behind its mean, and what chance gets in its column.

  Args:
    result: see `reader.result`.

  Returns:
    List of dicts: `label`, the numbers `value`, `control` and `chance` (None where
    there is none), `fraction`, and all of it as text.
  """
  table = []
  metrics = result['metrics']
  beside = companions(metrics)
  for metric in sorted(metrics.keys() - beside, key=natural):
    value, spread = metrics[metric], metrics.get(spread_of(metric))
    control = result['controls']['random_init'].get(metric)
    chance = result['controls']['chance'].get(metric, metrics.get(chance_of(metric)))
    numbers = [x for x in (value, control, chance) if x is not None]
    named = FRACTION.search(metric) or chance is not None
    fraction = bool(named) and all(0 <= x <= 1 for x in numbers)
    write = charts.percent if fraction else charts.number
    table.append({
        'metric': metric, 'label': readable(metric), 'fraction': fraction,
        'value': value, 'control': control, 'chance': chance,
        'value_text': write(value) + ('' if spread is None else f' ± {write(spread)}'),
        'control_text': '–' if control is None else write(control),
        'chance_text': '–' if chance is None else write(chance),
        'difference': difference(value, control, fraction)})
  table.sort(key=lambda row: row['chance'] is None)  # The test set's own first.
  main = [row for row in table if row['fraction'] or HEADLINE.match(row['metric'])]
  return (main or table)[:MAX_ROWS]


def companions(metrics):
  """The metrics that stand in the row of another."""
  found = {name(metric) for metric in metrics for name in (spread_of, chance_of)}
  return found & metrics.keys()


def spread_of(metric):
  """The name of a metric's standard deviation over runs or draws."""
  return f'{metric.removesuffix("_mean")}_std'


def chance_of(metric):
  """The name under which a protocol says what chance gets of a metric."""
  at = re.fullmatch(r'(?:top1|precision_at_\d+)(?:_(.+?))?(?:_trained)?', metric)
  if at and at[1] and not re.search(r'_mean$', metric):
    return f'chance_{at[1]}'
  if metric.startswith('precision_at_'):
    return 'chance'
  return 'chance_' + re.sub(r'_k\d+_mean$', '', metric)


def natural(metric):
  """Orders k2 before k16."""
  return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', metric)]


def others(result):
  """The numbers of a result that are not in its rows, such as a chosen rate."""
  metrics = result['metrics']
  shown = {row['metric'] for row in rows(result)} | companions(metrics)
  return ' · '.join(
      f'{readable(metric)} {charts.number(metrics[metric])}'
      for metric in sorted(metrics, key=natural) if metric not in shown)


def readable(metric):
  """A metric's name for people: top1_family is 'top-1 family'."""
  return re.sub(r'\btop(?=\d)', 'top-', metric.replace('_', ' '))


def difference(value, control, fraction):
  """How far a value lies from its control, in points for fractions."""
  if control is None:
    return '–'
  if fraction:
    return charts.points(value - control)
  sign = '+' if value > control else ''
  return sign + charts.number(value - control)


def details(result):
  """What is quoted with a result: protocol, step, digest, seeds, test images."""
  step, seeds = result['step'], result.get('seeds')
  features = result.get('features')
  protocol = result.get('protocol', result['name'])
  if isinstance(seeds, dict):
    seeds = [f'{name} {seed}' for name, seed in seeds.items()]
  elif not isinstance(seeds, list):
    seeds = [] if seeds is None else [seeds]
  parts = [
      f'{protocol} version {result.get("version", "?")}',
      'of a features file' if step is None else f'step {charts.number(step)}',
      f'checkpoint {str(result["digest"])[:12]}' if result.get('digest') else '',
      f'features {str(features.get("sha256"))[:12]}'
      if isinstance(features, dict) else '',
      f'seeds: {", ".join(map(str, seeds))}' if seeds else '',
      f'{result["num_test"]:,} test images' if result['num_test'] else '']
  return ' · '.join(part for part in parts if part)


def scores(results):
  """The page's big numbers: the first share of each evaluation, linear first."""
  order = ('linear', 'knn')
  found = []
  for name, result in newest(results).items():
    fractions = [row for row in rows(result) if row['fraction']]
    fractions.sort(key=lambda row: row['metric'] != 'top1')
    if fractions:
      found.append({**fractions[0], 'name': name, 'num_test': result['num_test']})
  return sorted(found, key=lambda s: (
      order.index(s['name']) if s['name'] in order else len(order), s['name']))
