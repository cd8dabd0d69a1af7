import jax
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from jaxssl import scoring


@pytest.mark.parametrize('to_array', [np.asarray, jax.numpy.asarray])
def test_ranks_against_a_stable_sort_with_ties(to_array):
  rng = np.random.default_rng(0)
  scores = rng.integers(0, 4, (200, 7)).astype(np.float32)  # Many ties.
  labels = rng.integers(0, 7, 200).astype(np.int32)
  place = np.argsort(-scores, axis=1, kind='stable')
  want = [row.tolist().index(label) for row, label in zip(place, labels)]
  np.testing.assert_array_equal(scoring.ranks(to_array(scores), labels), want)
  hits = scoring.ranks(to_array(scores), labels) == 0
  np.testing.assert_array_equal(hits, scores.argmax(1) == labels)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_scores_that_are_not_finite_are_never_hits(bad):
  scores = np.array([[0, bad, 2], [bad, bad, bad], [0, 1, 2]], np.float32)
  ranks = scoring.ranks(scores, np.array([2, 0, 2]))
  np.testing.assert_array_equal(ranks, [3, 3, 0])


def test_accuracies_against_scikit_learn():
  rng = np.random.default_rng(0)
  scores, labels = rng.standard_normal((300, 8)), rng.integers(0, 8, 300)
  got = scoring.accuracies(scoring.ranks(scores, labels), 8)
  assert got == {
      f'top{k}': metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(8))
      for k in (1, 5)}
  assert list(scoring.accuracies(np.array([0, 1]), 5)) == ['top1']


def test_chance_is_the_share_of_the_classes_frequent_in_training():
  train = np.repeat([3, 1, 0, 2, 4, 5, 6], [9, 5, 5, 4, 3, 2, 1])
  test = np.repeat([0, 1, 3, 6], [1, 2, 3, 4])
  assert scoring.chance(train, test, 7) == {'top1': 0.3, 'top5': 0.6}
  # Of classes equally frequent the lower is guessed.
  train, test = np.array([2, 1]), np.array([1, 2, 2, 2])
  assert scoring.chance(train, test, 3) == {'top1': 0.25}


@pytest.mark.parametrize('labels, message', [
    (None, 'The test set has no labels'),
    (np.array([0, 4]), 'from 0 to 4; with num_classes 4 they go from 0 to 3'),
    (np.array([-1, 2]), 'labels from -1 to 2'),
    (np.zeros((3, 4), int), r'labels of shape \(3, 4\)'),
    (np.array([0., 1.]), 'of type float64')])
def test_wrong_labels_are_errors(labels, message):
  with pytest.raises(ValueError, match=message):
    scoring.check_labels(labels, 4, what='The test set')


def test_several_labels_are_ones_zeros_and_minus_ones():
  labels = np.array([[1, 0, -1], [0, 1, 1]], np.float64)
  got = scoring.check_multi_labels(labels, 3, what='The test set')
  assert got.dtype == np.int8
  np.testing.assert_array_equal(got, labels)


@pytest.mark.parametrize('labels, message', [
    (None, 'The test set has no labels'),
    (np.array([0, 1]), r'labels of shape \(2,\); it should be \[n, 3\]'),
    (np.ones((2, 4)), r'of shape \(2, 4\)'),
    (np.array([[0, 1, 2]]), 'the label 2'),
    (np.array([[0, np.nan, 1]]), 'the label nan')])
def test_several_labels_of_another_form_are_errors(labels, message):
  with pytest.raises(ValueError, match=message):
    scoring.check_multi_labels(labels, 3, what='The test set')


@pytest.mark.parametrize('hits, count', [
    (0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (999, 1000), (500, 100_000)])
def test_wilsons_interval_against_scipy(hits, count):
  want = stats.binomtest(hits, count).proportion_ci(0.95, method='wilson')
  lower, upper = scoring.wilson(np.array([hits]), np.array([count]))
  np.testing.assert_allclose([lower[0], upper[0]], want, atol=1e-12)
  assert 0 <= lower[0] <= hits / count <= upper[0] <= 1


@pytest.mark.parametrize('n, most', [(1, 4), (4, 4), (10, 4), (13, 4), (101, 7)])
def test_blocks_are_of_one_length_and_cover_everything(n, most):
  blocks = scoring.blocks(n, most)
  assert len({b.stop - b.start for b in blocks}) == 1
  assert blocks[0].stop - blocks[0].start <= most
  assert sorted({i for b in blocks for i in range(n)[b]}) == list(range(n))
  assert all(b.start >= 0 and b.stop <= n for b in blocks)
  assert sum(b.stop - b.start for b in blocks) < n + len(blocks)


def test_reliability_counts_stretch_by_stretch():
  rng = np.random.default_rng(0)
  sure = np.concatenate([rng.uniform(0, 1, 500), [0, 1, 1, 0.2, 0.4]])
  right = rng.uniform(0, 1, 505) < sure ** 2  # Surer than right.
  got = scoring.reliability(sure, right)
  ece = 0.0
  for i in range(15):
    inside = (sure > i / 15) & (sure <= (i + 1) / 15) | (i == 0) & (sure == 0)
    assert got['reliability_num'][i] == inside.sum() > 0
    assert got['reliability_confidence'][i] == pytest.approx(sure[inside].mean())
    assert got['reliability_accuracy'][i] == pytest.approx(right[inside].mean())
    ece += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
  assert got['ece'] == pytest.approx(ece) and ece > 0.1


def test_a_stretch_without_examples_has_no_accuracy():
  got = scoring.reliability(np.full(8, 0.75), np.arange(8) < 6)
  assert got['ece'] == 0 and got['reliability_num'].tolist() == [0] * 11 + [8, 0, 0, 0]
  assert np.isnan(got['reliability_accuracy']).sum() == 14
