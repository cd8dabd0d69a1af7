"""Nested draws, and what is left when some examples are taken out."""

import numpy as np
import pytest

from jaxssl.data import Source
from jaxssl.data import subsets


def numbers(n):
  """A source whose image i is filled with i."""
  return Source(
      n, read=lambda ids, short_side=None: [np.full((2, 2, 3), i) for i in ids],
      describe=lambda i: f'image {i}', digest=f'numbers {n}', class_names=('a', 'b'),
      labels=np.arange(n, dtype=np.int32) % 2)


def contents(source):
  return [int(x[0, 0, 0]) for x in source.read(range(source.num_examples))]


@pytest.mark.parametrize('seed', [0, 1])
def test_smaller_subsets_are_within_larger_ones(seed):
  source = numbers(100)
  drawn = [set(contents(subsets.take(source, n, seed=seed))) for n in (5, 20, 90)]
  assert [len(d) for d in drawn] == [5, 20, 90]
  assert drawn[0] < drawn[1] < drawn[2]


def test_a_draw_depends_on_its_seed_alone():
  a, b, c = (
      subsets.take(numbers(100), 20, seed=seed) for seed in (0, 0, 1))
  assert contents(a) == contents(b) != contents(c)
  assert a.digest == b.digest != c.digest


def test_draws_are_uniform():
  counts = np.zeros(10)
  for seed in range(400):
    counts[contents(subsets.take(numbers(10), 3, seed=seed))] += 1
  assert abs(counts - 120).max() < 4 * np.sqrt(120 * 0.7)


def test_ids_labels_and_names_go_together():
  part = subsets.take(numbers(50), 10)
  for i, content in enumerate(contents(part)):
    assert part.describe(i) == f'image {content}'
    assert part.labels[i] == content % 2
  assert contents(part) == sorted(contents(part))


@pytest.mark.parametrize('n', [0, 50, 60])
def test_taking_all_is_the_source_itself(n):
  source = numbers(50)
  assert subsets.take(source, n) is source


def test_without_names():
  source = numbers(6)
  assert subsets.without(source, set()) is source
  assert subsets.without(source, {'elsewhere'}) is source
  part = subsets.without(source, {'image 0', 'image 4'})
  assert contents(part) == [1, 2, 3, 5]
  assert part.labels.tolist() == [1, 0, 1, 1]
