"""The map of the features and the neighbours of some images."""

import made_workdir
import numpy as np
import pytest
from sklearn import neighbors

from jaxssl import report
from jaxssl.report import features_map


def atlas_of(n, *, labelled=True, num_queries=4, num_neighbors=5, **changes):
  h, labels, thumbnails = made_workdir.features(n)
  arguments = dict(
      h=h, thumbnails=thumbnails, labels=labels if labelled else None,
      class_names=made_workdir.CLASSES if labelled else None,
      names=[f'{i}' for i in range(n)]) | changes
  return report.atlas(
      **arguments, seed=0, num_queries=num_queries, num_neighbors=num_neighbors)


def test_neighbours_agree_with_sklearn():
  h, _, _ = made_workdir.features(80)
  a = atlas_of(80)
  reference = neighbors.NearestNeighbors(n_neighbors=6, metric='cosine').fit(h)
  distances, ids = reference.kneighbors(h[a['queries']])
  np.testing.assert_array_equal(ids[:, 0], a['queries'])
  np.testing.assert_array_equal(ids[:, 1:], a['neighbors'])
  np.testing.assert_allclose(1 - distances[:, 1:], a['similarity'], atol=1e-5)


def test_an_image_is_not_its_own_neighbour_even_beside_copies():
  h = np.ones((6, 4))
  a = atlas_of(6, h=h, num_queries=6)
  for query, row in zip(a['queries'], a['neighbors']):
    assert set(row) == set(range(6)) - {query}


def test_queries_cover_the_classes():
  a = atlas_of(80)
  assert sorted(a['labels'][a['queries']]) == [0, 1, 2, 3]
  few = atlas_of(80, num_queries=2)
  assert len(set(few['labels'][few['queries']])) == 2
  rare = np.zeros(80, int)
  rare[70] = 3  # One image of its class must be among two queries.
  assert 70 in atlas_of(80, labels=rare, num_queries=2)['queries']


def test_queries_without_labels_are_spread_evenly():
  a = atlas_of(81, labelled=False, num_queries=5)
  assert a['queries'].tolist() == [0, 20, 40, 60, 80]
  assert 'labels' not in a and 'class_names' not in a


def test_classes_without_names_are_numbered():
  a = atlas_of(9, class_names=None)
  assert a['class_names'].tolist() == ['0', '1', '2', '3']


def test_the_map_keeps_neighbours_together():
  a = atlas_of(120)
  assert a['method'] == 'tsne'
  assert a['points'].min() >= 0 and a['points'].max() <= 1
  assert np.ptp(a['points'], axis=0).max() == pytest.approx(1)
  classifier = neighbors.KNeighborsClassifier(5).fit(a['points'], a['labels'])
  assert classifier.score(a['points'], a['labels']) > 0.95
  shuffled = np.random.default_rng(1).permutation(a['labels'])
  classifier.fit(a['points'], shuffled)
  assert classifier.score(a['points'], shuffled) < 0.7


def test_the_same_arguments_give_the_same_map():
  first, second = atlas_of(60), atlas_of(60)
  assert first.keys() == second.keys()
  for key, value in first.items():
    np.testing.assert_array_equal(value, second[key])


@pytest.mark.parametrize('n', [1, 2, 3, 4, 5, 6, 9])
def test_few_images(n):
  a = atlas_of(n)
  assert a['points'].shape == (n, 2) and np.isfinite(a['points']).all()
  assert a['neighbors'].shape == (min(4, n), min(5, n - 1))
  assert a['method'] == ('none' if n == 1 else 'pca' if n < 5 else 'tsne')
  if 2 <= n < 5:
    # Two directions hold all of two or three points: distances stay in proportion.
    h, _, _ = made_workdir.features(n)
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    def distances(x):
      d = np.linalg.norm(x[:, None] - x[None], axis=-1)[np.triu_indices(n, 1)]
      return d / d.max()
    if n < 4:
      np.testing.assert_allclose(
          distances(a['points']), distances(unit), atol=1e-4)


