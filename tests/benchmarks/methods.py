"""Seconds a step of every method here, and its ratio to MoCo's.

  python tests/benchmarks/methods.py --depth 18 --batch 32
  python tests/benchmarks/methods.py --depth 50 --size 224 --batch 256 --imagenet

One encoder, one batch of ready images, views and optimiser included. PCL has all of
its prototypes: 250, 500 and 1000 of them, or with --imagenet 25,000, 50,000 and
100,000 with 16,384 negatives. The methods take turns, so that other load on the
machine falls on all, and each has its median.
"""

import argparse
import time

import jax
import numpy as np

from configs import common
from jaxssl import augment
from jaxssl import optim
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import state as state_lib
from jaxssl import train

MOCO = dict(temperature=0.1, momentum=0.99, queue_size=4096, num_splits=1)
BYOL_HEAD = dict(name='byol', hidden=1024, out=256, num_layers=2)


def settings_of(imagenet):
  """{method: (head, keywords)}"""
  pcl = common.pcl(
      temperature=0.1, momentum=0.99, queue_size=4096, warmup_epochs=0,
      num_clusters=(25_000, 50_000, 100_000) if imagenet else (250, 500, 1000),
      num_negatives=16384 if imagenet else 0)
  pcl = {k: v for k, v in pcl.items() if k != 'name'} | {'num_splits': 1}
  head = dict(name='moco', hidden=0, out=128, num_layers=1)
  return {
      'moco': (head, dict(MOCO, symmetric=False)),
      'pcl': (head, pcl),
      'simclr': (
          dict(name='simclr', hidden=512, out=128, num_layers=2),
          dict(temperature=0.5)),
      'byol': (BYOL_HEAD, dict(momentum=0.99, predictor_hidden=1024)),
      'simsiam': (
          dict(name='simsiam', hidden=2048, out=2048, num_layers=2),
          dict(predictor_hidden=512))}


def make_step(name, head, settings, args):
  """Returns () -> seconds of one step; the first compiles."""
  num_examples = 1_281_167 if args.imagenet else 50_000
  model = plugins.load('models', 'resnet').make(
      depth=args.depth, width=1.0, stem='cifar' if args.size < 64 else 'imagenet',
      zero_init_residual=False, dtype=args.dtype, projector=head)
  make = plugins.load('methods', name).make
  method = make(model, **plugins.arguments(
      make, settings, what=name, num_examples=num_examples, total_steps=1000,
      batch_size=args.batch))
  tx, _ = optim.make(
      name='moco_sgd', base_lr=0.03, scaling='none', milestones=(), weight_decay=1e-4,
      momentum=0.9, total_steps=1000, steps_per_epoch=100, batch_size=args.batch)
  view = common.moco_v2_view(args.size, blur=0.0)
  views = augment.make_views(dict(a=view, b=dict(view)), dtype=args.dtype)
  rng = np.random.default_rng(0)
  canvas = args.size * 8 // 7
  batch = {
      'image': rng.integers(0, 256, (args.batch, canvas, canvas, 3), dtype=np.uint8),
      'size': np.full((args.batch, 2), canvas, np.int32),
      'index': np.arange(args.batch, dtype=np.int32)}
  views_shape = {
      k: np.zeros((2, args.size, args.size, 3), args.dtype) for k in 'ab'}
  state = jax.jit(lambda v: state_lib.create(0, method, tx, v))(views_shape)
  if name == 'pcl':
    state = state._replace(extra={**state.extra, 'has_prototypes': np.float32(1)})
  state = parallel.replicate(state)
  step = train.make_train_step(method, tx, views, steps_per_epoch=100)
  batch = parallel.split(batch)

  def run():
    nonlocal state
    start = time.perf_counter()
    state, metrics = step(state, batch)
    jax.block_until_ready((state, metrics))
    return time.perf_counter() - start

  run()
  return run


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--depth', type=int, default=18)
  parser.add_argument('--size', type=int, default=32)
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--dtype', default='float32')
  parser.add_argument('--turns', type=int, default=7)
  parser.add_argument('--imagenet', action='store_true')
  parser.add_argument('--methods', nargs='+', default=None)
  args = parser.parse_args()
  steps = {
      name: make_step(name, *settings, args)
      for name, settings in settings_of(args.imagenet).items()
      if args.methods is None or name in args.methods}
  seconds = {name: [] for name in steps}
  for _ in range(args.turns):
    for name, step in steps.items():
      seconds[name].append(step())
  medians = {name: float(np.median(s)) for name, s in seconds.items()}
  base = medians.get('moco', next(iter(medians.values())))
  device = jax.devices()[0].device_kind
  print(f'ResNet-{args.depth}, {args.size} px, batch {args.batch}, {device}')
  for name, median in medians.items():
    print(f'{name:10} {1000 * median:9.1f} ms a step  {median / base:6.2f} x MoCo')


if __name__ == '__main__':
  main()
