import subprocess
import sys
import threading
import time

import pytest

from jaxssl.data import threads


def test_order_is_kept():
  def slow(i):
    time.sleep(0.001 * (7 * i % 5))
    return i * i

  got = list(threads.ahead(slow, range(40), workers=4, depth=6))
  assert got == [i * i for i in range(40)]


def test_no_more_than_depth_ahead():
  started = []
  results = threads.ahead(started.append, range(40), workers=4, depth=6)
  for taken in range(1, 5):
    next(results)
    time.sleep(0.02)
    assert taken <= len(started) <= taken + 6


def test_an_exception_is_itself_and_comes_in_its_turn():
  def fail_at_three(i):
    if i == 3:
      raise KeyError('three')
    return i

  results = threads.ahead(fail_at_three, range(40), workers=4, depth=6)
  assert [next(results) for _ in range(3)] == [0, 1, 2]
  with pytest.raises(KeyError, match='three'):
    next(results)


def test_closing_ends_the_threads():
  before = threading.active_count()
  results = threads.ahead(lambda i: i, range(10 ** 9), workers=4, depth=6)
  next(results)
  assert threading.active_count() == before + 4
  results.close()
  assert threading.active_count() == before


def test_a_read_that_hangs_does_not_keep_the_program():
  program = '''
import threading
from jaxssl.data import threads
hang = lambda i: threading.Event().wait() if i else i
results = threads.ahead(hang, range(9), workers=2, depth=4)
print(next(results))
'''
  done = subprocess.run(
      [sys.executable, '-c', program], timeout=20, capture_output=True, text=True)
  assert (done.returncode, done.stdout, done.stderr) == (0, '0\n', '')
