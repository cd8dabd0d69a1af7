"""MoCo against its algorithm written out in float64, on one and on four devices."""

import functools

import chex
import jax
import numpy as np
import numpy_moco
import pytest
import tiny_method

from jaxssl.methods import moco

N, SPLITS, QUEUE, MOMENTUM, TEMPERATURE, STEPS = 16, 4, 40, 0.6, 0.3, 3


def make(symmetric):
  return moco.make(
      tiny_method.Network(12, 3), temperature=TEMPERATURE, momentum=MOMENTUM,
      queue_size=QUEUE, num_splits=SPLITS, symmetric=symmetric, batch_size=N)


def batch_of(step):
  views = np.random.default_rng(step).random((2, N, 2, 2, 3)).astype(np.float32)
  return {
      'views': {'a': views[0], 'b': views[1]},
      'index': np.arange(N, dtype=np.int32)}


def key_of(step):
  return jax.random.fold_in(jax.random.PRNGKey(7), step)


@functools.cache
def trained(num_devices, symmetric):
  """[(params, extra before; loss, gradient, extra, metrics after)] of each step."""
  method = make(symmetric)
  params, extra = jax.device_get(
      method.init(jax.random.PRNGKey(0), batch_of(0)['views']))
  step = tiny_method.make_step(method, num_devices)
  out = []
  for i in range(STEPS):
    results = step(params, extra, key_of(i), batch_of(i))
    out.append((params, extra, *results))
    params = jax.tree.map(lambda p, g: p - 0.5 * g, params, results[1])
    extra = results[2]
  return out


def algorithm_1(params, extra, step, symmetric, target=None):
  """The mean loss of an iteration, and the new extra."""
  _, losses, extra = numpy_moco.algorithm_1(
      params, extra, batch_of(step)['views'], key_of(step), temperature=TEMPERATURE,
      momentum=MOMENTUM, num_splits=SPLITS, symmetric=symmetric, target=target)
  return losses.mean(), extra


@pytest.mark.parametrize('symmetric', [False, True])
@pytest.mark.parametrize('num_devices', [1, 4])
def test_steps_are_those_of_the_algorithm(num_devices, symmetric):
  """The queue wraps around: it holds two and a half batches."""
  for i, (params, before, loss, _, extra, metrics) in enumerate(
      trained(num_devices, symmetric)):
    want_loss, want = algorithm_1(params, before, i, symmetric)
    np.testing.assert_allclose(loss, want_loss, rtol=1e-5)
    chex.assert_trees_all_close(
        extra, jax.tree.map(np.float32, want), rtol=1e-3, atol=1e-4)
    assert metrics['loss'] == loss
    assert metrics['chance'] == pytest.approx(np.log(1 + QUEUE))


@pytest.mark.parametrize('symmetric', [False, True])
def test_the_gradient_is_that_of_the_queries_alone(symmetric):
  """Central differences of the loops, with the target held."""
  params, before, _, grads, extra, _ = trained(1, symmetric)[1]
  numpy_moco.assert_is_gradient(
      grads, lambda p: algorithm_1(
          p, before, 1, symmetric, target=extra['target']['params'])[0], params)


@pytest.mark.parametrize('symmetric', [False, True])
def test_loss_and_gradient_do_not_depend_on_the_devices(symmetric):
  one, four = (trained(n, symmetric)[0] for n in (1, 4))
  chex.assert_trees_all_close(four, one, rtol=1e-4, atol=1e-5)


def test_a_collapsed_network_matches_nothing():
  """Its logits are all equal, so none of its positives is the nearest."""
  params, extra, *_ = trained(1, False)[0]
  params, target = (
      {**p, 'projector': {
          'kernel': np.zeros((12, 3), np.float32), 'bias': np.ones(3, np.float32)}}
      for p in (params, extra['target']['params']))
  extra = {
      **extra, 'target': {**extra['target'], 'params': target},
      'queue': np.full((QUEUE, 3), 3**-0.5, np.float32)}
  step = tiny_method.make_step(make(False), 1)
  loss, _, _, metrics = step(params, extra, key_of(0), batch_of(0))
  assert loss == pytest.approx(metrics['chance'], rel=1e-4)
  assert metrics['contrast_top1'] == 0
