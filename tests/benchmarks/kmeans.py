"""Seconds and memory of k-means here: ours, and faiss-cpu's where installed.

  python -m tests.benchmarks.kmeans            # Two sizes.
  python -m tests.benchmarks.kmeans --quick    # The first one only.
  python -m tests.benchmarks.kmeans --scaling  # Ours with n, k and d changed alone.
  python -m tests.benchmarks.kmeans --tenth    # A tenth of an ImageNet E-step.

Twenty iterations from random rows of normal data, then the assignment of all rows,
on the same cores. The two take turns, so that other load on the machine falls on
both, and each has its median; ours has compiled before. The objective is the summed
squared distance. Memory is the peak of a process that does only this, less that of
the libraries and of the rows: what k-means added. What a first call on few rows adds
of it, where ours compiles, is told apart. The limit is the distances of all
iterations at the rate of a large product of matrices. With --scaling or --tenth nobody
else is measured; --tenth also prints, by calculation, the E-step of PCL on ImageNet on
8 accelerators.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np

from jaxssl import huge_pages
from tests.benchmarks import stopwatch
from tests.benchmarks import table

ROOT = pathlib.Path(__file__).parents[2]

ITERS, FEW = 20, 2000
SIZES = [(50_000, 128, 1000), (200_000, 128, 5000)]
SCALING = [
    (25_000, 128, 1000), (100_000, 128, 1000),
    (50_000, 128, 500), (50_000, 128, 2000),
    (50_000, 64, 1000), (50_000, 256, 1000)]
IMAGENET, WIDTH, CLUSTERS = 1_281_167, 128, (25_000, 50_000, 100_000)
# Forward and backward of ResNet-50 at 224 pixels, of one image.
RESNET50_FLOPS = 3 * 2 * 4.1e9


def normal_rows(n, d):
  return np.random.default_rng(0).standard_normal((n, d), np.float32)


def ours(x, k):
  """Returns () -> objective."""
  import jax

  from jaxssl import kmeans
  return lambda: kmeans.fit(
      jax.random.key(0), x, k, num_iters=ITERS, num_restarts=1).inertia


def faiss(x, k):
  import faiss as library

  def run():
    found = library.Kmeans(
        x.shape[1], k, niter=ITERS, nredo=1, max_points_per_centroid=1000,
        min_points_per_centroid=10)
    found.train(x)
    return found.index.search(x, 1)[0].sum(dtype=np.float64)
  return run


def memory_child(name, n, d, k):
  make = {'ours': ours, 'faiss': faiss}[name]
  make(normal_rows(1, d), 1)
  if name == 'ours':
    import jax
    jax.devices()
  libraries = stopwatch.peak_memory()
  make(normal_rows(FEW, d), FEW // 100)()
  few = stopwatch.peak_memory()
  make(normal_rows(n, d), k)()
  print(libraries, few, stopwatch.peak_memory())


def added_memory(name, n, d, k):
  """MiB at the peak of k-means, less those of the libraries and of the rows.

  And how many of them a first call on few rows has added.
  """
  out = subprocess.run(
      [sys.executable, '-m', 'tests.benchmarks.kmeans', '--child', name,
       *map(str, (n, d, k))],
      cwd=ROOT, capture_output=True, text=True, check=True).stdout
  libraries, few, peak = map(float, out.split()[-3:])
  return peak - libraries - n * d * 4 / 2**20, few - libraries


def compare(n, d, k, turns, makers, missing=''):
  """Two rows: seconds, and memory where there is somebody beside us."""
  x = normal_rows(n, d)
  runs = {name: make(x, k) for name, make in makers.items()}
  runs['ours']()  # Compiles.
  multiply = stopwatch.product()
  times, objective = stopwatch.by_turns({**runs, stopwatch.PRODUCT: multiply}, turns)
  seconds = {name: float(t[0]) for name, t in times.items()}
  # 2 n d k for the products of an iteration, one more for the assignment.
  least = 2 * n * d * k * (ITERS + 1) / multiply()
  beside = 'faiss' in runs
  what = f'kmeans: {n:,} rows, d={d}, k={k:,}'
  found = [table.Row(
      what, 's', seconds['ours'], 'faiss' if beside else missing,
      seconds.get('faiss'), ('ratio', '<=', 1), least, stopwatch.PRODUCT,
      'objective ' + ' and '.join(f'{objective[name]:.4g}' for name in runs))]
  if beside and sys.platform == 'linux':
    mib = {name: added_memory(name, n, d, k) for name in runs}
    found.append(table.Row(
        f'{what}: memory added', 'MiB', mib['ours'][0], 'faiss', mib['faiss'][0],
        ('ratio', '<=', 2),
        note=f'{mib["ours"][1]:.0f} and {mib["faiss"][1]:.0f} by a first call on few '
             'rows'))
  return found


def calculate(num_devices, teraflops, images_per_second):
  """The E-step at ImageNet's size from its operations and bytes."""
  q = -(-IMAGENET // num_devices)
  print(
      f'By calculation: {IMAGENET:,} rows of {WIDTH} on {num_devices} accelerators '
      f'that do {teraflops:g} TFLOP/s of float32 products each:')
  total = 0
  for k in CLUSTERS:
    products = 2 * IMAGENET * WIDTH * k
    # Accelerators sum by a second product of the same size.
    seconds = 2 * products * ITERS / (num_devices * teraflops * 1e12)
    total += seconds
    size = 4 * (q * WIDTH + 3 * k * WIDTH + 4096 * min(k, 8192) * 2)
    print(
        f'  k={k:,}: {products:.2g} FLOPs an iteration for distances, as many for '
        f'sums; {seconds:.1f} s for {ITERS}; {size / 2**20:.0f} MB a device')
  epoch = IMAGENET / (num_devices * images_per_second)
  rate = RESNET50_FLOPS * images_per_second / 1e12
  print(
      f'  together {total:.1f} s a restart; an epoch of ResNet-50 at '
      f'{images_per_second:,.0f} images/s each ({rate:.0f} TFLOP/s) is {epoch:.0f} '
      f's: {total / epoch:.0%} a restart, {5 * total / epoch:.0%} with five')


def rows(quick):
  makers, missing = {'ours': ours}, ''
  try:
    import faiss as _  # noqa: F401
    makers['faiss'] = faiss
  except ImportError as e:
    missing = f'faiss-cpu: {e}'
  return [
      row for size in (SIZES[:1] if quick else SIZES)
      for row in compare(*size, 3 if quick else 5, makers, missing)]


def main():
  parser = table.parser(__doc__)
  parser.add_argument('--scaling', action='store_true', help='n, k and d alone')
  parser.add_argument('--tenth', action='store_true', help='an E-step, 1/10 of it')
  parser.add_argument('--devices', type=int, default=8)
  parser.add_argument('--teraflops', type=float, default=50.)
  parser.add_argument('--images_per_second', type=float, default=1000.)
  parser.add_argument('--child', nargs=4, help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.child:
    return memory_child(args.child[0], *map(int, args.child[1:]))
  sizes = list(SCALING) if args.scaling else []
  if args.tenth:
    sizes += [(IMAGENET // 10, WIDTH, k // 10) for k in CLUSTERS]
    calculate(args.devices, args.teraflops, args.images_per_second)
  alone = [row for size in sizes for row in compare(*size, 1, {'ours': ours})]
  table.deliver(alone or rows(args.quick), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
