"""Intervals against the standard errors that are known in closed form."""

import numpy as np
import pytest

from jaxssl import bootstrap
from jaxssl import errors
from jaxssl import preemption


def mean_of(x):
  return lambda counts: {'mean': counts @ x / counts.sum()}


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
  x = np.random.default_rng(0).standard_normal(400)
  low, high = bootstrap.intervals(
      {'mean': x.mean()}, mean_of(x), len(x), seed=0)['mean']
  half = 1.96 * x.std() / np.sqrt(len(x))
  assert (low + high) / 2 == pytest.approx(x.mean())
  assert (high - low) / 2 == pytest.approx(half, rel=0.15)


def test_it_holds_what_it_should_as_often_as_it_says():
  rng = np.random.default_rng(1)
  inside = 0
  for _ in range(200):
    x = rng.standard_normal(100)
    low, high = bootstrap.intervals({'mean': x.mean()}, mean_of(x), 100, seed=0)['mean']
    inside += low < 0 < high
  assert 0.88 <= inside / 200 <= 0.99


def test_a_resample_is_of_all_examples_and_the_seed_decides_it():
  seen = []

  def score(counts):
    seen.append(counts)
    return {'nan': np.nan if counts[0] else 1.0}
  found = [
      bootstrap.intervals({'nan': 1.0}, score, 5, seed=seed) for seed in (0, 0, 1)]
  assert {counts.sum() for counts in seen} == {5} and len(seen) == 600
  np.testing.assert_array_equal(seen[:200], seen[200:400])
  assert not np.array_equal(seen[0], seen[400])
  # What a resample cannot tell does not count.
  assert all(f['nan'].tolist() == [1, 1] for f in found)


def test_no_limit_is_above_1():
  x = np.array([0.9, 1, 1, 1])
  low, high = bootstrap.intervals({'mean': x.mean()}, mean_of(x), 4, seed=0)['mean']
  assert high == 1 and low < 0.95


def test_a_signal_ends_it():
  with preemption.listening() as notice:
    notice.requested = True
    with pytest.raises(errors.Preempted):
      bootstrap.intervals({'mean': 0.0}, mean_of(np.zeros(3)), 3, seed=0)
