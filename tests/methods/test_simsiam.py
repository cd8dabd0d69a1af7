"""SimSiam: its loss and gradient against NumPy in float64, and over devices."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import numpy_network
import pytest
import tiny_method

from jaxssl import losses
from jaxssl.methods import simsiam


def make(**changes):
  return simsiam.make(
      numpy_network.make('simsiam'), **{'predictor_hidden': 5, **changes})


@functools.cache
def step_on(num_devices):
  return tiny_method.make_step(make(), num_devices)


def some_batch():
  rng = np.random.default_rng(0)
  return {'views': {k: rng.random((16, 3, 3, 3)).astype(np.float32) for k in 'ab'}}


@functools.cache
def start():
  """Parameters as training might have moved them, and the state at first."""
  params, extra = jax.jit(make().init)(jax.random.PRNGKey(0), some_batch()['views'])
  rng = np.random.default_rng(1)
  return jax.device_get((
      jax.tree.map(
          lambda p: p + rng.normal(0, 0.3, p.shape).astype(np.float32), params),
      extra))


def numpy_outputs(params, stats, views):
  a, stats = numpy_network.network(params, stats, views['a'])
  b, stats = numpy_network.network(params, stats, views['b'])
  return a, b, stats


def numpy_loss(pa, pb, za, zb):
  """Equation 2 of the paper, image by image."""
  cosine = lambda x, y: x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
  rows = []
  for i in range(len(za)):
    rows.append(-cosine(pa[i], zb[i]) / 2 - cosine(pb[i], za[i]) / 2)
  return np.mean(rows)


def test_a_step_is_that_of_the_paper():
  params, extra = start()
  views = some_batch()['views']
  loss, grads, new, metrics = step_on(1)(
      params, extra, jax.random.PRNGKey(0), some_batch())
  a, b, stats = numpy_outputs(params, extra['batch_stats'], views)
  assert loss == metrics['loss'] == pytest.approx(
      numpy_loss(a['p'], b['p'], a['z'], b['z']), rel=1e-4)
  chex.assert_trees_all_close(new['batch_stats'], stats, rtol=1e-4, atol=1e-5)
  assert metrics['chance'] == 0
  assert metrics['z_std'] == pytest.approx(a['z'].std(0).mean(), rel=1e-4)

  # The projections stand still where they are what is predicted.
  rng = np.random.default_rng(2)
  direction = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
  sides = []
  for size in (1e-5, -1e-5):
    moved = numpy_network.shifted(params, direction, size)
    ma, mb, _ = numpy_outputs(moved, extra['batch_stats'], views)
    sides.append(numpy_loss(ma['p'], mb['p'], a['z'], b['z']))
  slope = sum(jax.tree.leaves(
      jax.tree.map(lambda g, d: np.sum(g * d), grads, direction)))
  assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=2e-3)


def test_loss_gradient_and_state_do_not_depend_on_devices():
  args = (*start(), jax.random.PRNGKey(0), some_batch())
  chex.assert_trees_all_close(
      step_on(4)(*args), step_on(1)(*args), rtol=1e-4, atol=1e-5)


def test_negative_cosine():
  rng = np.random.default_rng(0)
  p, z = (numpy_network.unit(rng.normal(size=(9, 5))) for _ in 'pz')
  want = [-sum(p[i, j] * z[i, j] for j in range(5)) for i in range(9)]
  np.testing.assert_allclose(losses.negative_cosine(p, z), want, rtol=1e-5)
  np.testing.assert_allclose(losses.negative_cosine(p, p), -1, rtol=1e-5)
  to_predictions, to_targets = jax.grad(
      lambda *x: losses.negative_cosine(*x).sum(), (0, 1))(jnp.float32(p), z)
  np.testing.assert_allclose(to_predictions, -z, rtol=1e-5)
  np.testing.assert_array_equal(to_targets, 0)
  with pytest.raises(ValueError, match=r'\(9, 5\) and targets \(8, 5\)'):
    losses.negative_cosine(p, z[:8])


def test_evaluations_see_the_network_without_its_predictor():
  params, extra = start()
  assert set(params) == {'encoder', 'projector', 'predictor'}
  out = make().embed(params, extra, some_batch()['views']['a'])
  assert {'h', 'z'} <= set(out) and 'p' not in out


def test_mistakes_are_told_in_one_line():
  views = some_batch()['views']
  with pytest.raises(ValueError, match="predictor's hidden is"):
    make(predictor_hidden=0.5)
  with pytest.raises(ValueError, match=r"two views; there are \['a'\]"):
    make().init(jax.random.PRNGKey(0), {'a': views['a']})
  bare = numpy_network.make('simsiam').clone(projector=None)
  with pytest.raises(ValueError, match='projector is None'):
    simsiam.make(bare, predictor_hidden=5).init(jax.random.PRNGKey(0), views)
