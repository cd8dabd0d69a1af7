import jax
import numpy as np
import pytest
from sklearn import datasets
from sklearn import neighbors as reference

from jaxssl import paired
from jaxssl import parallel
from jaxssl.evals import knn


def batches(x, labels=None, size=64):
  class Batches:
    def __iter__(self):
      for i in range(0, len(x), size):
        rows = np.arange(i, min(i + size, len(x)), dtype=np.int32)
        batch = {'image': x[rows], 'index': rows}
        yield batch if labels is None else batch | {'label': labels[rows]}
  return Batches()


def embed(params, extra, x):
  return {'h': x * params}


def score(train, test, num_classes, k, temperature):
  """The accuracies, once the record of hits is seen to be that of the first."""
  got = knn.make(
      embed, train=batches(*train), test=batches(*test), num_classes=num_classes,
      k=k, temperature=temperature)(np.float32(3), {})
  n = len(test[0])
  digest, correct = paired.recorded({'metrics': got, 'num_examples': {'test': n}})
  assert correct.shape == (n,) and correct.mean() == got['top1'] and len(digest) == 64
  return {name: x for name, x in got.items() if name.startswith('top')}


def digits():
  x, labels = datasets.load_digits(return_X_y=True)
  x, labels = x.astype(np.float32), labels.astype(np.int32)
  return (x[:1200], labels[:1200]), (x[1200:], labels[1200:])


@pytest.mark.parametrize(
    'k, temperature', [(1, 0.1), (20, 0.1), (200, 0.07), (200, 1.)])
def test_digits_against_scikit_learn(k, temperature):
  train, test = digits()
  # Weights relative to a similarity of 1 elect the same class.
  want = reference.KNeighborsClassifier(
      k, metric='cosine', algorithm='brute',
      weights=lambda distance: np.exp(-distance / temperature)).fit(*train)
  got = score(train, test, 10, k, temperature)
  assert got['top1'] == want.score(*test)
  shares = want.predict_proba(test[0])
  top5 = np.argsort(-shares, axis=1, kind='stable')[:, :5]
  voted = np.take_along_axis(shares, top5, axis=1) > 0
  assert got['top5'] == np.mean(
      [t in row[v] for t, row, v in zip(test[1], top5, voted)])


def test_many_settings_in_one_search_against_scikit_learn(monkeypatch):
  train, test = digits()
  searches = []
  nearest = knn.neighbors.nearest
  monkeypatch.setattr(
      knn.neighbors, 'nearest',
      lambda *args, k: searches.append(k) or nearest(*args, k=k))
  got = score(train, test, 10, (20, 1, 200), (0.07, 0, 1.))
  assert searches == [200]
  suffixes = {'': (20, 0.07), '_k20_majority': (20, 0), '_k20_t1': (20, 1.)} | {
      f'_k{k}_{name}': (k, t) for k in (1, 200)
      for name, t in (('t0.07', 0.07), ('majority', 0), ('t1', 1.))}
  assert got.keys() == {f'top{n}{s}' for n in (1, 5) for s in suffixes}
  assert list(got)[:2] == ['top1', 'top5']
  for suffix, (k, temperature) in suffixes.items():
    want = reference.KNeighborsClassifier(
        k, metric='cosine', algorithm='brute', weights='uniform' if not temperature
        else lambda distance, t=temperature: np.exp(-distance / t)).fit(*train)
    assert got[f'top1{suffix}'] == want.score(*test)
  assert len(set(got.values())) > 6


@pytest.mark.parametrize('k, temperature', [(20, 0.07), (200, 0.1), (7, 0)])
def test_a_setting_scores_the_same_alone_and_among_others(k, temperature):
  train, test = digits()
  name = f't{temperature}' if temperature else 'majority'
  many = score(train, test, 10, (3, k), (1., temperature))
  alone = score(train, test, 10, k, temperature)
  assert alone == {n: many[f'{n}_k{k}_{name}'] for n in ('top1', 'top5')}


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, monkeypatch):
  train, test = digits()
  on_four = score(train, test, 10, (5, 50), (0.1, 0))
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  assert score(train, test, 10, (5, 50), (0.1, 0)) == on_four


