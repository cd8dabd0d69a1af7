"""Convolutions with a stride as products of patches, for CPUs.

A patch is what a position of the output needs of the input, k * k * c numbers, which
copies the input k * k / stride^2 times. So a batch goes in chunks whose patches stay
in the cache.

In shapes, b is images, n those of a chunk, [h, w] the positions that come in, [i, j]
those that go out, c and d the channels before and after.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from jaxssl import chunks
from jaxssl.layers import windows

FLOATS = 2**20  # Of a chunk's patches: fastest on two cores with 1 MB of cache each.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def patch_conv(x, kernel, stride):
  """Convolves a batch with k // 2 rows and columns of zeros on every side.

  Args:
    x: [b, h, w, c] images.
    kernel: [k, k, c, d] of odd size k.
    stride: rows and columns from one position to the next.

  Returns:
    [b, ceil(h / stride), ceil(w / stride), d] in the type of `x`; the arithmetic is
    float32, as it is in both gradients.
  """
  k, _, _, d = kernel.shape
  kernel = kernel.reshape(-1, d).astype(jnp.float32)

  def convolve(x):
    patches = extract_patches(x.astype(jnp.float32), k, stride)
    y = patches.reshape(-1, len(kernel)) @ kernel
    return y.reshape(*patches.shape[:3], d).astype(x.dtype)

  return chunks.mapped(convolve, x, limit=FLOATS // _patch_floats(x, k, stride))


def extract_patches(x, k, stride):
  """[b, h, w, c] -> [b, i, j, k * k * c], ordered as the kernel's [k, k, c]."""
  p = k // 2
  x = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
  return jnp.concatenate([
      part for row in windows.cut(x, 1, size=k, stride=stride)
      for part in windows.cut(row, 2, size=k, stride=stride)], -1)


def input_grad(kernel, dy, shape, stride):
  """The gradient of `patch_conv` by the images.

  Args:
    kernel: [k, k, c, d].
    dy: [b, i, j, d] gradient of what it returned.
    shape: of the images.
    stride: of the convolution.

  Returns:
    [b, h, w, c] in the type of `dy`.
  """
  k, _, c, d = kernel.shape
  kernel = kernel.astype(jnp.float32)
  add = functools.partial(windows.add, stride=stride, padding=k // 2)

  def spread(dy):
    rows = dy.reshape(-1, d).astype(jnp.float32)
    pixels = [
        [lax.dot_general(rows, kernel[r, s], (((1,), (1,)), ((), ())))
         .reshape(*dy.shape[:3], c) for s in range(k)] for r in range(k)]
    columns = [add(column, 1) for column in zip(*pixels)]
    pixels = [add(row, 2) for row in zip(*columns)]
    return windows.interleave(pixels, (dy.shape[0], *shape[1:])).astype(dy.dtype)

  limit = 2 * FLOATS // (math.prod(dy.shape[1:3]) * k * k * c)
  return chunks.mapped(spread, dy, limit=limit)


def kernel_grad(x, dy, k, stride):
  """The gradient of `patch_conv` by the kernel.

  Args:
    x: [b, h, w, c] what the convolution was given.
    dy: [b, i, j, d] gradient of what it returned.
    k: size of the kernel.
    stride: of the convolution.

  Returns:
    float32 [k, k, c, d].
  """
  c, d = x.shape[-1], dy.shape[-1]
  # The sum is read and written once a chunk, which must be the larger of the two.
  floats = max(FLOATS, 2 * k * k * c * d)
  n = chunks.size(x.shape[0], floats // _patch_floats(x, k, stride))

  def add_chunk(total, chunk):
    x, dy = chunk
    patches = extract_patches(x, k, stride).reshape(-1, k * k * c)
    # Much faster than the other way round where there are few channels.
    return total + lax.dot_general(
        dy.reshape(-1, d), patches, (((0,), (0,)), ((), ())),
        preferred_element_type=jnp.float32), None

  total, _ = lax.scan(
      add_chunk, jnp.zeros((d, k * k * c)),
      (chunks.split(x, n), chunks.split(dy, n)))
  return total.T.reshape(k, k, c, d)


def _patch_floats(x, k, stride):
  """Numbers in all patches of one image."""
  _, h, w, c = x.shape
  return -(-h // stride) * -(-w // stride) * k * k * c


def _forward(x, kernel, stride):
  return patch_conv(x, kernel, stride), (x, kernel)


def _backward(stride, saved, dy):
  x, kernel = saved
  dkernel = kernel_grad(x, dy, len(kernel), stride)
  return input_grad(kernel, dy, x.shape, stride), dkernel.astype(kernel.dtype)


patch_conv.defvjp(_forward, _backward)
