import jax
import numpy as np
import pytest
from sklearn import neighbors as sklearn_neighbors

from jaxssl import parallel
from jaxssl import retrieval
from jaxssl.evals import neighbors

SETTINGS = dict(taxonomy=None, k=(1, 3), num_queries=6, seed=0)
# Two families of two classes, and a class of none.
TREE = {'family': ('x', 'x', 'y', 'y', ''), 'species': ('a', 'b', 'c', 'd', 'e')}


def embed(params, extra, x):
  return {'h': x}


def circle(*degrees):
  radians = np.deg2rad(np.array(degrees, float))
  return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def batches(x, labels=None, first=0):
  batch = {'image': x, 'index': first + np.arange(len(x))}
  return [batch if labels is None else batch | {'label': np.asarray(labels)}]


# What is near what is plain to see: the queries are at 0, 90 and 180 degrees.
TRAIN = circle(1, -2, 4, 91, 88, 95, 181, 177, 186)
TRAIN_LABELS = [0, 0, 1, 2, 0, 2, 4, 3, 4]
TEST, TEST_LABELS = circle(0, 90, 180), [0, 2, 4]


def run(train=(TRAIN, TRAIN_LABELS), test=(TEST, TEST_LABELS), **changes):
  data = {'test': batches(*test, first=50)}
  data |= {} if train is None else {'train': batches(*train, first=100)}
  return neighbors.make(embed, **data, **(SETTINGS | changes))({}, {})


@pytest.mark.parametrize('num_devices', [1, 4])
def test_a_circle_worked_by_hand(num_devices, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  got = run(taxonomy=TREE)
  order = np.argsort(got['queries'])
  assert got['queries'][order].tolist() == [50, 51, 52]
  assert got['neighbors'][order].tolist() == [
      [100, 101, 102], [103, 104, 105], [106, 107, 108]]
  np.testing.assert_allclose(
      got['similarity'][order][0], np.cos(np.deg2rad([1, 2, 4])), atol=1e-6)
  assert got['query_labels'][order].tolist() == [0, 2, 4]
  assert got['neighbor_labels'][order].tolist() == [[0, 0, 1], [2, 0, 2], [4, 3, 4]]
  assert got['precision_at_1'] == 1 and got['precision_at_3'] == 6 / 9
  # Of the family the first two queries have one: 3 of 3 and 2 of 3.
  assert got['precision_at_3_family'] == 5 / 6
  # Three, two and two of nine are of the class; four and three of the family.
  assert got['chance'] == pytest.approx((3 + 2 + 2) / 3 / 9)
  assert got['chance_family'] == pytest.approx((4 + 3) / 2 / 9)
  assert 'precision_at_3_species' not in got


def test_among_the_test_examples_as_scikit_learn_finds_them():
  rng = np.random.default_rng(0)
  x = rng.standard_normal((40, 8)).astype(np.float32)
  labels = rng.integers(0, 3, 40)
  got = run(train=None, test=(x, labels), num_queries=40, k=5)
  assert sorted(got['queries']) == list(range(50, 90))
  _, near = sklearn_neighbors.NearestNeighbors(
      n_neighbors=5, metric='cosine').fit(x).kneighbors()  # Without itself.
  rows = got['queries'] - 50
  np.testing.assert_array_equal(got['neighbors'] - 50, near[rows])
  assert got['precision_at_5'] == pytest.approx(
      (labels[near] == labels[:, None]).mean())
  others = (labels[:, None] == labels).sum(1) - 1
  assert got['chance'] == pytest.approx(others.mean() / 39)


def test_an_example_is_not_its_own_neighbour_even_beside_copies():
  same = np.ones((6, 4), np.float32)
  _, index = retrieval.among(same, np.arange(6), k=3)
  assert index.shape == (6, 3)
  assert all(i not in row for i, row in enumerate(index))
  assert retrieval.among(same, np.array([2]), k=0)[1].shape == (1, 0)
  with pytest.raises(ValueError, match='k is 6; each of 6 examples has 5 others'):
    retrieval.among(same, np.arange(6), k=6)


def test_the_seed_draws_the_queries_and_more_keeps_the_first():
  x = circle(*range(0, 200, 2))
  few, many, other = (
      run(test=(x,), num_queries=n, seed=s)['queries'].tolist()
      for n, s in ((5, 0), (30, 0), (5, 1)))
  assert len(set(many)) == 30 and many[:5] == few != other


def test_without_labels_there_is_no_precision():
  got = run(train=(TRAIN,), test=(TEST,), taxonomy=TREE)
  assert set(got) == {'queries', 'neighbors', 'similarity'}
  several = run(test=(TEST, np.ones((3, 2), int)))
  assert set(several) == {'queries', 'neighbors', 'similarity'}


@pytest.mark.parametrize('changes, told', [
    (dict(k=()), 'k is empty'), (dict(k=(0, 1)), 'k is 0'),
    (dict(num_queries=0), 'num_queries is 0'), (dict(seed=-1), 'seed is -1'),
    (dict(k=10), 'k is 10; with 9 examples'),
    (dict(train=None, k=3), 'k is 3; each of 3 examples has 2 others'),
    (dict(taxonomy={'species': ('a', 'b')}), 'The test set has labels from 0 to 4'),
    (dict(taxonomy={'species': ('a', 'b', 'c', 'd', '')}), 'Class 4 has no name'),
    (dict(test=(TEST, [0, -1, 0])), 'The test set has labels from -1'),
    (dict(test=(TEST[:1], [4]), taxonomy=TREE), "No query .* level 'family'"),
    (dict(feature='z'), "no feature 'z'"),
    (dict(taxonomy='nowhere.json'), "No taxonomy can be read from 'nowhere.json'"),
    (dict(train=(np.ones((9, 3), np.float32),)), 'differ in width')])
def test_what_does_not_fit_is_told_in_a_line(changes, told):
  with pytest.raises(ValueError, match=told) as raised:
    run(**changes)
  assert '\n' not in str(raised.value)
