"""The parts of `gpu.py` that JAX runs, each in a process of its own.

  python tests/benchmarks/gpu_parts.py simclr --values=FILE [--small]

Every figure goes to the file as soon as it is there, one JSON object a line, so that
a process that is stopped has not worked in vain. In shapes, b is images of a step.
"""

import argparse
import functools
import json
import os
import subprocess
import time

import jax
import jax.numpy as jnp
import numpy as np

from configs import moco_imagenet
from configs import pcl_imagenet
from configs import simclr_imagenet
from jaxssl import augment
from jaxssl import costs
from jaxssl import kmeans as kmeans_lib
from jaxssl import optim
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import state as state_lib
from jaxssl import train

BATCHES = (512, 256, 128, 64)  # Images, the largest that fits.
# A ResNet-50 keeps more than this of a view of 224 px for its gradient, in bfloat16.
LEAST_BYTES_A_VIEW = 40e6
IMAGENET = 1_281_167
CONFIGS = {'simclr': simclr_imagenet, 'moco': moco_imagenet, 'pcl': pcl_imagenet}


def medians(runs, *, calls, turns):
  """{name: median seconds of a call}; they take turns, and `calls` wait only once."""
  seconds = {name: [] for name in runs}
  for _ in range(turns):
    for name, run in runs.items():
      start = time.perf_counter()
      for _ in range(calls):
        out = run()
      jax.block_until_ready(out)
      seconds[name].append((time.perf_counter() - start) / calls)
  return {name: float(np.median(s)) for name, s in seconds.items()}


def device(emit, small):
  """What the device is, and how fast it multiplies and moves."""
  found = jax.devices()
  emit('name', found[0].device_kind)
  emit('count', len(found))
  try:
    query = subprocess.run(
        ['nvidia-smi', '--query-gpu=name,memory.total,driver_version',
         '--format=csv,noheader'], capture_output=True, text=True, check=True)
    emit('driver', query.stdout.splitlines()[0])
  except (OSError, subprocess.CalledProcessError, IndexError):
    emit('driver', f'no NVIDIA driver, {os.cpu_count()} CPU cores')
  n = 512 if small else 8192
  # Random numbers: on zeros a chip draws less power and multiplies faster.
  a, b = (jax.random.normal(jax.random.key(i), (n, n)) for i in range(2))
  for name, dtype, precision in (
      ('bf16', 'bfloat16', 'default'), ('tf32', 'float32', 'default'),
      ('fp32', 'float32', 'highest')):
    product = jax.jit(functools.partial(jnp.matmul, precision=precision))
    x, y = a.astype(dtype), b.astype(dtype)
    jax.block_until_ready(product(x, y))
    found = medians({'': lambda p=product, x=x, y=y: p(x, y)}, calls=10, turns=5)
    emit(f'{name}_flops', 2 * n**3 / found[''])
  x = jnp.ones(2**20 if small else 2**30, jnp.float32)
  add = jax.jit(lambda x: x + 1)
  jax.block_until_ready(add(x))
  found = medians({'': lambda: add(x)}, calls=5, turns=5)
  emit('bytes_per_second', 2 * x.nbytes / found[''])


def settings_of(name, small):
  """The recipe on ImageNet of a method; small, the same on toy images."""
  c = CONFIGS[name].get_config().to_dict()
  if small:
    c['data'].update(short_side=72, canvas=96)
    for view in c['views'].values():
      view['size'] = 64
    c['model']['depth'] = 10
    if 'queue_size' in c['method']:
      c['method'].update(queue_size=64, num_splits=2)
    if 'num_clusters' in c['method']:
      c['method'].update(num_clusters=(16, 32, 48), num_negatives=8)
  return c


