"""Batch norm over all devices, of the whole batch or of groups of it.

In shapes, b is the images on this device, g groups, c channels.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxssl import parallel

MOMENTUM = 0.9
EPSILON = 1e-5


def split_groups(num_groups, b, rng=None):
  """Splits the batch of all devices into groups that batch norm keeps apart.

  MoCo hides from a network which images are in one batch with its own
  (https://arxiv.org/abs/1911.05722, Section 3.3, "Shuffling BN"): each GPU normalises
  its images alone, and the keys are shuffled over the GPUs. Here a group plays the
  part of a GPU, so the number of devices does not matter, and no image is moved: a
  shuffle only changes who is in which group.

  Args:
    num_groups: groups of equal size over all devices; 1 for one batch.
    b: images on this device.
    rng: a key, equal on all devices, to deal the images out at random; None for
      groups of neighbours.

  Returns:
    float32 [num_groups, b], 1 where an image is of a group; None with one group.

  Raises:
    ValueError: the batch does not divide into the groups.
  """
  if num_groups == 1:
    return None
  n = b * jax.lax.psum(1, parallel.AXIS)
  if n % num_groups:
    raise ValueError(
        f'A batch of {n} images does not divide into {num_groups} groups.')
  position = jnp.arange(n) if rng is None else jax.random.permutation(rng, n)
  start = b * jax.lax.axis_index(parallel.AXIS)
  mine = jax.lax.dynamic_slice_in_dim(position, start, b)           # [b]
  return jax.nn.one_hot(mine // (n // num_groups), num_groups).T


def moments(x, groups):
  """Means of x and of its square over all devices: [c], or [g, c] by group."""
  if groups is None:
    axes = tuple(range(x.ndim - 1))
    return parallel.mean((x.mean(axes), (x * x).mean(axes)))
  axes = tuple(range(1, x.ndim - 1))
  rows = jnp.stack([x.mean(axes), (x * x).mean(axes)])              # [2, b, c]
  share = len(groups) / len(x)  # One over a group's images, were it on one device.
  return parallel.mean(
      jnp.einsum('gb,sbc->sgc', groups, rows, precision='highest') * share)


def of_each_image(values, groups, num_axes):
  """[g, c] by group -> [b, 1, ..., c] by image, to broadcast over its pixels."""
  rows = jnp.matmul(groups.T, values, precision='highest')
  return rows.reshape(len(rows), *(1,) * (num_axes - 2), -1)


class BatchNorm(nn.Module):
  """Batch norm with statistics over the batches of all devices.

  Names and results are those of `flax.linen.BatchNorm(axis_name=parallel.AXIS)`,
  which also keeps x - mean for the backward pass. This one multiplies and adds once
  and keeps x alone: a tenth of a small network's step on CPU. Statistics and
  parameters are float32 whatever `dtype`, that of the output.
  """
  dtype: str
  use_scale: bool = True
  use_bias: bool = True
  scale_init: nn.initializers.Initializer = nn.initializers.ones

  @nn.compact
  def __call__(self, x, train, groups=None):
    """[b, ..., c] -> [b, ..., c]; with `train` only inside `parallel.mapped`.

    Args:
      x: the images' features.
      train: use the statistics of the batch, and update the kept ones.
      groups: see `split_groups`; None for one group, the whole batch. The kept
        statistics then learn from the mean over the groups. A single group [1, b]
        may say how much each image counts, 1 on average: padding counts 0.
    """
    shape = x.shape[-1:]
    running_mean = self.variable('batch_stats', 'mean', jnp.zeros, shape)
    running_var = self.variable('batch_stats', 'var', jnp.ones, shape)
    mean, var = running_mean.value, running_var.value
    x = x.astype(jnp.float32)
    if train and not self.is_initializing():
      mean, square = moments(x, groups)
      var = jnp.maximum(square - mean * mean, 0)  # Rounding may take it below zero.
      kept = (mean, var) if groups is None else (mean.mean(0), var.mean(0))
      for running, new in zip((running_mean, running_var), kept):
        running.value = MOMENTUM * running.value + (1 - MOMENTUM) * new
      if groups is not None and len(groups) > 1:
        mean, var = (of_each_image(s, groups, x.ndim) for s in (mean, var))

    slope = lax.rsqrt(var + EPSILON)
    if self.use_scale:
      slope *= self.param('scale', self.scale_init, shape)
    offset = -mean * slope
    if self.use_bias:
      offset += self.param('bias', nn.initializers.zeros, shape)
    return (x * slope + offset).astype(self.dtype)
