"""Whether a run learns, in a sentence, and what its health numbers mean."""

import math

from jaxssl import geometry
from jaxssl.report import charts
from jaxssl.report import occupancy
from jaxssl.report import tables

# How a health number's name begins -> its title and what it means.
HEALTH = {
    'rankme': (
        'RankMe',
        'How many directions the features really use. Near 1 they have collapsed; '
        'higher is usually better.'),
    'spread': (
        'Spread',
        'How much the directions of the features vary from image to image: 1 is '
        'evenly all around, 0 is the same for all images.'),
    'alignment': (
        'Alignment',
        'Mean squared distance between two views of one image: 0 where they '
        'coincide, about 2 where they have nothing in common.'),
    'uniformity': (
        'Uniformity',
        'How evenly the features cover the sphere: 0 is all in one point, about −4 '
        'is even.'),
}
BELOW_CHANCE = 'The loss is below chance'
OUTPUTS = {'h': 'features h', 'z': 'projections z'}


def verdict(run):
  """Whether the run learns, as far as its files can tell.

  Args:
    run: a `reader.Run`.

  Returns:
    (mood, title, sentence); mood is 'good', 'bad' or 'open'.
  """
  scores = tables.scores(run.results)
  for score in scores:
    if score['control'] is not None:
      return compared(score)
  if scores:
    return 'open', 'Evaluated, with nothing to compare', (
        f'{who(scores[0])} gets {scores[0]["value_text"]} right '
        f'({scores[0]["label"]}). No untrained network was evaluated beside it, so '
        'how much of that is learned stays open.')
  if 'eval/knn/top1' in run.curves:
    return 'open', 'Not evaluated yet', (
        f'kNN accuracy {course(run.curves["eval/knn/top1"], charts.percent)}. The '
        'evaluation with its controls comes at the end of training.')
  return by_loss(run)


def line(run):
  """The verdict for a log: learning, collapsed or not yet, and from which numbers."""
  mood, title, facts = verdict(run)
  health = health_sentence(run)
  if health.startswith('Collapsed'):
    state = 'collapsed'
  elif mood == 'good' or title.startswith(BELOW_CHANCE):
    state = 'learning'
  else:
    state = 'not yet learning'
  said = [f'Verdict: {state}.', facts, '' if health in facts else health]
  return ' '.join(filter(None, [*said, occupancy.sentence(run)]))


def compared(score):
  """The verdict where there is an untrained network to compare with."""
  gap = score['value'] - score['control']
  noise = margin(score['value'], score['control'], score['num_test'])
  facts = (
      f'{who(score)} gets {score["value_text"]} of test images right. The same '
      f'network before training gets {score["control_text"]}')
  if score['chance'] is not None:
    facts += f'; guessing would get {score["chance_text"]}'
  if gap > noise:
    title = f'It learns: {charts.points(gap)} points over an untrained network'
    return 'good', title, f'{facts}.'
  if gap < -noise:
    return 'bad', 'It is worse than an untrained network', f'{facts}.'
  return 'bad', 'No better than an untrained network', (
      f'{facts}. Less than {100 * noise:.1f} points is no difference with '
      f'{score["num_test"] or "these"} test images.')


def margin(value, control, num_test):
  """Two standard errors of the difference of two shares of `num_test` images."""
  if num_test is None:
    return 0.01
  return 2 * math.sqrt((value * (1 - value) + control * (1 - control)) / num_test)


def who(score):
  """What was evaluated, as the start of a sentence."""
  if score['name'] == 'knn':
    return 'Classifying by the nearest neighbours in feature space'
  if score['name'].startswith('linear'):
    return 'A linear classifier on the frozen features'
  return f'The evaluation {score["name"]}'


def by_loss(run):
  """The verdict where nothing was evaluated: what loss and health can say."""
  if 'train/loss' not in run.curves:
    return 'open', 'Nothing measured yet', (
        'There is no log of training here yet. Draw this page again once the run '
        'has logged its first steps.')
  unlabelled = run.atlas is not None and 'labels' not in run.atlas
  loss = run.curves['train/loss']
  facts = ' '.join(filter(None, [
      f'The loss {course(loss, charts.number)}.', health_sentence(run),
      'Without labels there is no accuracy: judge by the neighbours and the map.'
      if unlabelled else 'The features have not been evaluated.']))
  if health_sentence(run).startswith('Collapsed'):
    return 'bad', 'The features have collapsed', facts
  if 'train/chance' not in run.curves:
    return 'open', 'Trained, not evaluated', facts
  chance = run.curves['train/chance'][1][-1]
  if loss[1][-1] < chance:
    return 'open', f'{BELOW_CHANCE}, {charts.number(chance)}', facts
  return 'bad', f'The loss is not below chance, {charts.number(chance)}', facts


def course(curve, write):
  """A curve's two ends, as the end of a sentence."""
  steps, values = curve
  return (
      f'went from {write(values[0])} at step {charts.number(steps[0])} to '
      f'{write(values[-1])} at step {charts.number(steps[-1])}')


def health_numbers(run):
  """The newest health numbers, and those of the untrained network."""
  prefix = 'eval/health/'
  logged = {
      key.removeprefix(prefix): values[-1]
      for key, (_, values) in run.curves.items() if key.startswith(prefix)}
  result = tables.newest(run.results).get('health')
  if result is None:
    return logged, {}
  return logged | result['metrics'], result['controls']['random_init']


def health_sentence(run):
  """What the health numbers mean together, or '' where they are not all there."""
  numbers, _ = health_numbers(run)
  needed = {
      f'{metric}_{output}' for output in OUTPUTS if f'spread_{output}' in numbers
      for metric in ('spread', 'rankme', 'dims')}
  if not needed or not needed <= numbers.keys():
    return ''
  return geometry.verdict({
      name: int(value) if name.startswith('dims') else value
      for name, value in numbers.items()})


def health_cards(run):
  """A card for each health number, its values for h and z side by side.

  Returns:
    List of dicts: `title`, `meaning`, `values` (dicts of `text`, `output` and
    `untrained`) and `chart`, None where there is no course to draw.
  """
  numbers, untrained = health_numbers(run)
  # Cards in the order of HEALTH; what it does not know comes last.
  cards = {
      stem: {'title': title, 'meaning': meaning, 'values': [], 'curves': {}}
      for stem, (title, meaning) in HEALTH.items()}
  for name, value in numbers.items():
    stem, _, output = name.rpartition('_')
    if output not in OUTPUTS:
      stem, output = name, ''
    if stem == 'dims':
      continue  # The most RankMe can be, which the sentence says.
    title = HEALTH.get(stem, [tables.readable(stem)])[0]
    card = cards.setdefault(
        stem, {'title': title, 'meaning': '', 'values': [], 'curves': {}})
    card['values'].append({
        'text': charts.number(value), 'output': OUTPUTS.get(output, ''),
        'untrained': charts.number(untrained[name]) if name in untrained else None})
    steps, values = run.curves.get(f'eval/health/{name}', ([], []))
    if len(steps) > 1:
      card['curves'][OUTPUTS.get(output, title)] = steps, values
  return [
      {**card, 'chart': charts.chart(card['title'], card.pop('curves'))}
      for card in cards.values() if card['values']]
