"""The lock of a workdir, against real processes that are killed for real."""

import errno
import fcntl
import json
import os
import platform
import subprocess
import sys
import time

import pytest

from jaxssl import errors
from jaxssl import lock

HOLD = """
import sys, time
from jaxssl import errors, lock
try:
  with lock.Lock(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
except errors.LockedError as e:
  print('refused:', e, flush=True)
  sys.exit(e.exit_code)
"""


def holder(path):
  return subprocess.Popen(
      [sys.executable, '-c', HOLD, path], stdin=subprocess.PIPE,
      stdout=subprocess.PIPE, text=True)


def test_second_process_is_refused_until_the_first_is_killed(tmp_path):
  first = holder(tmp_path)
  assert first.stdout.readline() == 'held\n'
  before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
  start = time.monotonic()
  with pytest.raises(errors.LockedError) as refusal:
    lock.Lock(tmp_path).acquire()
  assert time.monotonic() - start < 5
  assert f'process {first.pid} on {platform.node()}' in str(refusal.value)
  assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

  first.kill()  # SIGKILL: nothing of it can clean up.
  first.wait()
  start = time.monotonic()
  with lock.Lock(tmp_path):
    assert time.monotonic() - start < 1
    assert json.loads((tmp_path / '.lock').read_text())['pid'] == os.getpid()


def test_of_many_at_once_one_wins(tmp_path):
  processes = [holder(tmp_path) for _ in range(4)]
  said = [p.stdout.readline() for p in processes]
  assert sum(line == 'held\n' for line in said) == 1, said
  winner = processes[said.index('held\n')]
  for process in processes:
    process.stdin.close()
    assert process.wait() == (0 if process is winner else 73)
  assert all(f'process {winner.pid} ' in line for line in said if line != 'held\n')


def test_release_lets_the_next_one_in(tmp_path):
  for _ in range(2):
    with lock.Lock(tmp_path), pytest.raises(errors.LockedError):
      lock.Lock(tmp_path).acquire()


def test_mode_and_planted_link(tmp_path):
  with lock.Lock(tmp_path):
    assert (tmp_path / '.lock').stat().st_mode & 0o137 == 0
  (tmp_path / '.lock').unlink()
  target = tmp_path / 'target'
  target.write_text('mine')
  (tmp_path / '.lock').symlink_to(target)
  with pytest.raises(errors.LockedError, match='Cannot open'):
    lock.Lock(tmp_path).acquire()
  assert target.read_text() == 'mine'


@pytest.fixture
def no_flock(monkeypatch):
  def refuse(fd, operation):
    raise OSError(errno.ENOTSUP, 'not here')
  monkeypatch.setattr(fcntl, 'flock', refuse)


def record(path, **changes):
  me = lock.record() | changes
  (path / '.lock').write_text(json.dumps(me))


@pytest.mark.parametrize('dead', [
    {'birth': 1},                      # The pid is in use again.
    {'pid': 2**22 + 1, 'birth': None},
    {'boot': 'the one before'}])
def test_without_flock_a_dead_holder_is_replaced(tmp_path, no_flock, dead):
  record(tmp_path, **dead)
  with lock.Lock(tmp_path):
    assert json.loads((tmp_path / '.lock').read_text()) == lock.record()
  with lock.Lock(tmp_path):  # And an orderly end leaves nothing to replace.
    pass


@pytest.mark.parametrize('alive', [{}, {'birth': None}, {'host': 'elsewhere'}])
def test_without_flock_a_living_or_unknown_holder_stays(tmp_path, no_flock, alive):
  record(tmp_path, **alive)
  before = (tmp_path / '.lock').read_text()
  with pytest.raises(errors.LockedError, match='in use'):
    lock.Lock(tmp_path).acquire()
  assert (tmp_path / '.lock').read_text() == before


def test_a_zombie_counts_as_dead(tmp_path, no_flock):
  child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
  record(tmp_path, pid=child.pid, birth=lock.birth(child.pid))
  with pytest.raises(errors.LockedError):
    lock.Lock(tmp_path).acquire()
  child.kill()
  os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # Dead, not reaped.
  with lock.Lock(tmp_path):
    pass
  child.wait()
