"""PCL against its algorithm written out in float64, on one and on four devices.

An epoch of 64 points: a step of the warm-up, an E-step, and two M-steps.
"""

import functools

import chex
import jax
import numpy as np
import numpy_moco
import pytest
import tiny_method

from jaxssl import kmeans
from jaxssl import losses
from jaxssl.methods import moco
from jaxssl.methods import pcl

POINTS, N, KS, ITERS, ALPHA, WARMUP, STEPS = 64, 16, (3, 8), 4, 5.0, 1, 3
CONTRAST = dict(temperature=0.3, momentum=0.6, queue_size=40, num_splits=4)
SETTINGS = dict(
    num_clusters=KS, num_negatives=0, layout='paper', concentration='estimated',
    alpha=ALPHA, warmup_epochs=WARMUP, kmeans_iters=ITERS, kmeans_restarts=1,
    num_examples=POINTS, batch_size=N)


def make(**changes):
  return pcl.make(tiny_method.Network(12, 3), **{**CONTRAST, **SETTINGS, **changes})


def points():
  return np.random.default_rng(100).random((POINTS, 2, 2, 3)).astype(np.float32)


def batch_of(step):
  """Two views of other points in each step, in no order."""
  rng = np.random.default_rng(0)
  index = rng.permutation(POINTS)[step * N:(step + 1) * N].astype(np.int32)
  noise = np.random.default_rng(step).normal(size=(2, N, 2, 2, 3))
  views = (points()[index] + 0.1 * noise).astype(np.float32)
  return {'views': {'a': views[0], 'b': views[1]}, 'index': index}


def key_of(step):
  return jax.random.fold_in(jax.random.PRNGKey(7), step)


def initialised(method):
  return jax.device_get(method.init(jax.random.PRNGKey(0), batch_of(0)['views']))


def refreshed(method, params, extra):
  """The extra after an E-step that starts k-means from the first k points."""
  def fit_from_the_first(rng, z, k, **settings):
    return kmeans_fit(rng, z, k, init=z[:k], **settings)

  def embed_train(params, extra):
    return jax.device_get(method.embed(params, extra, points()))

  kmeans_fit = kmeans.fit
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(kmeans, 'fit', fit_from_the_first)
    return jax.device_get(
        method.refresh(jax.random.PRNGKey(1), params, extra, embed_train))


@functools.cache
def trained(num_devices):
  """[(params, extra before; loss, gradient, extra, metrics after)] of each step."""
  method = make()
  step, (params, extra), out = (
      tiny_method.make_step(method, num_devices), initialised(method), [])
  for i in range(STEPS):
    if i == WARMUP:
      extra = refreshed(method, params, extra)
    results = step(params, extra, key_of(i), batch_of(i))
    out.append((params, extra, *results))
    params = jax.tree.map(lambda p, g: p - 0.5 * g, params, results[1])
    extra = results[2]
  return out


def e_step(params, stats):
  """The clusterings of the points, by an encoder in evaluation mode."""
  features, _ = numpy_moco.encode(params, stats, points())
  clusters = {}
  for k in KS:
    centroids = features[:k]
    for i in range(ITERS + 1):
      distances = np.array([
          [np.linalg.norm(v - c) for c in centroids] for v in features])
      assignments = distances.argmin(1)
      if i < ITERS:
        centroids = np.array([
            features[assignments == j].mean(0) for j in range(k)])
    phi = np.zeros(k)
    for j in range(k):
      members = distances[assignments == j, j]
      if len(members) > 1:
        phi[j] = members.sum() / (len(members) * np.log(len(members) + ALPHA))
    for j in range(k):
      if (assignments == j).sum() < 2:
        phi[j] = phi.max()
    low, high = np.percentile(phi, [10, 90])
    phi = np.minimum(np.maximum(phi, low), high)
    clusters[f'k{k}'] = {
        'assignments': assignments,
        'concentration': CONTRAST['temperature'] * phi / phi.mean(),
        'inertia': (distances.min(1) ** 2).sum(), 'num_empty': 0,
        'prototypes': centroids / np.linalg.norm(centroids, axis=1, keepdims=True)}
  return clusters


