"""The max pool against XLA's own."""

import jax
import numpy as np
import pytest

from jaxssl.layers import pool


def normal(*shape, seed=0):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('shape', [(2, 8, 8, 3), (3, 7, 9, 2), (1, 1, 2, 4)])
def test_a_max_pool_and_its_gradient_are_those_of_xla(shape):
  x = np.maximum(np.round(4 * normal(*shape)), -1) / 4  # With many equal ones.
  y, vjp = jax.vjp(pool.xla_max_pool, x)
  dy = normal(*y.shape, seed=1)
  got, our_vjp = jax.vjp(pool.cpu_max_pool, x)
  np.testing.assert_array_equal(got, y)
  np.testing.assert_allclose(our_vjp(dy)[0], vjp(dy)[0], rtol=1e-6, atol=1e-6)


def test_a_max_pool_keeps_what_is_not_a_number():
  x = normal(1, 6, 6, 1)
  x[0, 2, 3] = np.nan
  want = np.asarray(pool.xla_max_pool(x))
  assert np.isnan(want).sum() == 2
  np.testing.assert_array_equal(pool.cpu_max_pool(x), want)
