import numpy as np
import pytest
from scipy import optimize
from sklearn import metrics

from jaxssl import partitions


def unit(x):
  return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_nearest_against_loops(monkeypatch):
  rng = np.random.default_rng(0)
  z, prototypes = unit(rng.standard_normal((50, 4))), unit(rng.standard_normal((9, 4)))
  phi = rng.uniform(0.05, 0.5, 9).astype(np.float32)
  plain, scaled = [], []
  for row in z.astype(np.float64):
    cosines = [row @ c for c in prototypes.astype(np.float64)]
    plain.append(max(range(9), key=lambda j: cosines[j]))
    scaled.append(max(range(9), key=lambda j: cosines[j] / phi[j]))
  assert plain != scaled
  for cells in (9 * 7, 2 ** 20):
    monkeypatch.setattr(partitions, 'CELLS', cells)
    assert partitions.nearest(z, prototypes).tolist() == plain
    assert partitions.nearest(z, prototypes, phi).tolist() == scaled


def test_the_first_of_equally_near_prototypes():
  prototypes = unit(np.array([[0, 1], [1, 0], [1, 0]]))
  assert partitions.nearest(unit(np.array([[1, 0]])), prototypes).tolist() == [1]


def test_granularities_from_coarse_to_fine():
  def part(k):
    return {
        'prototypes': np.eye(k), 'concentration': np.ones(k),
        'assignments': np.zeros(5), 'inertia': np.zeros(())}
  # As jax orders the keys, and as no number is ordered.
  extra = {'clusters': {'k100': part(100), 'k20': part(20)}, 'has_prototypes': 1.}
  found = partitions.granularities(extra)
  assert list(found) == ['k20', 'k100']
  assert sorted(found['k20']) == ['concentration', 'prototypes']
  assert partitions.granularities(extra | {'has_prototypes': 0.}) == {}
  assert partitions.granularities({}) == {}


@pytest.mark.parametrize('sizes, want', [
    ([5, 5, 5, 5], dict(empty=0., largest=0.25, balance=1., variation=0.)),
    ([8, 0, 0, 0], dict(empty=0.75, largest=1., balance=0., variation=3 ** 0.5)),
    ([2, 2, 0, 0], dict(empty=0.5, largest=0.5, balance=0.5, variation=1.)),
    ([7], dict(empty=0., largest=1., balance=1., variation=0.))])
def test_fullness_of_known_sizes(sizes, want):
  assert partitions.fullness(np.array(sizes)) == pytest.approx(want)


def related(n=200, k=7, seed=0):
  """Clusters that tell half of the classes, numbered with gaps."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 4, n)
  assignments = np.where(rng.random(n) < 0.5, labels, rng.integers(0, k, n))
  return 3 * assignments, labels + 2


@pytest.mark.parametrize('k', [2, 4, 7, 60])
def test_agreement_is_scikit_learns_on_all_examples_and_on_resamples(k):
  assignments, labels = related(k=k)
  scores = partitions.agreement(assignments, labels)
  rng = np.random.default_rng(1)
  for draw in range(4):
    counts = np.bincount(rng.integers(200, size=200), minlength=200)
    counts = counts if draw else np.ones(200, int)
    rows = np.repeat(np.arange(200), counts)
    pair = labels[rows], assignments[rows]
    got = scores(counts)
    assert got['nmi'] == pytest.approx(metrics.normalized_mutual_info_score(*pair))
    assert got['ari'] == pytest.approx(metrics.adjusted_rand_score(*pair))
    # The information by chance is that of all examples: a little less or more.
    assert got['ami'] == pytest.approx(
        metrics.adjusted_mutual_info_score(*pair), abs=0.03 if draw else 1e-9)
  table = metrics.cluster.contingency_matrix(labels, assignments)
  best = table[optimize.linear_sum_assignment(table, maximize=True)].sum() / 200
  assert scores(np.ones(200, int))['accuracy'] == best


def test_the_match_of_clusters_and_classes_stays_in_resamples():
  labels = np.array([0, 0, 0, 1, 1, 1, 1])
  assignments = np.array([5, 5, 9, 9, 9, 9, 5])
  scores = partitions.agreement(assignments, labels)
  assert scores(np.array([0, 0, 3, 0, 0, 0, 4]))['accuracy'] == 0
  assert scores(np.array([1, 0, 0, 0, 0, 2, 1]))['accuracy'] == 3 / 4


def test_equal_partitions_agree_in_every_resample_and_one_class_says_nothing():
  labels = np.arange(30) % 3
  scores = partitions.agreement(7 - labels, labels)
  rng = np.random.default_rng(0)
  for _ in range(3):
    counts = np.bincount(rng.integers(30, size=30), minlength=30)
    assert scores(counts) == pytest.approx(dict(ami=1, nmi=1, ari=1, accuracy=1))
  alone = scores(np.where(labels == 1, 2, 0))
  assert np.isnan([alone['nmi'], alone['ari']]).all() and alone['accuracy'] == 1
  one = partitions.agreement(np.zeros(30, int), labels)(np.ones(30, int))
  assert one == pytest.approx(dict(ami=0, nmi=0, ari=0, accuracy=1 / 3))
