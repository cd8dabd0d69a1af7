"""Memory of NT-Xent's value and gradient: ours, and optax's.

  python -m tests.benchmarks.ntxent

Compiled for 8,192 rows of 128 numbers on one device. The peer of the first row is the
logits, [8192, 8192] in float32; the limit too: a loss that keeps them needs no less.
Compiled memory is what XLA plans for results and intermediates. The measured row is
by how much running it raises the peak of this process, which does nothing else.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import huge_pages
from jaxssl import losses
from tests.benchmarks import stopwatch
from tests.benchmarks import table

ROWS, WIDTH, TEMPERATURE = 8192, 128, 0.1
LOGITS = ROWS**2 * 4 / 2**20  # MiB


def ours(z):
  return losses.nt_xent(*jnp.split(z, 2), temperature=TEMPERATURE).mean()


def of_optax(z):
  pairs = jnp.tile(jnp.arange(ROWS // 2), 2)
  return optax.losses.ntxent(z, pairs, temperature=TEMPERATURE)


def compiled(loss):
  rows = jax.ShapeDtypeStruct((ROWS, WIDTH), np.float32)
  return jax.jit(jax.value_and_grad(loss)).lower(rows).compile()


def planned(program):
  """MiB of results and intermediates, None where the backend does not tell."""
  memory = program.memory_analysis()
  return memory and (
      memory.temp_size_in_bytes + memory.output_size_in_bytes) / 2**20


def rows(quick):
  """The same whether quick or not."""
  del quick
  row = functools.partial(
      table.Row, peer='logits of one device', theirs=LOGITS, limit=LOGITS,
      limit_by='logits')
  program = compiled(ours)
  x = np.random.default_rng(0).standard_normal((ROWS, WIDTH), np.float32)
  x = jax.device_put(x / np.linalg.norm(x, axis=1, keepdims=True))
  before = stopwatch.peak_memory() if jax.default_backend() == 'cpu' else None
  start = time.perf_counter()
  jax.block_until_ready(program(x))
  seconds = time.perf_counter() - start
  rise = before and stopwatch.peak_memory() - before
  what = f'ntxent: value and gradient, {ROWS:,} rows'
  return [
      row(f'{what}, compiled', 'MiB', planned(program), target=('ratio', '<=', 2)),
      row(f'{what}, measured', 'MiB', rise, target=('ratio', '<=', 2),
          note=f'{seconds:.2f} s'),
      table.Row(
          f'{what}, beside optax.losses.ntxent', 'MiB', planned(program), 'optax',
          planned(compiled(of_optax)), None, LOGITS, 'logits')]


def main():
  args = table.parser(__doc__).parse_args()
  table.deliver(rows(args.quick), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
