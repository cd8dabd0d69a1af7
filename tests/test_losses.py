"""Losses against their papers' loops, and across devices under both ways to map."""

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


def clustered(b, k, d, seed=0):
  """Embeddings of images, and the prototypes that they are assigned to."""
  rng = np.random.default_rng(seed)
  return (
      unit(rng.standard_normal((b, d))), unit(rng.standard_normal((k, d))),
      rng.integers(0, k, b), rng.uniform(0.1, 0.5, k))


def proto_nce_by_loops(z, prototypes, assignments, concentration, negatives):
  """The prototype term of Equation 11, for given negatives of each image."""
  out = []
  for v, own, others in zip(z, assignments, negatives):
    near = np.exp([v @ prototypes[j] / concentration[j] for j in (own, *others)])
    out.append(-np.log(near[0] / near.sum()))
  return np.array(out)


@pytest.mark.parametrize('b, k, d', [
    (1, 2, 4), (5, 7, 16), (64, 3, 8), (16, 100, 8)])
def test_proto_nce_equals_the_loops_of_the_paper(b, k, d):
  """Also where there are far fewer clusters than images in the batch."""
  z, prototypes, assignments, concentration = clustered(b, k, d)
  want = proto_nce_by_loops(
      z, prototypes, assignments, concentration,
      [[j for j in range(k) if j != own] for own in assignments])
  got = losses.proto_nce(z, prototypes, assignments, concentration)
  np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def drawn(keys, assignments, k, num_negatives, layout):
  """The ids of the prototypes in each column, or -1 where it is hidden.

  An image at 1 on a line meets the prototype at j + 1 with a logit of j + 1.
  """
  def columns(key):
    logits, own = losses.prototype_logits(
        jnp.ones((len(assignments), 1)), jnp.arange(1.0, k + 1)[:, None],
        jnp.array(assignments), jnp.ones(k), num_negatives=num_negatives, rng=key,
        layout=layout)
    return jnp.where(jnp.isinf(logits), 0, logits) - 1, own

  ids, own = jax.device_get(jax.jit(jax.vmap(columns))(keys))
  return ids.astype(int), own


def assert_equally_often(ids, among, num_draws):
  """Each of `among` is in as many draws as the next, up to chance, and no other."""
  share = len(ids) / num_draws / len(among)
  counts = np.bincount(ids, minlength=max(among) + 1)
  assert counts.sum() == counts[among].sum()
  spread = np.sqrt(num_draws * share * (1 - share))
  assert abs(counts[among] - num_draws * share).max() < 4 * spread, counts


def test_sampled_negatives_are_others_each_as_often_as_the_next():
  assignments, k, num_keys = [3, 0, 5, 3], 6, 2000
  ids, own = drawn(
      jax.random.split(jax.random.PRNGKey(1), num_keys), assignments, k, 2, 'paper')
  assert (own == 0).all() and (ids[:, :, 0] == assignments).all()
  for i, mine in enumerate(assignments):
    negatives = [row[row >= 0] for row in ids[:, i, 1:]]
    assert all(len(row) == 2 == len(set(row)) for row in negatives)
    others = [j for j in range(k) if j != mine]
    assert_equally_often(np.concatenate(negatives), others, num_keys)


def test_the_loss_with_sampled_negatives_is_that_of_the_loops():
  z, prototypes, assignments, concentration = clustered(16, 9, 8)
  key = jax.random.PRNGKey(3)
  (ids,), _ = drawn(key[None], assignments, 9, 4, 'paper')
  want = proto_nce_by_loops(
      z, prototypes, assignments, concentration,
      [row[1:][row[1:] >= 0] for row in ids])
  got = losses.proto_nce(
      z, prototypes, assignments, concentration, num_negatives=4, rng=key)
  np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_to_sample_all_others_is_the_full_softmax():
  given = clustered(16, 5, 8)
  got = losses.proto_nce(*given, num_negatives=4, rng=jax.random.PRNGKey(0))
  np.testing.assert_allclose(got, losses.proto_nce(*given), rtol=1e-5)