def m_step(params, extra, step, target=None):
  """The loss of a step and its two terms, and the new extra."""
  batch = batch_of(step)
  queries, info_nce, new = numpy_moco.algorithm_1(
      params, extra, batch['views'], key_of(step), target=target,
      **{k: v for k, v in CONTRAST.items() if k != 'queue_size'})
  if not extra['has_prototypes']:
    return info_nce.mean(), info_nce.mean(), 0.0, new
  terms = []
  for found in extra['clusters'].values():
    for query, i in zip(queries, batch['index']):
      near = np.exp([
          query @ prototype / phi for prototype, phi in zip(
              np.float64(found['prototypes']), found['concentration'])])
      terms.append(-np.log(near[found['assignments'][i]] / near.sum()))
  return info_nce.mean() + np.mean(terms), info_nce.mean(), np.mean(terms), new


@pytest.mark.parametrize('num_devices', [1, 4])
def test_the_e_step_is_that_of_the_algorithm(num_devices):
  """Of features of the momentum encoder with its own kept statistics."""
  steps = trained(num_devices)
  before, found = steps[WARMUP - 1][4], steps[WARMUP][1]
  want = e_step(before['target']['params'], before['target']['batch_stats'])
  chex.assert_trees_all_close(
      jax.tree.map(np.float64, found['clusters']), jax.tree.map(np.float64, want),
      rtol=1e-4, atol=1e-5)
  assert found['has_prototypes'] == 1
  for name in ('queue', 'target', 'batch_stats'):
    chex.assert_trees_all_equal(found[name], before[name])
  for new, old in zip(*map(jax.tree.leaves, (found, before))):
    assert new.dtype == old.dtype and new.shape == old.shape


def test_the_e_step_of_the_trained_encoder_would_be_another():
  """Negative control of the comparison: parameters, and kept statistics."""
  params, found = trained(1)[WARMUP][:2]
  slow = found['target']
  fast = {'params': params, 'batch_stats': found['batch_stats']}
  for wrong in (fast, {**slow, 'params': fast['params']},
                {**slow, 'batch_stats': fast['batch_stats']}):
    other = e_step(wrong['params'], wrong['batch_stats'])
    for part, clustering in found['clusters'].items():
      assert abs(clustering['prototypes'] - other[part]['prototypes']).max() > 1e-3


@pytest.mark.parametrize('num_devices', [1, 4])
def test_steps_are_those_of_the_algorithm(num_devices):
  for i, (params, before, loss, _, extra, metrics) in enumerate(
      trained(num_devices)):
    want_loss, info_nce, proto_nce, want = m_step(params, before, i)
    np.testing.assert_allclose(
        [loss, metrics['loss'], metrics['info_nce'], metrics['proto_nce']],
        [want_loss, want_loss, info_nce, proto_nce], rtol=1e-5)
    chex.assert_trees_all_close(
        extra, jax.tree.map(np.float32, want), rtol=1e-3, atol=1e-4)
    chex.assert_trees_all_equal(extra['clusters'], before['clusters'])
    assert (proto_nce > 0) == (i >= WARMUP)


def test_the_gradient_is_that_of_the_queries_alone():
  """Central differences of the loops, with target and prototypes held."""
  params, before, _, grads, extra, _ = trained(1)[2]
  numpy_moco.assert_is_gradient(
      grads,
      lambda p: m_step(p, before, 2, target=extra['target']['params'])[0], params)


def test_losses_and_gradients_do_not_depend_on_the_devices():
  chex.assert_trees_all_close(
      [step[2:] for step in trained(4)], [step[2:] for step in trained(1)],
      rtol=1e-3, atol=1e-4)


