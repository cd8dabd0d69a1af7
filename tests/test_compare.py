"""The table over runs."""

import csv
import json

import made_workdir
import pytest

from jaxssl import compare
from jaxssl import errors


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
  assert (out / 'compare.md').read_text().splitlines() == [
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
