"""Sets of permutations against the greedy search written out, and against chance."""

import itertools
import math

import numpy as np
import pytest

from jaxssl import permutations


def distances(p):
  """Hamming distances of all pairs."""
  i, j = np.triu_indices(len(p), 1)
  return (p[i] != p[j]).sum(1)


@pytest.mark.parametrize('num_permutations', [10, 100, 1000])
def test_they_lie_farther_apart_than_random_ones(num_permutations):
  got = permutations.far_apart(9, num_permutations, seed=0)
  assert got.shape == (num_permutations, 9)
  assert (np.sort(got, 1) == np.arange(9)).all()
  assert len({tuple(p) for p in got}) == num_permutations
  for seed in range(3):
    rng = np.random.default_rng(seed)
    random = np.stack([rng.permutation(9) for _ in range(num_permutations)])
    assert distances(got).min() > distances(random).min()
    assert distances(got).mean() > distances(random).mean()


def test_a_thousand_differ_in_five_places_at_least():
  got = distances(permutations.far_apart(9, 1000, seed=0))
  assert got.min() == 5 and round(got.mean(), 2) == 8.01


def test_each_is_the_farthest_from_those_before():
  got = permutations.far_apart(4, 12, seed=3)
  everything = list(itertools.permutations(range(4)))

  def far(p, chosen):
    to_chosen = [sum(a != b for a, b in zip(p, q)) for q in chosen]
    return min(to_chosen), sum(to_chosen)

  for i in range(1, len(got)):
    assert far(got[i], got[:i]) == max(far(p, got[:i]) for p in everything)


def test_all_permutations_are_a_set_too():
  got = permutations.far_apart(4, math.factorial(4), seed=0)
  assert sorted(map(tuple, got)) == list(itertools.permutations(range(4)))


def test_the_seed_decides():
  first = permutations.far_apart(5, 20, seed=0)
  permutations.far_apart.cache_clear()
  np.testing.assert_array_equal(permutations.far_apart(5, 20, seed=0), first)
  assert (permutations.far_apart(5, 20, seed=1) != first).any()


@pytest.mark.parametrize('num_items, num_permutations, told', [
    (16, 10, '16 items'), (1, 1, '1 items'), (4, 25, 'there are 24'), (4, 0, '0 perm')])
def test_what_there_is_not_is_refused(num_items, num_permutations, told):
  with pytest.raises(ValueError, match=told):
    permutations.far_apart(num_items, num_permutations, seed=0)
