"""One task after another on this machine, each in a process of its own.

A crash, or a full memory, costs one task.
"""

import logging
import os
import pathlib
import signal
import subprocess
import sys
import time

from jaxssl import engines
from jaxssl import errors
from jaxssl import preemption

log = logging.getLogger(__name__)

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.1


def make():
  """The engine; it takes no settings.

  Returns:
    run(workdir, plan) -> {number: `engines.Outcome`} of the tasks that were not done.
    What a task prints goes to `<workdir>/logs/<number>-<name>.log`.

  Raises:
    errors.Preempted: from `run`: a signal has come; it was passed on to the task, which
      has saved.
  """
  def run(workdir, plan):
    outcomes = {}
    todo = [task for task in plan.tasks if not task.done]
    (workdir / 'logs').mkdir(exist_ok=True)
    with preemption.listening() as notice:
      for place, task in enumerate(todo, 1):
        outcome = engines.blocked(task, outcomes)
        if outcome is None:
          log.info('%d of %d: %s', place, len(todo), task.name)
          start = time.monotonic()
          outcome = _run(workdir, task, notice)
          log.info('  %s after %.0f s', (
              f'failed ({outcome.code}): {outcome.message}' if outcome.code
              else 'done'), time.monotonic() - start)
        outcomes[task.number] = outcome
        if notice.requested:
          raise errors.Preempted(
              'Stopped by a signal: the same command goes on where it stopped.')
    return outcomes

  return run


def _run(workdir, task, notice):
  path = workdir / 'logs' / f'{task.number}-{task.name}.log'
  command = [sys.executable, '-m', 'jaxssl.worker', str(workdir), str(task.number)]
  search = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
  with open(path, 'w', encoding='utf-8') as out:
    child = subprocess.Popen(
        command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(search)},
        start_new_session=True)  # A signal from the keyboard comes through us, once.
    try:
      asked = False
      while child.poll() is None:
        if notice.requested and not asked:
          child.send_signal(signal.SIGTERM)
          asked = True
        time.sleep(POLL_SECONDS)
    finally:
      if child.poll() is None:
        child.kill()
        child.wait()
  code = child.returncode
  if code == 0:
    return engines.Outcome(0)
  # A process that a signal killed has the code that a shell would give it.
  return engines.Outcome(
      code if code > 0 else 128 - code, f'{_last_line(path)} (all of it: {path})')


def _last_line(path):
  lines = path.read_text('utf-8', 'replace').strip().splitlines()
  return lines[-1] if lines else 'It printed nothing.'
