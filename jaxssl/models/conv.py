"""Convolutions of NHWC images: XLA's own where fast, matrix products elsewhere.

The kernel [k, k, c, d] and the results are those of `jax.lax.conv_general_dilated`
with k // 2 rows and columns of zeros on every side, which is what PyTorch's
`padding=k // 2` means; or, for weights of TensorFlow and Haiku, with the zeros that
'SAME' means there, which at stride 2 are more below and on the right. In shapes, b is
images, [h, w] the positions that come in, c and d the channels before and after.

A 1x1 convolution is a matrix product on every backend. On a CPU, where XLA reaches a
hundredth to a half of a product's speed, 3x3 convolutions with many channels are
`winograd` and `patches`; with few, as a network's first, only the gradient of the
kernel is, for which XLA transposes the whole batch. Inside `definition.only()` all but
the 1x1 are XLA's.
"""

import functools

import flax.linen as nn
import jax
from jax import lax

from jaxssl.layers import definition
from jaxssl.layers import patches
from jaxssl.layers import winograd

MANY = 64  # Channels; with fewer the others are no faster, and compile for longer.


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
    return _pointwise_conv(x[:, ::stride, ::stride], kernel)
  if jax.default_backend() != 'cpu' or definition.wanted():
    return xla_conv(x, kernel, stride)
  if min(kernel.shape[2:]) < MANY:
    return narrow_conv(x, kernel, stride)
  if len(kernel) == 3 and stride == 1:
    return winograd.winograd_conv(x, kernel)
  return patches.patch_conv(x, kernel, stride)


def xla_conv(x, kernel, stride):
  """What `conv` computes, by XLA."""
  p = len(kernel) // 2
  return lax.conv_general_dilated(
      x, kernel, (stride, stride), [(p, p), (p, p)],
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def _pointwise_conv(x, kernel):
  # As two matrices, for the kernel's gradient: of four axes XLA on a CPU makes a
  # product that is two to six times slower.
  d = kernel.shape[-1]
  y = x.reshape(-1, x.shape[-1]) @ kernel.reshape(-1, d)
  return y.reshape(*x.shape[:3], d)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def narrow_conv(x, kernel, stride):
  """What `conv` computes, by XLA but for the gradient of the kernel."""
  return xla_conv(x, kernel, stride)


def _forward(x, kernel, stride):
  return xla_conv(x, kernel, stride), (x, kernel)


def _backward(stride, saved, dy):
  x, kernel = saved
  _, input_vjp = jax.vjp(lambda x: xla_conv(x, kernel, stride), x)
  dkernel = patches.kernel_grad(x, dy, len(kernel), stride)
  return *input_vjp(dy), dkernel.astype(kernel.dtype)


narrow_conv.defvjp(_forward, _backward)
