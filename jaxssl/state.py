"""The state of a training run: one pytree, all of it in the checkpoint."""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp


class TrainState(NamedTuple):
  """What one step hands to the next.

  The batch of a step and every random choice in it are functions of `rng` and `step`,
  so nothing about iterators or generators needs to be kept.
  """
  step: Any       # int32: steps done.
  rng: Any        # uint32 [2]: the key of the run's seed; never changes.
  params: Any
  extra: Any      # The method's other state: batch statistics, queues, prototypes.
  opt_state: Any


def create(seed, method, tx, views):
  """The state before the first step.

  Args:
    seed: the run's seed.
    method: a `methods.Method`.
    tx: an optax gradient transformation.
    views: dict of name -> [b, h, w, c] images, for shapes only.
  """
  rng = jax.random.PRNGKey(seed)
  params, extra = method.init(jax.random.fold_in(rng, 2), views)
  return TrainState(jnp.zeros((), jnp.int32), rng, params, extra, tx.init(params))


def view_key(rng, epoch):
  """The key of an epoch's views; each example folds in its own id."""
  return jax.random.fold_in(jax.random.fold_in(rng, 0), epoch)


def step_key(rng, step):
  """The key of a step's other random choices, equal on all devices."""
  return jax.random.fold_in(jax.random.fold_in(rng, 1), step)


def refresh_key(rng, epoch):
  """The key of what a method does between epochs."""
  return jax.random.fold_in(jax.random.fold_in(rng, 3), epoch)
