"""Means that keep their bits, against double precision."""

import jax
import numpy as np
import pytest

from jaxssl import fixed_point


@pytest.mark.parametrize('n', [1, 7, 224, 512, 5000])
def test_a_mean_is_exact_to_the_unit_and_has_no_order(n):
  rng = np.random.default_rng(n)
  x = rng.uniform(-1, 1, (5, n)).astype(np.float32)
  got = fixed_point.mean(x)
  np.testing.assert_allclose(
      got, x.mean(1, dtype=np.float64), atol=n / 2**31 + 1e-7)
  np.testing.assert_array_equal(fixed_point.mean(rng.permuted(x, axis=1)), got)
  np.testing.assert_array_equal(jax.jit(fixed_point.mean)(x[:2]), got[:2])


@pytest.mark.parametrize('value', [-1.0, 0.0, 1.0])
def test_the_ends_of_the_range_do_not_overflow(value):
  assert float(fixed_point.mean(np.full(1023, value, np.float32))) == value
