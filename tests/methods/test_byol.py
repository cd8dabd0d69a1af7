"""BYOL: its loss, gradient and target against NumPy in float64, and over devices."""

import functools

import chex
import jax
import numpy as np
import numpy_network
import pytest
import tiny_method

from jaxssl.methods import byol

TOTAL_STEPS, MOMENTUM = 10, 0.6


def make(**changes):
  return byol.make(numpy_network.make('byol'), **{
      'momentum': MOMENTUM, 'predictor_hidden': 5, 'total_steps': TOTAL_STEPS,
      **changes})


@functools.cache
def step_on(num_devices):
  """See `tiny_method.make_step`; each row of the batch has the step."""
  method = make()

  def loss(params, extra, batch):
    return method.loss(params, extra, {**batch, 'step': batch['step'][0]})

  return tiny_method.make_step(method._replace(loss=loss), num_devices)


def batch_at(step):
  rng = np.random.default_rng(0)
  views = {k: rng.random((16, 3, 3, 3)).astype(np.float32) for k in 'ab'}
  return {'views': views, 'step': np.full(16, step)}


def start():
  """The state at first, and parameters as training might have moved them."""
  params, extra = jax.jit(make().init)(jax.random.PRNGKey(0), batch_at(0)['views'])
  rng = np.random.default_rng(1)
  return jax.device_get((
      jax.tree.map(
          lambda p: p + rng.normal(0, 0.3, p.shape).astype(np.float32), params),
      extra))


def numpy_momentum(step):
  """tau of Section 3.3: from MOMENTUM at step 0 to 1."""
  return 1 - (1 - MOMENTUM) * (np.cos(np.pi * step / TOTAL_STEPS) + 1) / 2


def numpy_target(params, extra, step):
  """The target's parameters in a step: the move is that at the last one's end."""
  tau = 1.0 if step == 0 else numpy_momentum(step - 1)
  return {
      part: jax.tree.map(
          lambda old, new: tau * np.float64(old) + (1 - tau) * np.float64(new),
          weights, params[part])
      for part, weights in extra['target']['params'].items()}


def numpy_loss(params, extra, views, target):
  """Equation 2 in both directions, and the target's statistics after both views."""
  stats, target_stats = extra['batch_stats'], extra['target']['batch_stats']
  a, stats = numpy_network.network(params, stats, views['a'])
  b, stats = numpy_network.network(params, stats, views['b'])
  ta, target_stats = numpy_network.network(target, target_stats, views['a'])
  tb, target_stats = numpy_network.network(target, target_stats, views['b'])
  rows = []
  for i in range(len(ta['z'])):
    rows.append(
        np.sum((a['p'][i] - tb['z'][i])**2) + np.sum((b['p'][i] - ta['z'][i])**2))
  return np.mean(rows), stats, target_stats


@pytest.mark.parametrize('step', [0, 1, 4, 9])
def test_a_step_is_that_of_the_paper(step):
  params, extra = start()
  batch = batch_at(step)
  loss, grads, new, metrics = step_on(1)(params, extra, jax.random.PRNGKey(0), batch)
  target = numpy_target(params, extra, step)
  want, stats, target_stats = numpy_loss(params, extra, batch['views'], target)
  assert loss == metrics['loss'] == pytest.approx(want, rel=1e-4)
  chex.assert_trees_all_close(new['target']['params'], target, rtol=1e-5, atol=1e-6)
  chex.assert_trees_all_close(new['batch_stats'], stats, rtol=1e-4, atol=1e-5)
  chex.assert_trees_all_close(
      new['target']['batch_stats'], target_stats, rtol=1e-4, atol=1e-5)
  assert metrics['momentum'] == pytest.approx(numpy_momentum(step), abs=1e-6)
  assert metrics['chance'] == 4

  # The target stands still: nothing is gained by moving it, or its way there.
  rng = np.random.default_rng(2)
  direction = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
  ahead, behind = (
      numpy_loss(
          numpy_network.shifted(params, direction, size), extra, batch['views'],
          target)[0]
      for size in (1e-5, -1e-5))
  slope = sum(jax.tree.leaves(
      jax.tree.map(lambda g, d: np.sum(g * d), grads, direction)))
  assert slope == pytest.approx((ahead - behind) / 2e-5, rel=2e-3)


def test_loss_gradient_and_state_do_not_depend_on_devices():
  params, extra = start()
  args = params, extra, jax.random.PRNGKey(0), batch_at(3)
  chex.assert_trees_all_close(
      step_on(4)(*args), step_on(1)(*args), rtol=1e-4, atol=1e-5)


def test_the_target_begins_apart_and_has_no_predictor():
  method = make()
  params, extra = jax.jit(method.init)(jax.random.PRNGKey(0), batch_at(0)['views'])
  target = extra['target']['params']
  assert set(params) == {'encoder', 'projector', 'predictor'}
  assert set(target) == set(extra['target']['batch_stats']) == {'encoder', 'projector'}
  for part in target:
    same = jax.tree.map(
        lambda a, b: np.array_equal(a, b), target[part]['dense1'],
        params[part]['dense1'])
    assert not same['kernel']


def test_random_directions_lose_the_chance_value():
  rng = np.random.default_rng(0)
  p, z = (numpy_network.unit(rng.normal(size=(20_000, 8))) for _ in 'pz')
  got = 2 * (2 + 2 * byol.losses.negative_cosine(p, z).mean())
  assert float(got) == pytest.approx(4, abs=0.05)


def test_evaluations_see_the_online_network_without_its_predictor():
  params, extra = start()
  out = make().embed(params, extra, batch_at(0)['views']['a'])
  assert {'h', 'z'} <= set(out) and 'p' not in out
  np.testing.assert_allclose(np.linalg.norm(out['z'], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize('changes, told', [
    (dict(momentum=1.1), 'momentum is 1.1'),
    (dict(momentum=-0.1), 'momentum is -0.1'),
    (dict(predictor_hidden=-1), "predictor's hidden is -1")])
def test_mistakes_are_told_in_one_line(changes, told):
  with pytest.raises(ValueError) as e:
    make(**changes)
  assert told in str(e.value) and '\n' not in str(e.value)


def test_it_needs_two_views_and_a_projector():
  views = batch_at(0)['views']
  with pytest.raises(ValueError, match=r"two views; there are \['a'\]"):
    make().init(jax.random.PRNGKey(0), {'a': views['a']})
  bare = numpy_network.make('byol').clone(projector=None)
  method = byol.make(bare, momentum=0.9, predictor_hidden=5, total_steps=1)
  with pytest.raises(ValueError, match='projector is None'):
    method.init(jax.random.PRNGKey(0), views)
