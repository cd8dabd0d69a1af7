"""Ray Core tasks: the study's graph of needs, retries, one accelerator host a task.

Needs `pip install -e '.[ray]'`, and a workdir that all machines of the cluster see.
"""

import importlib
import logging
import os

from jaxssl import engines
from jaxssl import errors
from jaxssl import huge_pages
from jaxssl import main
from jaxssl import worker

log = logging.getLogger(__name__)

MAX_RETRIES = 3


def make(*, ray):
  """The engine.

  Args:
    ray: dict with `address` of a cluster, 'auto' for the one that this machine belongs
      to, '' to start one here; and what a task occupies there: `num_cpus`, `num_gpus`
      and, for other devices, `resources`, such as {'TPU': 4}.

  Returns:
    run(workdir, plan) -> {number: `engines.Outcome`} of the tasks that were not done. A
    task whose process dies, is preempted, or meets a disk error is tried again, up to
    `MAX_RETRIES` times; it goes on from its checkpoint. Where no machine has what a
    task occupies, a warning says so, and Ray waits: a cluster may grow.

  Raises:
    ValueError: ray is not installed.
  """
  try:
    lib = importlib.import_module('ray')
  except ImportError as e:
    raise ValueError(
        "The engine ray needs Ray: pip install -e '.[ray]'.") from e
  needs = {k: ray[k] for k in ('num_cpus', 'num_gpus', 'resources')}

  def run(workdir, plan):
    started = not lib.is_initialized()
    if started:
      lib.init(
          address=ray['address'] or None, log_to_driver=False,
          logging_level=logging.WARNING, include_dashboard=False,
          runtime_env={'env_vars': _environment()})
    try:
      _check_machines(lib, needs)
      # A process of its own for each task: jax keeps its devices until it ends.
      remote = lib.remote(
          max_calls=1, max_retries=MAX_RETRIES, scheduling_strategy='SPREAD',
          retry_exceptions=[errors.Preempted, errors.StorageError], **needs)(run_task)
      found = {}
      for task in plan.tasks:
        if not task.done:
          waits = [n for n in task.needs if n in found]
          found[task.number] = remote.options(name=task.name).remote(
              plan, task, waits, *(found[n] for n in waits))
      return {
          number: _outcome(lib, plan.tasks[number], future)
          for number, future in found.items()}
    finally:
      if started:
        lib.shutdown()

  return run


def _check_machines(lib, needs):
  wanted = {
      'CPU': needs['num_cpus'], 'GPU': needs['num_gpus'], **dict(needs['resources'])}
  machines = [n['Resources'] for n in lib.nodes() if n['Alive']]
  if any(all(m.get(k, 0) >= v for k, v in wanted.items()) for m in machines):
    return
  have = '; '.join(', '.join(f'{m.get(k, 0):g} {k}' for k in wanted) for m in machines)
  log.warning(
      'No machine of the cluster has what a task needs (--config.ray): %s; there is '
      '%s; waiting for one.',
      ', '.join(f'{v:g} {k}' for k, v in wanted.items() if v), have)


def run_task(plan, task, waits, *outcomes):
  """Runs in a process of the cluster, after the tasks `waits` had their outcomes."""
  blocked = engines.blocked(task, dict(zip(waits, outcomes)))
  if blocked:
    return blocked
  main.start_jax()
  try:
    worker.run(plan, task)
  except (errors.Preempted, errors.StorageError):
    raise  # Ray tries again.
  except errors.JobError as e:
    return engines.Outcome(e.exit_code, main.one_line(e))
  return engines.Outcome(0)


def _outcome(lib, task, future):
  try:
    outcome = lib.get(future)
  except lib.exceptions.RayTaskError as e:
    cause = e.cause
    code = cause.exit_code if isinstance(cause, errors.JobError) else 70
    outcome = engines.Outcome(code, str(cause).strip().splitlines()[-1])
  except lib.exceptions.RayError as e:
    outcome = engines.Outcome(134, f'Its process died: {str(e).splitlines()[0]}')
  log.info('%s: %s', task.name, outcome.message or 'done')
  return outcome


def _environment():
  """What a process of the cluster needs to find this package and its platform."""
  root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  found = {'PYTHONPATH': os.pathsep.join(
      [root, *filter(None, [os.environ.get('PYTHONPATH')])])}
  return found | {
      k: os.environ[k] for k in (
          'JAX_PLATFORMS', 'JAX_COMPILATION_CACHE_DIR', huge_pages.SWITCH,
          huge_pages.VARIABLE) if k in os.environ}
