"""Heads on an encoder's features.

In shapes, b is images, e the encoder's width, d the head's.
"""

import flax.linen as nn
import jax.numpy as jnp

from jaxssl.layers import norm


class Projector(nn.Module):
  """SimCLR's projection head, as its reference code has it.

  `num_layers - 1` layers of a dense map, batch norm and ReLU, then a dense map and
  batch norm without offset. Version 1 has two layers
  (https://arxiv.org/abs/2002.05709, Section 4.2), version 2 has three
  (https://arxiv.org/abs/2006.10029, Section 2.1), one makes the head linear. The
  dense maps have no bias: batch norm would take it away.
  """
  hidden: int  # Width of the layers before the last; 0 is the encoder's own.
  out: int
  num_layers: int
  dtype: str

  @nn.compact
  def __call__(self, h, train):
    """[b, e] features -> float32 [b, d], not normalised to unit length."""
    x = h
    for i in range(1, self.num_layers + 1):
      last = i == self.num_layers
      x = nn.Dense(
          self.out if last else self.hidden or h.shape[-1], use_bias=False,
          dtype=self.dtype, kernel_init=nn.initializers.normal(0.01),
          name=f'dense{i}')(x)
      x = norm.BatchNorm(
          'float32' if last else self.dtype, use_bias=not last,
          name=f'bn{i}')(x, train)
      if not last:
        x = nn.relu(x)
    return x


def projector(*, hidden, out, num_layers, dtype):
  """Checks a config's `projector` and returns the head.

  Args:
    hidden: width of the layers before the last; 0 is the encoder's own.
    out: width of the embeddings.
    num_layers: 1 for a linear head, 2 for SimCLR, 3 for SimCLR v2.
    dtype: what the layers compute in; their parameters are float32.

  Raises:
    ValueError: a number is not a whole one in its range.
  """
  for name, value, least in (
      ('hidden', hidden, 0), ('out', out, 1), ('num_layers', num_layers, 1)):
    if not isinstance(value, int) or value < least:
      raise ValueError(
          f"The projector's {name} is {value!r}; it must be a whole number, "
          f'{least} or more.')
  return Projector(hidden=hidden, out=out, num_layers=num_layers, dtype=dtype)


def unit_length(x):
  """[b, d] -> [b, d] rows of length one, with a finite gradient at zero."""
  squares = jnp.sum(x * x, axis=-1, keepdims=True)                # [b, 1]
  return x / jnp.sqrt(jnp.maximum(squares, 1e-12))