class Case:
  """A step of a recipe at one batch size, and what is needed to take it apart."""

  def __init__(self, config, batch_size, num_examples):
    self.config, self.batch_size = config, batch_size
    self.model = recipes.call(
        plugins.load('models', config['model']['name']).make, config['model'],
        'config.model')
    self.method = recipes.call(
        plugins.load('methods', config['method']['name']).make, config['method'],
        'config.method', args=(self.model,), num_examples=num_examples,
        total_steps=1000, batch_size=batch_size)
    self.tx, _ = optim.make(
        **config['optim'], total_steps=1000, steps_per_epoch=10,
        batch_size=batch_size)
    self.views = augment.make_views(config['views'], dtype=config['model']['dtype'])
    size = config['views']['a']['size']
    dtype = jnp.dtype(config['model']['dtype'])
    self.two = {v: jnp.zeros((2, size, size, 3), dtype) for v in config['views']}

    c, short = config['data']['canvas'], config['data']['short_side']
    rng = np.random.default_rng(0)
    # Photographs are seldom square: most are three by four.
    self.batch = parallel.split({
        'image': rng.integers(0, 256, (batch_size, c, c, 3), np.uint8),
        'size': np.tile(np.int32([short, short * 4 // 3]), (batch_size, 1)),
        'index': rng.integers(0, num_examples, batch_size).astype(np.int32)})

    def create():
      return state_lib.create(0, self.method, self.tx, self.two)
    # On the host: a step takes the memory of the state that it is given.
    self.state = jax.device_get(jax.jit(create)())
    if 'clusters' in self.state.extra:
      self.state = self.state._replace(
          extra={**self.state.extra, 'has_prototypes': np.float32(1)})

  def step(self):
    """() -> what a training step gives; the first call compiles."""
    state = parallel.replicate(self.state)
    step = train.make_train_step(
        self.method, self.tx, self.views, steps_per_epoch=10)

    def run():
      nonlocal state
      state, metrics = step(state, self.batch)
      return metrics
    return run

  def views_alone(self):
    """() -> the views of a step."""
    make = parallel.mapped(self.views, (None, 0, 0, 0), 0)
    rng = parallel.replicate(jax.random.PRNGKey(0))
    parts = [self.batch[k] for k in ('image', 'size', 'index')]
    return lambda: make(rng, *parts)

  def bare(self):
    """() -> gradients of the encoder and head for ready-made views, no more."""
    params, extra = parallel.replicate((self.state.params, self.state.extra))
    views = [v.reshape(-1, *v.shape[2:]) for v in self.views_alone()().values()]
    images = parallel.split(jnp.concatenate(views))

    def gradients(params, extra, images):
      def loss(params):
        out, _ = self.method.tune(params, extra, images)
        return out['z'][:, 0].sum()
      return parallel.mean(jax.grad(loss)(params))

    mapped = parallel.mapped(gradients, (None, None, 0), None)
    return lambda: mapped(params, extra, images)

  def forward_flops(self):
    """Of the encoder and head for one view."""
    one = jax.ShapeDtypeStruct((1, *self.two['a'].shape[1:]), self.two['a'].dtype)
    return costs.count(self.method.embed, self.state.params, self.state.extra, one)


def largest(emit, config, batches, num_examples):
  """The case of the largest batch that fits, and its step, which has compiled."""
  memory = (jax.local_devices()[0].memory_stats() or {}).get('bytes_limit', np.inf)
  per_device = 2 * LEAST_BYTES_A_VIEW / len(jax.devices())
  for batch_size in batches:
    if batch_size * per_device > memory and batch_size != batches[-1]:
      continue
    try:
      case = Case(config, batch_size, num_examples)
      step = case.step()
      jax.block_until_ready([step() for _ in range(3)])
    except jax.errors.JaxRuntimeError as e:
      if 'RESOURCE_EXHAUSTED' not in str(e) or batch_size == batches[-1]:
        raise
      case = step = None  # What they hold must go before the next.
      continue
    emit('batch', batch_size)
    return case, step


def steps(name, emit, small):
  """A method's step: views a second, and what of it is not the network."""
  config = settings_of(name, small)
  batches = (8,) if small else BATCHES
  calls, turns = (1, 2) if small else (10, 5)
  case, step = largest(emit, config, batches, 1000 if small else IMAGENET)
  model, size = config['model'], config['views']['a']['size']
  emit('what', f'ResNet-{model["depth"]}, {size} px, {model["dtype"]}')
  seconds = medians({'step': step}, calls=calls, turns=turns)['step']
  emit('step_seconds', seconds)
  emit('views_per_second', 2 * case.batch_size / seconds)
  if name == 'simclr':
    runs = {'step': step, 'views': case.views_alone(), 'bare': case.bare()}
    jax.block_until_ready([run() for run in runs.values()])
    found = medians(runs, calls=calls, turns=turns)
    emit('views_seconds', found['views'])
    emit('views_share', found['views'] / found['step'])
    emit('step_over_bare', found['step'] / found['bare'])
  # Forward and backward are three forwards; a momentum encoder goes forward only.
  passes = 4 if 'momentum' in config['method'] else 6
  emit('flops_per_second', passes * case.batch_size * case.forward_flops() / seconds)


def kmeans(emit, small):
  """Twenty iterations of k-means at the size of PCL on ImageNet."""
  n, d, k, iterations = (4000, 16, 50, 3) if small else (1_280_000, 128, 25_000, 20)
  x = np.random.default_rng(0).standard_normal((n, d), np.float32)

  def fit(iterations):
    start = time.perf_counter()
    kmeans_lib.fit(jax.random.key(0), x, k, num_iters=iterations, num_restarts=1)
    return time.perf_counter() - start

  emit('first_seconds', fit(1))  # Compiles.
  seconds = fit(iterations)
  emit('what', f'{n:,} x {d}, k={k:,}, {iterations} iterations')
  emit('seconds', seconds)
  # The distances alone, in each iteration and for the assignment; the sums, on
  # accelerators products as large, are our way and no one's need.
  emit('flops_per_second', 2 * n * d * k * (iterations + 1) / seconds)


PARTS = {
    'device': device, 'kmeans': kmeans,
    **{name: functools.partial(steps, name) for name in CONFIGS}}


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('part', choices=PARTS)
  parser.add_argument('--values', required=True)
  parser.add_argument('--small', action='store_true')
  args = parser.parse_args()
  with open(args.values, 'a', encoding='utf-8') as f:
    def emit(key, value):
      print(json.dumps({key: value}), file=f, flush=True)
      print(f'{args.part}.{key}: {value}', flush=True)
    PARTS[args.part](emit, args.small)


if __name__ == '__main__':
  main()
