"""Signals that ask a job to save and leave, and the places where it listens.

The training loop asks after every step. Work between steps that takes long, such as
an evaluation or an E-step, calls `heed` wherever it can stop.
"""

import contextlib
import contextvars
import os
import signal
import time

import jax
from jax.experimental import multihost_utils

from jaxssl import errors

SAME = 2.0  # Seconds within which a second signal is the first one, come again.
_notice = contextvars.ContextVar('notice', default=None)


class Notice:
  """Whether a signal has asked this run to save and leave."""

  def __init__(self):
    self.requested = False
    self._since = None

  def due(self, step):
    """Whether to save and leave after this step: the same answer on every host.

    Call it at every step. With several processes, jax's own service passes a
    SIGTERM to one of them on to all and picks the step.
    """
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(step)
    return self.requested

  def _on_signal(self, number, frame):
    now = time.monotonic()
    if self.requested:
      # The same may come twice: a scheduler tells each process, and a parent passes on.
      if now - self._since > SAME:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
      return
    self.requested, self._since = True, now
    # Not by `logging`, whose stream may be in the middle of a line.
    name = signal.Signals(number).name
    os.write(2, f'{name}: saving first. Once more aborts.\n'.encode())


@contextlib.contextmanager
def listening():
  """Catches SIGTERM and SIGINT; another one, seconds later, aborts at once.

  Yields:
    A `Notice`. The old handlers come back at the end.
  """
  notice = Notice()
  caught = (signal.SIGTERM, signal.SIGINT) if jax.process_count() == 1 else ()
  old = {number: signal.signal(number, notice._on_signal) for number in caught}
  token = _notice.set(notice)
  try:
    yield notice
  finally:
    _notice.reset(token)
    for number, handler in old.items():
      signal.signal(number, handler)


def heed():
  """Ends long work between two steps if a signal has come; else does nothing.

  With several processes it does nothing either: they can only agree at a step.

  Raises:
    errors.Preempted: a signal has come; the state of the last step is whole.
  """
  notice = _notice.get()
  if notice is not None and notice.requested:
    raise errors.Preempted(
        'Stopped by a signal between two steps: the same command goes on from there.')
