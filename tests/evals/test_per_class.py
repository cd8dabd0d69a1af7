import jax
import numpy as np
import pytest
import scipy.stats

from jaxssl import paired
from jaxssl import parallel
from jaxssl.evals import per_class

KNN = dict(name='knn', k=1, temperature=0.1)
LINEAR = dict(
    name='linear', optimizer='nesterov', schedule='cosine', rates=(10.0,),
    decays=(0.0,), epochs=30, batch_size=64, seed=0, standardize=False)
TREE = {
    'family': ('cats', 'dogs', 'cats', ''),
    'class': ('lynx', 'wolf', 'lion', 'eel')}
# What the planted encoder sees of each class's examples.
SEEN = [[0, 0, 0, 1], [1, 1], [2, 0, 0, 3, 3], [3, 3, 1]]
ACCURACY = np.array([3 / 4, 1, 1 / 5, 2 / 3])


def embed(params, extra, x):
  return {'h': x}


def batches(x, labels=None):
  batch = {'image': np.asarray(x, np.float32), 'index': 100 + np.arange(len(x))}
  return [batch if labels is None else {**batch, 'label': labels}]


def planted():
  labels = np.arange(40) % 4
  truth = np.repeat(range(4), [len(seen) for seen in SEEN])
  order = np.random.default_rng(0).permutation(len(truth))
  seen = np.concatenate(SEEN)[order]
  return (np.eye(4)[labels], labels), (np.eye(4)[seen], truth[order]), seen


def score(train, test, **settings):
  settings = dict(
      class_names=('Lynx', 'Wolf', 'Lion', 'Eel'), taxonomy=TREE, by=KNN,
      num_listed=2) | settings
  return per_class.make(
      embed, train=batches(*train), test=batches(*test), num_classes=4, **settings)(
          {}, {})


@pytest.mark.parametrize('by', [KNN, LINEAR])
def test_planted_mistakes_of_each_class(by):
  train, test, seen = planted()
  got = score(train, test, by=by)
  assert got['top1'] == 8 / 14
  assert got['names'] == ['Lynx', 'Wolf', 'Lion', 'Eel']
  np.testing.assert_allclose(got['accuracy'], ACCURACY)
  np.testing.assert_array_equal(got['num'], [4, 2, 5, 3])
  assert got['best'] == ['Wolf', 'Lynx'] and got['worst'] == ['Lion', 'Eel']
  np.testing.assert_array_equal(got['ids'], 100 + np.arange(14))
  np.testing.assert_array_equal(got['labels'], test[1])
  np.testing.assert_array_equal(got['correct'], seen == test[1])


def test_taxa_and_intervals():
  train, test, _ = planted()
  got = score(train, test)
  assert got['names_family'] == ['cats', 'dogs']
  np.testing.assert_array_equal(got['num_family'], [9, 2])  # The eel has none.
  np.testing.assert_allclose(got['accuracy_family'], [4 / 9, 1])
  np.testing.assert_array_equal(got['taxon_family'], [0, 1, 0, -1])
  assert 'names_class' not in got
  for suffix, hits in (('', [3, 2, 1, 2]), ('_family', [4, 2])):
    for i, (hit, num) in enumerate(zip(hits, got[f'num{suffix}'])):
      want = scipy.stats.binomtest(hit, int(num)).proportion_ci(method='wilson')
      np.testing.assert_allclose(
          [got[f'lower{suffix}'][i], got[f'upper{suffix}'][i]], want, atol=1e-12)


def test_two_results_are_compared_by_what_is_written():
  train, (x, truth), _ = planted()
  worse = np.where((truth == 0)[:, None], np.eye(4)[3], x)
  a, b = (score(train, (features, truth)) for features in (x, worse))
  np.testing.assert_array_equal(a['ids'], b['ids'])
  got = paired.differences(
      a['correct'], b['correct'], a['labels'], 0,
      within=a['taxon_family'][a['labels']])
  np.testing.assert_allclose(got['group_difference'], [-3 / 4, 0, 0, 0])
  assert got['share_lose'] == 1 / 4 and got['share_gain'] == 0
  np.testing.assert_array_equal(got['within'], [-1, 0, 1])
  np.testing.assert_array_equal(got['within_lose'], [0, 1 / 2, 0])


def test_names_are_those_of_the_taxonomy_or_numbers_where_there_are_none():
  train, test, _ = planted()
  got = score(train, test, class_names=None)
  assert got['names'] == list(TREE['class'])
  got = score(train, test, class_names=None, taxonomy=None, num_listed=9)
  assert got['worst'] == ['2', '3', '0', '1']
  assert not any(name.endswith('family') for name in got)


def test_of_equally_good_classes_the_lower_comes_first():
  x, labels = np.eye(4), np.arange(4)
  got = score((x, labels), (x[[0, 1, 0, 1]], labels))
  assert got['best'] == ['Lynx', 'Wolf'] and got['worst'] == ['Lion', 'Eel']


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, monkeypatch):
  train, test, _ = planted()
  on_four = score(train, test)
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  np.testing.assert_equal(score(train, test), on_four)


@pytest.mark.parametrize('change, message', [
    (dict(train=(np.eye(4), None)), 'training set has no labels'),
    (dict(test=(np.eye(4), None)), 'test set has no labels'),
    (dict(test=(np.eye(4), np.arange(4) % 2)),
     "2 of 4 classes have no test example, the first is 'Lion'"),
    (dict(taxonomy={'class': ('a', 'b')}), '2 names for 4 classes'),
    (dict(num_listed=0), 'num_listed is 0'),
    (dict(by=dict(name='svm')), "by.name is 'svm'")])
def test_what_cannot_be_scored_is_an_error(change, message):
  train, test, _ = planted()
  with pytest.raises(ValueError, match=message):
    score(**{'train': train, 'test': test, **change})
