"""A run of seconds, and processes that run it: for tests that kill and count."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from configs import quickstart

ROOT = pathlib.Path(__file__).parents[1]
PATH = f'{ROOT}{os.pathsep}{ROOT / "tests"}'


def get_config(arg=''):
  """The quickstart's smoke twin on digits, without evaluations."""
  del arg
  c = quickstart.get_config('smoke')
  c.data = dict(
      name='digits', split='train', size=16, max_examples=128, batch_size=16,
      input='resident', short_side=16, canvas=16, cache_dir='')
  for view in c.views.values():
    view.size = 16
  c.eval_view.size = 16
  c.eval_data = dict(
      train=dict(split='train', max_examples=64),
      test=dict(split='test', max_examples=64))
  # Tame: at a high rate on batches of 16 training is chaotic, and magnifies the last
  # bit of a sum a thousandfold.
  c.optim = dict(
      name='sgd', base_lr=0.001, scaling='none', warmup_epochs=0.5, weight_decay=1e-4,
      momentum=0.9, nesterov=False)
  c.log.tensorboard = False
  c.evals = {}
  return c


def config():
  return get_config().to_dict()


def start(
    workdir, *overrides, devices=2, forget=None, config=__file__,
    program=('-m', 'jaxssl.main')):
  """Starts the run in a process of its own; it may forget a part of its state."""
  program = (__file__, forget) if forget else program
  return subprocess.Popen(
      [sys.executable, *program, f'--config={config}',
       f'--workdir={workdir}', *overrides],
      env={**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': PATH,
           'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}'},
      cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(workdir, *overrides, **how):
  """Runs it to its end; returns the exit code and what it printed."""
  process = start(workdir, *overrides, **how)
  text, _ = process.communicate(timeout=300)
  return process.returncode, text


def steps_logged(workdir):
  """The last step in metrics.jsonl, or -1."""
  path = pathlib.Path(workdir) / 'metrics.jsonl'
  lines = path.read_text().splitlines() if path.exists() else []
  for line in reversed(lines):
    try:
      return json.loads(line)['step']
    except ValueError:
      continue
  return -1


def kill_when(process, condition, number=signal.SIGKILL, timeout=120):
  """Sends a signal as soon as `condition()` holds; False if the process was faster."""
  deadline = time.monotonic() + timeout
  while process.poll() is None and time.monotonic() < deadline:
    if condition():
      process.send_signal(number)
      process.communicate(timeout=timeout)
      return True
    time.sleep(0.002)
  process.communicate(timeout=timeout)
  return False


def done(workdir):
  return json.loads((pathlib.Path(workdir) / 'DONE').read_text())


def losses(workdir):
  """{step: loss} as written."""
  rows = map(
      json.loads, (pathlib.Path(workdir) / 'metrics.jsonl').read_text().splitlines())
  return {row['step']: row['train/loss'] for row in rows if 'train/loss' in row}


def forgetful_main(part):
  """Runs the command line with a restore that makes one part of the state anew."""
  from jaxssl import main
  from jaxssl import train

  restore_or_create = train.restore_or_create

  def forget(recipe, checkpoints):
    state = restore_or_create(recipe, checkpoints)
    if int(state.step):
      print(f'forgot {part} at step {int(state.step)}', flush=True)
      fresh = recipe._replace(seed=recipe.seed + (part == 'rng')).create_state()
      state = state._replace(**{part: getattr(fresh, part)})
    return train.parallel.replicate(state)

  train.restore_or_create = forget
  return main.main([sys.argv[0], *sys.argv[2:]])


if __name__ == '__main__':
  sys.exit(forgetful_main(sys.argv[1]))
