"""What the page draws of single evaluations: curves and bars beside their controls.

Each function here takes a result (`reader.result`) and returns dict of `title`,
`sentence` and `charts` (`charts.chart`) or `groups` of bars; None where the result
holds none of it.
"""

import re

import numpy as np

from jaxssl.report import charts
from jaxssl.report import tables

MOST_CLASSES = 20  # With more, only the best and the worst half as many are drawn.
RUN, UNTRAINED = 'this run', 'untrained'


def panels(results):
  """The panels of the newest result of each evaluation, and what went wrong."""
  found, problems = [], []
  for protocol, draw in PANELS.items():
    for name, result in tables.newest(results).items():
      if result.get('protocol') != protocol:
        continue
      try:
        panel = draw(result)
      except Exception as e:  # Whatever a broken file causes: a gap beats no page.
        problems.append(f'eval/{name}: {str(e) or type(e).__name__}')
        continue
      if panel and None not in panel.get('charts', []):
        found.append({'name': name, 'groups': [], 'charts': [], **panel})
  return found, problems


def reliability(result):
  """How often the classifier is right when it is so sure."""
  arrays = result['arrays']
  if 'reliability_num' not in arrays:
    return None
  sure, right, num = (
      np.array(arrays[f'reliability_{name}'], float)
      for name in ('confidence', 'accuracy', 'num'))
  there = num > 0
  if not there.any():
    return None
  edges = np.linspace(0, 100, len(num) + 1)
  sure, right = sure[there], right[there]
  diagonal = np.array([0, *sure, 1])
  chart = charts.chart(
      'Right answers by confidence',
      {RUN: (100 * sure, right), 'calibrated': (100 * diagonal, diagonal)},
      kind='percent', across='confidence in %',
      note='columns: the share of test images that are so sure',
      columns=list(zip(edges[:-1], edges[1:], num / num.sum())))
  for line in chart['lines']:
    line['last'] = ''  # The end of these lines is no result.
  return {
      'title': 'Can its confidence be trusted?', 'charts': [chart],
      'sentence':
      'On the diagonal the linear classifier is right as often as it is sure; below '
      'it, it is too sure of itself. Over all test images the two differ by '
      f'{charts.percent(result["metrics"]["ece"])} (expected calibration error).'}


def granularity(result):
  """Accuracy from the coarsest to the finest level."""
  metrics, untrained = result['metrics'], result['controls']['random_init']
  levels = sorted(
      (int(value), name.removeprefix('num_classes_'))
      for name, value in metrics.items() if name.startswith('num_classes_'))
  if not levels:
    return None
  steps, names = range(len(levels)), [name for _, name in levels]
  nothing = [float('nan')] * 2
  lower, upper = np.transpose([
      result.get('intervals', {}).get(f'top1_{name}', nothing) for name in names])

  def course(values, form):
    return steps, [values.get(form.format(name), float('nan')) for name in names]

  series = {
      RUN: course(metrics, 'top1_{}'),
      'trained at the level': course(metrics, 'top1_{}_trained'),
      UNTRAINED: course(untrained, 'top1_{}'), 'chance': course(metrics, 'chance_{}')}
  return {
      'title': 'How fine a distinction it makes',
      'sentence':
      'A classifier of the finest level is scored at each coarser one, too: where the '
      'line falls, the features stop telling classes apart. Beside each level stands '
      'its number of classes; the shade is a 95% interval.',
      'charts': [charts.chart(
          'Accuracy by level', something(series), kind='percent', across='level',
          places=[(i, f'{name} {num:,}') for i, (num, name) in enumerate(levels)],
          bands={RUN: (lower, upper)})]}


