import sys

import jax
import numpy as np
import pytest
from scipy.spatial import distance
from sklearn import neighbors

from jaxssl import maps
from jaxssl import parallel
from jaxssl.evals import embedding

TSNE = dict(name='tsne', perplexity=8.0, num_iters=150, seed=0)
UMAP = dict(name='umap', num_neighbors=8, min_dist=0.1, num_iters=100, seed=0)
SETTINGS = dict(class_names=('a', 'b', 'c'), by=TSNE, num_points=60, k=5, seed=0)
LABELS = np.arange(60) % 3


def embed(params, extra, x):
  return {'h': x}


def clusters():
  rng = np.random.default_rng(0)
  centers = 3 * rng.standard_normal((3, 16))
  return (centers[LABELS] + rng.standard_normal((60, 16))).astype(np.float32)


def run(x=None, labels=LABELS, **changes):
  x = clusters() if x is None else x
  batch = {'image': x, 'index': 7 * np.arange(len(x))}
  if labels is not None:
    batch['label'] = labels
  return embedding.make(embed, test=[batch], **(SETTINGS | changes))({}, {})


@pytest.fixture(scope='module')
def drawn():
  return run()


def ranks(x):
  """[n, n] how near each other point is: 1 is the nearest."""
  d = distance.squareform(distance.pdist(x.astype(np.float64)))
  np.fill_diagonal(d, -1)
  return d.argsort(1).argsort(1)


def trustworthiness(high, low, k):
  """Venna and Kaski's equation as it is written, pair by pair."""
  high, low, n = ranks(high), ranks(low), len(high)
  penalty = sum(
      high[i, j] - k for i in range(n) for j in range(n)
      if 0 < low[i, j] <= k < high[i, j])
  return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def test_the_numbers_are_those_of_their_definitions(drawn):
  x, points = clusters(), drawn['coordinates']
  x /= np.linalg.norm(x, axis=1, keepdims=True)
  assert points.shape == (60, 2) and drawn['num_points'] == 60
  assert drawn['ids'].tolist() == list(range(0, 420, 7))
  assert drawn['labels'].tolist() == LABELS.tolist()
  assert drawn['class_names'] == ['a', 'b', 'c']
  assert drawn['trustworthiness'] == pytest.approx(trustworthiness(x, points, 5))
  assert drawn['continuity'] == pytest.approx(trustworthiness(points, x, 5))
  for name, rows in (('accuracy_features', x), ('accuracy_map', points)):
    _, near = neighbors.NearestNeighbors(n_neighbors=5).fit(rows).kneighbors()
    voted = [np.bincount(LABELS[row]).argmax() for row in near]
    assert drawn[name] == (voted == LABELS).mean()


def test_clusters_stay_clusters_and_noise_is_no_map(drawn):
  assert drawn['accuracy_map'] > 0.95 and drawn['trustworthiness'] > 0.85
  rng = np.random.default_rng(1)
  noise = run(rng.standard_normal((60, 16)).astype(np.float32))
  assert noise['accuracy_features'] < 0.6
  assert noise['trustworthiness'] < drawn['trustworthiness']


@pytest.mark.parametrize('num_devices', [1, 4])
def test_the_same_map_each_time(drawn, num_devices, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  np.testing.assert_array_equal(run()['coordinates'], drawn['coordinates'])


def test_the_first_directions_are_the_principal_components(drawn):
  x = clusters()
  x /= np.linalg.norm(x, axis=1, keepdims=True)
  _, _, directions = np.linalg.svd(x - x.mean(0), full_matrices=False)
  first = x @ directions[0]
  correlation = np.corrcoef(first, drawn['coordinates'][:, 0])[0, 1]
  assert abs(correlation) > 0.7


def test_the_seed_draws_the_points():
  few, other = (run(num_points=30, seed=s) for s in (0, 1))
  assert len(set(few['ids'])) == 30 and set(few['ids']) != set(other['ids'])
  np.testing.assert_array_equal(few['labels'], LABELS[few['ids'] // 7])


def test_without_labels():
  got = run(labels=None, num_points=30)
  assert set(got) == {
      'coordinates', 'ids', 'num_points', 'trustworthiness', 'continuity'}


def test_umap():
  pytest.importorskip('umap')
  first, second = run(by=UMAP), run(by=UMAP)
  np.testing.assert_array_equal(first['coordinates'], second['coordinates'])
  assert first['accuracy_map'] > 0.95 and first['trustworthiness'] > 0.85
  with pytest.raises(ValueError, match='num_neighbors is 60; with 60 points'):
    run(by=UMAP | {'num_neighbors': 60})


def test_umap_that_is_not_installed_is_told_in_a_line(monkeypatch):
  monkeypatch.setitem(sys.modules, 'umap', None)
  with pytest.raises(ValueError, match='pip install umap-learn') as raised:
    run(by=UMAP)
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize('changes, told', [
    (dict(by=dict(name='pca')), "by.name is 'pca'; it can be tsne or umap"),
    (dict(by=TSNE | {'perplexity': 0.5}), 'perplexity is 0.5'),
    (dict(by=TSNE | {'perplexity': 30.0}), 'for 60 points it can be at most 19.67'),
    (dict(by=TSNE | {'num_iters': 0}), 'num_iters is 0'),
    (dict(by=UMAP | {'min_dist': 2.0}), 'min_dist is 2.0'),
    (dict(by=UMAP | {'num_neighbors': 1}), 'num_neighbors is 1'),
    (dict(num_points=0), 'num_points is 0'), (dict(k=0), 'k is 0'),
    (dict(k=30), 'k is 30; with 60 points'), (dict(seed=-1), 'seed is -1'),
    (dict(x=np.ones((60, 4), np.float32)), 'All 60 examples have the same features'),
    (dict(feature='z'), "no feature 'z'")])
def test_what_does_not_fit_is_told_in_a_line(changes, told):
  with pytest.raises(ValueError, match=told) as raised:
    run(**changes)
  assert '\n' not in str(raised.value)


def test_a_row_of_zeros_can_be_mapped():
  x = clusters()
  x[0] = 0
  assert np.isfinite(run(x)['coordinates']).all()
  assert not maps.unit(x)[0].any()
