"""Seconds and memory of k-means here: ours, and faiss-cpu's where installed.

  python tests/benchmarks/kmeans.py          # Two sizes; then n, k and d alone.
  python tests/benchmarks/kmeans.py --quick  # The first size only.
  python tests/benchmarks/kmeans.py --tenth  # Adds a tenth of an ImageNet E-step.

Twenty iterations from random rows of normal data, then the assignment of all rows,
on the same cores. The two take turns, so that other load on the machine falls on
both, and each has its median; ours has compiled before. The objective is the summed
squared distance. Memory is the peak of a process that does only this, in parts: the
libraries, the rows, and what k-means added (ours: with its compilation). The last
table is by calculation: the E-step of PCL on ImageNet on 8 accelerators.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

ITERS = 20
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


def peak_memory():
  """The most memory that this process has had, in MB."""
  with open('/proc/self/status') as f:
    return next(int(line.split()[1]) for line in f if 'VmHWM' in line) / 1024


def memory_child(name, n, d, k):
  make = {'ours': ours, 'faiss': faiss}[name]
  make(normal_rows(1, d), 1)
  if name == 'ours':
    import jax
    jax.devices()
  libraries = peak_memory()
  run = make(normal_rows(n, d), k)
  run()
  print(libraries, peak_memory())


def memory(name, n, d, k):
  """MB of the libraries, and MB of all at the peak."""
  out = subprocess.run(
      [sys.executable, __file__, '--child', name, str(n), str(d), str(k)],
      capture_output=True, text=True, check=True).stdout
  return map(float, out.split()[-2:])


def compare(n, d, k, turns, runners, with_memory):
  x = normal_rows(n, d)
  runs = {name: make(x, k) for name, make in runners.items()}
  objective = {'ours': runs['ours']()}  # Compiles.
  seconds = {name: [] for name in runs}
  for _ in range(turns):
    for name, run in runs.items():
      start = time.perf_counter()
      objective[name] = run()
      seconds[name].append(time.perf_counter() - start)
  median = {name: np.median(s) for name, s in seconds.items()}
  print(f'n={n:,} d={d} k={k:,}: ' + ', '.join(
      f'{name} {median[name]:.2f} s (objective {objective[name]:.5g})'
      for name in runs), end='')
  if 'faiss' in runs:
    print(f'; ours is {median["faiss"] / median["ours"]:.2f} times as fast', end='')
  # 2 n d k for the products of an iteration, one more for the assignment.
  rate = 2 * n * d * k * (ITERS + 1) / median['ours'] / 1e9
  print(f'; {rate:.0f} GFLOP/s', flush=True)
  if with_memory:
    for name in runs:
      libraries, peak = memory(name, n, d, k)
      rows = n * d * 4 / 2**20
      print(
          f'  memory of {name}: {peak:.0f} MB, of which libraries {libraries:.0f}, '
          f'rows {rows:.0f}, added {peak - libraries - rows:.0f}', flush=True)


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


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--quick', action='store_true', help='the first size only')
  parser.add_argument('--tenth', action='store_true', help='an E-step, 1/10 of it')
  parser.add_argument('--turns', type=int, default=5)
  parser.add_argument('--devices', type=int, default=8)
  parser.add_argument('--teraflops', type=float, default=50.)
  parser.add_argument('--images_per_second', type=float, default=1000.)
  parser.add_argument('--child', nargs=4, help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.child:
    return memory_child(args.child[0], *map(int, args.child[1:]))
  runners = {'ours': ours}
  try:
    import faiss as _  # noqa: F401
    runners['faiss'] = faiss
  except ImportError:
    print('faiss is not installed (pip install faiss-cpu): only ours is measured.')
  for size in SIZES[:1] if args.quick else SIZES:
    compare(*size, args.turns, runners, with_memory=True)
  for size in [] if args.quick else SCALING:
    compare(*size, args.turns, {'ours': ours}, with_memory=False)
  if args.tenth:
    for k in CLUSTERS:
      compare(
          IMAGENET // 10, WIDTH, k // 10, 1, {'ours': ours}, with_memory=True)
  calculate(args.devices, args.teraflops, args.images_per_second)


if __name__ == '__main__':
  main()
