"""A step of SimCLR: beside its bare encoder, and beside PyTorch's.

  python -m tests.benchmarks.step
  python -m tests.benchmarks.step --profile   # Where a step and an E-step spend time.

The step is the mapped one of `train`: uint8 canvases, two random views of each,
encoder, projector, NT-Xent, gradients, momentum SGD. Bare is one jitted forward and
backward pass of the same encoder alone on views that are ready. PyTorch takes the
same step in float32 on views that are ready, with the faster of its two layouts. The
limit is the encoder's arithmetic (three times its forward pass, as XLA counts it) at
the rate of a large product of matrices.
"""

import multiprocessing
from concurrent import futures
from typing import NamedTuple

import jax

from jaxssl import costs
from jaxssl import huge_pages
from tests.benchmarks import made_step
from tests.benchmarks import parts
from tests.benchmarks import stopwatch
from tests.benchmarks import table


class Case(NamedTuple):
  """A ResNet and its batch."""
  depth: int
  size: int
  batch_size: int
  dtype: str = 'float32'

  @property
  def num_views(self):
    return 2 * self.batch_size

  def __str__(self):
    return (
        f'step: ResNet-{self.depth}, {self.size} px, {self.num_views} views, '
        f'{self.dtype}')


CASES = (Case(18, 32, 32), Case(50, 64, 16))
GPU = Case(50, 224, 256, 'bfloat16')


def operations(made, case):
  """Of the encoder by the definition, forward and backward, for a step's views."""
  one = jax.ShapeDtypeStruct((1, case.size, case.size, 3), case.dtype)
  flops = costs.count(made.method.embed, made.state.params, made.state.extra, one)
  return 3 * flops * case.num_views


def pytorch(case):
  """Returns a function for `by_turns`; it has been called twice.

  Raises:
    ImportError: torch or torchvision is not installed.
  """
  import torch
  import torchvision
  from torch import nn
  from torch.nn import functional as F

  encoder = getattr(torchvision.models, f'resnet{case.depth}')()
  if case.size < 64:
    encoder.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    encoder.maxpool = nn.Identity()
  width = encoder.fc.in_features
  encoder.fc = nn.Sequential(
      nn.Linear(width, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(),
      nn.Linear(512, 128))

  def stepper(layout):
    model = encoder.to(memory_format=layout)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)
    views = torch.rand(case.num_views, 3, case.size, case.size)
    views = views.contiguous(memory_format=layout)
    positive = torch.arange(case.num_views).roll(case.batch_size)

    def run():
      z = F.normalize(model(views))
      logits = (z @ z.T / 0.5).fill_diagonal_(-torch.inf)
      optimizer.zero_grad()
      F.cross_entropy(logits, positive).backward()
      optimizer.step()

    run()
    return run

  seconds = {}
  for layout in (torch.contiguous_format, torch.channels_last):
    run = stepper(layout)
    seconds[layout] = stopwatch.by_turns({'run': run}, 1)[0]['run'][0]
  return stepper(min(seconds, key=seconds.get))


def compare(case, turns):
  """Two rows: beside the bare encoder, and beside PyTorch."""
  made = made_step.simclr(case)
  multiply = stopwatch.product(case.dtype)
  runs = {
      'ours': made_step.runner(made),
      'bare': parts.encoder_pass(made, case, backward=True),
      stopwatch.PRODUCT: multiply}
  peer = 'gpu.py has PyTorch'
  if jax.default_backend() == 'cpu':
    try:
      runs['PyTorch'] = pytorch(case)
      peer = 'PyTorch'
    except ImportError as e:
      peer = f'PyTorch: {e}'
  times, _ = stopwatch.by_turns(runs, turns, uncounted=2)
  seconds = {name: float(t[0]) for name, t in times.items()}
  least = operations(made, case) / multiply()
  theirs = seconds.get('PyTorch')
  return [
      table.Row(
          f'{case}: whole step', 'ms', 1000 * seconds['ours'],
          'bare forward and backward', 1000 * seconds['bare'], ('ratio', '<=', 1.1),
          1000 * least, stopwatch.PRODUCT),
      table.Row(
          f'{case}: speed', 'views/s', case.num_views / seconds['ours'], peer,
          theirs and case.num_views / theirs, ('ratio', '>=', 0.8),
          case.num_views / least, stopwatch.PRODUCT)]


def alone(case, turns):
  """`compare` in a process of its own, which is what a training has.

  After another network's, its steps and its bare encoder are often slower.
  """
  with futures.ProcessPoolExecutor(
      1, mp_context=multiprocessing.get_context('spawn')) as process:
    return process.submit(compare, case, turns).result()


def rows(quick):
  """Of the networks that suit the backend: small on CPU, large on a GPU."""
  turns = 3 if quick else 9
  if jax.default_backend() != 'cpu':
    return compare(GPU, turns)
  small, large = CASES
  # ResNet-50's ratio is near the aim, and the median of 9 turns varies by a tenth.
  found = [*alone(small, turns), *alone(large, turns if quick else 27)]
  return [*found, table.Row(f'{GPU}: whole step', note='no GPU here')]


def main():
  parser = table.parser(__doc__)
  parser.add_argument('--profile', action='store_true', help='time by part')
  args = parser.parse_args()
  if not args.profile:
    return table.deliver(rows(args.quick), args)
  on_cpu = jax.default_backend() == 'cpu'
  for case in (CASES[:1] if args.quick else CASES) if on_cpu else (GPU,):
    parts.print_step(case, turns=3 if args.quick else 9)
  parts.print_estep(1024 if args.quick else 8192)


if __name__ == '__main__':
  huge_pages.restart()
  main()
