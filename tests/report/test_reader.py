"""What is read of a workdir."""

import json

import made_workdir

from jaxssl.report import reader
from jaxssl.report import tables


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  path.write_text('{"step": 1, "train/loss": 5.0}\n{"step": 2, "train/loss": 4.')
  assert reader.curves(path) == {'train/loss': ([1], [5.0])}


def test_of_a_step_done_twice_the_later_line_counts(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  lines = [(1, 5.0), (2, 4.0), (3, 9.0), (2, 4.5), (3, 3.5)]
  path.write_text(''.join(
      json.dumps({'step': s, 'train/loss': v}) + '\n' for s, v in lines))
  assert reader.curves(path) == {'train/loss': ([1, 2, 3], [5.0, 4.5, 3.5])}


def test_results_are_in_the_order_of_their_steps(tmp_path):
  for step in (1000, 90, 200):
    made_workdir.write_result(tmp_path, 'knn', step, step / 2000)
  results = reader.read(tmp_path).results
  assert [r['step'] for r in results] == [90, 200, 1000]
  assert tables.newest(results)['knn']['metrics']['top1'] == 0.5
