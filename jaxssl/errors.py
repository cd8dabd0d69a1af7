"""The ways a job ends other than well; `main` turns each into its exit code."""

import contextlib


class JobError(Exception):
  """A failure with a message of one line that tells the reader what to do."""
  exit_code = 70


class Preempted(JobError):
  """The state is saved: the same command goes on from there."""
  exit_code = 42


class DataError(JobError):
  """The images are broken beyond what a run may skip."""
  exit_code = 65


class LockedError(JobError):
  """Another process writes in the workdir, or it cannot be made."""
  exit_code = 73


class StorageError(JobError):
  """The disk failed, or no checkpoint on it can be trusted."""
  exit_code = 74


class DivergedError(JobError):
  """Loss, gradients or state are no longer finite: a restart would not help."""
  exit_code = 76


class LostError(JobError):
  """Another process of the job has gone: run all of them again."""
  exit_code = 134  # As jax's coordinator ends those that are left, by SIGABRT.


class ConfigError(JobError, ValueError):
  """A mistake in the config or on the command line."""
  exit_code = 78


@contextlib.contextmanager
def user_mistakes(where):
  """Turns a ValueError inside into a ConfigError that names `where`.

  Only for code that checks what the user gave, before any work: a ValueError later
  is a bug of ours.
  """
  try:
    yield
  except ConfigError:
    raise
  except ValueError as e:
    raise ConfigError(f'{where}: {e}') from e
