"""A way to say that convolutions are traced by their definition; see `models.conv`."""

import contextlib
import contextvars

_wanted = contextvars.ContextVar('wanted', default=False)


@contextlib.contextmanager
def only():
  """Inside, what is traced convolves as XLA does, on every backend.

  For programs that other machines run, too, and to count operations: on a CPU the
  other ways take fewer than the definition has, and in loops, of which XLA counts one
  turn.
  """
  token = _wanted.set(True)
  try:
    yield
  finally:
    _wanted.reset(token)


def wanted():
  """Whether this is inside `only`."""
  return _wanted.get()
