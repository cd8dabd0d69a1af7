"""Jigsaw: tiles against every place they can come from, and puzzles that are solved."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_method

from jaxssl.methods import jigsaw

GRID, SIDE, TILE = 3, 15, 3
CELL = SIDE // GRID


def make(**changes):
  settings = {
      'grid': GRID, 'tile_size': TILE, 'num_permutations': 8, 'hidden': 16, 'seed': 0}
  return jigsaw.make(tiny_method.Network(16, 0), **{**settings, **changes})


@functools.cache
def step_on(num_devices):
  return tiny_method.make_step(make(), num_devices)


def start():
  """Parameters, state, and a batch of 16 puzzles of one image."""
  image = np.random.default_rng(0).random((SIDE, SIDE, 3)).astype(np.float32)
  batch = {
      'views': {'a': np.tile(image, (16, 1, 1, 1))},
      'index': 7 * np.arange(16, dtype=np.int32)}
  params, extra = make().init(jax.random.PRNGKey(0), {'a': image[None]})
  return params, extra, batch


def normalised(x):
  """[h, w, c] with mean 0 and deviation 1 in each channel, in float64."""
  x = np.float64(x)
  return (x - x.mean((0, 1))) / x.std((0, 1))


def places(image, tile, cell):
  """Offsets in the cell at which the image has this tile."""
  top, left = cell // GRID * CELL, cell % GRID * CELL
  return [
      (i, j) for i in range(CELL - TILE + 1) for j in range(CELL - TILE + 1)
      if np.allclose(
          normalised(image[top + i:top + i + TILE, left + j:left + j + TILE]), tile,
          atol=0.02)]


def test_tiles_come_from_anywhere_in_their_own_cell():
  image = np.random.default_rng(0).random((SIDE, SIDE, 3)).astype(np.float32)
  cut = jax.jit(jax.vmap(
      lambda rng: jigsaw.cut_tiles(rng, image, grid=GRID, tile_size=TILE)))
  seen = set()
  for tiles in np.asarray(cut(jax.random.split(jax.random.PRNGKey(0), 40))):
    for cell, tile in enumerate(tiles):
      (place,) = places(image, tile, cell)
      seen.add(place)
  assert len(seen) == (CELL - TILE + 1)**2


def test_tiles_have_mean_0_and_deviation_1_unless_they_are_flat():
  images = np.random.default_rng(0).random((5, 6, 6, 3)) * 0.2 + 0.3
  got = jigsaw.standardize(jnp.float32(images))
  for tile, image in zip(got, images):
    np.testing.assert_allclose(tile, normalised(image), atol=0.05)
  np.testing.assert_array_equal(jigsaw.standardize(jnp.full((2, 4, 4, 3), 0.5)), 0)
  assert abs(jigsaw.standardize(0.5 + 1e-4 * images)).max() < 0.01


def test_puzzles_depend_on_the_example_alone():
  """Loss, gradient and statistics on four devices are those on one."""
  params, extra, batch = start()
  order = np.random.default_rng(1).permutation(16)
  shuffled = jax.tree.map(lambda x: x[order], batch)
  rng = jax.random.PRNGKey(1)
  want = step_on(1)(params, extra, rng, batch)
  for other in (batch, shuffled):
    chex.assert_trees_all_close(
        step_on(4)(params, extra, rng, other), want, rtol=1e-4, atol=1e-5)
  assert step_on(1)(params, extra, jax.random.PRNGKey(2), batch)[0] != want[0]


def test_puzzles_can_be_solved():
  """Of one image, whose tiles can be learned by heart."""
  params, extra, batch = start()
  tx = optax.adam(0.02)
  opt_state = tx.init(params)
  losses = []
  for i in range(60):
    loss, grads, extra, metrics = step_on(1)(
        params, extra, jax.random.PRNGKey(i), batch)
    updates, opt_state = tx.update(grads, opt_state)
    params = optax.apply_updates(params, updates)
    losses.append(loss)
  assert metrics['chance'] == pytest.approx(np.log(8))
  assert losses[0] > 0.5 * np.log(8) and np.mean(losses[-5:]) < 0.1 * np.log(8)
  assert metrics['permutation_top1'] > 0.9


def test_images_are_embedded_whole_and_normalised():
  images = np.random.default_rng(0).random((4, TILE, TILE, 3)).astype(np.float32)
  method = make()
  views = {'a': np.zeros((2, SIDE, SIDE, 3), np.float32)}
  params, extra = method.init(jax.random.PRNGKey(0), views)
  got = method.embed(params, extra, images)
  assert got.keys() == {'h'} and got['h'].shape == (4, 16)
  np.testing.assert_allclose(
      method.embed(params, extra, 0.5 * images + 0.2)['h'], got['h'], atol=0.01)


@pytest.mark.parametrize('changes, told', [
    ({'grid': 1}, 'grid is 1'), ({'grid': 4}, '16 items'), ({'hidden': 0}, 'hidden'),
    ({'tile_size': 2.5}, 'tile_size is 2.5'), ({'tile_size': 6}, 'tiles of 6'),
    ({'num_permutations': 1}, 'num_permutations is 1'),
    ({'grid': 2, 'num_permutations': 25}, 'there are 24'),
    ({'grid': 2}, '15 pixels has no 2 x 2')])
def test_numbers_that_do_not_fit_are_refused(changes, told):
  views = {'a': np.zeros((2, SIDE, SIDE, 3), np.float32)}
  with pytest.raises(ValueError, match=told):
    make(**changes).init(jax.random.PRNGKey(0), views)


def test_two_views_are_refused():
  view = np.zeros((2, SIDE, SIDE, 3), np.float32)
  with pytest.raises(ValueError, match=r"one view; there are \['a', 'b'\]"):
    make().init(jax.random.PRNGKey(0), {'a': view, 'b': view})