@pytest.mark.parametrize('h', [
    np.ones((40, 8)), np.zeros((40, 8)), np.repeat(np.eye(2, 8), 20, axis=0),
    np.vstack([np.zeros((1, 8)), np.eye(39, 8) + np.eye(39, 8, 3)])],
    ids=['all the same', 'all zero', 'two points', 'one zero'])
def test_degenerate_features(h):
  a = atlas_of(40, h=h)
  assert np.isfinite(a['points']).all() and np.isfinite(a['similarity']).all()
  assert (a['method'] == 'none') == (np.ptp(h, axis=0).max() == 0)


def test_many_images_are_thinned_but_neighbours_are_not(monkeypatch):
  monkeypatch.setattr(features_map, 'MAX_POINTS', 50)
  n = 300
  h, labels, _ = made_workdir.features(n)
  # The picture tells which image it is.
  codes = np.arange(n, dtype=np.uint16)
  thumbnails = np.stack([codes % 256, codes // 256, codes * 0], -1).astype(np.uint8)
  a = atlas_of(n, thumbnails=np.tile(thumbnails[:, None, None], (1, 16, 16, 1)))
  assert a['num_images'] == n and len(a['points']) == 50
  code = a['thumbnails'][:, 0, 0].astype(int)
  ids = code[:, 0] + 256 * code[:, 1]
  assert len(set(ids)) == 50
  assert a['names'].tolist() == [str(i) for i in ids]
  np.testing.assert_array_equal(a['labels'], labels[ids])
  unit = h / np.linalg.norm(h, axis=1, keepdims=True)
  for row, query in enumerate(a['queries']):
    want = np.argsort(-unit @ unit[ids[query]])[1:6]
    np.testing.assert_array_equal(ids[a['neighbors'][row]], want)
    code = a['gallery'][row, :, 0, 0].astype(int)
    shown = code[:, 0] + 256 * code[:, 1]
    np.testing.assert_array_equal(shown, [ids[query], *want])


def test_large_thumbnails_are_shrunk():
  thumbnails = np.full((9, 200, 200, 3), 77, np.uint8)
  a = atlas_of(9, thumbnails=thumbnails)
  assert a['thumbnails'].shape == (9, 48, 48, 3) and (a['thumbnails'] == 77).all()
  assert a['gallery'].shape == (4, 6, 96, 96, 3) and (a['gallery'] == 77).all()


@pytest.mark.parametrize('changes, message', [
    (dict(names=['a']), "'names': 1"),
    (dict(labels=np.zeros(3)), "'labels': 3"),
    (dict(h=np.full((9, 4), np.nan)), '9 of 9 images'),
    (dict(num_queries=0), 'num_queries is 0'),
    (dict(labels=np.arange(9)), 'from 0 to 8; there are 4 classes'),
])
def test_mistakes_in_a_map(changes, message):
  with pytest.raises(ValueError, match=message):
    atlas_of(9, **changes)


def test_a_saved_map_is_read_back_without_pickle(tmp_path):
  a = atlas_of(30, names=['é\n<b>'] * 30)
  path = report.save_atlas(tmp_path, a)
  assert path == tmp_path / 'figures/atlas.npz'
  with np.load(path, allow_pickle=False) as file:
    assert all(file[name].dtype != object for name in file.files)
  loaded = features_map.load(path)
  assert loaded.keys() == a.keys()
  for key, value in a.items():
    np.testing.assert_array_equal(loaded[key], value)


@pytest.mark.parametrize('changes', [
    dict(neighbors=np.full((4, 5), 99)), dict(labels=np.full(30, -1)),
    dict(queries=np.zeros(3, int)), dict(points=np.full((30, 2), np.inf)),
    dict(gallery=np.zeros((4, 6, 8, 8, 3))), dict(names=np.array(['a'] * 29)),
    dict(neighbors=np.zeros(3)), dict(similarity=np.full((4, 5), 'x')),
    dict(points=np.zeros(()))])
def test_a_map_that_does_not_fit_together_is_refused(tmp_path, changes):
  path = report.save_atlas(tmp_path, atlas_of(30) | changes)
  with pytest.raises(ValueError):
    features_map.load(path)
