"""Sums that do not depend on the order in which they are added.

A compiler orders a sum by the shapes around it, so the last bits of a float sum change
with the number of images on a device. Sums of whole numbers do not.
"""

import jax.numpy as jnp


def mean(x):
  """Means over the last axis, the same bits for any number of rows.

  Args:
    x: [..., n] numbers in [-1, 1].

  Returns:
    float32 [...], within n / 2^31 of the true means.
  """
  n = x.shape[-1]
  unit = 2.0 ** (n.bit_length() - 30)  # So that n of them fit an int32.
  return jnp.round(x / unit).astype(jnp.int32).sum(-1) * (unit / n)