def test_without_prototypes_it_is_moco():
  method = moco.make(
      tiny_method.Network(12, 3), symmetric=False, batch_size=N, **CONTRAST)
  loss, grads, extra, metrics = tiny_method.make_step(method, 1)(
      *initialised(method), key_of(0), batch_of(0))
  _, _, got_loss, got_grads, got_extra, got_metrics = trained(1)[0]
  chex.assert_trees_all_close(
      (got_loss, got_grads, {k: got_extra[k] for k in extra},
       {k: got_metrics[k] for k in metrics}),
      (loss, grads, extra, metrics), rtol=1e-6)
  assert got_metrics['proto_nce'] == got_metrics['proto_top1'] == 0


def test_a_constant_concentration_is_the_temperature():
  params, extra = trained(1)[0][:2]
  got, estimated = (
      refreshed(make(concentration=c), params, extra)['clusters']
      for c in pcl.CONCENTRATIONS[::-1])
  for part, found in got.items():
    np.testing.assert_array_equal(
        found['concentration'], np.float32(CONTRAST['temperature']))
    assert np.ptp(estimated[part]['concentration']) > 1e-3
    np.testing.assert_array_equal(
        found['prototypes'], estimated[part]['prototypes'])


@pytest.mark.parametrize('num_negatives, layout, columns', [
    (0, 'paper', (20, 40)), (7, 'paper', (8, 8)), (4, 'reference', (N + 4, N + 4))])
def test_chance_is_the_loss_of_equal_logits(num_negatives, layout, columns):
  """And a collapsed network, which has them, matches nothing."""
  method = make(num_clusters=(20, 40), num_negatives=num_negatives, layout=layout)
  params, extra = initialised(method)
  params, target = (
      {**p, 'projector': {
          'kernel': np.zeros((12, 3), np.float32), 'bias': np.ones(3, np.float32)}}
      for p in (params, extra['target']['params']))
  extra = {
      **extra, 'target': {**extra['target'], 'params': target},
      'queue': np.full_like(extra['queue'], 3**-0.5),
      'has_prototypes': np.float32(1), 'clusters': {
          part: {**found, 'prototypes': np.full_like(found['prototypes'], 3**-0.5)}
          for part, found in extra['clusters'].items()}}
  loss, _, _, metrics = tiny_method.make_step(method, 1)(
      params, extra, key_of(0), batch_of(0))
  want = np.log(1 + CONTRAST['queue_size']) + np.log(columns).mean()
  assert metrics['chance'] == pytest.approx(want) == pytest.approx(loss, rel=1e-5)
  assert metrics['contrast_top1'] == metrics['proto_top1'] == 0


@pytest.mark.parametrize('changes, why', [
    (dict(num_clusters=(3, 65)), r'num_clusters is \(3, 65\).* from 2 to 64'),
    (dict(num_clusters=(3, 3)), 'must be different'),
    (dict(num_clusters=()), 'num_clusters is'),
    (dict(num_clusters=20), 'num_clusters is 20; they must be'),
    (dict(num_clusters=(1, 3)), 'from 2'),
    (dict(num_clusters=(3.0,)), 'whole numbers'),
    (dict(num_negatives=3), 'needs 4 clusters, and num_clusters has 3'),
    (dict(num_negatives=-1), 'num_negatives is -1'),
    (dict(layout='reference'), 'needs 16 clusters, and num_clusters has 3'),
    (dict(layout='theirs'), f"'theirs'. There are: {', '.join(losses.LAYOUTS)}"),
    (dict(concentration='none'), "'none'. There are: estimated, constant"),
    (dict(warmup_epochs=0.5), 'warmup_epochs is 0.5; it must be a whole number'),
    (dict(warmup_epochs=-1), 'warmup_epochs is -1'),
    (dict(kmeans_iters=0), 'kmeans_iters is 0; it must be a whole number from 1'),
    (dict(kmeans_restarts=0), 'kmeans_restarts is 0'),
    (dict(alpha=-1.0), 'alpha is -1.0; it must be at least 0'),
    (dict(temperature=0.0), 'temperature is 0.0; it must be above 0'),
    (dict(queue_size=0), 'queue_size is 0')])
def test_mistakes_are_found_before_any_work(changes, why):
  with pytest.raises(ValueError, match=why) as e:
    make(**changes)
  assert '\n' not in str(e.value)
