import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as reference

from jaxssl import kmeans
from jaxssl import parallel
from jaxssl.evals import clustering


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
    num_clusters=0, metric='euclidean', num_iters=20, num_restarts=3, num_runs=1,
    seed=0)
RNG = np.random.default_rng(0)
CENTERS = np.float32(20 * np.eye(4, 6))
LABELS = np.repeat(np.arange(4), [60, 50, 40, 30])[RNG.permutation(180)]
BLOBS = CENTERS[LABELS] + RNG.standard_normal((180, 6)).astype(np.float32)
NOISE = RNG.standard_normal((180, 6)).astype(np.float32)


def run(x, labels, extra=None, num_classes=4, **changes):
  return clustering.make(
      embed, test=batches(x, labels), num_classes=num_classes,
      **(SETTINGS | changes))(np.float32(2), extra or {})


def scores(assignments, labels):
  """The scores by scikit-learn, and accuracy over every way to match (k <= 4)."""
  k, c = assignments.max() + 1, labels.max() + 1
  table = np.zeros((max(k, c), max(k, c)), int)
  np.add.at(table, (assignments, labels), 1)
  right = max(
      sum(table[i, j] for i, j in enumerate(order))
      for order in itertools.permutations(range(len(table))))
  return {
      'ami': reference.adjusted_mutual_info_score(labels, assignments),
      'nmi': reference.normalized_mutual_info_score(labels, assignments),
      'ari': reference.adjusted_rand_score(labels, assignments),
      'accuracy': right / len(labels)}


@pytest.mark.parametrize('num_devices', [1, 4])
@pytest.mark.parametrize('metric', kmeans.METRICS)
def test_separated_classes_are_found(metric, num_devices, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  got = run(BLOBS, LABELS, metric=metric)
  for name in clustering.SCORES:
    np.testing.assert_allclose(got.pop(f'{name}_interval'), 1)
  assert got['sizes'].tolist() == [60, 50, 40, 30]
  assert got.pop('num_clusters') == 4
  sizes = got.pop('sizes')
  want = dict.fromkeys(('ami', 'nmi', 'ari', 'accuracy'), 1.) | {
      'empty': 0., 'largest': 1 / 3, 'variation': sizes.std() / 45,
      'balance': -(sizes / 180 @ np.log(sizes / 180)) / np.log(4)}
  assert got == pytest.approx(want)
  assert all(type(v) is float for v in got.values())


@pytest.mark.parametrize('k', [2, 3, 6])
def test_numbers_are_those_of_the_k_means(k):
  got = run(NOISE, LABELS, num_clusters=k, seed=5)
  found = kmeans.fit(jax.random.PRNGKey(5), NOISE * 2, k, num_restarts=3).assignments
  want = scores(found, LABELS)
  assert {name: got[name] for name in want} == pytest.approx(want)
  assert all(np.diff(got[f'{name}_interval']) > 0 for name in want)
  assert got['sizes'].tolist() == sorted(np.bincount(found), reverse=True)
  assert got['num_clusters'] == k


def test_intervals_are_as_wide_as_the_scores_of_new_images_vary():
  def draw(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 240)
    nearest = np.where(rng.random(240) < 0.6, labels, rng.integers(0, 3, 240))
    return np.eye(3, 6, dtype=np.float32)[nearest], labels
  extra = prototypes(np.eye(3, 6))
  x, labels = draw(0)
  got = run(x, labels, extra=extra, num_classes=3)
  fresh = [scores(x.argmax(1), labels) for x, labels in map(draw, range(1, 81))]
  for name in clustering.SCORES:
    low, high = got[f'{name}_k3_interval']
    assert (low + high) / 2 == pytest.approx(got[f'{name}_k3'])
    spread = np.std([one[name] for one in fresh])
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.25)


def test_runs_from_several_seeds():
  each = [run(NOISE, LABELS, seed=s, num_restarts=1) for s in (3, 4, 5)]
  got = run(NOISE, LABELS, seed=3, num_restarts=1, num_runs=3)
  for name in clustering.SCORES:
    values = [one[name] for one in each]
    assert got[name] == pytest.approx(np.mean(values))
    assert got[f'{name}_std'] == pytest.approx(np.std(values, ddof=1))
    assert f'{name}_std' not in each[0]
  assert len({one['ami'] for one in each}) > 1
  assert got['sizes'].tolist() == each[0]['sizes'].tolist()


