"""The images that results name by their ids."""

import json

import made_workdir
import numpy as np
import pytest
import tiny_pcl

from jaxssl import evaluations
from jaxssl import recipe as recipes
from jaxssl import report
from jaxssl.data import ledger
from jaxssl.report import features_map
from jaxssl.report import shown


def test_only_what_the_page_shows_is_wanted():
  near = {'queries': np.arange(20), 'neighbors': 100 + np.arange(60).reshape(20, 3)}
  got = shown.wanted({'name': 'neighbors', 'train': 'a', 'test': 'b'}, near)
  assert got['test'].tolist() == list(range(8))
  assert got['train'].tolist() == list(range(100, 124))
  near['neighbors'] -= 97
  got = shown.wanted({'name': 'neighbors', 'test': 'b'}, near)
  assert list(got) == ['test'] and got['test'].tolist() == list(range(27))
  gallery = {
      'gallery': np.array([[[7, 3], [5, -1]]]), 'gallery_random': np.array([[9, -1]])}
  got = shown.wanted({'name': 'prototypes'}, gallery)
  assert got['test'].tolist() == [3, 5, 7, 9]
  assert shown.wanted({'name': 'prototypes'}, {'granularities': 0}) == {}
  assert shown.wanted({'name': 'linear'}, {'top1': 1.0}) == {}


def test_of_a_large_map_as_many_are_shown_as_fit(monkeypatch):
  monkeypatch.setattr(features_map, 'MAX_POINTS', 5)
  got = shown.wanted({'name': 'embedding'}, {'ids': np.arange(0, 90, 10)})
  assert got['test'].tolist() == [0, 20, 40, 60, 80]


@pytest.mark.parametrize('labelled', [True, False])
def test_saved_images_are_read_back(tmp_path, labelled):
  _, labels, thumbnails = made_workdir.features(6)
  report.save_pictures(
      tmp_path / 'prototypes', 30, 'test', ids=10 * np.arange(6),
      thumbnails=thumbnails, names=['é\n<b>'] * 6,
      labels=labels if labelled else None, class_names=made_workdir.CLASSES)
  path = tmp_path / 'prototypes/30.test.npz'
  with np.load(path, allow_pickle=False) as file:
    assert all(file[name].dtype != object for name in file.files)
  images = shown.load(path)
  assert list(images) == [0, 10, 20, 30, 40, 50]
  picture, name, class_name = images[30]
  np.testing.assert_array_equal(picture, thumbnails[3])
  assert (name, class_name) == ('é\n<b>', 'palm' if labelled else '')


def test_very_many_images_are_small(tmp_path):
  report.save_pictures(
      tmp_path, 1, 'test', ids=np.arange(501),
      thumbnails=np.full((501, 96, 96, 3), 77, np.uint8), names=['x'] * 501,
      labels=None, class_names=None)
  picture, *_ = shown.load(tmp_path / '1.test.npz')[500]
  assert picture.shape == (48, 48, 3) and (picture == 77).all()


def test_an_evaluation_keeps_the_images_that_it_names(tmp_path, monkeypatch):
  tiny_pcl.patch(monkeypatch.setattr)
  near = dict(
      name='neighbors', every_epochs=0.0, every_steps=0, test='test', train='train',
      k=(1, 3), num_queries=10, seed=0, feature='h')
  drawn = dict(
      name='embedding', every_epochs=0.0, every_steps=0, test='test', num_points=40,
      by=dict(name='tsne', perplexity=5.0, num_iters=50, seed=0), k=5, seed=0,
      feature='h')
  config = tiny_pcl.config() | {'evals': {'near': near, 'map': drawn}}
  recipe = recipes.build(config, training=False)
  evaluator = evaluations.Evaluations(
      recipe, config['evals'], ledger.Ledger(recipe.source, limit=0))
  state = recipe.create_state()
  results = evaluator.run(state.params, state.extra)
  evaluator.write(tmp_path / 'eval', 8, 'ab' * 32, results)

  source = recipe.eval_sources['train']
  images = shown.load(tmp_path / 'eval/near/8.train.npz')
  assert set(images) == set(results['near']['neighbors'][:8].ravel().tolist())
  for i, (picture, name, class_name) in images.items():
    (want,) = source.read([i])
    # Of 16 pixels each is six times as wide and as high.
    np.testing.assert_array_equal(picture[::6, ::6], want)
    assert name == source.describe(i)
    assert class_name == source.class_names[source.labels[i]]
  assert len(shown.load(tmp_path / 'eval/map/8.test.npz')) == 40
  written = json.loads((tmp_path / 'eval/map/8.json').read_text())
  assert np.shape(written['metrics']['coordinates']) == (40, 2)
  words = report.write(tmp_path).read_text()
  assert '40 images, each a point' in ' '.join(words.split())
  assert 'Over 10 images drawn at random' in words
