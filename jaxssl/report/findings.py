"""What the numbers of a run say, in words and in rows for the page's tables."""

import math
import re

from jaxssl.report import charts

# Metrics that are fractions, written as percentages.
FRACTION = re.compile(r'(^|_)(top\d+|accuracy|acc|mean_per_class|map|purity)(_|$)')

METHODS = {
    'simclr': 'SimCLR', 'pcl': 'PCL', 'moco': 'MoCo', 'byol': 'BYOL',
    'simsiam': 'SimSiam', 'jigsaw': 'Jigsaw', 'supervised': 'Supervised training'}

PROTOCOLS = {'linear': 'Linear classifier', 'knn': 'kNN'}

# The start of a health number's name -> its title and what it means.
HEALTH = {
    'rankme': (
        'RankMe',
        'How many directions the features really use. Near 1 they have collapsed; '
        'higher is usually better, up to the width of the features.'),
    'spread': (
        'Spread',
        'How far each feature varies from image to image, once lengths are made one. '
        '0 means that all images look the same to the network.'),
    'alignment': (
        'Alignment',
        'Mean squared distance between two views of one image. 0 means that views of '
        'an image coincide; it only counts while uniformity is low.'),
    'uniformity': (
        'Uniformity',
        'How evenly the features cover the sphere. 0 is collapse; the more negative, '
        'the more even.'),
}
OUTPUTS = {'h': 'features h', 'z': 'projections z'}


def is_fraction(metric, values, chance):
  """Whether a metric is a share of examples."""
  known = FRACTION.search(metric.lower()) or chance is not None
  return bool(known) and all(0 <= v <= 1 for v in values if v is not None)


def newest(results):
  """The last result of each evaluation, by name."""
  return {r['name']: r for r in results}


def rows(result):
  """A table row for each metric of a result, controls beside it."""
  table = []
  for metric, value in result['metrics'].items():
    control = result['controls']['random_init'].get(metric)
    chance = result['controls']['chance'].get(metric)
    fraction = is_fraction(metric, (value, control, chance), chance)
    write = charts.percent if fraction else charts.number
    table.append({
        'metric': metric, 'label': readable(metric), 'fraction': fraction,
        'value': value, 'control': control, 'chance': chance,
        'value_text': write(value),
        'control_text': '–' if control is None else write(control),
        'chance_text': '–' if chance is None else write(chance),
        'difference': difference(value, control, fraction)})
  return table


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
  """What a result must carry to be quoted: step, digest, seeds, examples."""
  step, count = result['step'], result.get('num_examples')
  seeds = result.get('seeds')
  seeds = seeds if isinstance(seeds, list) else [] if seeds is None else [seeds]
  features = result.get('features')
  parts = [
      f'step {step:,}' if step is not None else 'of a features file',
      f'checkpoint {str(result["digest"])[:12]}' if result.get('digest') else '',
      f'features {str(features.get("sha256", ""))[:12]}'
      if isinstance(features, dict) else '',
      f'seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
      if seeds else '',
      f'{count:,} test images' if isinstance(count, int) else '']
  return ' · '.join(part for part in parts if part)


def headline(result):
  """The row of a result that says most: its first top-1 accuracy, else fraction."""
  table = rows(result)
  top1 = [r for r in table if r['metric'] == 'top1']
  fractions = [r for r in table if r['fraction']]
  return next(iter(top1 + fractions), None)


def scores(results):
  """The big numbers of the page: the headline of each evaluation, linear first."""
  order = ('linear', 'knn')
  found = []
  for name, result in newest(results).items():
    row = headline(result)
    if row and name != 'health':
      rank = order.index(name) if name in order else len(order)
      found.append({**row, 'name': name, 'rank': rank, 'result': result})
  return sorted(found, key=lambda s: (s['rank'], s['name']))


def margin(value, control, count):
  """Two standard errors of the difference of two shares of `count` examples."""
  if not isinstance(count, int) or count < 1:
    return 0.01
  variance = value * (1 - value) + control * (1 - control)
  return 2 * math.sqrt(variance / count)