def test_a_majority_that_is_tied_goes_to_the_lower_class():
  bank = np.array([[1, 0.1], [1, 0.2], [0, 1]], np.float32)
  query = np.array([[1, 0]], np.float32)
  for truth, want in ((1, 1.), (2, 0.)):
    got = score((bank, np.array([2, 1, 0])), (query, np.array([truth])), 3, 2, 0)
    assert got == {'top1': want}


def test_against_loops():
  rng = np.random.default_rng(0)
  x, y = rng.standard_normal((70, 4)).astype(np.float32), rng.integers(0, 4, 70)
  queries = rng.standard_normal((40, 4)).astype(np.float32)
  truth = np.arange(40) % 4
  hits = 0
  for query, label in zip(queries, truth):
    cosine = [q @ query / np.linalg.norm(q) / np.linalg.norm(query) for q in x]
    votes = dict.fromkeys(range(4), 0.)
    for i in sorted(range(70), key=lambda i: -cosine[i])[:9]:
      votes[y[i]] += np.exp(cosine[i] / 0.2)
    hits += max(votes, key=votes.get) == label
  got = score((x, y), (queries, truth), 4, 9, 0.2)
  assert got == {'top1': hits / 40} and 0 < hits < 40


def test_votes_decide_and_not_the_number_of_neighbours():
  bank = np.array([[1, 0], [1, 1], [1, 1]], np.float32)
  query = np.array([[1, 0.1]], np.float32)
  for temperature, right in ((0.05, 1), (10., 0)):
    for truth, want in ((0, right), (1, 1 - right)):
      got = score((bank, np.array([0, 1, 1])), (query, np.array([truth])), 2, 3,
                  temperature)
      assert got['top1'] == want


def test_no_temperature_overflows():
  train, test = digits()
  cold = score(train, test, 10, 200, 1e-4)
  assert cold['top1'] == score(train, test, 10, 1, 0.1)['top1']


def test_a_class_without_a_vote_is_no_hit():
  bank = np.eye(3, dtype=np.float32)
  got = score((bank, np.array([5, 6, 7])), (bank, np.array([0, 6, 1])), 8, 1, 0.1)
  assert got == {'top1': 1 / 3, 'top5': 1 / 3}


def test_the_feature_asked_for_is_used():
  def embed_both(params, extra, x):
    return {'h': x, 'z': abs(x)}
  bank, labels = np.eye(2, dtype=np.float32), np.array([0, 1])
  for feature, want in (('h', 0.), ('z', 1.)):
    run = knn.make(
        embed_both, train=batches(bank, labels), test=batches(-bank, labels),
        num_classes=2, k=1, temperature=0.1, feature=feature)
    assert run({}, {})['top1'] == want


@pytest.mark.parametrize('train, test, k, message', [
    ((np.eye(3), None), (np.eye(3), np.arange(3)), 1, 'training set has no labels'),
    ((np.eye(3), np.arange(3)), (np.eye(3), None), 1, 'test set has no labels'),
    ((np.eye(3), np.arange(3)), (np.eye(3), np.arange(1, 4)), 1, 'from 1 to 3'),
    ((np.eye(3), np.arange(3)), (np.eye(3), np.arange(3)), (1, 4, 2),
     'k is 4; with 3'),
    ((np.eye(3), np.arange(3)), (np.eye(3), np.arange(3)), 4, 'k is 4; with 3')])
def test_what_cannot_be_scored_is_an_error(train, test, k, message):
  with pytest.raises(ValueError, match=message):
    score(train, test, 3, k, 0.1)


@pytest.mark.parametrize('k, temperature', [
    (0, 0.1), (5, -1.), (5, float('nan')), (5, float('inf')), ((5, 0), 0.1),
    (5, (0.1, -0.1)), ((), 0.1), (5, ())])
def test_settings_out_of_range_are_errors(k, temperature):
  with pytest.raises(ValueError, match='every k 1 or more'):
    knn.make(
        embed, train=[], test=[], num_classes=2, k=k, temperature=temperature)