def prototypes(*all_of, phi=None):
  return {'has_prototypes': np.float32(1), 'clusters': {
      f'k{len(p)}': {
          'prototypes': p, 'concentration': np.ones(len(p), np.float32)
          if phi is None else phi, 'assignments': np.zeros(7, np.int32)}
      for p in map(np.float32, all_of)}}


def test_prototypes_of_the_checkpoint():
  right = CENTERS / 20
  # Two classes at one prototype, and one prototype without an image.
  coarse = np.array([right[0] + right[1], right[2], right[3], -right.sum(0)])
  coarse /= np.linalg.norm(coarse, axis=1, keepdims=True)
  extra = prototypes(np.concatenate([right, -right[:1]]), coarse)
  got = run(BLOBS, LABELS, extra=extra)
  assert got['ami_k5'] == pytest.approx(1) and got['accuracy_k5'] == 1
  assert got['sizes_k5'].tolist() == [60, 50, 40, 30, 0] and got['empty_k5'] == 0.2
  want = scores(np.array([0, 0, 1, 2])[LABELS], LABELS)
  assert {k: got[f'{k}_k4'] for k in want} == pytest.approx(want)
  assert got['accuracy_k4'] == pytest.approx(130 / 180)
  # Concentrations that are all the same change nothing.
  assert got['sizes_k5_phi'].tolist() == got['sizes_k5'].tolist()
  assert got['nmi_k4_phi'] == got['nmi_k4']


def test_a_loose_prototype_holds_fewer_images():
  pair = np.array([[1., 0.], [0.8, 0.6]])
  angles = np.linspace(0, 0.6, 40)
  x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
  cosines = x @ pair.T
  phi = np.float32([0.2, 0.21])
  got = run(
      x, np.arange(40) // 20, extra=prototypes(pair, phi=phi), num_classes=2)
  for suffix, logits in (('k2', cosines), ('k2_phi', cosines / phi)):
    sizes = np.bincount(logits.argmax(1), minlength=2)
    assert got[f'sizes_{suffix}'].tolist() == sorted(sizes, reverse=True)
  assert got['sizes_k2'].tolist() != got['sizes_k2_phi'].tolist()


def test_before_the_first_e_step_there_are_no_prototypes():
  extra = prototypes(CENTERS / 20) | {'has_prototypes': np.float32(0)}
  assert run(BLOBS, LABELS, extra=extra).keys() == run(BLOBS, LABELS).keys()


@pytest.mark.parametrize('labels, changes, message', [
    (None, {}, 'test set has no labels'),
    (np.ones((180, 4), int), {}, 'one class for each example'),
    (LABELS + 1, {}, 'labels from 1 to 4; with num_classes 4'),
    (0 * LABELS + 2, {}, 'All 180 examples of the test set are of class 2'),
    (LABELS, dict(num_clusters=181), 'k is 181; with 180 rows'),
    (LABELS, dict(feature='y'), "no feature 'y'"),
    (LABELS, dict(num_clusters=-1), 'num_clusters is -1'),
    (LABELS, dict(num_clusters=2.5), 'num_clusters is 2.5'),
    (LABELS, dict(num_runs=0), 'num_runs is 0'),
    (LABELS, dict(num_iters=0), 'num_iters is 0'),
    (LABELS, dict(num_restarts=0), 'num_restarts is 0'),
    (LABELS, dict(seed=-1), 'seed is -1'),
    (LABELS, dict(metric='cosine'), "No metric 'cosine'. There are: euclidean")])
def test_what_cannot_be_scored_is_an_error(labels, changes, message):
  with pytest.raises(ValueError, match=message):
    run(BLOBS, labels, **changes)


def test_settings_are_checked_before_anything_is_run():
  make = functools.partial(clustering.make, None, test=None, num_classes=2)
  make(**SETTINGS)
  with pytest.raises(ValueError, match='No metric'):
    make(**(SETTINGS | {'metric': 'l1'}))