def test_the_reference_puts_the_batch_in_front_and_samples_outside_of_it():
  assignments, k, num_keys = [4, 1, 4, 7], 12, 2000
  ids, own = drawn(
      jax.random.split(jax.random.PRNGKey(2), num_keys), assignments, k, 5,
      'reference')
  assert (own == np.arange(4)).all() and (ids[:, :, :4] == assignments).all()
  assert (ids == ids[:, :1]).all()  # The columns are the same for all images.
  negatives = ids[:, 0, 4:]
  assert all(len(set(row)) == 5 for row in negatives)
  outside = [j for j in range(k) if j not in assignments]
  assert_equally_often(negatives.ravel(), outside, num_keys)


@pytest.mark.parametrize('num_negatives', [0, 5])
def test_the_loss_of_the_reference_has_copies_as_negatives(num_negatives):
  z, prototypes, _, concentration = clustered(4, 12, 8)
  assignments, key = np.array([4, 1, 4, 7]), jax.random.PRNGKey(3)
  (ids,), _ = drawn(key[None], assignments, 12, num_negatives, 'reference')
  want = proto_nce_by_loops(
      z, prototypes, assignments, concentration,
      [np.delete(row, i) for i, row in enumerate(ids)])
  assert 4 in np.delete(ids[0], 0)
  got = losses.proto_nce(
      z, prototypes, assignments, concentration, num_negatives=num_negatives,
      rng=key if num_negatives else None, layout='reference')
  np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize('num_devices', [1, 4])
@pytest.mark.parametrize('layout', losses.LAYOUTS)
def test_proto_nce_does_not_depend_on_the_devices(layout, num_devices, monkeypatch):
  x, prototypes, assignments, concentration = map(np.float32, clustered(16, 40, 8))
  assignments, key = assignments.astype(np.int32), jax.random.PRNGKey(0)

  def loss(w, x, assignments, axis_name=None):
    return losses.proto_nce(
        x @ w, prototypes, assignments, concentration, num_negatives=7, rng=key,
        layout=layout, axis_name=axis_name).mean()

  def step(w, x, assignments):
    return parallel.mean(jax.value_and_grad(
        lambda w: parallel.mean(loss(w, x, assignments, parallel.AXIS)))(w))

  devices = jax.devices()[:num_devices]
  monkeypatch.setattr(parallel, 'devices', lambda: devices)
  w = np.eye(8, dtype=np.float32)
  got = parallel.mapped(step, (None, 0, 0), (None, None))(
      parallel.replicate(w), *parallel.split((x, assignments)))
  want = jax.value_and_grad(loss)(w, x, assignments)
  chex.assert_trees_all_close(
      jax.device_get(got), jax.device_get(want), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('num_negatives, layout', [
    (0, 'paper'), (3, 'paper'), (3, 'reference')])
def test_proto_nce_teaches_the_embeddings_alone(num_negatives, layout):
  z, prototypes, assignments, concentration = map(jnp.float32, clustered(4, 9, 3))

  def loss(z, prototypes, concentration):
    return losses.proto_nce(
        z, prototypes, assignments.astype(int), concentration,
        num_negatives=num_negatives, rng=jax.random.PRNGKey(0),
        layout=layout).mean()

  grads = jax.grad(loss, (0, 1, 2))(z, prototypes, concentration)
  assert (abs(grads[0]).max(1) > 1e-3).all() and np.isfinite(grads[0]).all()
  np.testing.assert_array_equal(grads[1], 0)
  np.testing.assert_array_equal(grads[2], 0)


@pytest.mark.parametrize('settings, why', [
    (dict(num_negatives=9), '9; of 9 prototypes 8 are others'),
    (dict(num_negatives=-1), '-1; of 9 prototypes 8 are others'),
    (dict(num_negatives=6, layout='reference'), '6; the reference draws them from 9'),
    (dict(layout='theirs'), "'theirs'. There are: paper, reference")])
def test_proto_nce_refuses_what_there_is_not(settings, why):
  with pytest.raises(ValueError, match=why):
    losses.proto_nce(*clustered(4, 9, 3), rng=jax.random.PRNGKey(0), **settings)
