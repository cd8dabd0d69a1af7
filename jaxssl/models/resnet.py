"""ResNets (https://arxiv.org/abs/1512.03385) with a head on their features.

In shapes, b is images, e the encoder's width, d the projector's.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxssl import plugins
from jaxssl.layers import heads
from jaxssl.layers import norm
from jaxssl.layers import pool
from jaxssl.models import conv


def basic(channels, stride):
  """The (size, channels, stride) of a basic block's convolutions."""
  return (3, channels, stride), (3, channels, 1)


def bottleneck(channels, stride, *, version):
  """The (size, channels, stride) of a bottleneck block's convolutions."""
  first, second = (stride, 1) if version == 'v1' else (1, stride)
  return (1, channels, first), (3, channels, second), (1, 4 * channels, 1)


DEPTHS = {  # The kind of block, and how many each stage has.
    10: ('basic', (1, 1, 1, 1)),
    18: ('basic', (2, 2, 2, 2)),
    34: ('basic', (3, 4, 6, 3)),
    50: ('bottleneck', (3, 4, 6, 3)),
    101: ('bottleneck', (3, 4, 23, 3)),
    152: ('bottleneck', (3, 8, 36, 3)),
    200: ('bottleneck', (3, 24, 36, 3)),
}
STEMS = ('imagenet', 'cifar')
VERSIONS = ('v1.5', 'v1')
PADDINGS = ('symmetric', 'same_pool', 'same')
DTYPES = ('float32', 'bfloat16')
MAX_WIDTH = 16


class Block(nn.Module):
  """Convolutions around which the input is added."""
  convolutions: tuple[tuple[int, int, int], ...]
  zero_init_residual: bool
  dtype: str
  padding: str = 'symmetric'

  @nn.compact
  def __call__(self, x, train, groups=None):
    y = x
    last = len(self.convolutions)
    for i, (size, channels, stride) in enumerate(self.convolutions, 1):
      scale = 0. if self.zero_init_residual and i == last else 1.
      y = conv.Conv(
          channels, size, stride, self.dtype, self.padding, name=f'conv{i}')(y)
      y = norm.BatchNorm(
          self.dtype, scale_init=nn.initializers.constant(scale),
          name=f'bn{i}')(y, train, groups)
      if i < last:
        y = nn.relu(y)
    if x.shape != y.shape:
      stride = math.prod(stride for _, _, stride in self.convolutions)
      x = conv.Conv(y.shape[-1], 1, stride, self.dtype, name='shortcut_conv')(x)
      x = norm.BatchNorm(self.dtype, name='shortcut_bn')(x, train, groups)
    return nn.relu(x + y)


class Encoder(nn.Module):
  """A ResNet up to its pooled features."""
  block: Callable[..., Any]  # (channels, stride) -> the convolutions of a block.
  num_blocks: tuple[int, ...]
  channels: int  # Of the stem and, inside the blocks, of the first stage.
  stem: str
  zero_init_residual: bool
  dtype: str
  padding: str = 'symmetric'

  @nn.compact
  def __call__(self, images, train, groups=None):
    """[b, h, w, c] images -> float32 [b, e] features."""
    size, stride = (7, 2) if self.stem == 'imagenet' else (3, 1)
    padding = 'same' if self.padding == 'same' else 'symmetric'
    x = conv.Conv(
        self.channels, size, stride, self.dtype, padding, name='stem_conv')(images)
    x = nn.relu(norm.BatchNorm(self.dtype, name='stem_bn')(x, train, groups))
    if self.stem == 'imagenet':
      x = pool.max_pool(x) if self.padding == 'symmetric' else nn.max_pool(
          x, (3, 3), (2, 2), 'SAME')
    for stage, num_blocks in enumerate(self.num_blocks, 1):
      for i in range(1, num_blocks + 1):
        stride = 2 if stage > 1 and i == 1 else 1
        convolutions = self.block(self.channels * 2**(stage - 1), stride)
        x = Block(
            convolutions, self.zero_init_residual, self.dtype, padding,
            name=f'stage{stage}_block{i}')(x, train, groups)
    return x.mean((1, 2), dtype=jnp.float32)


