"""Times by turns, so that other load on the machine falls on all alike; memory."""

import time

import numpy as np

PRODUCT = 'product of matrices'
PAUSE = 0.3  # Seconds: the threads of OpenMP spin on after their work is done.


def by_turns(runs, turns, uncounted=0):
  """Calls several functions in turn, some times each.

  Args:
    runs: {name: function without arguments, which waits for its result}.
    turns: how often each is called. Call them once before if they compile.
    uncounted: calls at the beginning of each turn whose time does not count: for what
      runs step after step, and would otherwise pay for memory and threads that it
      finds as another function has left them.

  Returns:
    {name: median seconds and CPU seconds}, and {name: what it returned last}.
  """
  seconds, found = {name: [] for name in runs}, {}
  for _ in range(turns):
    for name, run in runs.items():
      time.sleep(PAUSE)
      for _ in range(uncounted):
        run()
      start = time.perf_counter(), time.process_time()
      found[name] = run()
      seconds[name].append((
          time.perf_counter() - start[0], time.process_time() - start[1]))
  return {name: np.median(s, axis=0) for name, s in seconds.items()}, found


def product(dtype='float32', size=None):
  """What the device does best: the limit that others are held against.

  Returns:
    A function that multiplies two square matrices and returns the most operations a
    second that it has reached so far. To be called in turn with others, for other
    load on the machine comes and goes.
  """
  import jax
  size = size or (2048 if jax.default_backend() == 'cpu' else 8192)
  a, b = (
      jax.random.normal(jax.random.key(i), (size, size), dtype) for i in range(2))
  multiply = jax.jit(jax.numpy.matmul)
  jax.block_until_ready(multiply(a, b))
  best = 0.0

  def run():
    nonlocal best
    for _ in range(3):
      start = time.perf_counter()
      jax.block_until_ready(multiply(a, b))
      best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best

  return run


def rate(step, per_step, seconds=2):
  """What is done a second by a function that is called over and over.

  Args:
    step: takes no arguments, and waits for its result.
    per_step: how much it does, in any unit.
    seconds: how long it is called.
  """
  step()  # Whatever the first call does more than others.
  steps, start = 0, time.perf_counter()
  while time.perf_counter() < start + seconds:
    step()
    steps += 1
  return steps * per_step / (time.perf_counter() - start)


def rates_by_turns(runs, turns):
  """{name: median of what each of the functions returns}, called in turn."""
  found = [{name: run() for name, run in runs.items()} for _ in range(turns)]
  return {name: float(np.median([f[name] for f in found])) for name in runs}


def peak_memory():
  """The most memory that this process has had, in MiB; None but on Linux."""
  try:
    with open('/proc/self/status') as f:
      return next(int(line.split()[1]) for line in f if 'VmHWM' in line) / 1024
  except OSError:
    return None
