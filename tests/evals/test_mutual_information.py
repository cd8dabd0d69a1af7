import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as reference

from jaxssl import information
from jaxssl import parallel
from jaxssl.evals import mutual_information


def batches(x, labels, size=64):
  rows = np.arange(len(x), dtype=np.int32)
  found = [
      {'image': x[i:i + size], 'index': rows[i:i + size]}
      for i in range(0, len(x), size)]
  if labels is not None:
    for batch in found:
      batch['label'] = labels[batch['index']]
  return found


def embed(params, extra, x):
  return {'h': x * params, 'z': x / jnp.linalg.norm(x, axis=1, keepdims=True)}


SETTINGS = dict(
    dims=2, num_neighbors=3, num_clusters=0, metric='spherical', num_iters=10,
    num_restarts=2, seed=0)
RNG = np.random.default_rng(0)
CENTERS = np.float32(20 * np.eye(3, 6))
LABELS = np.arange(240) % 3
BLOBS = CENTERS[LABELS] + RNG.standard_normal((240, 6)).astype(np.float32)
PROTOTYPES = {'has_prototypes': np.float32(1), 'clusters': {'k2': {
    'prototypes': np.float32([[0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]])
    / np.float32([[1], [2 ** 0.5]]), 'concentration': np.ones(2, np.float32)}}}


def run(x, labels, extra=None, num_classes=3, **changes):
  return mutual_information.make(
      embed, test=batches(x, labels), num_classes=num_classes,
      **(SETTINGS | changes))(np.float32(2), extra or {})


@pytest.mark.parametrize('num_devices', [1, 4])
def test_classes_far_apart_tell_all_there_is(num_devices, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  got = run(BLOBS, LABELS, PROTOTYPES)
  # Of the prototypes, one has a class and the other two: that is a bit and a half of
  # three classes.
  by_prototype = reference.mutual_info_score(LABELS, LABELS == 1)
  want = {
      'entropy_labels': np.log(3), 'mi_kmeans': np.log(3),
      'mi_kmeans_miller_madow': np.log(3) + 2 / 480,
      'mi_prototypes_k2': by_prototype,
      'mi_prototypes_k2_miller_madow': by_prototype + 1 / 480,
      'num_clusters': 3, 'only_of_class': 0}
  assert got.pop('mi_features_ross') == pytest.approx(np.log(3), abs=0.01)
  assert got == pytest.approx(want)
  assert all(type(v) in (float, int) for v in got.values())


@pytest.mark.parametrize('changes', [{}, dict(dims=0), dict(feature='z'), dict(
    num_neighbors=7)])
def test_numbers_are_those_of_the_estimators(changes):
  x = RNG.standard_normal((240, 6)).astype(np.float32) + BLOBS / 20
  settings = SETTINGS | changes
  h = 2 * x
  if changes.get('feature') == 'z':
    h = x / np.linalg.norm(x, axis=1, keepdims=True)
  want = information.ross(
      information.principal(h, settings['dims']), LABELS, k=settings['num_neighbors'])
  assert run(x, LABELS, **changes)['mi_features_ross'] == pytest.approx(want, abs=1e-4)


def test_more_clusters_than_classes_and_one_alone_in_its_class():
  labels = LABELS.copy()
  labels[7] = 3
  got = run(BLOBS, labels, num_classes=4, num_clusters=12)
  assert got['num_clusters'] == 12 and got['only_of_class'] == 1
  assert got['mi_kmeans'] <= got['entropy_labels']
  assert got['mi_kmeans_miller_madow'] < got['mi_kmeans'] + 0.01


def test_without_prototypes_there_are_none_in_the_result():
  early = PROTOTYPES | {'has_prototypes': np.float32(0)}
  keys = run(BLOBS, LABELS, early).keys()
  assert keys == run(BLOBS, LABELS).keys()
  assert not [k for k in keys if 'prototypes' in k]


@pytest.mark.parametrize('labels, changes, message', [
    (None, {}, 'test set has no labels'),
    (np.ones((240, 3), int), {}, 'one class for each example'),
    (LABELS + 1, {}, 'labels from 1 to 3; with num_classes 3'),
    (0 * LABELS, {}, 'All 240 examples of the test set are of class 0'),
    (np.arange(240), dict(num_classes=240), 'Each of the 240 examples is the only'),
    (LABELS, dict(num_clusters=241), 'k is 241; with 240 rows'),
    (LABELS, dict(dims=7), 'dims is 7; features 6 wide'),
    (LABELS, dict(dims=-1), 'dims is -1'),
    (LABELS, dict(num_neighbors=0), 'num_neighbors is 0'),
    (LABELS, dict(num_iters=0), 'num_iters is 0'),
    (LABELS, dict(metric='l1'), "No metric 'l1'"),
    (LABELS, dict(feature='y'), "no feature 'y'")])
def test_what_cannot_be_estimated_is_an_error(labels, changes, message):
  with pytest.raises(ValueError, match=message):
    run(BLOBS, labels, **changes)
