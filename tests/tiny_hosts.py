"""Several processes that train the tiny run together, on this machine."""

import contextlib
import socket
import time

import tiny_run

from configs import common
from configs.evaluate import clustering
from configs.evaluate import finetune
from jaxssl import errors


def get_config(arg=''):
  if arg == 'evaluate':
    c = finetune.get_config('epochs=2,batch_size=16,size=16')
    c.evals.update(clustering.get_config('num_runs=1').evals)
    return c
  c = tiny_run.get_config(arg)
  c.evals = dict(
      knn={**common.knn(k=5), 'every_steps': 8}, health=common.health())
  return c


def free_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def start(workdir, num_processes, *overrides, num_devices=4, config=__file__, **how):
  """Starts the processes of one job; together they have `num_devices`."""
  port = free_port()
  return [
      tiny_run.start(
          workdir, f'--coordinator=127.0.0.1:{port}',
          f'--num_processes={num_processes}', f'--process_id={i}', *overrides,
          devices=num_devices // num_processes, config=config, **how)
      for i in range(num_processes)]


def join(processes, timeout=400):
  """Waits for them; returns their exit codes and what each printed."""
  with contextlib.ExitStack() as stack:
    for process in processes:
      stack.callback(process.kill)  # Those that are left where one takes too long.
    texts = [process.communicate(timeout=timeout)[0] for process in processes]
  return [process.returncode for process in processes], texts


def finish(workdir, num_processes, *overrides, **how):
  """Runs them to their end, again where they lose each other, as a launcher does.

  On a busy machine they do: Gloo waits half a minute for one that still compiles.
  """
  for _ in range(4):
    codes, texts = join(start(workdir, num_processes, *overrides, **how))
    if errors.LostError.exit_code not in codes:
      break
  return codes, texts


def start_and_reach(step, workdir, num_processes, *overrides, **how):
  """Starts them, and waits until a step is written; again where they end before."""
  for _ in range(4):
    processes = start(workdir, num_processes, *overrides, **how)
    while all(p.poll() is None for p in processes):
      if tiny_run.steps_logged(workdir) >= step:
        return processes
      time.sleep(0.01)
    codes, texts = join(processes)
  raise AssertionError((codes, texts))
