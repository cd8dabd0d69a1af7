"""One task of the plan, here and now: for Slurm arrays and indexed Kubernetes jobs.

The scheduler starts one process for each number. Tasks of stage 2 need some of stage 1,
so their job must depend on that of stage 1.
"""

from jaxssl import engines
from jaxssl import errors
from jaxssl import worker


def make(*, index):
  """The engine.

  Args:
    index: the number of the task, as the plan lists it.

  Returns:
    run(workdir, plan) -> {number: `engines.Outcome`}; empty if the task was done.

  Raises:
    errors.JobError: from `run`: there is no such task, one that it needs is not done,
      or the task failed.
  """
  def run(workdir, plan):
    del workdir
    if not 0 <= index < len(plan.tasks):
      raise errors.ConfigError(
          f'config.index is {index}; the tasks are {stages(plan)}.')
    task = plan.tasks[index]
    waiting = [n for n in task.needs if not plan.tasks[n].done]
    if waiting:
      raise errors.ConfigError(
          f'Task {index} needs task {waiting[0]}, which is not done. Start it after '
          f'those of stage 1; the tasks are {stages(plan)}.')
    if task.done:
      return {}
    worker.run(plan, task)
    return {index: engines.Outcome(0)}

  return run


def stages(plan):
  """'0 to 3 in stage 1 and 4 to 5 in stage 2'."""
  parts = []
  for stage in (1, 2):
    numbers = [task.number for task in plan.tasks if task.stage == stage]
    if numbers:
      parts.append(f'{numbers[0]} to {numbers[-1]} in stage {stage}')
  return ' and '.join(parts)
