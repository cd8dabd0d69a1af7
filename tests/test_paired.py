import json

import numpy as np
import pytest
import scipy.stats

from jaxssl import paired
from jaxssl import results


def simulated():
  rng = np.random.default_rng(0)
  groups = rng.integers(0, 6, 600) * 10
  a = rng.random(600) < 0.5
  return a, np.where(rng.random(600) < 0.7, a, rng.random(600) < 0.8), groups


def test_by_hand():
  a = [1, 0, 0, 1, 1, 0, 1, 1]
  b = [1, 1, 1, 0, 1, 0, 1, 1]
  groups = [3, 3, 3, 5, 5, 5, 9, 9]
  got = paired.differences(a, b, groups, 0, within=[0, 0, 0, 0, 0, 0, 1, 1])
  assert got['difference'] == 1 / 8
  np.testing.assert_array_equal(got['group'], [3, 5, 9])
  np.testing.assert_allclose(got['group_difference'], [2 / 3, -1 / 3, 0])
  np.testing.assert_array_equal(got['group_num'], [3, 3, 2])
  assert got['share_gain'] == got['share_lose'] == 1 / 3
  # Two, one and no example to disagree on: a fair coin wins 1/4, 1/2 and never.
  assert got['share_by_luck'] == pytest.approx((1 / 4 + 1 / 2) / 3)
  np.testing.assert_array_equal(got['within'], [0, 1])
  np.testing.assert_array_equal(got['within_gain'], [0.5, 0])
  np.testing.assert_array_equal(got['within_lose'], [0.5, 0])
  np.testing.assert_allclose(got['within_by_luck'], [3 / 8, 0])
  assert got['mcnemar_p'] == 1.0  # 2 against 1.


def test_mcnemar_against_the_binomial_tail():
  got = paired.differences([0] * 9 + [1], [1] * 9 + [0], [0] * 10, 0)
  assert got['mcnemar_p'] == pytest.approx(2 * (1 + 10) / 2**10)


def test_intervals_against_the_normal_approximation_and_a_plain_bootstrap():
  a, b, groups = simulated()
  got = paired.differences(a, b, groups, 1)
  d = b.astype(float) - a
  assert got['lower'] < d.mean() < got['upper']
  half = 1.96 * d.std() / np.sqrt(len(d))
  assert (got['upper'] - got['lower']) / 2 == pytest.approx(half, rel=0.1)
  rng = np.random.default_rng(0)
  for i, group in enumerate(got['group']):
    mine = d[groups == group]
    draws = rng.choice(mine, (2000, len(mine))).mean(1)
    np.testing.assert_allclose(
        [got['group_lower'][i], got['group_upper'][i]],
        np.percentile(draws, [2.5, 97.5]), atol=2.5 / len(mine))
  assert got['share_gain_lower'] <= got['share_gain'] <= got['share_gain_upper']


def test_two_equal_results_do_not_differ_and_the_seed_decides():
  a, b, groups = simulated()
  got = paired.differences(a, a, groups, 0)
  assert (got['difference'], got['lower'], got['upper']) == (0, 0, 0)
  assert got['mcnemar_p'] == 1 and got['share_gain'] == got['share_by_luck'] == 0
  np.testing.assert_equal(
      paired.differences(a, b, groups, 3), paired.differences(a, b, groups, 3))
  ends = {
      tuple(paired.differences(a, b, groups, seed)['group_upper'])
      for seed in range(4)}
  assert len(ends) > 1


def test_groups_gain_and_lose_by_luck_as_often_as_it_says():
  rng = np.random.default_rng(0)
  groups = np.repeat(np.arange(2000), 10)
  right = rng.random((2, 20_000)) < 0.5
  got = paired.differences(*right, groups, 0)
  spread = 4 * np.sqrt(0.25 / 2000)
  assert got['share_gain'] == pytest.approx(got['share_by_luck'], abs=spread)
  assert got['share_lose'] == pytest.approx(got['share_by_luck'], abs=spread)
  assert 0.3 < got['share_by_luck'] < 0.5
  m = 6
  want = scipy.stats.binom.sf(3, m, 0.5)
  one = paired.differences([0] * m, [1] * m, [0] * m, 0)
  assert one['share_by_luck'] == pytest.approx(want)


def test_a_record_is_read_as_it_was_written():
  rng = np.random.default_rng(3)
  ids, labels = rng.permutation(37) + 5, rng.integers(0, 4, 37)
  correct = rng.random(37) < 0.5
  metrics = paired.record(correct, ids, labels)
  as_json = json.loads(json.dumps(
      {'metrics': results.plain(metrics), 'num_examples': {'test': 37}}))
  digest, got = paired.recorded(as_json)
  np.testing.assert_array_equal(got, correct[np.argsort(ids)])
  assert len(metrics['correct_base64'][0]) <= 4 * np.ceil(37 / 24)
  order = rng.permutation(37)
  again = paired.record(correct[order], ids[order].astype(np.int32), labels[order])
  assert again == metrics
  labels[7] += 1
  assert paired.record(correct, ids, labels)['examples_sha256'] != [digest]
  assert paired.recorded({'metrics': {'top1': 0.5}}) is None


@pytest.mark.parametrize('a, b, groups, within, message', [
    ([1], [1, 0], [0, 0], None, '1 examples of a, 2 of b and 2 groups'),
    ([], [], [], None, 'and some'),
    ([1, 0], [1, 0], [0, 1], [0], 'within has 1'),
    ([1, 0, 0], [1, 0, 0], [4, 7, 7], [0, 0, 1], 'Group 7 lies in more than one')])
def test_what_does_not_pair_is_an_error(a, b, groups, within, message):
  with pytest.raises(ValueError, match=message):
    paired.differences(a, b, groups, 0, within=within)
