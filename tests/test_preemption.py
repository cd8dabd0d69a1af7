"""Signals: the first is heeded where work can stop, the second at once."""

import os
import signal
import subprocess
import sys

import pytest

from jaxssl import errors
from jaxssl import preemption


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_is_noticed_and_handlers_come_back(number, capfd):
  old = signal.getsignal(number)
  with preemption.listening() as notice:
    assert not notice.requested and not notice.due(3)
    os.kill(os.getpid(), number)
    assert notice.requested and notice.due(3)
  assert signal.getsignal(number) is old
  assert f'{number.name}: saving first' in capfd.readouterr().err


LOOP = """
import sys, time
from jaxssl import preemption
with preemption.listening() as notice:
  print('ready', flush=True)
  step = 0
  while not notice.due(step):
    step += 1
    time.sleep(0.01)
  print('saving', flush=True)
  if sys.argv[1] == 'slow':
    time.sleep(60)
sys.exit(42)
"""


def loop(how):
  process = subprocess.Popen(
      [sys.executable, '-c', LOOP, how], stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == 'ready\n'
  process.terminate()
  assert process.stdout.readline() == 'saving\n'
  return process


def test_first_signal_saves_and_second_aborts():
  assert loop('quick').wait(timeout=10) == 42
  process = loop('slow')
  process.terminate()  # The same one, come twice.
  with pytest.raises(subprocess.TimeoutExpired):
    process.wait(timeout=preemption.SAME)
  process.terminate()
  assert process.wait(timeout=10) == -signal.SIGTERM


def test_long_work_stops_where_it_heeds_a_signal():
  preemption.heed()  # Nobody listens: nothing happens.
  with preemption.listening():
    preemption.heed()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(errors.Preempted, match='goes on from there'):
      preemption.heed()
  preemption.heed()
