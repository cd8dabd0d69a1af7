"""One task of a study: a pretraining and its evaluations, in one process.

  python -m jaxssl.worker STUDY NUMBER     for engines; reads STUDY/config.json
"""

import logging
import os
import pathlib
import sys

from jaxssl import embed
from jaxssl import errors
from jaxssl import evaluate
from jaxssl import files
from jaxssl import main as command_line
from jaxssl import planning
from jaxssl import study
from jaxssl import train

log = logging.getLogger(__name__)


def run(plan, task):
  """Does what is missing of a task.

  A cell that fails does not keep the others from being evaluated.

  Args:
    plan: the `planning.Plan` that the task is of.
    task: a `planning.Task`.

  Raises:
    errors.JobError: the first thing that went wrong; all else is done.
  """
  if task.run and not task.run.done:
    train.train(task.run.config, task.run.folder)
  failure = None
  for cell in task.cells:
    if not cell.done:
      try:
        run_cell(plan, cell)
      except errors.Preempted:
        raise
      except errors.JobError as e:
        log.error('Cell %s: %s', cell.name, e)
        failure = failure or e
  if failure:
    raise failure


def run_cell(plan, cell):
  """Evaluates a cell; features of several runs are written, then read together."""
  with files.storage_errors(f'Cannot make {cell.folder}'):
    cell.folder.mkdir(parents=True, exist_ok=True)
  folders = [plan.runs[name].folder for name in cell.runs]
  files.write_json(cell.folder / 'cell.json', {
      'name': cell.name, 'axes': cell.axes, 'runs': [str(f) for f in folders],
      'job': cell.job})
  if len(folders) == 1:
    job = {**cell.job, 'checkpoint': str(folders[0])}
  else:
    job = {**cell.job, 'checkpoint': '', **_features(cell, folders)}
  evaluate.evaluate(job, cell.folder)
  with errors.user_mistakes(f'Cell {cell.name}'):
    planning.finish_cell(cell)


def _features(cell, folders):
  """Writes the features of several runs; returns where, as an evaluation takes it."""
  paths = {'train': [], 'test': []}
  for number, folder in enumerate(folders):
    place = cell.folder / str(number)
    embed.embed({
        'job': 'embed', 'checkpoint': str(folder), 'step': 'last',
        'sets': tuple(paths), 'eval_data': cell.job['eval_data'], 'data_root': '',
        'format': 'npz'}, place)
    (written,) = (place / 'features').iterdir()
    for name, found in paths.items():
      found.append(str(written / f'{name}.npz'))
  return {
      'features': ','.join(paths['train']), 'test_features': ','.join(paths['test'])}


def main(argv):
  """Runs the task of a study's folder that a command line names."""
  def task():
    workdir, number = pathlib.Path(argv[1]), int(argv[2])
    plan = study.plan_of(files.read_json(workdir / 'config.json'), workdir)
    command_line.start_jax()
    run(plan, plan.tasks[number])

  return command_line.exit_code_of(task)


if __name__ == '__main__':
  sys.stdout.reconfigure(line_buffering=True)
  code = main(sys.argv)
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)
