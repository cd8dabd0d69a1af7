"""Draws `report.html`, the page that shows a run, from the files of its workdir."""

import base64
import hashlib
import json
import pathlib

import jinja2

from jaxssl import figures
from jaxssl.report import charts
from jaxssl.report import findings
from jaxssl.report import pictures
from jaxssl.report import workdir as workdirs

HERE = pathlib.Path(__file__).parent

def write(workdir):
  """Writes `report.html` into a workdir: one file that needs nothing else.

  Reads only the workdir and no model, so it can be called at any time: a part that is
  not there yet is said to be missing.

  Args:
    workdir: a run's folder.

  Returns:
    The path of the page.

  Raises:
    ValueError: there is no such folder.
  """
  run = workdirs.read(workdir)
  script = (HERE / 'page.js').read_text('utf-8')
  script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  templates = jinja2.Environment(
      loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
      lstrip_blocks=True, undefined=jinja2.StrictUndefined)
  page = templates.get_template('page.html').render(
      **contents(run), script=script, script_hash=script_hash,
      style=(HERE / 'style.css').read_text('utf-8'))
  path = pathlib.Path(workdir) / 'report.html'
  with figures.replacing(path) as temporary:
    # File names need not be valid text; what cannot be written becomes '?'.
    temporary.write_text(page, encoding='utf-8', errors='replace')
  return path


def contents(run):
  """All that the template shows, by name."""
  mood, verdict, sentence = findings.verdict(run)
  curves, more_curves = training_curves(run)
  health = findings.health(run)
  every_chart = [*curves, *more_curves, *(c['chart'] for c in health if c['chart'])]
  for number, chart in enumerate(every_chart):
    chart['id'] = number
  features = pictures.draw_map(run.atlas) if run.atlas else None
  views, problem = pictures.embed_views(run.views)
  method = run.config.get('method')
  return {
      'title': title(run), 'status': status(run), 'mood': mood, 'verdict': verdict,
      'sentence': sentence, 'scores': findings.scores(run.results),
      'latest': list(findings.newest(run.results).values()),
      'results': run.results, 'rows': findings.rows, 'details': findings.details,
      'protocols': findings.PROTOCOLS, 'curves': curves, 'more_curves': more_curves,
      'health': health, 'views': views, 'map': features,
      'ran': what_ran(run), 'config': json.dumps(run.config, indent=2),
      'has_config': bool(run.config), 'bad_images': run.bad_images,
      'problems': [*run.problems, *problem],
      'supervised': isinstance(method, dict) and method.get('name') == 'supervised',
      'data': {
          'charts': [
              [{'name': line['name'], 'points': line['points']}
               for line in chart['lines']] for chart in every_chart],
          'map': features and features['data']}}


def section(run, key):
  """A sub-dict of the config, empty where there is none."""
  value = run.config.get(key)
  return value if isinstance(value, dict) else {}


def title(run):
  """What was trained on what."""
  method, data = section(run, 'method').get('name'), section(run, 'data')
  if not method:
    return run.name
  parts = [data.get('name'), data.get('domain'), pathlib.Path(
      str(data.get('root') or '')).name]
  on = ' '.join(str(part) for part in parts if part)
  return findings.METHODS.get(str(method), str(method)) + (f' on {on}' if on else '')


def status(run):
  """How far the run has come."""
  steps = max((max(x) for x, _ in run.metrics.values() if x), default=None)
  if run.done:
    digest = str(run.done.get('digest') or '')[:12]
    return 'finished', [
        f'{charts.number(run.done.get("step") or steps or 0)} steps',
        *([f'checkpoint {digest}'] if digest else [])]
  if steps is None:
    return 'not started', []
  return 'not finished', [f'at step {charts.number(steps)}']


def training_curves(run):
  """The curves that every run is read by, and all the others."""
  left = dict(run.metrics)
  chance = left.pop('train/chance', ([], []))[1][-1:]

  def take(prefix, key):
    return {key: left.pop(prefix + key)} if prefix + key in left else {}

  drawn = [charts.chart(
      'Loss', take('train/', 'loss'), levels=[('chance', c) for c in chance],
      note='chance: a network that tells nothing apart' if chance else '')]
  latest = findings.newest(run.results)
  for name in sorted({k.split('/')[1] for k in left if k.count('/') == 2}):
    prefix = f'eval/{name}/'
    keys = [
        k.removeprefix(prefix) for k in left
        if k.startswith(prefix) and findings.FRACTION.search(k.removeprefix(prefix))]
    controls = latest.get(name, {}).get('controls', {})
    series = {key: left.pop(prefix + key) for key in keys}
    drawn.append(charts.chart(
        f'{findings.PROTOCOLS.get(name, name)} accuracy',
        {findings.readable(key): xy for key, xy in series.items()}, kind='percent',
        levels=[
            (label, controls[control]['top1'])
            for control, label in (('random_init', 'untrained'), ('chance', 'chance'))
            if 'top1' in controls.get(control, {})]))
  drawn += [
      charts.chart(
          'Views matched', take('train/', 'contrast_top1'), kind='percent',
          note='how often an image is nearest to its own other view'),
      charts.chart('Learning rate', take('train/', 'lr')),
      charts.chart('Gradient norm', take('train/', 'grad_norm'), kind='log')]
  more = [
      charts.chart(key, {key: xy}) for key, xy in sorted(left.items())
      if not key.startswith('eval/health/') and len(xy[0]) > 1]
  return [c for c in drawn if c], [c for c in more if c]


def what_ran(run):
  """The terms and values of the run's own description."""
  config = [
      (label, pairs(section(run, key))) for key, label in (
          ('method', 'Method'), ('data', 'Data'), ('model', 'Model'),
          ('optim', 'Optimiser'))]
  views = section(run, 'views')
  first = next(iter(views.values()), None)
  if len(views) > 1 and all(view == first for view in views.values()):
    views = {' and '.join(map(str, views)): first}
  config += [(f'View {name}', pairs(view)) for name, view in views.items()]
  others = {
      key: value for key, value in run.config.items() if not isinstance(value, dict)}
  own = [
      (str(key).replace('_', ' ').capitalize(), pairs(value))
      for key, value in run.run.items() if key != 'argv']
  argv = run.run.get('argv')
  command = ' '.join(map(str, argv)) if isinstance(argv, list) else ''
  terms = [*config, ('Other settings', pairs(others)), *own]
  return {'terms': [(t, v) for t, v in terms if v], 'command': command}


def pairs(value):
  """A JSON value as (key, text) pairs; the key is empty where the text says all."""
  if not isinstance(value, dict):
    return [('', text(value))] if value not in (None, '', []) else []
  return [
      ('' if key == 'name' else str(key), text(v))
      for key, v in value.items() if v not in ('', [], {})]


def text(value):
  """Any JSON value in a line."""
  if isinstance(value, dict):
    return ', '.join(f'{key} {text(v)}' for key, v in value.items())
  if isinstance(value, list):
    return ', '.join(map(text, value))
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: 'none'}[value]
  return charts.number(value) if isinstance(value, float) else str(value)
