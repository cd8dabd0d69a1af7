"""Result files, and intervals against resampling."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import results

METRICS = {
    'top1': 0.25, 'top5': np.float32(1.0), 'top1_family': 0.5, 'train_top1': 0.9,
    'ami': 0.3, 'holdout_grid': np.eye(2), 'top1_by_class': np.ones(3)}


def test_intervals_are_those_of_the_bootstrap_over_test_examples():
  found = results.intervals(METRICS, 400)
  assert found.keys() == {'top1', 'top5', 'top1_family'}
  rng = np.random.default_rng(0)
  for name, (low, high) in found.items():
    right = np.arange(400) < METRICS[name] * 400
    means = rng.choice(right, (4000, 400)).mean(1)
    assert [low, high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.006)


def test_what_a_protocol_gives_as_its_interval_is_taken_as_it_is():
  metrics = {
      'ami': 0.3, 'ami_interval': np.array([0.2, 0.4]), 'top1': 0.5,
      'top1_interval': np.array([0.1, 0.9]), 'top1_k1_mean': 0.5,
      'top1_k1_mean_interval': np.array([0.4, 0.6])}
  want = {'ami': [0.2, 0.4], 'top1': [0.1, 0.9], 'top1_k1_mean': [0.4, 0.6]}
  assert results.intervals(metrics, 400) == results.intervals(metrics, None) == want
  line = results.table(
      'clustering', metrics, {'random_init': None, 'chance': None}, 400).splitlines()[1]
  assert line.split() == ['ami', '0.3', '0.2', 'to', '0.4']


def test_levels_have_their_own_number_of_examples_and_draws_have_none():
  found = results.intervals({
      'top1_genus': 0.5, 'top1_genus_trained': 0.5, 'num_genus': 100, 'top1': 0.5,
      'top1_k20_t0.07': 0.5, 'top1_k1_mean': 0.5, 'top1_k1_std': 0.1}, 400)
  assert found.keys() == {'top1_genus', 'top1_genus_trained', 'top1', 'top1_k20_t0.07'}
  assert found['top1_genus'] == found['top1_genus_trained'] == [0.4, 0.6]
  assert found['top1'] == found['top1_k20_t0.07'] == [0.45, 0.55]


def test_the_table_has_the_controls_beside_the_result():
  lines = results.table(
      'knn', {'top1': 0.5, 'rate': 3, 'grid': np.ones(2)},
      {'random_init': {'top1': 0.25, 'rate': 1}, 'chance': None}, 400).splitlines()
  assert [line.split() for line in lines] == [
      ['knn', 'result', '95', '%', 'untrained', 'chance'],
      ['top1', '0.5', '0.45', 'to', '0.55', '0.25'], ['rate', '3', '1']]


def test_without_a_test_set_there_are_none():
  assert results.intervals({'top1': 0.5}, None) == {}
  assert results.intervals({'top1': float('nan')}, 10) == {}


def test_a_file_says_what_was_measured_on_what(tmp_path):
  path = tmp_path / 'eval/knn'
  results.write(
      tmp_path / 'eval', 'knn', {'name': 'knn', 'k': 5, 'seed': 3}, METRICS,
      {'random_init': {'top1': jnp.float32(0.125)}, 'chance': None}, step=7,
      digest='ab', seed=1, num_examples={'train': 9, 'test': 400}, num_classes=4)
  found = json.loads((path / '7.json').read_text())
  assert found['protocol'] == 'knn' and found['version'] >= 1
  assert found['seeds'] == {'run': 1, 'seed': 3} and found['num_classes'] == 4
  assert found['metrics']['holdout_grid'] == [[1, 0], [0, 1]]
  assert found['controls'] == {'random_init': {'top1': 0.125}, 'chance': None}
  low, high = found['intervals']['top1']
  assert low < 0.25 < high and {'jax', 'numpy'} <= found['versions'].keys()
