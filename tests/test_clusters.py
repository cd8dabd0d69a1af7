"""Numbers about clusterings, against counts in plain Python."""

import collections

import numpy as np
import pytest

from jaxssl import clusters


def extra(assignments, concentration, *, has_prototypes=1.0, num_empty=0):
  return {
      'has_prototypes': np.float32(has_prototypes), 'clusters': {'k': {
          'assignments': np.array(assignments, np.int32),
          'concentration': np.array(concentration, np.float32),
          'inertia': np.float32(2.5), 'num_empty': np.int32(num_empty)}}}


def churn_by_loops(before, after):
  """Follows each old cluster to where the most of its images are, and counts."""
  stayed = 0
  for cluster in set(before):
    now = collections.Counter(a for b, a in zip(before, after) if b == cluster)
    stayed += max(now.values())
  return 1 - stayed / len(before)


def test_summary_of_a_clustering_counted_by_hand():
  """Sizes 9, 1, 0, 4, 3, 1, 8: empty and single ones, powers of two."""
  assignments = [0] * 9 + [1] + [3] * 4 + [4] * 3 + [5] + [6] * 8
  phi = [0.1, 0.5, 0.5, 0.2, 0.3, 0.5, 0.4]
  before = extra([0] * 26, phi, has_prototypes=0.0)
  summary = clusters.summary(before, extra(assignments, phi, num_empty=2))
  want = {
      'inertia': 2.5, 'used': 6 / 7, 'num_empty': 2, 'num_single': 2,
      'largest': 9 / 26, 'concentration': pytest.approx([0.1, 0.16, 0.4, 0.5, 0.5]),
      'sizes': [2, 1, 1, 2]}  # 1, 1; 3; 4; 8, 9.
  assert summary == {'k': want}
  with_churn = clusters.summary(
      extra(assignments[::-1], phi), extra(assignments, phi, num_empty=2))
  assert with_churn == {
      'k': {**want, 'churn': churn_by_loops(assignments[::-1], assignments)}}


@pytest.mark.parametrize('power', range(1, 20))
def test_a_power_of_two_begins_a_bin(power):
  for size, length in ((2**power - 1, power), (2**power, power + 1)):
    state = extra([0] * size, [0.1])
    assert len(clusters.summary(state, state)['k']['sizes']) == length


@pytest.mark.parametrize('seed', range(5))
def test_churn_equals_the_count_by_loops(seed):
  rng = np.random.default_rng(seed)
  before, after = rng.integers(0, 6, (2, 40))
  assert clusters.churn(before, after) == pytest.approx(churn_by_loops(before, after))
  assert clusters.churn(before, after) > 0


def test_new_numbers_for_the_same_clusters_are_no_churn():
  rng = np.random.default_rng(0)
  before = rng.integers(0, 6, 40)
  assert clusters.churn(before, rng.permutation(6)[before]) == 0
  moved = before.copy()
  moved[0] = (moved[0] + 1) % 6
  assert clusters.churn(before, rng.permutation(6)[moved]) == pytest.approx(1 / 40)
