"""Reads what a run has left in its workdir; every part may be missing or broken.

Nothing in the files is trusted: what cannot be read is named among the problems, and
the page is drawn without it.
"""

import collections
import json
import math
import pathlib
from typing import Any
from typing import NamedTuple

from jaxssl.report import features_map

MAX_BAD_IMAGES = 50  # As many are listed; all are counted.


class Workdir(NamedTuple):
  """What there is; None or empty where there is nothing."""
  name: str
  config: dict
  run: dict
  done: dict | None
  metrics: dict            # key -> (steps, values), in the order of the steps.
  results: list[dict]      # Of eval/<name>/<step>.json, each with its 'name'.
  atlas: dict[str, Any] | None
  views: pathlib.Path | None
  bad_images: dict         # 'total', 'reasons' with counts, 'examples'.
  problems: list[str]      # A line for each file that could not be read.


def read(path):
  """Reads a workdir.

  Args:
    path: the workdir.

  Raises:
    ValueError: there is no such folder.
  """
  path = pathlib.Path(path)
  if not path.is_dir():
    raise ValueError(f'There is no workdir {str(path)!r} to report on.')
  problems = []

  def attempt(name, reader, missing):
    try:
      return reader(path / name)
    except FileNotFoundError:
      return missing
    except Exception as e:  # Whatever a broken file causes: a gap beats no page.
      problems.append(f'{name}: {str(e) or type(e).__name__}')
      return missing

  results = [
      attempt(file.relative_to(path), result, None)
      for file in sorted((path / 'eval').glob('*/*.json'))]
  views = path / 'figures/views.png'
  return Workdir(
      name=path.resolve().name,
      config=attempt('config.json', json_dict, {}),
      run=attempt('run.json', json_dict, {}),
      done=attempt('DONE', json_dict, None),
      metrics=attempt('metrics.jsonl', metrics, {}),
      results=sorted(filter(None, results), key=lambda r: (r['name'], r['order'])),
      atlas=attempt(features_map.FILE, features_map.load, None),
      views=views if views.is_file() else None,
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


def json_lines(path):
  """The objects of a file with one a line; a line that was cut off is left out."""
  with path.open(encoding='utf-8', errors='replace') as file:
    for line in file:
      try:
        value = json.loads(line)
      except ValueError:
        continue
      if isinstance(value, dict):
        yield value


def metrics(path):
  """Every scalar over the steps; of a step done twice, the later line counts."""
  scalars = collections.defaultdict(dict)
  for line in json_lines(path):
    step = line.pop('step', None)
    if is_number(step) and math.isfinite(step):
      for key, value in line.items():
        if is_number(value):
          scalars[key][step] = float(value)
  series = {key: sorted(by_step.items()) for key, by_step in scalars.items()}
  return {
      key: ([x for x, _ in pairs], [y for _, y in pairs])
      for key, pairs in series.items()}


def result(path):
  """One evaluation result, with what the page needs checked."""
  value = json_dict(path)
  if not isinstance(value.get('metrics'), dict):
    raise ValueError("It has no 'metrics'.")
  controls = value.get('controls') or {}
  step = value.get('step')
  return {
      **value, 'name': path.parent.name, 'step': step if is_number(step) else None,
      # Results of a features file have no step and come last.
      'order': step if is_number(step) else math.inf,
      'metrics': {k: float(v) for k, v in value['metrics'].items() if is_number(v)},
      'controls': {
          control: {
              k: float(v) for k, v in (controls.get(control) or {}).items()
              if is_number(v)}
          for control in ('random_init', 'chance')}}


def bad_images(path):
  """How many images could not be decoded, why, and the first of them."""
  reasons, examples = collections.Counter(), []
  for line in json_lines(path):
    reasons[str(line.get('reason', 'unknown'))] += 1
    if len(examples) < MAX_BAD_IMAGES:
      examples.append({str(k): str(v) for k, v in line.items()})
  return {
      'total': reasons.total(), 'reasons': reasons.most_common(), 'examples': examples}


def is_number(value):
  return isinstance(value, int | float) and not isinstance(value, bool)
