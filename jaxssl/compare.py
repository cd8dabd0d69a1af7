"""The job that puts the results of runs into one table, as CSV and as Markdown."""

import csv
import io
import logging
import pathlib

import numpy as np

from jaxssl import errors
from jaxssl import files
from jaxssl import metrics
from jaxssl import paired
from jaxssl import plugins
from jaxssl.report import reader
from jaxssl.report import tables

log = logging.getLogger(__name__)

COLUMNS = (
    'run', 'evaluation', 'protocol', 'version', 'step', 'digest', 'metric', 'value',
    'low', 'high', 'random_init', 'chance', 'num_test', 'difference',
    'difference_low', 'difference_high', 'mcnemar_p')
SEED = 0  # Of the paired bootstrap.


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
  first = next(iter(found))
  rows = [
      row for name, results in found.items()
      for row in rows_of(name, results, {} if name == first else found[first])]
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

  Returns:
    {name: what `reader.result` gives, and as `recorded` what `paired.recorded` does}

  Raises:
    ValueError: there are none.
  """
  results = tables.newest(reader.read(path).results)
  if not results:
    raise ValueError(f'{path} has no results in eval/.')
  for name, result in results.items():
    step = 'features' if result['step'] is None else f'{result["step"]:.0f}'
    whole = files.read_json(path / 'eval' / name / f'{step}.json')
    result['recorded'] = paired.recorded(whole)
  return results


def rows_of(run, results, others):
  """A row for each number of each evaluation, as `COLUMNS` has it.

  Args:
    run: its name.
    results: of the run, as `results_of` gives them.
    others: those of the run that it is compared with, or {}.
  """
  for name, result in results.items():
    controls = result['controls']
    differences = differences_of(result, others.get(name))
    for metric, value in result['metrics'].items():
      low, high = (result.get('intervals') or {}).get(metric, ('', ''))
      yield {
          'run': run, 'evaluation': name, 'protocol': result.get('protocol', name),
          'version': result.get('version', ''), 'step': result['step'],
          'digest': (result.get('digest') or '')[:12], 'metric': metric,
          'value': value, 'low': low, 'high': high,
          'random_init': controls['random_init'].get(metric, ''),
          'chance': controls['chance'].get(metric, ''),
          'num_test': result['num_test'] or '', 'difference': '', 'difference_low': '',
          'difference_high': '', 'mcnemar_p': '', **differences.get(metric, {})}


def differences_of(result, other):
  """What a result has more than another of the same protocol and test examples.

  Where both say which examples were right, the difference of `top1` has an interval
  and a p-value; see `paired.differences`.

  Returns:
    {metric: {'difference': number, and perhaps 'difference_low', ...}}, empty where
    the results cannot be compared.
  """
  same = ('protocol', 'version', 'num_test')
  if other is None or any(result.get(key) != other.get(key) for key in same):
    return {}
  found = {
      metric: {'difference': value - other['metrics'][metric]}
      for metric, value in result['metrics'].items() if metric in other['metrics']}
  if result['recorded'] is None or other['recorded'] is None:
    return found
  (examples, right), (other_examples, other_right) = (
      r['recorded'] for r in (result, other))
  if examples != other_examples:
    return {}
  pair = paired.differences(other_right, right, np.zeros(len(right), int), SEED)
  found['top1'] = {
      'difference': pair['difference'], 'difference_low': pair['lower'],
      'difference_high': pair['upper'], 'mcnemar_p': pair['mcnemar_p']}
  return found


def markdown(rows):
  """A table of the runs, and one of how they differ from the first of them.

  Of all numbers it has the shares of examples, and those that have an interval.
  """
  shares = [
      row for row in rows if row['low'] != '' or (
          tables.FRACTION.match(row['metric']) and 0 <= row['value'] <= 1
          and not row['metric'].endswith('_std'))]
  columns = list(dict.fromkeys((row['evaluation'], row['metric']) for row in shares))
  cells = {(row['run'], row['evaluation'], row['metric']): cell(row) for row in shares}
  text = table(
      ['run', *(f'{name} {tables.readable(metric)}' for name, metric in columns)], [
          [run, *(cells.get((run, *column), '') for column in columns)]
          for run in dict.fromkeys(row['run'] for row in rows)])
  compared = [row for row in shares if row['difference'] != '']
  if not compared:
    return text
  return f'''{text}
What each run has more than {rows[0]['run']}, in points. The interval is that of a
paired bootstrap over the test examples, p that of McNemar's exact test; both are there
where the results say which examples were right.

{table(['run', 'evaluation', f'difference to {rows[0]["run"]}', 'p'], [
    [row['run'], f'{row["evaluation"]} {tables.readable(row["metric"])}',
     points(row), '' if row['mcnemar_p'] == '' else f'{row["mcnemar_p"]:.2g}']
    for row in compared])}'''


def table(head, lines):
  return '\n'.join(
      f'| {" | ".join(line)} |' for line in (head, ['---'] * len(head), *lines)) + '\n'


def points(row):
  """A difference in points, with its interval."""
  text = f'{100 * row["difference"]:+.1f}'
  if row['difference_low'] != '':
    low, high = row['difference_low'], row['difference_high']
    text += f' [{100 * low:+.1f}, {100 * high:+.1f}]'
  return text


def cell(row):
  """A share in percent, with its interval and what an untrained network has."""
  text = f'{100 * row["value"]:.1f}'
  if row['low'] != '':
    text += f' [{100 * row["low"]:.1f}, {100 * row["high"]:.1f}]'
  if row['random_init'] != '':
    text += f' (untrained {100 * row["random_init"]:.1f})'
  return text
