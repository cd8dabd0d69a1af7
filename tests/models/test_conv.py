"""Every way to convolve against XLA's own, forward and both gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.layers import patches
from jaxssl.layers import winograd
from jaxssl.models import conv
from jaxssl.models import resnet


def normal(*shape, seed=0):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('shape, d, k, stride', [
    ((6, 8, 8, 3), 4, 1, 1),
    ((6, 9, 8, 3), 4, 1, 2),
    ((6, 8, 8, 3), 4, 3, 1),      # By XLA, and the kernel's gradient from patches.
    ((7, 9, 8, 3), 4, 3, 1),
    ((6, 9, 7, 3), 4, 3, 2),
    ((6, 12, 12, 3), 4, 7, 2),
    ((6, 1, 1, 3), 4, 3, 2),
    ((6, 8, 8, 32), 33, 3, 1),    # In tiles of 2x2.
    ((6, 7, 5, 33), 32, 3, 1),
    ((5, 1, 2, 32), 32, 3, 1),
    ((6, 8, 8, 32), 33, 3, 2),    # All from patches.
    ((6, 7, 5, 33), 32, 3, 2),
    ((6, 1, 1, 32), 32, 3, 2),
    ((6, 9, 8, 32), 33, 5, 1),
    ((6, 9, 8, 32), 33, 7, 2),
    ((6, 10, 11, 32), 33, 5, 3)])
def test_a_convolution_and_its_gradient_are_those_of_xla(
    shape, d, k, stride, monkeypatch):
  # Several chunks in these small batches.
  monkeypatch.setattr(conv, 'MANY', 32)
  monkeypatch.setattr(winograd, 'FLOATS', 20_000)
  monkeypatch.setattr(winograd, 'TILES', 40)
  monkeypatch.setattr(patches, 'FLOATS', 20_000)
  compare_with_xla(shape, (k, k, shape[-1], d), stride)


@pytest.mark.parametrize('stride', [1, 2])
def test_a_convolution_of_any_batch_can_be_exported(stride, monkeypatch):
  monkeypatch.setattr(conv, 'MANY', 32)
  kernel = normal(3, 3, 32, 32)

  def convolve(x):
    return conv.conv(x, kernel, stride)

  b, = jax.export.symbolic_shape('b')
  exported = jax.export.export(jax.jit(convolve))(
      jax.ShapeDtypeStruct((b, 6, 5, 32), jnp.float32))
  x = normal(3, 6, 5, 32)
  np.testing.assert_allclose(exported.call(x), convolve(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('c', [64, 512])
def test_tiles_lose_only_the_last_bits(c):
  x, kernel = normal(2, 8, 8, c), normal(3, 3, c, c, seed=1)
  around = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
  want = sum(
      around[:, r:r + 8, s:s + 8] @ kernel[r, s] for r in range(3) for s in range(3))
  got = jax.jit(winograd.winograd_conv)(x, kernel)
  assert np.abs(got - want).max() < 1e-5 * want.std()


@pytest.mark.parametrize('stride', [1, 2])
def test_a_convolution_in_bfloat16_is_off_by_its_rounding(stride, monkeypatch):
  monkeypatch.setattr(conv, 'MANY', 32)
  x, kernel = normal(4, 6, 6, 32), normal(3, 3, 32, 32, seed=1) / 17

  def run(x, kernel):
    y, vjp = jax.vjp(lambda x, kernel: conv.conv(x, kernel, stride), x, kernel)
    return y, *vjp(y)

  want = jax.jit(run)(x, kernel)
  got = jax.jit(run)(*(a.astype(jnp.bfloat16) for a in (x, kernel)))
  for a, b in zip(got, want, strict=True):
    assert a.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.float32(a), b, rtol=0.03, atol=0.02 * np.abs(b).max())


def compare_with_xla(shape, kernel_shape, stride):
  """Values and both gradients, of numbers that leave results near one."""
  p = kernel_shape[0] // 2

  def xla(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), [(p, p), (p, p)],
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

  def ours(x, kernel):
    return conv.conv(x, kernel, stride)

  def with_gradients(function, x, kernel, dy):
    y, vjp = jax.vjp(function, x, kernel)
    return y, vjp(dy)

  x, kernel = normal(*shape), normal(*kernel_shape, seed=1)
  kernel /= np.sqrt(np.prod(kernel_shape[:3]))
  dy = normal(*jax.eval_shape(xla, x, kernel).shape, seed=2)
  want, got = (
      jax.jit(functools.partial(with_gradients, f))(x, kernel, dy) for f in (xla, ours))
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize('depth, size', [
    (18, 32), (50, 64), *(
        pytest.param(depth, size, marks=pytest.mark.slow)
        for depth, size in ((50, 32), (18, 224), (50, 224)))])
def test_every_convolution_of_a_resnet_is_that_of_xla(depth, size, monkeypatch):
  found, conv_of = set(), conv.conv

  def noting(x, kernel, stride):
    found.add((x.shape, kernel.shape, stride))
    return conv_of(x, kernel, stride)

  monkeypatch.setattr(conv, 'conv', noting)
  network = resnet.make(
      depth=depth, width=1.0, stem='cifar' if size == 32 else 'imagenet',
      zero_init_residual=False, dtype='float32', projector=None)
  jax.eval_shape(
      functools.partial(network.init, jax.random.key(0)), normal(2, size, size, 3))
  assert len(found) == {18: 11, 50: 23}[depth]
  for shapes in found:
    compare_with_xla(*shapes)


@pytest.mark.parametrize('n', [8, 9])
@pytest.mark.parametrize('size, stride', [(3, 2), (7, 2), (3, 1), (1, 2)])
def test_a_convolution_with_the_padding_of_tensorflow(n, size, stride):
  layer = conv.Conv(4, size, stride, 'float32', 'same')
  x = normal(2, n, n + 1, 3)
  variables = layer.init(jax.random.key(0), x)
  kernel = np.float64(variables['params']['kernel'])
  # Zeros so that ceil(n / stride) positions fit, the odd one below and on the right.
  around = []
  for length in x.shape[1:3]:
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    around.append((total // 2, total - total // 2))
  padded = np.pad(np.float64(x), ((0, 0), *around, (0, 0)))
  want = np.stack([
      np.stack([
          np.einsum('brsc,rscd->bd', padded[:, i:i + size, j:j + size], kernel)
          for j in range(0, padded.shape[2] - size + 1, stride)], axis=1)
      for i in range(0, padded.shape[1] - size + 1, stride)], axis=1)
  np.testing.assert_allclose(
      layer.apply(variables, x), want, rtol=1e-4, atol=1e-4)


def test_initial_weights():
  kernel = conv.Conv(400, 3, 1, 'float32').init(
      jax.random.key(0), jnp.zeros((1, 4, 4, 16)))['params']['kernel']
  assert float(kernel.std()) == pytest.approx((9 * 16)**-0.5, rel=0.02)
