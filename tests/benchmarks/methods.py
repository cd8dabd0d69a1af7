"""Milliseconds a step of every method here, beside MoCo's.

  python -m tests.benchmarks.methods --depth 18 --batch_size 32
  python -m tests.benchmarks.methods --depth 50 --size 224 --batch_size 256 --imagenet

One encoder, one batch of ready images, views and optimiser included. PCL has all of
its prototypes: 250, 500 and 1000 of them, or with --imagenet 25,000, 50,000 and
100,000 with 16,384 negatives. The methods take turns, so that other load on the
machine falls on all, and each has its median.
"""

import numpy as np

from configs import common
from jaxssl import huge_pages
from tests.benchmarks import made_step
from tests.benchmarks import stopwatch
from tests.benchmarks import table

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


def make_runner(name, head, settings, *, imagenet, size, **case):
  """Returns a function for `by_turns`; it has been called once."""
  made = made_step.make(
      name, head, settings, common.moco_v2_view(size, blur=0.0), size=size,
      num_examples=1_281_167 if imagenet else 50_000, **case)
  if name == 'pcl':
    made = made._replace(state=made.state._replace(
        extra={**made.state.extra, 'has_prototypes': np.float32(1)}))
  return made_step.runner(made)


def rows(quick, *, imagenet=False, methods=None, **changes):
  """One for each method, MoCo's step beside it."""
  small = dict(depth=10, batch_size=16) if quick else {}
  case = dict(depth=18, size=32, batch_size=32, dtype='float32') | small | changes
  runs = {
      name: make_runner(name, *settings, imagenet=imagenet, **case)
      for name, settings in settings_of(imagenet).items()
      if methods is None or name in methods}
  times, _ = stopwatch.by_turns(runs, 3 if quick else 7)
  ms = {name: 1000 * float(t[0]) for name, t in times.items()}
  return [
      table.Row(
          f'methods: {name}, ResNet-{case["depth"]}, {case["size"]} px, batch '
          f'{case["batch_size"]}, {case["dtype"]}', 'ms', value,
          'moco' if name != 'moco' else '',
          ms.get('moco') if name != 'moco' else None,
          ('ratio', '<=', 1.15) if name == 'pcl' else None)
      for name, value in ms.items()]


def main():
  parser = table.parser(__doc__)
  case = {'depth': int, 'size': int, 'batch_size': int, 'dtype': str}
  for name, kind in case.items():
    parser.add_argument(f'--{name}', type=kind)
  parser.add_argument('--imagenet', action='store_true')
  parser.add_argument('--methods', nargs='+', choices=tuple(settings_of(False)))
  args = parser.parse_args()
  changes = {name: vars(args)[name] for name in case if vars(args)[name] is not None}
  table.deliver(rows(
      args.quick, imagenet=args.imagenet, methods=args.methods, **changes), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
