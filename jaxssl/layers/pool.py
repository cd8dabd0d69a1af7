"""The ResNet's max pool: XLA's own, but on a CPU, where its gradient takes longer than
all the rest of the first stage."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


def max_pool(x):
  """The largest of 3x3 at every second position, with one row and column around.

  The gradient goes to the first of equal ones, in order of rows and then columns.

  Args:
    x: [b, h, w, c].

  Returns:
    [b, ceil(h / 2), ceil(w / 2), c].
  """
  if jax.default_backend() != 'cpu':
    return xla_max_pool(x)
  return cpu_max_pool(x)


def xla_max_pool(x):
  """What `max_pool` computes, by XLA."""
  return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))


def cpu_max_pool(x):
  """What `max_pool` computes, as comparisons of whole maps."""
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
  for axis in (2, 1):
    span = x.shape[axis] - 2
    x = functools.reduce(_larger, [
        jax.lax.slice_in_dim(x, i, i + span, 2, axis) for i in range(3)])
  return x


def _larger(a, b):
  # Unlike jnp.maximum the gradient goes to one of equal ones; NaN stays, as it does
  # there.
  return jnp.where((b > a) | jnp.isnan(b), b, a)
