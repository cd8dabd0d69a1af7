"""Batches computed a part at a time, so that what is made of them stays in the cache.

In shapes, b is a batch and n one of its parts.
"""

import jax


def size(b, limit):
  """The largest n up to `limit`, and at least 1, that divides b.

  Where all are far smaller it is b itself: many small parts take longer than one that
  is too large. So it is where b is not known, but a symbol of `jax.export`.
  """
  if not isinstance(b, int):
    return b
  n = max((n for n in range(1, min(b, limit) + 1) if b % n == 0), default=1)
  return n if 8 * n >= min(b, limit) else b


def split(x, n):
  """[b, ...] -> [b / n, n, ...]."""
  return x.reshape(-1, n, *x.shape[1:])


def join(x):
  """[b / n, n, ...] -> [b, ...]."""
  return x.reshape(-1, *x.shape[2:])


def mapped(function, *arrays, limit):
  """Calls a function of arrays [b, ...] once for each part of them.

  Args:
    function: of arrays [n, ...]; returns any tree of such.
    *arrays: [b, ...].
    limit: of n; see `size`.

  Returns:
    What `function` returns, joined to [b, ...].
  """
  b = arrays[0].shape[0]
  n = size(b, limit)
  if n == b:
    return function(*arrays)
  parts = jax.lax.map(
      lambda arrays: function(*arrays), tuple(split(x, n) for x in arrays))
  return jax.tree.map(join, parts)
