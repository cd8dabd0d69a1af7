"""The table over runs."""

import csv
import json

import made_workdir
import numpy as np
import pytest

from jaxssl import compare
from jaxssl import errors
from jaxssl import paired
from jaxssl import results


def runs(tmp_path):
  for name, top1 in (('a', 0.5), ('b', 0.75)):
    (tmp_path / name).mkdir()
    made_workdir.write_result(tmp_path / name, 'knn', 20, 0.1)
    made_workdir.write_result(
        tmp_path / name, 'knn', 100, top1, intervals={'top1': [0.4, 0.8]})
  made_workdir.write_result(tmp_path / 'b', 'linear', 100, 0.9, control=0.6)
  return ','.join(str(tmp_path / name) for name in 'ab')


def test_newest_results_side_by_side(tmp_path):
  out = tmp_path / 'out'
  compare.compare({'job': 'compare', 'runs': runs(tmp_path)}, out)
  assert (out / 'compare.md').read_text().splitlines()[:4] == [
      '| run | knn top-1 | linear top-1 |', '| --- | --- | --- |',
      '| a | 50.0 [40.0, 80.0] (untrained 31.0) |  |',
      '| b | 75.0 [40.0, 80.0] (untrained 31.0) | 90.0 (untrained 60.0) |']
  rows = list(csv.DictReader((out / 'compare.csv').open()))
  (row,) = [
      r for r in rows
      if (r['run'], r['evaluation'], r['metric']) == ('b', 'knn', 'top1')]
  assert float(row['value']) == 0.75 and row['step'] == '100'
  assert (row['low'], row['random_init'], row['chance']) == ('0.4', '0.31', '0.25')
  assert row['num_test'] == '400'


def test_runs_of_one_name_keep_their_paths(tmp_path):
  paths = []
  for parent in 'xy':
    path = tmp_path / parent / 'run'
    path.mkdir(parents=True)
    made_workdir.write_result(path, 'knn', 1, 0.5)
    paths.append(str(path))
  compare.compare({'job': 'compare', 'runs': ','.join(paths)}, tmp_path)
  table = (tmp_path / 'compare.md').read_text()
  assert all(f'| {path} |' in table for path in paths)


@pytest.mark.parametrize('given, told', [
    ('', 'is empty; give workdirs'), ('none', 'no workdir'), ('empty', 'no results')])
def test_mistakes(tmp_path, given, told):
  (tmp_path / 'empty').mkdir()
  made = str(tmp_path / given) if given else ''
  with pytest.raises(errors.ConfigError, match=told):
    compare.compare({'job': 'compare', 'runs': made}, tmp_path / 'out')
  assert not (tmp_path / 'out').exists()


def test_a_broken_result_costs_only_itself(tmp_path):
  given = runs(tmp_path)
  (tmp_path / 'a/eval/linear').mkdir()
  (tmp_path / 'a/eval/linear/3.json').write_text(json.dumps([1]))
  compare.compare({'job': 'compare', 'runs': given}, tmp_path / 'out')
  assert '| a | 50.0' in (tmp_path / 'out/compare.md').read_text()


RNG = np.random.default_rng(0)
RIGHT = RNG.random((3, 400)) < np.array([[0.5], [0.6], [0.61]])
IDS, LABELS = RNG.permutation(400), RNG.integers(0, 4, 400)


def write_record(workdir, name, right, *, labels=LABELS, as_lists=False, **changes):
  """A result that says which examples were right."""
  workdir.mkdir(exist_ok=True)
  record = paired.record(right, IDS, labels)
  if as_lists:
    record = {'correct': right.astype(int), 'ids': IDS, 'labels': labels}
  metrics = {
      'top1': right.mean(), 'ami': 0.2, 'ami_interval': np.array([0.1, 0.3]),
      'accuracy_std': 0.1, 'ece': 0.05}
  made_workdir.write_result(
      workdir, name, 7, 0.0, metrics=results.plain({**metrics, **record}),
      intervals={'ami': [0.1, 0.3]}, **changes)


def compared(tmp_path, names):
  out = tmp_path / 'out'
  compare.compare({
      'job': 'compare', 'runs': ','.join(str(tmp_path / name) for name in names)}, out)
  rows = csv.DictReader((out / 'compare.csv').open())
  return (
      {(row['run'], row['evaluation'], row['metric']): row for row in rows},
      (out / 'compare.md').read_text().splitlines())


def test_paired_differences_to_the_first_run(tmp_path):
  for name, right in zip('abc', RIGHT):
    write_record(tmp_path / name, 'linear', right)
  rows, lines = compared(tmp_path, 'abc')
  assert rows['a', 'linear', 'top1']['difference'] == ''
  for name, right in zip('bc', RIGHT[1:]):
    want = paired.differences(RIGHT[0], right, np.zeros(400, int), 0)
    row = rows[name, 'linear', 'top1']
    got = [float(row[key]) for key in (
        'difference', 'difference_low', 'difference_high', 'mcnemar_p')]
    assert got == [want[k] for k in ('difference', 'lower', 'upper', 'mcnemar_p')]
    assert float(row['difference']) == pytest.approx(right.mean() - RIGHT[0].mean())
    low, high, p = (100 * want['lower'], 100 * want['upper'], want['mcnemar_p'])
    assert (
        f'| {name} | linear top-1 | {100 * want["difference"]:+.1f} '
        f'[{low:+.1f}, {high:+.1f}] | {p:.2g} |') in lines
  ami = rows['b', 'linear', 'ami']
  assert float(ami['difference']) == 0 and ami['mcnemar_p'] == ''
  assert '| b | linear ami | +0.0 |  |' in lines
  assert lines[0] == '| run | linear top-1 | linear ami |'
  assert lines[2].endswith('(untrained 31.0) | 20.0 [10.0, 30.0] |')


def test_a_result_that_lists_its_hits_is_paired_with_one_that_packs_them(tmp_path):
  write_record(tmp_path / 'a', 'per_class', RIGHT[0], as_lists=True)
  write_record(tmp_path / 'b', 'per_class', RIGHT[1])
  rows, _ = compared(tmp_path, 'ab')
  p = paired.differences(*RIGHT[:2], np.zeros(400, int), 0)['mcnemar_p']
  assert float(rows['b', 'per_class', 'top1']['mcnemar_p']) == p


@pytest.mark.parametrize('changes', [
    dict(labels=LABELS[::-1]), dict(version=2),
    dict(num_examples={'train': 900, 'test': 399})])
def test_results_of_other_examples_or_protocols_are_not_compared(tmp_path, changes):
  write_record(tmp_path / 'a', 'linear', RIGHT[0])
  write_record(tmp_path / 'b', 'linear', RIGHT[1], **changes)
  write_record(tmp_path / 'b', 'knn', RIGHT[1])
  rows, lines = compared(tmp_path, 'ab')
  assert all(row['difference'] == '' for row in rows.values())
  assert len(lines) == 4
