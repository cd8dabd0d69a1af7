"""The right to write in a workdir, for one process at a time."""

import contextlib
import fcntl
import json
import os
import pathlib
import platform
import time

from jaxssl import errors
from jaxssl import files

PATIENCE = 3.0  # Seconds that a killed holder may take to fall apart.


class Lock:
  """Holds `<workdir>/.lock`: `with lock.Lock(workdir): ...`.

  The kernel frees it when its holder ends in any way, so there is nothing to clean
  after a `kill -9`. Where a file system has no flock, the record in the file (pid,
  host, boot) tells whether the holder still runs.
  """

  def __init__(self, workdir):
    self._path = pathlib.Path(workdir) / '.lock'
    self._fd = None

  def acquire(self):
    """Takes the lock.

    Raises:
      LockedError: another process has it; names that process and its host.
    """
    deadline = time.monotonic() + PATIENCE
    try:
      fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    except OSError as e:
      raise errors.LockedError(f'Cannot open {self._path}: {e.strerror}.') from e
    try:
      while not self._try(fd):
        holder = _holder(self._path)
        if _alive(holder) is not False or time.monotonic() > deadline:
          raise errors.LockedError(
              f'{self._path.parent} is in use by process {holder.get("pid", "?")} '
              f'on {holder.get("host", "?")}. Stop it, or take another --workdir.')
        time.sleep(0.05)
    except BaseException:
      os.close(fd)
      raise
    self._fd = fd

  def _try(self, fd):
    me = json.dumps(record())
    try:
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      return False
    except OSError:  # This file system has no flock.
      holder = _holder(self._path)
      if holder and _alive(holder) is not False:
        return False
      files.write_text(self._path, me)
      time.sleep(0.2)  # Of two that saw a dead holder at once, the later one wins.
      return self._path.read_text() == me
    os.ftruncate(fd, 0)
    os.pwrite(fd, me.encode(), 0)
    return True

  def release(self):
    # The file stays: who waits for it has it open, and a new one would be another
    # lock.
    with contextlib.suppress(OSError):
      os.truncate(self._path, 0)
    os.close(self._fd)
    self._fd = None

  def __enter__(self):
    self.acquire()
    return self

  def __exit__(self, *exc):
    self.release()


def record():
  """What the lock file says of this process."""
  return {
      'pid': os.getpid(), 'host': platform.node(), 'boot': _boot(),
      'birth': birth(os.getpid())}


def _holder(path):
  try:
    found = json.loads(path.read_text())
    return found if isinstance(found['pid'], int) else {}
  except (OSError, ValueError, TypeError, KeyError):  # Not written yet, or junk.
    return {}


def _boot():
  try:
    return pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
  except OSError:
    return ''


def birth(pid):
  """When a process started, in ticks since boot; None if it has ended."""
  try:
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return None
  fields = stat.rpartition(')')[2].split()
  return None if fields[0] in 'ZX' else int(fields[19])


def _alive(holder):
  """Whether a lock's holder runs: True, False, or None where we cannot know."""
  if holder.get('host') != platform.node():
    return None if holder else False
  if holder.get('boot') != _boot():
    return False
  if holder.get('birth') is not None:
    return birth(holder['pid']) == holder['birth']
  try:
    os.kill(holder['pid'], 0)
  except ProcessLookupError:
    return False
  except OSError:
    return True
  return True
