"""Ways to run the tasks of a study; a file's name is what `config.engine` says.

Each has `make(**settings) -> run(workdir, plan) -> {number: Outcome}`, for the tasks
that were not done. Results are files keyed by what they are of, so whatever one engine
has done, every other one finds.
"""

from typing import NamedTuple


class Outcome(NamedTuple):
  """How a task ended: exit code 0 with '', or another with the reason in one line."""
  code: int
  message: str = ''


def blocked(task, outcomes):
  """The `Outcome` of a task one of whose needs failed, or None."""
  failed = [n for n in task.needs if n in outcomes and outcomes[n].code]
  if not failed:
    return None
  return Outcome(outcomes[failed[0]].code, f'It needs task {failed[0]}, which failed.')
