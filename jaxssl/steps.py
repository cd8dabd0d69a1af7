"""The folders of a run's checkpoints: `checkpoints/<step>/`.

A step that is listed is whole as far as its writer knows: it gets its name when all
of it is on disk, and loses it before any of it is deleted.
"""

import logging
import os
import re
import shutil

from jaxssl import errors
from jaxssl import files

log = logging.getLogger(__name__)


def find(directory):
  """The steps in a folder, ascending; whatever else is there is passed over."""
  # A look while a writer adds one step and deletes another can miss both.
  return _look(directory) or _look(directory) or _look(directory)


def _look(directory):
  with files.storage_errors(f'Cannot read {directory}'):
    try:
      paths = list(directory.iterdir())
    except FileNotFoundError:
      return []
  return sorted(
      int(p.name) for p in paths
      if re.fullmatch('0|[1-9][0-9]*', p.name) and _is_folder(p))


def _is_folder(path):
  return path.is_dir() and not path.is_symlink()


def make_room(directory, step, num_bytes):
  """Sees to it that a step can be written.

  Raises:
    StorageError: less than `num_bytes` are free.
  """
  if os.path.lexists(directory / str(step)):
    log.error('Something is where checkpoint %d is to go.', step)
    set_aside(directory, step)
  free = shutil.disk_usage(directory).free
  if free < num_bytes + 2**20:
    raise errors.StorageError(
        f'The disk is full: checkpoint {step} in {directory} takes '
        f'{num_bytes / 2**20:.0f} MiB and {free / 2**20:.0f} MiB are free.')


def set_aside(directory, step):
  """Moves a step that cannot be trusted to `bad_checkpoints/`; deletes nothing."""
  folder = directory.parent / 'bad_checkpoints'
  with files.storage_errors(f'Cannot set checkpoint {step} aside'):
    folder.mkdir(exist_ok=True)
    n = sum(p.name.startswith(f'{step}-') for p in folder.iterdir())
    os.rename(directory / str(step), folder / f'{step}-{n}')
  log.error('Checkpoint %d is set aside as %s.', step, folder / f'{step}-{n}')


def prune(directory, saved, *, keep, keep_every_steps):
  """Deletes old steps.

  Args:
    directory: of the steps.
    saved: the step that was just saved; newer ones are not touched.
    keep: how many of the newest stay.
    keep_every_steps: multiples of this stay too; 0 for none.
  """
  for step in [s for s in find(directory) if s <= saved][:-keep]:
    if keep_every_steps and step % keep_every_steps == 0:
      continue
    doomed = directory / f'{step}.deleted'
    try:
      os.rename(directory / str(step), doomed)
      shutil.rmtree(doomed)
    except OSError as e:
      log.warning('Cannot delete checkpoint %d: %s.', step, e.strerror)


def clean(directory):
  """Removes what a killed process was writing or deleting. Needs the run's lock."""
  for path in directory.iterdir():
    marked = re.match(r'[0-9]+\.(orbax-checkpoint-tmp|deleted)', path.name)
    if marked and _is_folder(path):
      shutil.rmtree(path)
