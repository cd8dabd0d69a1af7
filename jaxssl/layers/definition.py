"""A way to ask for convolutions by their definition, which `models.conv` obeys.

Apart from it, because who counts operations or exports a model imports none.
"""

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
