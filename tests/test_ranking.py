import numpy as np
import pytest
from sklearn import metrics

from jaxssl import ranking


def average_precision(scores, positive):
  (area,), (eleven,) = average_precisions(
      np.array(scores, float)[:, None], np.array(positive, bool)[:, None])
  return area, eleven


def average_precisions(scores, positive, counts=None):
  return ranking.average_precisions(scores, positive, counts)(
      np.ones(len(scores), int))


@pytest.mark.parametrize('positive, area, eleven', [
    # By hand; the highest score comes first. Precision at the hits, interpolated:
    ([1, 1, 0, 0], 1.0, 1.0),
    ([0, 0, 1, 1], 1 / 2, 1 / 2),              # 1/3 and 2/4: 1/2 at every recall.
    ([1, 0, 1, 0], 5 / 6, (6 + 5 * 2 / 3) / 11),     # 1 up to recall 0.5, then 2/3.
    ([0, 1, 0, 0, 1, 1], 1 / 2, 1 / 2),              # 1/2, 2/5, 3/6.
    ([1, 0, 0, 1, 0], 3 / 4, (6 + 5 / 2) / 11),
    ([0, 0, 0, 1], 1 / 4, 1 / 4)])
def test_by_hand(positive, area, eleven):
  scores = -np.arange(len(positive))
  np.testing.assert_allclose(
      average_precision(scores, positive), (area, eleven), rtol=1e-12)


def test_ten_positives_reach_every_tenth_of_recall():
  # One hit, one miss, in turn: at recall i / 10 precision is i / (2 i - 1).
  positive = np.tile([1, 0], 10)
  want = np.array([1.0] + [i / (2 * i - 1) for i in range(1, 11)])
  area, eleven = average_precision(-np.arange(20), positive)
  np.testing.assert_allclose(eleven, want.mean(), rtol=1e-12)
  np.testing.assert_allclose(area, want[1:].mean(), rtol=1e-12)


@pytest.mark.parametrize('num_scores', [5, 10_000])  # Many ties, and none.
def test_against_scikit_learns_curve_and_a_loop(num_scores):
  rng = np.random.default_rng(0)
  for _ in range(20):
    positive = rng.random(60) < 0.3
    scores = rng.integers(0, num_scores, 60) / num_scores + 0.2 * positive
    area, eleven = average_precision(scores, positive)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    highest = np.maximum.accumulate(precision[:-1])  # Recall falls along the curve.
    np.testing.assert_allclose(-np.diff(recall) @ highest, area)
    assert area >= metrics.average_precision_score(positive, scores) - 1e-12
    want = np.mean([
        max(p for p, r in zip(precision[:-1], recall[:-1]) if r >= t / 10 - 1e-9)
        for t in range(11)])
    assert eleven == pytest.approx(want)


def test_it_is_scikit_learns_score_where_precision_only_falls():
  positive = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1], bool)
  scores = -np.arange(12.)
  want = metrics.average_precision_score(positive, scores)
  assert average_precision(scores, positive)[0] == pytest.approx(want, abs=1e-12)


def test_equal_scores_have_the_share_of_positives_in_any_order():
  for positive in ([1, 0, 0, 0], [0, 0, 0, 1]):
    assert average_precision(np.zeros(4), positive) == (0.25, 0.25)


def test_classes_are_separate_and_what_does_not_count_is_left_out():
  rng = np.random.default_rng(1)
  scores, labels = rng.standard_normal((50, 3)), rng.integers(-1, 2, (50, 3))
  got = average_precisions(scores, labels == 1, labels != 0)
  for k in range(3):
    counts = labels[:, k] != 0
    want = average_precision(scores[counts, k], labels[counts, k] == 1)
    assert (got[0][k], got[1][k]) == want
  everyone = average_precisions(scores, labels == 1)
  assert (everyone[0] < got[0]).all()


def test_weights_are_as_many_copies_of_each_example():
  rng = np.random.default_rng(2)
  scores, positive = rng.integers(0, 30, (80, 3)) / 30, rng.random((80, 3)) < 0.4
  counts = rng.random((80, 3)) < 0.8
  precisions = ranking.average_precisions(scores, positive, counts)
  for seed in range(5):
    weights = np.random.default_rng(seed).integers(0, 3, 80)
    rows = np.repeat(np.arange(80), weights)
    np.testing.assert_allclose(
        precisions(weights), average_precisions(
            scores[rows], positive[rows], counts[rows]))
  area, eleven = precisions(~positive[:, 1] * 1)  # Without its positives.
  assert np.isnan([area[1], eleven[1]]).all() and not np.isnan(area[[0, 2]]).any()
