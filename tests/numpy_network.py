"""A small network with a projector, and what it computes in training, in NumPy."""

import flax.linen as nn
import numpy as np

from jaxssl.layers import heads
from jaxssl.layers import norm
from jaxssl.models import resnet


class Encoder(nn.Module):
  """A dense layer with batch norm: fast to compile."""

  @nn.compact
  def __call__(self, images, train, groups):
    x = nn.Dense(8, name='dense1')(images.reshape(len(images), -1))
    return nn.relu(norm.BatchNorm('float32', name='bn1')(x, train, groups))


def make(name):
  """The network with a head of this name; its first layer is as wide as the last."""
  return resnet.Network(
      Encoder(),
      heads.projector(name=name, hidden=0, out=6, num_layers=2, dtype='float32'))


def layers(params, stats, x, *, relu_at_end=False):
  """Dense maps with their biases, batch norms and ReLUs, as the parameters have them.

  Returns:
    [b, d] in float64, and the kept statistics of the batch norms after this batch.
  """
  x, stats = np.float64(x), {name: dict(kept) for name, kept in stats.items()}
  num_layers = sum(name.startswith('dense') for name in params)
  for i in range(1, num_layers + 1):
    dense, bn = params[f'dense{i}'], params.get(f'bn{i}', {})
    x = x @ np.float64(dense['kernel']) + np.float64(dense.get('bias', 0.0))
    if f'bn{i}' in stats:
      mean, var = x.mean(0), x.var(0)
      kept = stats[f'bn{i}']
      stats[f'bn{i}'] = {
          'mean': 0.9 * kept['mean'] + 0.1 * mean,
          'var': 0.9 * kept['var'] + 0.1 * var}
      x = (x - mean) / np.sqrt(var + 1e-5)
      x = x * np.float64(bn.get('scale', 1.0)) + np.float64(bn.get('bias', 0.0))
    if i < num_layers or relu_at_end:
      x = np.maximum(x, 0)
  return x, stats


def unit(x):
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def network(params, stats, images):
  """'z' and, with a predictor, 'p' of a batch, and the new kept statistics."""
  stats = dict(stats)
  h, stats['encoder'] = layers(
      params['encoder'], stats['encoder'], images.reshape(len(images), -1),
      relu_at_end=True)
  projection, stats['projector'] = layers(
      params['projector'], stats.get('projector', {}), h)
  out = {'z': unit(projection)}
  if 'predictor' in params:
    p, stats['predictor'] = layers(
        params['predictor'], stats['predictor'], projection)
    out['p'] = unit(p)
  return out, stats


def shifted(params, direction, size):
  """Parameters a little further on in a direction, in float64."""
  if isinstance(params, dict):
    return {k: shifted(p, direction[k], size) for k, p in params.items()}
  return np.float64(params) + size * direction
