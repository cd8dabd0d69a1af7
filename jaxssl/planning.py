"""What a study has to do: its pretrainings and evaluations, and what is done of them.

A pretraining is keyed by the digest of its recipe and an evaluation by that of what it
reads and scores, so whatever two studies both want is done once:

  <shared>/runs/<method>-<key>/          a pretraining's workdir
  <shared>/evaluations/<key>/            a cell's: cell.json, eval/, and DONE at its end
"""

import json
import pathlib
from typing import Any
from typing import NamedTuple

from jaxssl import files
from jaxssl import manifest
from jaxssl import plugins
from jaxssl import workdir as workdirs

# Parts of a recipe that change neither what is trained nor how it is evaluated.
FREE = ('log', 'evals', 'eval_data', 'parallel')
FREE_DATA = ('input', 'cache_dir')


class Cell(NamedTuple):
  """One place in a study's grid: some evaluations of one run, or of several."""
  name: str
  axes: dict            # {axis: where the cell is on it, a string or a number}
  runs: tuple           # Names of pretrainings.
  job: dict             # The config of the evaluation.
  folder: pathlib.Path

  @property
  def done(self):
    return (self.folder / 'DONE').exists()


class Run(NamedTuple):
  """A pretraining."""
  name: str
  config: dict
  folder: pathlib.Path

  @property
  def done(self):
    return (self.folder / 'DONE').exists()


class Task(NamedTuple):
  """What one process does: a pretraining and its evaluations, or one of several.

  `needs` are the numbers of the tasks that must be done before it.
  """
  number: int
  name: str
  run: Any              # A `Run` to train, or None.
  cells: tuple
  needs: tuple

  @property
  def done(self):
    return (not self.run or self.run.done) and all(cell.done for cell in self.cells)

  @property
  def stage(self):
    """1 for what needs no other task, 2 for the rest."""
    return 2 if self.needs else 1


class Plan(NamedTuple):
  """All of a study."""
  tasks: tuple
  runs: dict            # {name: `Run`}; equal recipes have one folder.
  cells: dict           # {name: `Cell`}


def make(pretrain, cells, shared):
  """Plans a study.

  Args:
    pretrain: {name: the config of a pretraining}.
    cells: {name: {'axes', 'run', 'eval_data', 'evals', 'step'}}: `run` is the name of
      a pretraining, or a tuple of names whose features are to be side by side;
      `eval_data` is empty for the run's own; `step` is 'last' or 'all'.
    shared: the folder that studies have in common.

  Returns:
    A `Plan`.

  Raises:
    ValueError: a key is missing or unknown, or a name is not there.
  """
  shared = pathlib.Path(shared)
  if not pretrain or not cells:
    raise ValueError('A study has at least one pretraining and one cell.')
  for name, config in pretrain.items():
    lacking = [k for k in ('data', 'eval_data', 'method') if not (config or {}).get(k)]
    if lacking:
      raise ValueError(
          f'pretrain.{name} is no config of a pretraining: it has no {lacking[0]}.')
  runs = {
      name: Run(name, config, shared / 'runs' / f'{_method(config)}-{run_key(config)}')
      for name, config in _plain(pretrain).items()}
  planned = {}
  for name, cell in cells.items():
    settings = plugins.arguments(_cell, _plain(cell), what=f'cells.{name}', runs=runs,
                                 shared=shared, key=name)
    planned[name] = _cell(**settings)
  return Plan(tuple(_tasks(runs, planned)), runs, planned)


def _cell(*, key, axes, run, eval_data, evals, step, runs, shared):
  names = tuple(run) if isinstance(run, list) else (run,)
  unknown = [name for name in names if name not in runs]
  if unknown:
    raise ValueError(
        f'cells.{key}.run is {unknown[0]!r}. There are: {", ".join(runs)}.')
  if step not in ('last', 'all'):
    raise ValueError(f'cells.{key}.step is {step!r}; it can be last or all.')
  if not evals:
    raise ValueError(f'cells.{key}.evals is empty.')
  job = {
      'job': 'evaluate', 'features': '', 'test_features': '', 'data_root': '',
      'step': step, 'evals': evals,
      'eval_data': eval_data or runs[names[0]].config['eval_data']}
  # What another version of a protocol measured is another number.
  versions = {
      name: plugins.load('evals', settings.get('name')).VERSION
      for name, settings in evals.items()}
  digest = manifest.json_sha256({
      'runs': [run_key(runs[name].config) for name in names], 'job': job,
      'versions': versions})[:16]
  return Cell(key, axes, names, job, shared / 'evaluations' / digest)


def _tasks(runs, cells):
  by_folder = {}
  for run in runs.values():
    by_folder.setdefault(run.folder, run)
  numbers = {folder: number for number, folder in enumerate(by_folder)}
  different = {}
  for cell in cells.values():
    different.setdefault(cell.folder, cell)
  for folder, run in by_folder.items():
    own = tuple(
        cell for cell in different.values()
        if len(cell.runs) == 1 and runs[cell.runs[0]].folder == folder)
    yield Task(numbers[folder], run.name, run, own, ())
  joint = [cell for cell in different.values() if len(cell.runs) > 1]
  for number, cell in enumerate(joint, len(numbers)):
    needs = sorted({numbers[runs[name].folder] for name in cell.runs})
    yield Task(number, cell.name, None, (cell,), tuple(needs))


def run_key(config):
  """The key of a pretraining: the same for recipes that train the same."""
  config = {k: v for k, v in config.items() if k not in FREE}
  config['data'] = {k: v for k, v in config['data'].items() if k not in FREE_DATA}
  return manifest.json_sha256(config)[:16]


def _method(config):
  return config['method']['name']


def _plain(value):
  """As it is when it has been in a JSON file, so that keys agree in every process."""
  return json.loads(json.dumps(value))


def results(cell):
  """What is known of a cell: {step: {evaluation: result as in its JSON file}}."""
  found = {}
  for path in sorted((cell.folder / 'eval').glob('*/*.json')):
    result = files.read_json(path)
    found.setdefault(result['step'], {})[path.parent.name] = result
  return found


def finish_cell(cell):
  """Marks a cell as done, once each of its evaluations has a result.

  Raises:
    ValueError: one has none: its data have no labels.
  """
  for name in cell.job['evals']:
    if not any((cell.folder / 'eval' / name).glob('*.json')):
      raise ValueError(f'{name} has no result: it needs labels, and there are none.')
  files.write_json(cell.folder / 'DONE', {'versions': workdirs.versions()})
