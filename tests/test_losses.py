"""Losses against their papers' loops; NT-Xent across devices under both ways to map."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxssl import losses
from jaxssl import parallel


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pairs(b, d, seed=0):
  return unit(np.random.default_rng(seed).standard_normal((2, b, d)))


def nt_xent_by_loops(za, zb, temperature):
  """Equation 1 of the paper, written out, in float64."""
  z = np.concatenate([za, zb]).astype(np.float64)
  b, out = len(za), []
  for i in range(2 * b):
    j = (i + b) % (2 * b)
    denominator = sum(
        np.exp(z[i] @ z[k] / temperature) for k in range(2 * b) if k != i)
    out.append(-np.log(np.exp(z[i] @ z[j] / temperature) / denominator))
  return np.array(out)


@pytest.mark.parametrize('b, d', [(1, 4), (2, 3), (5, 16), (32, 8)])
@pytest.mark.parametrize('temperature', [0.1, 0.5, 1.0])
def test_nt_xent_equals_the_loops_of_the_paper(b, d, temperature):
  za, zb = pairs(b, d)
  got = losses.nt_xent(za, zb, temperature=temperature)
  np.testing.assert_allclose(
      got, nt_xent_by_loops(za, zb, temperature), rtol=2e-5, atol=2e-5)


def test_nt_xent_of_equal_rows_is_its_chance_value():
  z = np.tile(unit(np.ones((1, 8))), (16, 1))
  got = losses.nt_xent(z, z, temperature=0.1)
  np.testing.assert_allclose(got, np.log(2 * 16 - 1), rtol=1e-5)


def test_swapping_the_views_swaps_the_anchors():
  za, zb = pairs(8, 4)
  got = losses.nt_xent(zb, za, temperature=0.3)
  want = np.roll(losses.nt_xent(za, zb, temperature=0.3), 8)
  np.testing.assert_allclose(got, want, rtol=1e-5)


def test_gradients_are_finite_with_equal_rows_and_a_low_temperature():
  za, zb = pairs(8, 4)
  za[1] = za[0]
  zb[3] = za[0]
  grads = jax.grad(
      lambda a: losses.nt_xent(a, zb, temperature=0.01).mean())(jnp.float32(za))
  assert np.isfinite(grads).all()


@pytest.mark.parametrize('temperature', [0.0, -1.0, float('nan')])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
  za, zb = pairs(2, 4)
  with pytest.raises(ValueError, match='above 0'):
    losses.nt_xent(za, zb, temperature=temperature)


def test_views_of_different_shapes_are_refused():
  with pytest.raises(ValueError, match=r'\(2, 4\) and \(3, 4\)'):
    losses.nt_xent(np.ones((2, 4)), np.ones((3, 4)), temperature=1.0)


def loss_on_one_device(w, xa, xb, axis_name=None):
  za, zb = (x @ w / jnp.linalg.norm(x @ w, axis=1, keepdims=True) for x in (xa, xb))
  return losses.nt_xent(za, zb, temperature=0.2, axis_name=axis_name).mean()


def mapped_loss_and_gradient(way, num_devices, monkeypatch):
  """The style of the train step: mean inside the loss, and again of the gradient."""
  def loss(w, xa, xb):
    return parallel.mean(loss_on_one_device(w, xa, xb, parallel.AXIS))

  def step(w, xa, xb):
    return parallel.mean(jax.value_and_grad(loss)(w, xa, xb))

  devices = jax.devices()[:num_devices]
  monkeypatch.setattr(parallel, 'devices', lambda: devices)
  return parallel.mapped(step, (None, 0, 0), (None, None), way=way)


@pytest.mark.parametrize('num_devices', [1, 2, 4])
@pytest.mark.parametrize('way', parallel.WAYS)
def test_loss_and_gradient_do_not_depend_on_the_devices(way, num_devices, monkeypatch):
  rng = np.random.default_rng(0)
  w = rng.standard_normal((16, 8)).astype(np.float32)
  xa, xb = rng.standard_normal((2, 16, 16)).astype(np.float32)
  step = mapped_loss_and_gradient(way, num_devices, monkeypatch)
  got = step(parallel.replicate(w), *(parallel.split(x, way) for x in (xa, xb)))
  want = jax.value_and_grad(loss_on_one_device)(w, xa, xb)
  chex.assert_trees_all_close(
      jax.device_get(got), jax.device_get(want), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('mistake', ['no offset', 'no gradient', 'own rows only'])
def test_the_comparison_sees_the_usual_mistakes(mistake, monkeypatch):
  gather, index = jax.lax.all_gather, jax.lax.axis_index
  if mistake == 'no offset':
    monkeypatch.setattr(jax.lax, 'axis_index', lambda name: 0 * index(name))
  elif mistake == 'no gradient':
    monkeypatch.setattr(
        jax.lax, 'all_gather',
        lambda *a, **k: jax.lax.stop_gradient(gather(*a, **k)))
  else:
    monkeypatch.setattr(
        losses, 'similarities',
        functools.partial(own_rows_only, losses.similarities))
  with pytest.raises(AssertionError):
    test_loss_and_gradient_do_not_depend_on_the_devices('pmap', 4, monkeypatch)


def own_rows_only(similarities, za, zb, *, temperature, axis_name):
  return similarities(za, zb, temperature=temperature)


def test_nt_xent_agrees_with_optax():
  za, zb = pairs(8, 4)
  z = np.concatenate([za, zb])
  want = optax.ntxent(jnp.float32(z), jnp.arange(16) % 8, temperature=0.2)
  got = losses.nt_xent(za, zb, temperature=0.2)
  np.testing.assert_allclose(got.mean(), np.mean(want), rtol=1e-4)


def queries_keys_and_queue(b, r, d, seed=0):
  x = np.random.default_rng(seed).standard_normal((2 * b + r, d))
  return np.split(unit(x), [b, 2 * b])


@pytest.mark.parametrize('b, r, d', [(1, 1, 4), (4, 16, 8), (16, 5, 3)])
@pytest.mark.parametrize('temperature', [0.07, 0.5])
def test_info_nce_equals_the_loops_of_the_paper(b, r, d, temperature):
  queries, keys, queue = queries_keys_and_queue(b, r, d)
  want = []
  for query, key in zip(queries, keys):
    positive = np.exp(query @ key / temperature)
    negatives = sum(np.exp(query @ old / temperature) for old in queue)
    want.append(-np.log(positive / (positive + negatives)))
  got = losses.info_nce(queries, keys, queue, temperature=temperature)
  np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_info_nce_of_equal_rows_is_its_chance_value():
  z = np.tile(unit(np.ones((1, 8))), (16, 1))
  got = losses.info_nce(z[:4], z[:4], z, temperature=0.1)
  np.testing.assert_allclose(got, np.log(1 + 16), rtol=1e-5)


def test_info_nce_teaches_the_queries_alone():
  grads = jax.grad(
      lambda *z: losses.info_nce(*z, temperature=0.2).mean(), (0, 1, 2))(
          *map(jnp.float32, queries_keys_and_queue(4, 8, 3)))
  assert (abs(grads[0]).max(1) > 1e-3).all()
  np.testing.assert_array_equal(grads[1], 0)
  np.testing.assert_array_equal(grads[2], 0)


def test_info_nce_refuses_what_does_not_fit():
  queries, keys, queue = queries_keys_and_queue(4, 8, 3)
  with pytest.raises(ValueError, match=r'\(4, 3\) and keys \(2, 3\)'):
    losses.info_nce(queries, keys[:2], queue, temperature=0.2)
  with pytest.raises(ValueError, match='above 0'):
    losses.info_nce(queries, keys, queue, temperature=0.0)
