"""Batches in parts against the whole."""

import jax
import numpy as np
import pytest

from jaxssl import chunks


@pytest.mark.parametrize('b, limit, n', [
    (12, 5, 4), (12, 12, 12), (12, 100, 12), (12, 1, 1), (12, 0, 1),
    (31, 8, 1),    # A prime number of images, one by one, ...
    (31, 16, 31),  # ... unless many would fit.
    (62, 16, 2), (1, 0, 1)])
def test_parts_divide_the_batch(b, limit, n):
  assert chunks.size(b, limit) == n


@pytest.mark.parametrize('limit', [1, 4, 6])
def test_parts_give_what_the_whole_does(limit):
  rng = np.random.default_rng(0)
  x, y = rng.random((6, 3, 2), np.float32), rng.random((6, 2), np.float32)
  seen = []

  def function(x, y):
    seen.append(len(x))
    return {'sum': x.sum(1) + y, 'x': x}

  got = jax.jit(lambda x, y: chunks.mapped(function, x, y, limit=limit))(x, y)
  assert set(seen) == {chunks.size(6, limit)}
  want = function(x, y)
  for name in want:
    np.testing.assert_allclose(got[name], want[name], rtol=1e-6)
