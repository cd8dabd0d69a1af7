"""How soon the quickstart takes its first step, and how long all of it takes.

  python -m tests.benchmarks.start           # The whole quickstart, then its start.
  python -m tests.benchmarks.start --quick   # Its start twice.

Each is the command of the README in a process of its own, from its launch to the line
that logs its first step, which comes with the third. The first finds an empty
compilation cache, in a folder of its own, and fills it; the others find it warm. The
limit of the whole is the arithmetic of its encoder at the rate of a large product of
matrices.
"""

import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from jaxssl import huge_pages
from tests.benchmarks import stopwatch
from tests.benchmarks import table

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = 'configs/quickstart.py'
FIRST_STEP = re.compile(r'step +1/')


def launch(folder, name):
  """Runs the quickstart; yields seconds since its launch with each line it prints."""
  left_out = (
      'JAX_COMPILATION_CACHE_DIR', huge_pages.SWITCH, huge_pages.VARIABLE)
  environ = {k: v for k, v in os.environ.items() if k not in left_out}
  start = time.perf_counter()
  child = subprocess.Popen(
      [sys.executable, '-m', 'jaxssl.main', f'--config={CONFIG}',
       f'--workdir={folder}/{name}'],
      cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
      env={**environ, 'XDG_CACHE_HOME': f'{folder}/cache'})
  try:
    for line in child.stdout:
      yield time.perf_counter() - start, line
    if child.wait():
      raise RuntimeError(f'The quickstart ended with exit code {child.returncode}.')
  finally:
    child.kill()
    child.wait()


def first_step(lines):
  """Seconds until the first step is logged."""
  for seconds, line in lines:
    if FIRST_STEP.search(line):
      return seconds
  raise RuntimeError('The quickstart ended before its first step.')


def least_seconds():
  """Of the whole quickstart, were it products of matrices alone."""
  from configs import quickstart
  from jaxssl import costs
  from jaxssl import recipe
  flops = costs.of(recipe.build(quickstart.get_config().to_dict())).flops
  multiply = stopwatch.product()
  return flops / max(multiply() for _ in range(5))


def rows(quick):
  with tempfile.TemporaryDirectory() as folder:
    lines = launch(folder, 'cold')
    cold = first_step(lines)
    whole = None
    if quick:
      lines.close()
    else:
      whole = [seconds for seconds, _ in lines][-1]
    warm, cpu = [], []
    for i in range(1 if quick else 3):
      before = resource.getrusage(resource.RUSAGE_CHILDREN)
      lines = launch(folder, f'warm{i}')
      warm.append(first_step(lines))
      lines.close()
      after = resource.getrusage(resource.RUSAGE_CHILDREN)
      cpu.append(sum(after[:2]) - sum(before[:2]))  # Of the user and the system.
  return [
      table.Row(
          'start: to the first step of the quickstart, warm compilation cache', 's',
          float(np.median(warm)), 'with an empty cache', cold, ('ours', '<=', 25),
          note=f'CPU seconds {np.median(cpu):.1f}'),
      table.Row(
          'start: the quickstart whole, empty cache', 's', whole, target=(
              'ours', '<=', 240), limit=least_seconds(), limit_by=stopwatch.PRODUCT,
          note='left out by --quick' if quick else '')]


def main():
  args = table.parser(__doc__).parse_args()
  table.deliver(rows(args.quick), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