def low_shot(result):
  """Accuracy by the number of labelled images of each class."""
  metrics, untrained = result['metrics'], result['controls']['random_init']
  measure = 'map' if any(name.startswith('map_k') for name in metrics) else 'top1'
  shots = sorted(
      int(match[1]) for name in metrics
      if (match := re.fullmatch(rf'{measure}_k(\d+)_mean', name)))
  if not shots:
    return None
  steps = np.log2(shots)

  def course(values, what):
    return np.array([values.get(f'{measure}_k{k}_{what}', np.nan) for k in shots])

  series = {
      RUN: (steps, course(metrics, 'mean')),
      UNTRAINED: (steps, course(untrained, 'mean'))}
  bands = {
      name: (mean - spread, mean + spread)
      for name, values in ((RUN, metrics), (UNTRAINED, untrained))
      for mean, spread in [(course(values, 'mean'), course(values, 'std'))]}
  chance = metrics.get(f'chance_{measure}', float('nan'))
  title = 'Mean average precision' if measure == 'map' else 'Accuracy'
  return {
      'title': 'With few labels',
      'sentence':
      'How well a classifier does that is trained with so many labelled images of each '
      'class: the mean over several draws of them, and as a shade their standard '
      'deviation.',
      'charts': [charts.chart(
          title, something(series), kind='percent', across='images a class',
          places=[(x, str(k)) for x, k in zip(steps, shots)], bands=bands,
          levels=[('chance', chance)])]}


def cluster_sizes(result):
  """Sizes of the clusters from the largest down, of k-means and of prototypes."""
  drawn = []
  arrays = result['arrays']
  parts = sorted(
      (name for name in arrays
       if name.startswith('sizes') and not name.endswith('_phi')),
      key=lambda name: (len(name), name))
  for name in parts:
    series = {'by cosine': arrays[name]}
    if f'{name}_phi' in arrays:
      series['with concentration'] = arrays[f'{name}_phi']
    title = f'Prototypes, {name[7:]}' if name != 'sizes' else 'k-means of the features'
    k = len(arrays[name])
    chart = charts.chart(
        title, {
            key: (np.arange(1, k + 1), np.array(sizes, float))
            for key, sizes in series.items()},
        across='cluster', note='images in it, from the largest cluster down',
        from_zero=True,
        levels=[('even', sum(arrays[name]) / k)])
    for line in chart['lines']:
      line['last'] = ''
    drawn.append(chart)
  return {
      'title': 'How large the clusters are', 'charts': drawn,
      'sentence':
      'A flat line means clusters of one size, a steep one a few that hold most '
      'images. With its concentration, which PCL estimates, a tight prototype counts '
      'as nearer than a loose one.'} if drawn else None


def per_class(result):
  """The best and the worst classes, with intervals."""
  arrays = result['arrays']
  if 'accuracy' not in arrays:
    return None
  accuracy, lower, upper, num = (
      np.array(arrays[name], float) for name in ('accuracy', 'lower', 'upper', 'num'))
  names = [str(name) for name in arrays['names']]
  untrained = np.array(
      result['untrained_arrays'].get('accuracy', [np.nan] * len(names)), float)
  order = np.argsort(-accuracy, kind='stable')

  def bars(rows):
    return [{
        'name': names[c], 'value': accuracy[c], 'chance': None,
        'control': None if np.isnan(untrained[c]) else untrained[c],
        'lower': lower[c], 'upper': upper[c],
        'text': charts.percent(accuracy[c]),
        'interval': f'{100 * lower[c]:.0f} to {100 * upper[c]:.0f}% of {int(num[c]):,}'}
        for c in rows]

  half = MOST_CLASSES // 2
  groups = [('All classes, the best first', bars(order))]
  if len(names) > MOST_CLASSES:
    groups = [
        (f'The best {half} of {len(names):,}', bars(order[:half])),
        (f'The worst {half}', bars(order[::-1][:half]))]
  return {
      'title': 'Class by class', 'groups': groups,
      'sentence':
      'The share of the test images of each class that are classified right, grey what '
      'the untrained network gets. The thin line is a 95% interval: where two overlap '
      'widely, their order says little.'}


def something(series):
  """The series that have a finite value."""
  return {
      name: (x, y) for name, (x, y) in series.items()
      if np.isfinite(np.asarray(y, float)).any()}


PANELS = {
    'linear': reliability, 'granularity': granularity, 'svm': low_shot,
    'per_class': per_class, 'clustering': cluster_sizes}
