"""Convolutions of NHWC images: XLA's own where fast, matrix products elsewhere.

The kernel [k, k, c, d] and the results are those of `jax.lax.conv_general_dilated`
with k // 2 rows and columns of zeros on every side, which is what PyTorch's
`padding=k // 2` means; or, for weights of TensorFlow and Haiku, with the zeros that
'SAME' means there, which at stride 2 are more below and on the right. In shapes, b is
images, [h, w] the positions that come in, [i, j] those that go out, c and d the
channels before and after.

A 1x1 convolution is a matrix product on every backend. On CPU three more cases are:
maps of at most 2x2, where XLA is 20 to 100 times slower; large maps and small ones with
many channels, where it is 1.2 to 1.5 times slower; and the gradient of the kernel, for
which it transposes the whole batch.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

TINY = 4  # Positions of a map that counts as tiny.
CHUNK = 2**19  # Floats that a part of the batch makes of itself: the L2 cache.


class Conv(nn.Module):
  """A convolution without bias, with a square kernel."""
  features: int
  size: int
  stride: int
  dtype: str
  padding: str = 'symmetric'  # Or 'same'.

  @nn.compact
  def __call__(self, x):
    kernel = self.param(
        'kernel', nn.initializers.lecun_normal(),
        (self.size, self.size, x.shape[-1], self.features))
    x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
    # At stride 1 and for 1x1 kernels both mean the same zeros.
    if self.padding == 'same' and self.stride > 1 and self.size > 1:
      return lax.conv_general_dilated(
          x, kernel, (self.stride, self.stride), 'SAME',
          dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    return conv(x, kernel, self.stride)


def conv(x, kernel, stride):
  """Convolves a batch with one kernel.

  Args:
    x: [b, h, w, c] images.
    kernel: [k, k, c, d] of odd size k.
    stride: rows and columns from one position to the next.

  Returns:
    [b, ceil(h / stride), ceil(w / stride), d].
  """
  if len(kernel) == 1:
    return _product(x[:, ::stride, ::stride], kernel)
  if jax.default_backend() != 'cpu':
    return xla_conv(x, kernel, stride)
  if -(-x.shape[1] // stride) * -(-x.shape[2] // stride) <= TINY:
    return tiny_conv(x, kernel, stride)
  return cpu_conv(x, kernel, stride)


def xla_conv(x, kernel, stride):
  """What `conv` computes, by XLA."""
  p = len(kernel) // 2
  return lax.conv_general_dilated(
      x, kernel, (stride, stride), [(p, p), (p, p)],
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def tiny_conv(x, kernel, stride):
  """What `conv` computes, as one matrix product of all patches."""
  return _product(extract_patches(x, len(kernel), stride), kernel)


def _product(x, kernel):
  """[b, i, j, p] by a kernel of p * d numbers -> [b, i, j, d]."""
  # As two matrices, for the kernel's gradient: of four axes XLA on a CPU makes a
  # product that is two to six times slower.
  d = kernel.shape[-1]
  y = x.reshape(-1, x.shape[-1]) @ kernel.reshape(-1, d)
  return y.reshape(*x.shape[:3], d)


def extract_patches(x, k, stride):
  """[b, h, w, c] -> [b, i, j, k * k * c], ordered as the kernel's [k, k, c]."""
  p = k // 2
  x = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
  rows, columns = x.shape[1] - k + 1, x.shape[2] - k + 1
  return jnp.concatenate(
      [x[:, r:r + rows:stride, c:c + columns:stride]
       for r in range(k) for c in range(k)], axis=-1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def cpu_conv(x, kernel, stride):
  """What `conv` computes, with gradients for CPUs."""
  return _cpu_conv(x, kernel, stride)


def _cpu_conv(x, kernel, stride):
  b, h, w, c = x.shape
  k, d = len(kernel), kernel.shape[-1]
  # Measured on two cores: in between XLA is as fast or faster.
  least = 64 if w >= 32 else 256 if h * w <= 49 else math.inf
  if stride > 1 or k != 3 or min(c, d) < least:
    return xla_conv(x, kernel, stride)
  n = _largest_divisor(b, 2 * CHUNK // (h * w * 3 * (c + d)))
  parts = x.reshape(b // n, n, h, w, c)
  return lax.map(lambda x: rows_conv(x, kernel), parts).reshape(b, h, w, d)


def rows_conv(x, kernel):
  """What `conv` computes with stride 1, as one product for all rows of the kernel.

  The columns that a position needs lie side by side, k * c numbers; the product makes
  of them what the position gives to each of k rows, which are added. That copies k
  times the input and the output, where patches copy k * k times the input.
  """
  b, h, w, c = x.shape
  k, d = len(kernel), kernel.shape[-1]
  p = k // 2
  x = jnp.pad(x, ((0, 0), (0, 0), (p, p), (0, 0)))
  columns = jnp.concatenate([x[:, :, i:i + w] for i in range(k)], axis=-1)
  rows = columns.reshape(-1, k * c) @ kernel.transpose(1, 2, 0, 3).reshape(k * c, -1)
  rows = jnp.pad(rows.reshape(b, h, w, k * d), ((0, 0), (p, p), (0, 0), (0, 0)))
  return sum(rows[:, i:i + h, :, i * d:(i + 1) * d] for i in range(k))


def _forward(x, kernel, stride):
  return _cpu_conv(x, kernel, stride), (x, kernel)


def _backward(stride, saved, dy):
  x, kernel = saved
  if stride == 1:
    dx = _cpu_conv(dy, kernel[::-1, ::-1].swapaxes(2, 3), 1)
  else:
    _, input_vjp = jax.vjp(lambda x: xla_conv(x, kernel, stride), x)
    [dx] = input_vjp(dy)
  dkernel = kernel_grad(x, dy, len(kernel), stride)
  return dx, dkernel.astype(kernel.dtype)


cpu_conv.defvjp(_forward, _backward)


def kernel_grad(x, dy, k, stride):
  """The kernel's gradient, summed over chunks of the batch that stay in the cache.

  With stride 1 the k * k offsets between x and dy are k offsets of x's rows times k
  offsets of dy's columns: one product of [n, k * c] and [n, k * d]. It copies fewer
  numbers than patches do, and its sides are longer where channels are few.

  Args:
    x: [b, h, w, c] what the convolution was given.
    dy: [b, i, j, d] gradient of what it returned.
    k: size of the kernel.
    stride: of the convolution.

  Returns:
    float32 [k, k, c, d].
  """
  b, h, w, c = x.shape
  d = dy.shape[-1]
  p = k // 2

  def offsets(x, dy):
    x = jnp.pad(x, ((0, 0), (p, p), (0, 0), (0, 0)))
    dy = jnp.pad(dy, ((0, 0), (0, 0), (p, p), (0, 0)))
    return (
        jnp.concatenate([x[:, r:r + h] for r in range(k)], axis=-1),
        jnp.concatenate([dy[:, :, r:r + w] for r in reversed(range(k))], axis=-1))

  def patches(x, dy):
    return extract_patches(x, k, stride), dy

  pair, widths = (
      (offsets, (k * c, k * d)) if stride == 1 else (patches, (k * k * c, d)))
  # The sum is read and written once a chunk, which must be the larger of the two.
  floats = max(CHUNK, 2 * math.prod(widths))
  n = _largest_divisor(b, floats // (math.prod(dy.shape[1:3]) * sum(widths)))

  def add_chunk(i, total):
    left, right = pair(*(lax.dynamic_slice_in_dim(a, i * n, n) for a in (x, dy)))
    # Much faster than the other way round where there are few channels.
    return total + lax.dot_general(
        right.reshape(-1, widths[1]), left.reshape(-1, widths[0]),
        (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)

  total = lax.fori_loop(0, b // n, add_chunk, jnp.zeros(widths[::-1])).T
  if stride == 1:
    return total.reshape(k, c, k, d).swapaxes(1, 2)
  return total.reshape(k, k, c, d)


def _largest_divisor(b, limit):
  """The largest divisor of b that is at most `limit`, or 1."""
  return max((n for n in range(1, min(b, limit) + 1) if b % n == 0), default=1)