class Network(nn.Module):
  """An encoder and the head on it, if there is one."""
  encoder: nn.Module
  projector: nn.Module | None
  predictor: nn.Module | None = None  # Methods that need one put it there.

  def __call__(self, images, train=False, groups=None):
    """Embeds images.

    Args:
      images: [b, h, w, c] in the range the views have.
      train: use and update the statistics of this batch over all devices; then only
        inside a function that `parallel` mapped, with 'batch_stats' mutable.
      groups: of images that batch norm keeps apart; see `norm.split_groups`.

    Returns:
      'h': float32 [b, e] features, and with a projector 'z': float32 [b, d]
      embeddings of unit length, and what its layers before the last give, behind
      their ReLU, as 'z1', 'z2', ... With a predictor also 'p': float32 [b, d], of
      unit length, its output for the projections, which it gets at their own length.
    """
    h = self.encoder(images, train, groups)
    if self.projector is None:
      return {'h': h}
    *hidden, projection = self.projector.layers(h, train, groups)
    out = {'h': h, 'z': heads.unit_length(projection)}
    out |= {f'z{i}': x for i, x in enumerate(hidden, 1)}
    if self.predictor is not None:
      out['p'] = heads.unit_length(self.predictor(projection, train, groups))
    return out


def make(
    *, depth, width, stem, zero_init_residual, dtype, projector, version='v1.5',
    padding='symmetric'):
  """A ResNet with a projection head.

  Kernels begin as in SimCLR's code: truncated normal, variance 1 / fan in.
  Parameters and statistics are float32 whatever the dtype.

  Args:
    depth: 18, 34, 50, 101, 152, 200, or 10, a small one for laptops.
    width: multiplies every number of channels; the stem has round(64 * width).
    stem: 'imagenet' (7x7 with stride 2, then a max pool with stride 2) or 'cifar'
      (3x3 with stride 1), for images of about 64 px or less.
    zero_init_residual: begin with blocks that pass on their input alone.
    dtype: what the layers compute in, 'float32' or 'bfloat16'.
    projector: the keywords of `heads.projector` but dtype, or None for no head.
    version: 'v1.5' has a bottleneck's stride in its 3x3 convolution, as SimCLR and
      torchvision do; 'v1', for older weights, in its first 1x1.
    padding: 'symmetric', as PyTorch pads; for weights from elsewhere 'same_pool', the
      max pool as TensorFlow's 'SAME' (SimCLR's code), or 'same', the convolutions too
      (BYOL's).

  Returns:
    The flax module `Network`.

  Raises:
    ValueError: an argument is not one of those above.
  """
  for name, value, there_are in (
      ('depth', depth, DEPTHS), ('stem', stem, STEMS), ('dtype', dtype, DTYPES),
      ('version', version, VERSIONS), ('padding', padding, PADDINGS)):
    if value not in there_are:
      raise ValueError(
          f'No ResNet with {name} {value!r}. '
          f'There are: {", ".join(map(str, there_are))}.')
  if not (0 < width <= MAX_WIDTH and round(64 * width) >= 1):
    raise ValueError(
        f'The width of a ResNet is {width!r}; it must give the stem a channel or '
        f'more (64 * width) and be at most {MAX_WIDTH}.')

  kind, num_blocks = DEPTHS[depth]
  block = (
      basic if kind == 'basic' else functools.partial(bottleneck, version=version))
  encoder = Encoder(
      block=block, num_blocks=num_blocks, channels=round(64 * width), stem=stem,
      zero_init_residual=zero_init_residual, dtype=dtype, padding=padding)
  if projector is not None:
    projector = heads.projector(**plugins.arguments(
        heads.projector, projector, what='config.model.projector', dtype=dtype))
  return Network(encoder=encoder, projector=projector)
