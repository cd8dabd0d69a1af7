"""Heads on an encoder's features, as the methods' reference code has them.

In shapes, b is images, e the width of what a head is put on, d the head's.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxssl.layers import norm


class Layer(NamedTuple):
  """What a dense map has beside its kernel."""
  bias: bool
  norm: tuple[str, ...] | None  # Of batch norm: its parameters. None is no batch norm.


class Design(NamedTuple):
  """What the layers before the last have, and the last; ReLU is between them."""
  hidden: Layer
  last: Layer
  kernel_init: nn.initializers.Initializer


_TORCH_INIT = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
_SIMCLR = Design(  # A bias before batch norm would be taken away by it.
    Layer(False, ('scale', 'bias')), Layer(False, ('scale',)),
    nn.initializers.normal(0.01))
_MOCO = Design(Layer(True, None), Layer(True, None), _TORCH_INIT)
_BYOL = Design(
    Layer(True, ('scale', 'bias')), Layer(False, None),
    nn.initializers.lecun_normal())
_SIMSIAM = Design(
    Layer(False, ('scale', 'bias')), Layer(False, ()), _TORCH_INIT)

PROJECTORS = {
    'simclr': _SIMCLR, 'moco': _MOCO, 'byol': _BYOL, 'simsiam': _SIMSIAM}
PREDICTORS = {
    'byol': _BYOL, 'simsiam': _SIMSIAM._replace(last=Layer(True, None))}


class Head(nn.Module):
  """Dense maps, with what a `Design` adds to them."""
  design: Design
  hidden: int  # Width of the layers before the last; 0 is the input's.
  out: int     # Width of the last; 0 is the input's.
  num_layers: int
  dtype: str

  def __call__(self, h, train, groups=None):
    """[b, e] features -> float32 [b, d], not normalised to unit length.

    Args:
      h: the features.
      train: use and update the statistics of the batch; see `norm.BatchNorm`.
      groups: of images that batch norm keeps apart; see `norm.split_groups`.
    """
    return self.layers(h, train, groups)[-1]

  @nn.compact
  def layers(self, h, train, groups=None):
    """What each layer gives, a list of float32 arrays: the last is the head's output.

    Those before it are as the next layer gets them, behind batch norm and ReLU.
    """
    x, outputs = h, []
    for i in range(1, self.num_layers + 1):
      last = i == self.num_layers
      layer = self.design.last if last else self.design.hidden
      dtype = 'float32' if last else self.dtype
      x = nn.Dense(
          (self.out if last else self.hidden) or h.shape[-1], use_bias=layer.bias,
          dtype=self.dtype, kernel_init=self.design.kernel_init, name=f'dense{i}')(x)
      if layer.norm is not None:
        x = norm.BatchNorm(
            dtype, use_scale='scale' in layer.norm, use_bias='bias' in layer.norm,
            name=f'bn{i}')(x, train, groups)
      if not last:
        x = nn.relu(x)
      outputs.append(x.astype(jnp.float32))
    return outputs


def projector(*, name, hidden, out, num_layers, dtype):
  """Checks a config's `projector` and returns the head.

  Args:
    name: whose head it is:
      'simclr': batch norm after every dense map, the last without offset. Version 1
        has 2 layers (https://arxiv.org/abs/2002.05709, Section 4.2), version 2 has 3
        (https://arxiv.org/abs/2006.10029, Section 2.1).
      'moco': no batch norm. Version 1 has 1 layer (https://arxiv.org/abs/1911.05722),
        version 2 has 2 (https://arxiv.org/abs/2003.04297, Section 3).
      'byol': batch norm in the 1 layer before the last, none at its end
        (https://arxiv.org/abs/2006.07733, Section 3.3).
      'simsiam': batch norm after each of 3 dense maps, the last with neither scale
        nor offset (https://arxiv.org/abs/2011.10566, Section 3).
    hidden: width of the layers before the last; 0 is the encoder's own.
    out: width of the embeddings.
    num_layers: dense maps; 1 makes the head linear.
    dtype: what the layers compute in; their parameters are float32.

  Raises:
    ValueError: there is no such head, or a number is not a whole one in its range.
  """
  design = design_of('projector', name, PROJECTORS)
  check_widths(
      'projector', hidden=(hidden, 0), out=(out, 1), num_layers=(num_layers, 1))
  return Head(design, hidden, out, num_layers, dtype)


def predictor(*, name, hidden):
  """The head that BYOL or SimSiam puts on a projection, and that keeps its width.

  It computes in float32 whatever the network does: it is a small part of it.

  Args:
    name: 'byol' (https://arxiv.org/abs/2006.07733, Section 3.3) or 'simsiam'
      (https://arxiv.org/abs/2011.10566, Section 3).
    hidden: width of its one hidden layer; 0 is the projection's.

  Raises:
    ValueError: there is no such head, or the width is not a whole number.
  """
  design = design_of('predictor', name, PREDICTORS)
  check_widths('predictor', hidden=(hidden, 0))
  return Head(design, hidden, out=0, num_layers=2, dtype='float32')


def design_of(kind, name, designs):
  if name not in designs:
    raise ValueError(f'No {kind} {name!r}. There are: {", ".join(designs)}.')
  return designs[name]


def check_widths(kind, **numbers):
  for name, (value, least) in numbers.items():
    if not isinstance(value, int) or value < least:
      raise ValueError(
          f"The {kind}'s {name} is {value!r}; it must be a whole number, "
          f'{least} or more.')


def unit_length(x):
  """[b, d] -> [b, d] rows of length one, with a finite gradient at zero."""
  squares = jnp.sum(x * x, axis=-1, keepdims=True)                # [b, 1]
  return x / jnp.sqrt(jnp.maximum(squares, 1e-12))


def spread(z):
  """How far a channel of `z` varies over the images of all devices, on average.

  Inside a mapped function. The collapse that SimSiam watches for shows in it
  (https://arxiv.org/abs/2011.10566, Section 4.1).

  Args:
    z: [b, d] of unit length.

  Returns:
    [] standard deviation: 1 / sqrt(d) where the rows point in all directions, 0 where
    they are all equal.
  """
  mean, square = norm.moments(jax.lax.stop_gradient(z), None)     # [d] each
  return jnp.sqrt(jnp.maximum(square - mean * mean, 0)).mean()
