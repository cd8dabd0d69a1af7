"""The slow copy and the queue, against their definitions."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_method

from jaxssl import momentum


@pytest.mark.parametrize('share', [0.0, 0.25, 0.999])
def test_the_target_moves_by_the_rest_of_the_momentum(share):
  rng = np.random.default_rng(0)
  target, params = ({'a': rng.random(3), 'b': [rng.random((2, 2))]} for _ in range(2))
  got = momentum.update(target, params, share)
  np.testing.assert_allclose(
      got['a'], share * target['a'] + (1 - share) * params['a'], rtol=1e-6)
  np.testing.assert_allclose(
      got['b'][0], share * target['b'][0] + (1 - share) * params['b'][0], rtol=1e-6)


def test_no_gradient_goes_through_the_target():
  grads = jax.grad(
      lambda t, p: momentum.update(t, p, 0.5).sum(), (0, 1))(jnp.ones(3), jnp.ones(3))
  np.testing.assert_array_equal(grads, 0)


@pytest.mark.parametrize('n', [1, 4, 6, 7, 15])
def test_the_queue_is_first_in_first_out(n):
  """Batches that are smaller than it, that fill it, and that are larger."""
  size, rng = 6, np.random.default_rng(0)
  queue = rng.random((size, 2)).astype(np.float32)
  want = collections.deque(queue, maxlen=size)
  for _ in range(4):
    keys = rng.random((n, 2)).astype(np.float32)
    queue = momentum.push(queue, keys)
    want.extendleft(keys[::-1])
    np.testing.assert_array_equal(queue, want)


def test_a_key_leaves_when_as_many_have_come_as_the_queue_holds():
  queue = jnp.zeros((6, 1))
  ages = []
  for step in range(1, 6):
    queue = momentum.push(queue, jnp.full((2, 1), step))
    ages.append(sorted(set(np.asarray(queue).ravel())))
  assert ages == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]


SETTINGS = {
    'temperature': 0.2, 'momentum': 0.99, 'queue_size': 8, 'num_splits': 1,
    'symmetric': False, 'batch_size': 4}
VIEWS = {name: np.ones((2, 2, 2, 3), np.float32) for name in 'ab'}


def test_it_begins_with_a_copy_and_random_keys_of_length_one():
  init, _ = momentum.make_contrast(tiny_method.Network(4, 3), **SETTINGS)
  params, extra = init(jax.random.PRNGKey(0), VIEWS)
  jax.tree.map(np.testing.assert_array_equal, params, extra['target']['params'])
  assert extra['queue'].shape == (8, 3)
  np.testing.assert_allclose(np.linalg.norm(extra['queue'], axis=1), 1, rtol=1e-5)
  assert np.linalg.matrix_rank(extra['queue']) == 3
  leaves = jax.tree.leaves((params, extra))  # The step donates each of them once.
  assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)


@pytest.mark.parametrize('changes, told', [
    ({'temperature': 0.0}, 'temperature is 0.0'), ({'momentum': 1.0}, 'momentum is 1'),
    ({'momentum': -0.1}, 'momentum is -0.1'), ({'queue_size': 0}, 'queue_size is 0'),
    ({'queue_size': 2.5}, 'queue_size is 2.5'), ({'num_splits': 0}, 'num_splits is 0'),
    ({'num_splits': 3}, 'does not divide a batch of 4')])
def test_numbers_out_of_their_range_are_refused(changes, told):
  with pytest.raises(ValueError, match=told):
    momentum.make_contrast(tiny_method.Network(4, 3), **{**SETTINGS, **changes})


def test_one_view_or_no_projector_are_refused():
  rng = jax.random.PRNGKey(0)
  init, _ = momentum.make_contrast(tiny_method.Network(4, 3), **SETTINGS)
  with pytest.raises(ValueError, match=r"two views; there are \['a'\]"):
    init(rng, {'a': VIEWS['a']})
  init, _ = momentum.make_contrast(tiny_method.Network(4, 0), **SETTINGS)
  with pytest.raises(ValueError, match='need a projector'):
    init(rng, VIEWS)
