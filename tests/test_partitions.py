import numpy as np
import pytest

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
