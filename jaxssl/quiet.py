"""Imports that would otherwise fill the terminal with notes to their developers."""

import contextlib
import os
import sys


@contextlib.contextmanager
def native_stderr():
  """Drops what is written to file descriptor 2 inside, as C++ libraries do.

  Exceptions still come out; only text that passes by Python's `sys.stderr` is lost.
  """
  sys.stderr.flush()
  with open(os.devnull, 'w') as nowhere:
    kept = os.dup(2)
    try:
      os.dup2(nowhere.fileno(), 2)
      yield
    finally:
      os.dup2(kept, 2)
      os.close(kept)
