"""Batch norm of groups, against flax's on each group alone, on any devices."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_method

from jaxssl import parallel
from jaxssl.layers import norm

N, SHUFFLE = 16, jax.random.PRNGKey(3)


def inputs():
  """[n, h, w, c] with a mean of its own in each image, weights, and a scale."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((N, 3, 2, 4)) + 3 * rng.standard_normal((N, 1, 1, 4))
  weights = rng.standard_normal(x.shape)
  return x.astype(np.float32), weights.astype(np.float32)


def members_of(num_groups, shuffled):
  """[n] the group of each image, by the definition."""
  position = (
      np.asarray(jax.random.permutation(SHUFFLE, N)) if shuffled else np.arange(N))
  return position // (N // num_groups)


VARIABLES = {
    'params': {'scale': jnp.array([1., .5, 2., 1.]), 'bias': jnp.arange(4.)},
    'batch_stats': {'mean': jnp.arange(4.) / 10, 'var': jnp.ones(4) * 2}}


@functools.cache
def on_devices(num_devices, num_groups, shuffled):
  """Outputs, statistics and gradients of x and the parameters."""
  layer = norm.BatchNorm('float32')

  def step(variables, rng, x, weights):
    def loss_fn(params, x):
      groups = norm.split_groups(num_groups, len(x), rng if shuffled else None)
      y, new = layer.apply(
          {**variables, 'params': params}, x, True, groups, mutable=['batch_stats'])
      return parallel.mean((y * weights).mean()), (y, new)

    grads, (y, new) = jax.grad(loss_fn, (0, 1), has_aux=True)(variables['params'], x)
    # A device's own share of the loss is one in so many of the mean.
    by_x = grads[1] / jax.lax.psum(1, parallel.AXIS)
    return new['batch_stats'], parallel.mean(grads[0]), y, by_x

  x, weights = inputs()
  with tiny_method.on(num_devices):
    mapped = parallel.mapped(step, (None, None, 0, 0), (None, None, 0, 0))
    stats, grads, y, by_x = mapped(
        *parallel.replicate((VARIABLES, SHUFFLE)), *parallel.split((x, weights)))
    return (*jax.device_get((stats, grads)), *parallel.join((y, by_x)))


def by_flax(num_groups, shuffled):
  """The same, with flax's layer on one group after the other."""
  layer = nn.BatchNorm(use_running_average=False, momentum=0.9, epsilon=1e-5)
  x, weights = inputs()
  groups = members_of(num_groups, shuffled)

  def loss_fn(params, x):
    y, stats = jnp.zeros_like(x), []
    for g in range(num_groups):
      rows = np.flatnonzero(groups == g)
      out, new = layer.apply(
          {**VARIABLES, 'params': params}, x[rows], mutable=['batch_stats'])
      y = y.at[rows].set(out)
      stats.append(new['batch_stats'])
    stats = jax.tree.map(lambda *s: sum(s) / num_groups, *stats)
    return (y * weights).mean(), (stats, y)

  grads, (stats, y) = jax.grad(loss_fn, (0, 1), has_aux=True)(VARIABLES['params'], x)
  return jax.device_get((stats, grads[0], y, grads[1]))


GROUPS = [(1, False), (2, False), (2, True), (8, True)]


@pytest.mark.parametrize('num_devices', [1, 2, 4])
@pytest.mark.parametrize('num_groups, shuffled', GROUPS)
def test_groups_are_what_flax_makes_of_each_alone(num_devices, num_groups, shuffled):
  chex.assert_trees_all_close(
      on_devices(num_devices, num_groups, shuffled), by_flax(num_groups, shuffled),
      rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize('num_groups, shuffled', GROUPS[1:])
def test_groups_equal_a_loop(num_groups, shuffled):
  """In float64, and with the loop's own statistics."""
  stats, _, y, _ = on_devices(4, num_groups, shuffled)
  x, groups = np.float64(inputs()[0]), members_of(num_groups, shuffled)
  means, variances = [], []
  for g in range(num_groups):
    mine = x[groups == g]
    assert len(mine) == N // num_groups
    means.append(mine.mean((0, 1, 2)))
    variances.append(mine.var((0, 1, 2)))
    want = (mine - means[-1]) / np.sqrt(variances[-1] + 1e-5)
    want = want * VARIABLES['params']['scale'] + VARIABLES['params']['bias']
    np.testing.assert_allclose(y[groups == g], want, rtol=1e-3, atol=1e-4)
  for name, new in (('mean', means), ('var', variances)):
    want = 0.9 * VARIABLES['batch_stats'][name] + 0.1 * np.mean(new, 0)
    np.testing.assert_allclose(stats[name], want, rtol=1e-4)


@pytest.mark.parametrize('num_devices', [1, 4])
def test_images_that_do_not_count_change_nothing(num_devices):
  x, _ = inputs()
  counted = np.arange(N) % 3 < 2
  weight = np.where(counted, N / counted.sum(), 0).astype(np.float32)

  def step(variables, x, weight):
    return norm.BatchNorm('float32').apply(
        variables, x, True, weight[None], mutable=['batch_stats'])

  with tiny_method.on(num_devices):
    mapped = parallel.mapped(step, (None, 0, 0), (0, None))
    y, new = mapped(parallel.replicate(VARIABLES), *parallel.split((x, weight)))
    y, new = parallel.join(y), jax.device_get(new)
  want, stats = nn.BatchNorm(
      use_running_average=False, momentum=0.9, epsilon=1e-5).apply(
          VARIABLES, x[counted], mutable=['batch_stats'])
  np.testing.assert_allclose(y[counted], want, rtol=2e-4, atol=2e-5)
  chex.assert_trees_all_close(new, stats, rtol=2e-4, atol=2e-5)
  assert np.isfinite(y).all()


def test_kept_statistics_normalise_without_training():
  x, _ = inputs()
  got = norm.BatchNorm('float32').apply(VARIABLES, x, False)
  want = nn.BatchNorm(use_running_average=True, epsilon=1e-5).apply(VARIABLES, x)
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_shuffled_groups_are_equal_in_size_and_new_each_step():
  with tiny_method.on(4):
    deal = parallel.mapped(
        lambda rng, x: norm.split_groups(4, len(x), rng).T, (None, 0), 0)
    images = parallel.split(np.zeros(N))
    dealt = [
        parallel.join(deal(
            parallel.replicate(jax.random.fold_in(SHUFFLE, step)), images))
        for step in range(3)]
  for groups in dealt:                                              # [n, g]
    np.testing.assert_array_equal(groups.sum(1), 1)
    np.testing.assert_array_equal(groups.sum(0), N // 4)
    assert any(len(set(g)) > 1 for g in groups.argmax(1).reshape(4, -1))
  assert (dealt[0] != dealt[1]).any() and (dealt[1] != dealt[2]).any()


def test_a_batch_that_does_not_divide_is_refused():
  with tiny_method.on(2):
    deal = parallel.mapped(lambda x: norm.split_groups(3, len(x)).T, (0,), 0)
    with pytest.raises(ValueError, match='16 images does not divide into 3 groups'):
      deal(parallel.split(np.zeros((16, 1))))
