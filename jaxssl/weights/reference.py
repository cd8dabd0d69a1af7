"""A ResNet in NumPy, for comparison: it shares no code with our model.

It reads a state in torchvision's names, see `names`, and computes in float64. In
shapes, b is images, [h, w] the positions that come in, c and d channels.
"""

import math

import numpy as np

EPSILON = 1e-5


def features(state, images, *, padding, version):
  """What a ResNet says of images.

  Args:
    state: {name: array}.
    images: [b, h, w, 3], standardised.
    padding, version: see `models.resnet.make`.

  Returns:
    float64 [b, e].
  """
  conv_padding = 'same' if padding == 'same' else 'symmetric'
  pool_padding = 'symmetric' if padding == 'symmetric' else 'same'

  def conv(x, module, stride):
    kernel = np.float64(state[f'{module}.weight'])                # [d, c, k, k]
    x = windows(x, kernel.shape[-1], stride, conv_padding, 0.0)
    return np.tensordot(x, kernel, axes=((3, 4, 5), (1, 2, 3)))

  def norm(x, module):
    weight, bias, mean, var = (
        np.float64(state[f'{module}.{leaf}'])
        for leaf in ('weight', 'bias', 'running_mean', 'running_var'))
    return (x - mean) / np.sqrt(var + EPSILON) * weight + bias

  def block(x, prefix, stride):
    last = 3 if f'{prefix}.conv3.weight' in state else 2
    strided = 1 if last == 2 or version == 'v1' else 2
    y = x
    for i in range(1, last + 1):
      y = conv(y, f'{prefix}.conv{i}', stride if i == strided else 1)
      y = norm(y, f'{prefix}.bn{i}')
      y = np.maximum(y, 0) if i < last else y
    if f'{prefix}.downsample.0.weight' in state:
      x = norm(conv(x, f'{prefix}.downsample.0', stride), f'{prefix}.downsample.1')
    return np.maximum(x + y, 0)

  large = state['conv1.weight'].shape[-1] == 7
  x = norm(conv(np.float64(images), 'conv1', 2 if large else 1), 'bn1')
  x = np.maximum(x, 0)
  if large:
    x = windows(x, 3, 2, pool_padding, -np.inf).max((4, 5))
  for stage in (1, 2, 3, 4):
    number = 0
    while f'layer{stage}.{number}.conv1.weight' in state:
      stride = 2 if stage > 1 and number == 0 else 1
      x = block(x, f'layer{stage}.{number}', stride)
      number += 1
  return x.mean((1, 2))


def windows(x, k, stride, padding, fill):
  """[b, h, w, c] -> [b, i, j, c, k, k]: what a kernel sees at each position."""
  around = [(0, 0), *(zeros(n, k, stride, padding) for n in x.shape[1:3]), (0, 0)]
  x = np.pad(x, around, constant_values=fill)
  x = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
  return x[:, ::stride, ::stride]


def zeros(n, k, stride, padding):
  """Rows before and after n: as PyTorch pads by k // 2, or TensorFlow by 'SAME'."""
  if padding == 'symmetric':
    return k // 2, k // 2
  total = max((math.ceil(n / stride) - 1) * stride + k - n, 0)
  return total // 2, total - total // 2
