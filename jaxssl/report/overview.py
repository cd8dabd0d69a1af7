"""What ran and how it went: title, settings, versions and curves for the page."""

import pathlib
import shlex

from jaxssl.report import charts
from jaxssl.report import occupancy
from jaxssl.report import tables

METHODS = {
    'simclr': 'SimCLR', 'pcl': 'PCL', 'moco': 'MoCo', 'byol': 'BYOL',
    'simsiam': 'SimSiam', 'jigsaw': 'Jigsaw', 'supervised': 'Supervised training',
    'pretrained': 'Imported weights'}


def section(run, key):
  """A sub-dict of the config, empty where there is none."""
  value = run.config.get(key)
  return value if isinstance(value, dict) else {}


def title(run):
  """What was trained on what."""
  method, data = section(run, 'method').get('name'), section(run, 'data')
  if not method:
    return run.name
  source, folder = data.get('name'), pathlib.Path(str(data.get('root') or '')).name
  if source in ('folder', 'arrays', 'tfds'):  # These do not say which images.
    source = data.get('dataset') or folder or source
  on = ' '.join(str(part) for part in (source, data.get('domain')) if part)
  return METHODS.get(str(method), str(method)) + (f' on {on}' if on else '')


def status(run):
  """How far the run has come: a word, and facts to put after it."""
  step = max((steps[-1] for steps, _ in run.curves.values()), default=None)
  if run.done:
    digest = str(run.done.get('digest') or '')[:12]
    step = run.done.get('step', step)
    return 'finished', [
        *([f'step {text(step)}'] if step is not None else []),
        *([f'checkpoint {digest}'] if digest else [])]
  if step is None:
    return 'not started', []
  return 'not finished', [f'step {charts.number(step)}']


def curves(run):
  """The charts that every run is read by, and those of all other numbers."""
  left = {
      key: curve for key, curve in run.curves.items()
      if not key.startswith('eval/health/')}
  chance = left.pop('train/chance', ([], []))[1][-1:]

  def take(key):
    return {key.rpartition('/')[2]: left.pop(key)} if key in left else {}

  drawn = [charts.chart(
      'Loss', take('train/loss'), levels=[('chance', value) for value in chance],
      note='chance: a network that tells nothing apart' if chance else '')]
  evals = {key.split('/')[1] for key in left if key.startswith('eval/')}
  for name in sorted(evals):
    drawn.append(accuracy_chart(name, left, tables.newest(run.results).get(name)))
  drawn += [
      charts.chart(
          'Views matched', take('train/contrast_top1'), kind='percent',
          note='how often an image is nearest to its own other view'),
      *occupancy.take_charts(left),
      charts.chart('Learning rate', take('train/lr')),
      charts.chart('Gradient norm', take('train/grad_norm'), kind='log')]
  more = [
      charts.chart(key, {key: curve}) for key, curve in sorted(left.items())
      if len(curve[0]) > 1]
  return [c for c in drawn if c], [c for c in more if c]


def accuracy_chart(name, left, result):
  """The course of an evaluation beside its controls; takes its curves away."""
  prefix = f'eval/{name}/'
  taken = {}
  for key in [k for k in left if k.startswith(prefix)]:
    metric = key.removeprefix(prefix)
    if tables.FRACTION.search(metric):
      curve = left.pop(key)
      if len(curve[0]) > 1:  # A single one says no more than the table.
        taken[tables.readable(metric)] = curve
  controls = result['controls'] if result else {}
  return charts.chart(
      f'{tables.PROTOCOLS.get(name, name)} accuracy', taken, kind='percent',
      levels=[
          (label, controls[control]['top1'])
          for control, label in (('random_init', 'untrained'), ('chance', 'chance'))
          if 'top1' in controls.get(control, {})])


def command(run):
  """The command line, as one would type it."""
  argv = run.attempt.get('argv')
  if not isinstance(argv, list) or not argv:
    return ''
  program, *arguments = map(str, argv)
  if program.replace('\\', '/').endswith('jaxssl/main.py'):
    program = 'python -m jaxssl.main'
  return ' '.join([program, *map(shlex.quote, arguments)])


def terms(run):
  """(term, (key, text) pairs) of the config and of the newest attempt."""
  views = section(run, 'views')
  first = next(iter(views.values()), None)
  if len(views) > 1 and all(view == first for view in views.values()):
    views = {' and '.join(map(str, views)): first}
  plain = {k: v for k, v in run.config.items() if not isinstance(v, dict)}
  found = [
      *((label, section(run, key)) for key, label in (
          ('method', 'Method'), ('data', 'Data'), ('model', 'Model'),
          ('optim', 'Optimiser'))),
      *((f'View {name}', view) for name, view in views.items()),
      ('Other settings', plain),
      *((str(key).replace('_', ' ').capitalize(), value)
        for key, value in run.attempt.items() if key != 'argv')]
  return [(term, pairs(value)) for term, value in found if pairs(value)]


def pairs(value):
  """A JSON value as (key, text) pairs; the key is empty where the text says all."""
  if not isinstance(value, dict):
    return [] if value in (None, '', []) else [('', text(value))]
  named_first = sorted(value.items(), key=lambda pair: pair[0] != 'name')
  return [
      ('' if key == 'name' else str(key), text(v))
      for key, v in named_first if v not in ('', [], {})]


def text(value):
  """Any JSON value in a line."""
  if isinstance(value, dict):
    return ', '.join(f'{key} {text(v)}' for key, v in value.items())
  if isinstance(value, list):
    return ', '.join(map(text, value))
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: 'none'}[value]
  return charts.number(value) if isinstance(value, int | float) else str(value)
