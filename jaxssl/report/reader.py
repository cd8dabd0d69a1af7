"""Reads what a run has left in its workdir; every part may be missing or broken.

Nothing in the files is trusted: what cannot be read is named among the problems,
and the page is drawn without it.
"""

import collections
import json
import math
import pathlib
from typing import Any
from typing import NamedTuple

from jaxssl import metrics
from jaxssl.report import features_map
from jaxssl.report import shown

MAX_BAD_IMAGES = 50  # As many are listed; all are counted.


class Run(NamedTuple):
  """What there is; None or empty where there is nothing."""
  name: str
  config: dict
  attempt: dict            # Of run.json: versions, devices, command line, data.
  done: dict | None
  curves: dict             # key -> (steps, values), in the order of the steps.
  results: list[dict]      # Of eval/<name>/<step>.json, as `result` gives them.
  pictures: dict           # (result's name, 'test' or 'train') -> see `shown.load`.
  atlas: dict[str, Any] | None
  views: pathlib.Path | None
  bad_images: dict         # 'total', 'reasons' with counts, 'examples'.
  problems: list[str]      # A line for each file that could not be read.


def read(workdir):
  """Reads a workdir.

  Args:
    workdir: a run's folder.

  Raises:
    ValueError: there is no such folder.
  """
  workdir = pathlib.Path(workdir)
  if not workdir.is_dir():
    raise ValueError(f'There is no workdir {str(workdir)!r} to report on.')
  problems = []

  def attempt(name, read_file, missing):
    path = workdir / name
    if not path.exists():
      return missing
    try:
      return read_file(path)
    except Exception as e:  # Whatever a broken file causes: a gap beats no page.
      problems.append(f'{name}: {str(e) or type(e).__name__}')
      return missing

  results = [
      attempt(path.relative_to(workdir), result, None)
      for path in sorted((workdir / 'eval').glob('*/*.json'))]
  results = sorted(filter(None, results), key=lambda r: (r['name'], r['order']))
  newest = {r['name']: r for r in results}
  pictures = {
      (name, data): attempt(
          shown.place(pathlib.Path('eval') / name, r['step'], data), shown.load, {})
      for name, r in newest.items() for data in ('test', 'train')}
  views = workdir / 'figures/views.png'
  return Run(
      name=workdir.resolve().name,
      config=attempt('config.json', json_dict, {}),
      attempt=attempt('run.json', json_dict, {}),
      done=attempt('DONE', json_dict, None),
      curves=attempt(metrics.FILE, curves, {}),
      results=results,
      pictures=pictures,
      atlas=attempt(features_map.FILE, features_map.load, None),
      views=views if views.exists() else None,
      bad_images=attempt(
          'bad_images.jsonl', bad_images,
          {'total': 0, 'reasons': [], 'examples': []}),
      problems=problems)


def json_dict(path):
  """A file with one JSON object."""
  value = json.loads(path.read_text('utf-8', errors='replace'))
  if not isinstance(value, dict):
    raise ValueError(f'It holds a {type(value).__name__}, not an object.')
  return value


def curves(path):
  """Every scalar of metrics.jsonl over the steps."""
  found = collections.defaultdict(lambda: ([], []))
  for row in metrics.read(path.parent):
    for key, value in row.items():
      if key != 'step' and is_number(value):
        steps, values = found[key]
        steps.append(row['step'])
        values.append(float(value))
  return dict(found)


def result(path):
  """One evaluation result, with what the page needs checked.

  Returns:
    The file's object with `name`, `order` (of its step), `num_test` (images or
    None); of `metrics` and both `controls`, the scalars only; and the lists among
    the metrics in `arrays`, and among those of the untrained network in
    `untrained_arrays`.
  """
  value = json_dict(path)
  if not isinstance(value.get('metrics'), dict):
    raise ValueError("It has no 'metrics'.")
  controls, step = value.get('controls') or {}, value.get('step')
  step = step if is_number(step) else None
  count = value.get('num_examples')
  count = count.get('test') if isinstance(count, dict) else count
  return {
      **value, 'name': path.parent.name, 'step': step,
      # Results of a features file have no step and come last.
      'order': math.inf if step is None else step,
      'num_test': count if isinstance(count, int) and count > 0 else None,
      'metrics': scalars(value['metrics']),
      'arrays': lists(value['metrics']),
      'untrained_arrays': lists(controls.get('random_init') or {}),
      'controls': {
          name: scalars(controls.get(name) or {})
          for name in ('random_init', 'chance')}}


def scalars(values):
  return {k: float(v) for k, v in values.items() if is_number(v)}


def lists(values):
  return {k: v for k, v in values.items() if isinstance(v, list)}


def bad_images(path):
  """How many images could not be decoded, why, and the first of them."""
  reasons, examples = collections.Counter(), []
  for line in path.read_text('utf-8', errors='replace').splitlines():
    try:
      entry = json.loads(line)
      reasons[str(entry['reason'])] += 1
    except (ValueError, KeyError, TypeError):
      continue  # The torn last line of a run that was killed.
    if len(examples) < MAX_BAD_IMAGES:
      entry.pop('source', None)  # A digest, the same in each line.
      examples.append({str(k): str(v) for k, v in entry.items() if v != ''})
  return {
      'total': reasons.total(), 'reasons': reasons.most_common(),
      'examples': examples}


def is_number(value):
  return isinstance(value, int | float) and not isinstance(value, bool)
