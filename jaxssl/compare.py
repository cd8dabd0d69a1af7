"""The job that puts the results of runs into one table, as CSV and as Markdown."""

import csv
import io
import logging
import pathlib

from jaxssl import errors
from jaxssl import files
from jaxssl import metrics
from jaxssl import plugins
from jaxssl.report import reader
from jaxssl.report import tables

log = logging.getLogger(__name__)

COLUMNS = (
    'run', 'evaluation', 'protocol', 'version', 'step', 'digest', 'metric', 'value',
    'low', 'high', 'random_init', 'chance', 'num_test')


def compare(config, workdir):
  """Runs the job; see `configs/evaluate/compare.py`.

  Args:
    config: dict with `runs`, workdirs separated by commas.
    workdir: gets `compare.csv` and `compare.md`.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_compare, config, what='config', workdir=workdir)
  _compare(**settings)


def _compare(*, job, runs, workdir):
  paths = [pathlib.Path(r.strip()) for r in runs.split(',') if r.strip()]
  with errors.user_mistakes('config.runs'):
    found = {name: results_of(path) for name, path in named(paths).items()}
    if not found:
      raise ValueError('is empty; give workdirs, separated by commas.')
  metrics.setup_logging(None)
  rows = [row for name, results in found.items() for row in rows_of(name, results)]
  text = io.StringIO()
  writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  with files.storage_errors(f'Cannot make {workdir}'):
    workdir.mkdir(parents=True, exist_ok=True)
  files.write_text(workdir / 'compare.csv', text.getvalue())
  files.write_text(workdir / 'compare.md', markdown(rows))
  print(markdown(rows), end='')
  log.info('All numbers: %s', workdir / 'compare.csv')


def named(paths):
  """Names that tell the runs apart: their folders', or their paths where equal."""
  names = [path.resolve().name for path in paths]
  return {
      name if names.count(name) == 1 else str(path): path
      for name, path in zip(names, paths)}


def results_of(path):
  """The newest result of each evaluation of a run.

  Raises:
    ValueError: there are none.
  """
  results = reader.read(path).results
  if not results:
    raise ValueError(f'{path} has no results in eval/.')
  return tables.newest(results)


def rows_of(run, results):
  """A row for each number of each evaluation, as `COLUMNS` has it."""
  for name, result in results.items():
    controls = result['controls']
    for metric, value in result['metrics'].items():
      low, high = (result.get('intervals') or {}).get(metric, ('', ''))
      yield {
          'run': run, 'evaluation': name, 'protocol': result.get('protocol', name),
          'version': result.get('version', ''), 'step': result['step'],
          'digest': (result.get('digest') or '')[:12], 'metric': metric,
          'value': value, 'low': low, 'high': high,
          'random_init': controls['random_init'].get(metric, ''),
          'chance': controls['chance'].get(metric, ''),
          'num_test': result['num_test'] or ''}


def markdown(rows):
  """A table of the runs' shares: a line for each run, a column for each of them."""
  columns = list(dict.fromkeys(
      (row['evaluation'], row['metric']) for row in rows
      if tables.FRACTION.match(row['metric']) and 0 <= row['value'] <= 1))
  cells = {
      (row['run'], row['evaluation'], row['metric']): cell(row) for row in rows}
  lines = [
      ['run', *(f'{name} {tables.readable(metric)}' for name, metric in columns)],
      ['---'] * (len(columns) + 1)]
  for run in dict.fromkeys(row['run'] for row in rows):
    lines.append([run, *(cells.get((run, *column), '') for column in columns)])
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def cell(row):
  """A share in percent, with its interval and what an untrained network has."""
  text = f'{100 * row["value"]:.1f}'
  if row['low'] != '':
    text += f' [{100 * row["low"]:.1f}, {100 * row["high"]:.1f}]'
  if row['random_init'] != '':
    text += f' (untrained {100 * row["random_init"]:.1f})'
  return text
