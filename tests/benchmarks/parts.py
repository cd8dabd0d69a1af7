"""What the parts of a training step and of an E-step cost, each timed by itself.

`step --profile` prints it. The sum of the parts of a step is not its time: in one
program XLA overlaps and fuses them; what is left over, or saved, is a line of its own.
"""

import json
import pathlib
import tempfile
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from configs import common
from jaxssl import augment
from jaxssl import estep
from jaxssl import features
from jaxssl import metrics
from jaxssl import momentum
from jaxssl import parallel
from jaxssl import state as state_lib
from jaxssl.data import in_memory
from jaxssl.data import ledger
from jaxssl.data import pipeline
from jaxssl.methods import simclr
from jaxssl.models import resnet
from tests.benchmarks import made_step
from tests.benchmarks import stopwatch


class Ready(nn.Module):
  """An encoder whose images are features already."""

  def __call__(self, h, train, groups=None):
    return h


def called(function, *args):
  """A function for `by_turns` that waits for the results; it has been called once."""
  def run():
    return jax.block_until_ready(function(*args))

  run()
  return run


def encoder_pass(made, case, *, backward):
  """The bare jitted encoder on views that are ready, forward and perhaps backward."""
  encoder = made.model.encoder

  def loss(params, stats, images):
    h, new = encoder.apply(
        {'params': params, 'batch_stats': stats}, images, True,
        mutable=['batch_stats'])
    return jnp.square(h).mean(), new

  function = jax.grad(loss, has_aux=True) if backward else loss
  # Mapped, because batch norm wants the axis; on one device the same as jax.jit.
  step = parallel.mapped(
      lambda state, images: function(*state, images), (None, 0), None, way='shard_map')
  state = parallel.replicate((
      made.state.params['encoder'], made.state.extra['batch_stats']['encoder']))
  images = np.random.default_rng(0).random(
      (case.num_views, case.size, case.size, 3), np.float32).astype(case.dtype)
  return called(step, state, parallel.split(images, way='shard_map'))


def head_and_loss(made, case):
  """Projector and NT-Xent, value and gradient, from the encoder's features."""
  network = resnet.Network(encoder=Ready(), projector=made.model.projector)
  method = simclr.make(network, temperature=0.5)
  width = jax.eval_shape(
      made.method.embed, made.state.params, made.state.extra,
      jnp.zeros((1, case.size, case.size, 3), case.dtype))['h'].shape[1]

  def loss(trained, stats):
    params, h = trained
    return method.loss(params, {'batch_stats': stats}, {'views': h})

  step = parallel.mapped(
      lambda state, h: jax.grad(loss, has_aux=True)((state[0], h), state[1]),
      (None, 0), None, way='shard_map')
  state = parallel.replicate((
      {'projector': made.state.params['projector']},
      {'projector': made.state.extra['batch_stats']['projector']}))
  h = np.random.default_rng(0).standard_normal((case.batch_size, width), np.float32)
  return called(step, state, parallel.split({'a': h, 'b': h[::-1]}, way='shard_map'))


def optimiser(made):
  """The gradient's norm, the update and its addition."""
  def update(grads, opt_state, params):
    updates, opt_state = made.tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, optax.tree.norm(grads)

  params, opt_state = jax.device_put((made.state.params, made.state.opt_state))
  return called(jax.jit(update), params, opt_state, params)


def log_step(folder):
  """The host's work for a step whose metrics are written."""
  writer = metrics.Writer(folder, step=0, tensorboard=False)
  pending = metrics.Pending(in_flight=0)
  values = {k: jnp.ones(()) for k in ('loss', 'chance', 'contrast_top1', 'grad_norm')}
  step = 0

  def run():
    nonlocal step
    step += 1
    pending.put(step, values)
    for at, found in pending.ready():
      writer.write(at, {f'train/{k}': float(v) for k, v in found.items()})

  run()
  return run


def print_step(case, turns):
  """Prints a table of the parts of SimCLR's step, and what MoCo and PCL add."""
  made = made_step.simclr(case)
  params = jax.device_put(made.state.params)
  batch = jax.device_put(made.batch)
  key = state_lib.view_key(made.state.rng, 0)
  moved = jax.jit(lambda target, params: momentum.update(target, params, 0.99))
  with tempfile.TemporaryDirectory() as folder:
    runs = {
        'whole step': made_step.runner(made),
        'views': called(
            jax.jit(made.views), key, batch['image'], batch['size'], batch['index']),
        'encoder, forward': encoder_pass(made, case, backward=False),
        'both passes': encoder_pass(made, case, backward=True),
        'projector and loss, both passes': head_and_loss(made, case),
        'optimiser': optimiser(made),
        'momentum update (MoCo, PCL)': called(moved, params, params),
        'logging, of a step that is logged': log_step(folder)}
    times, _ = stopwatch.by_turns(runs, turns, uncounted=2)
  ms = {name: 1000 * float(t[0]) for name, t in times.items()}
  whole, both = ms.pop('whole step'), ms.pop('both passes')
  ms['encoder, backward'] = both - ms['encoder, forward']
  others = {k: v for k, v in ms.items() if k.startswith(('momentum', 'logging'))}
  inside = {k: v for k, v in ms.items() if k not in others}
  print_table(f'{case}', {
      **inside, 'left over in one program': whole - sum(inside.values()),
      'whole step': whole, **others}, whole)


def print_estep(n):
  """Prints a table of the parts of PCL's E-step on n drawn rows of pixels."""
  size, batch_size = 32, 64
  settings = common.pcl(
      temperature=0.1, momentum=0.99, queue_size=4096, warmup_epochs=0,
      num_clusters=(n // 40, n // 20, n // 10), num_negatives=0)
  settings = {k: v for k, v in settings.items() if k != 'name'}
  made = made_step.make(
      'pcl', dict(name='moco', hidden=0, out=128, num_layers=1), settings,
      common.moco_v2_view(size, blur=0.0), depth=18, size=size, batch_size=batch_size,
      num_examples=n)
  images = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8)
  source = in_memory.source(images, name='pixels')
  dataset = pipeline.Dataset(source, size, size, ledger.Ledger(source))
  view = augment.make_eval_view(
      dict(size=size, fraction=1.0, interpolation='bicubic'), dtype='float32')
  embed = features.with_view(made.method.embed, view)
  recipe = types.SimpleNamespace(
      steps_per_epoch=n // batch_size, data=dict(batch_size=batch_size),
      source=source, method=made.method)
  state = parallel.replicate(made.state)
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    writer = metrics.Writer(folder, step=0, tensorboard=False)
    run = lambda: estep.run(recipe, state, embed, dataset, writer, folder)
    run()  # Compiles.
    times, _ = stopwatch.by_turns({'all': run}, 1)
    seconds = json.loads(
        (folder / 'clusters' / '0' / 'summary.json').read_text())['seconds']
  whole = 1000 * float(times['all'][0])
  ms = {'features': 1000 * seconds['features'], 'k-means': 1000 * seconds['clustering']}
  print_table(
      f'E-step: PCL, ResNet-18, {size} px, {n:,} images', {
          **ms, 'rest': whole - sum(ms.values()), 'whole E-step': whole}, whole)


def print_table(title, ms, whole):
  print(f'\n| {title} | ms | share |\n| --- | --- | --- |')
  for name, value in ms.items():
    print(f'| {name} | {value:,.2f} | {value / whole:.1%} |', flush=True)