def verdict(run):
  """Whether the run learns, in a few words and a sentence.

  Args:
    run: a `workdir.Workdir`.

  Returns:
    (mood, title, sentence); mood is 'good', 'bad' or 'open'.
  """
  found = scores(run.results)
  controlled = [s for s in found if s['control'] is not None]
  if controlled:
    return compared(controlled[0])
  if found:
    s = found[0]
    return 'open', 'Evaluated, with nothing to compare', (
        f'{who(s)} gets {s["value_text"]} right ({s["label"]}). No randomly '
        'initialised network was evaluated beside it, so how much of that is learned '
        'stays open.')
  knn = run.metrics.get('eval/knn/top1')
  if knn:
    steps, values = knn
    return 'open', 'Not evaluated yet', (
        f'During training kNN went from {charts.percent(values[0])} at step '
        f'{steps[0]:,} to {charts.percent(values[-1])} at step {steps[-1]:,}; the '
        'evaluation with its controls comes at the end.')
  return by_loss(run)


def who(score):
  """What was evaluated, as the start of a sentence."""
  if score['name'] == 'knn':
    return 'Classifying by the nearest neighbours in feature space'
  if score['name'].startswith('linear'):
    return 'A linear classifier on the frozen features'
  return f'The evaluation {score["name"]}'


def compared(score):
  """The verdict where there is a random-initialisation control."""
  gap = score['value'] - score['control']
  noise = margin(
      score['value'], score['control'], score['result'].get('num_examples'))
  chance = (
      f'; guessing would get {score["chance_text"]}'
      if score['chance'] is not None else '')
  facts = (
      f'{who(score)} gets {score["value_text"]} of test images right. The same network '
      f'before training gets {score["control_text"]}{chance}.')
  if gap > noise:
    title = f'It learns: {charts.points(gap)} points over an untrained network'
    return 'good', title, facts
  if gap < -noise:
    return 'bad', 'It is worse than an untrained network', facts
  return 'bad', 'No better than an untrained network', (
      f'{facts} A difference below {charts.percent(noise)[:-1]} points cannot be told '
      'from chance with this many test images.')


def by_loss(run):
  """The verdict where nothing was evaluated: what the loss alone can say."""
  loss = run.metrics.get('train/loss')
  if not loss:
    return 'open', 'Nothing measured yet', (
        'There is no log of training here yet. Draw this page again once the run has '
        'logged its first steps.')
  steps, values = loss
  said = (
      f'The loss went from {charts.number(values[0])} at step {steps[0]:,} to '
      f'{charts.number(values[-1])} at step {steps[-1]:,}')
  chance = run.metrics.get('train/chance')
  if not chance:
    return 'open', 'Trained, not evaluated', f'{said}.'
  beats = values[-1] < chance[1][-1]
  side = 'below' if beats else 'not below'
  return ('open' if beats else 'bad'), (
      'The views are told apart; the features are not evaluated' if beats
      else 'The loss is no better than chance'), (
          f'{said}, {side} its chance level of {charts.number(chance[1][-1])}. Without '
          'labels there is no accuracy: look at the neighbours and at the map.')


def health(run):
  """A card for each health number, its values for h and z side by side.

  Returns:
    List of dicts: `title`, `meaning`, `values` of (output, value, untrained or None)
    and `chart`, None where there is no course to draw.
  """
  prefix = 'eval/health/'
  series = {
      key.removeprefix(prefix): xy for key, xy in run.metrics.items()
      if key.startswith(prefix)}
  final = newest(run.results).get('health', {'metrics': {}})
  latest = {name: xy[1][-1] for name, xy in series.items()} | final['metrics']
  untrained = final['controls']['random_init'] if final['metrics'] else {}
  cards = {}
  for name in latest:
    stem, _, output = name.rpartition('_')
    stem, output = (stem, OUTPUTS[output]) if output in OUTPUTS else (name, '')
    title, meaning = next(
        (text for key, text in HEALTH.items() if key in stem), (readable(stem), ''))
    card = cards.setdefault(
        stem, {'title': title, 'meaning': meaning, 'values': [], 'series': {}})
    control = untrained.get(name)
    card['values'].append((
        output, charts.number(latest[name]),
        None if control is None else charts.number(control)))
    if len(series.get(name, ([],))[0]) > 1:
      card['series'][output or title] = series[name]
  return [
      {**card, 'chart': charts.chart(card['title'], card.pop('series'))}
      for card in cards.values()]
