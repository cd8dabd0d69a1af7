"""A method's training step on ready images, as `train` makes it; for benchmarks."""

from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from configs import common
from jaxssl import augment
from jaxssl import optim
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import state as state_lib
from jaxssl import train


class Made(NamedTuple):
  """A step and what it is made of."""
  model: Any
  method: Any
  tx: Any
  views: Any   # (rng, images, sizes, index) -> dict of views.
  state: Any   # Before the first step, on the host.
  batch: Any   # Canvases, on the host.
  step: Any    # See `train.make_train_step`.


def make(
    name, head, settings, view, *, depth, size, batch_size, dtype='float32',
    num_examples=50_000):
  """Makes a step.

  Args:
    name: of the method.
    head: keywords of its projector.
    settings: its other keywords.
    view: those of `augment.view`, for both views.
    depth: of the ResNet; it has the stem for small images below 64 pixels.
    size: side of a view; canvases are an eighth larger.
    batch_size: images of a step.
    dtype: of views and encoder.
    num_examples: of the data set, for methods that keep something of each.
  """
  model = plugins.load('models', 'resnet').make(
      depth=depth, width=1.0, stem='cifar' if size < 64 else 'imagenet',
      zero_init_residual=False, dtype=dtype, projector=head)
  make_method = plugins.load('methods', name).make
  method = make_method(model, **plugins.arguments(
      make_method, settings, what=name, num_examples=num_examples, total_steps=1000,
      batch_size=batch_size))
  tx, _ = optim.make(
      name='moco_sgd', base_lr=0.03, scaling='none', milestones=(), weight_decay=1e-4,
      momentum=0.9, total_steps=1000, steps_per_epoch=100, batch_size=batch_size)
  views = augment.make_views(dict(a=view, b=dict(view)), dtype=dtype)
  canvas = size * 8 // 7
  rng = np.random.default_rng(0)
  batch = {
      'image': rng.integers(0, 256, (batch_size, canvas, canvas, 3), dtype=np.uint8),
      'size': np.full((batch_size, 2), canvas, np.int32),
      'index': np.arange(batch_size, dtype=np.int32)}
  shapes = {k: np.zeros((2, size, size, 3), dtype) for k in 'ab'}
  state = jax.device_get(
      jax.jit(lambda v: state_lib.create(0, method, tx, v))(shapes))
  return Made(
      model, method, tx, views, state, batch,
      train.make_train_step(method, tx, views, steps_per_epoch=100))


def simclr(case):
  """SimCLR's step of a `step.Case`."""
  view = common.simclr_view(
      case.size, strength=0.5, blur=0.5 if case.size > 64 else 0.0)
  return make(
      'simclr', dict(name='simclr', hidden=512, out=128, num_layers=2),
      dict(temperature=0.5), view, depth=case.depth, size=case.size,
      batch_size=case.batch_size, dtype=case.dtype)


def runner(made):
  """A function that takes one more step and waits for it; it has been called once."""
  state, batch = parallel.replicate(made.state), parallel.split(made.batch)

  def run():
    nonlocal state
    state, metrics = made.step(state, batch)
    jax.block_until_ready((state, metrics))

  run()
  return run
