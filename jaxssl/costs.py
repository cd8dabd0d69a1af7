"""What a pretraining costs, before it is begun: images, operations, hours, disk."""

import math
import os
from typing import NamedTuple

import jax

from jaxssl.layers import definition

# Peak operations a second, in bfloat16 as their makers give them, of which a ResNet
# reaches about a third; of a CPU what this package's small networks reach.
SHARE_OF_PEAK = 0.3
PEAKS = {
    'TPU v4': 275e12, 'TPU v5e': 197e12, 'TPU v6e': 918e12, 'A100': 312e12,
    'H100': 989e12}
CPU_CORE = 10e9


class Cost(NamedTuple):
  """Of one pretraining, or of several together."""
  images: int = 0       # Seen in training, each time counted.
  flops: float = 0.0    # Of training; a multiplication and an addition are two.
  disk: int = 0         # Bytes of the checkpoints that stay.

  def __add__(self, other):
    return Cost(*(a + b for a, b in zip(self, other)))


def of(recipe):
  """Estimates the cost of a `recipe.Recipe`, without computing anything.

  The operations are those of the encoder forwards on each view, three times for
  forward and backward, and once more for a momentum encoder. Losses, views and
  evaluations are left out.
  """
  state = recipe.abstract_state()
  forward = 0.0
  for view in jax.tree.leaves(recipe.view_shapes()):
    one = jax.ShapeDtypeStruct((1, *view.shape[1:]), view.dtype)
    forward += count(recipe.method.embed, state.params, state.extra, one)
  passes = 4 if 'momentum' in recipe.config['method'] else 3
  images = recipe.total_steps * recipe.data['batch_size']
  num_bytes = sum(
      math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(state))
  return Cost(
      images, forward * passes * images, num_bytes * recipe.config['save']['keep'])


def count(function, *args):
  """The operations of one call, as XLA counts them, with convolutions by definition.

  Args:
    function: of arrays.
    *args: for it, or their shapes.
  """
  with definition.only():
    # A function that was traced before would come from jax's cache, as it was then.
    lowered = jax.jit(lambda *args: function(*args)).lower(*args)
  return lowered.cost_analysis()['flops']


def amounts(cost):
  """The numbers of a `Cost` as text; a dash for each where it is not known."""
  if not isinstance(cost, Cost):
    return dict.fromkeys(Cost._fields, '—')
  return {
      'images': f'{cost.images:,}', 'flops': f'{cost.flops:.1e}',
      'disk': f'{cost.disk / 2**20:,.0f} MiB'}


def duration(hours):
  """Hours in the unit that suits them: '40 s', '3.2 h', '5.1 days'."""
  for unit, name, least in ((24, 'days', 48), (1, 'h', 1), (1 / 60, 'min', 1 / 30)):
    if hours >= least:
      return f'{hours / unit:.3g} {name}'
  return f'{hours * 3600:.2g} s' if hours * 3600 >= 1 else 'under 1 s'


def hours(flops):
  """{device: hours on one of them}, at `SHARE_OF_PEAK` of the peak.

  Accelerators that would take less than a second are left out.
  """
  cores = os.cpu_count()
  found = {f'{cores} CPU cores': flops / (CPU_CORE * cores) / 3600}
  others = {
      name: flops / (SHARE_OF_PEAK * peak) / 3600 for name, peak in PEAKS.items()}
  return found | {name: h for name, h in others.items() if h * 3600 >= 1}
