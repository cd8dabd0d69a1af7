"""The smallest network that a method can train, and one step of a method with it."""

import contextlib

import flax.linen as nn
import jax
import pytest

from jaxssl import parallel
from jaxssl.layers import heads
from jaxssl.layers import norm


class Network(nn.Module):
  """A dense layer with batch norm, and perhaps a linear head: fast to compile."""
  width: int
  out: int  # Of the projector; 0 for none.

  @nn.compact
  def __call__(self, images, train=False, groups=None):
    x = nn.Dense(self.width, name='dense')(images.reshape(len(images), -1))
    h = nn.relu(norm.BatchNorm('float32', name='bn')(x, train, groups))
    if not self.out:
      return {'h': h}
    return {'h': h, 'z': heads.unit_length(nn.Dense(self.out, name='projector')(h))}


def make_step(method, num_devices):
  """Maps the loss as the train step does, over the first devices.

  Returns:
    (params, extra, rng, batch) -> loss, gradient, extra, metrics, all on the host;
    `batch` has views [n, ...] and index [n] of all devices.
  """
  def step(params, extra, rng, batch):
    def loss_fn(params):
      loss, aux = method.loss(params, extra, {**batch, 'rng': rng})
      return parallel.mean(loss), aux

    (loss, (new, metrics)), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    return loss, parallel.mean(grads), new, parallel.mean(metrics)

  with on(num_devices):
    mapped = parallel.mapped(step, (None, None, None, 0), (None,) * 4)

  def run(params, extra, rng, batch):
    with on(num_devices):
      return jax.device_get(mapped(
          *parallel.replicate((params, extra, rng)), parallel.split(batch)))

  return run


@contextlib.contextmanager
def on(num_devices):
  """Lets `parallel` know the first devices alone."""
  devices = jax.devices()[:num_devices]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(parallel, 'devices', lambda: devices)
    yield
