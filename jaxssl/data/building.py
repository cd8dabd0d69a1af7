"""A source from a config's settings: the one that they name, or a part of it."""

import contextlib
import contextvars
import json

from jaxssl import plugins
from jaxssl.data import subsets

_made = contextvars.ContextVar('made', default=None)


@contextlib.contextmanager
def shared():
  """Within it equal settings give the same source: a large folder is listed once."""
  token = _made.set({})
  try:
    yield
  finally:
    _made.reset(token)


def source(settings, *, what='config.data'):
  """Builds a source.

  Args:
    settings: dict of `name`, the source's own arguments, and perhaps `max_examples`
      and `subset`; see `subsets.take` and `subsets.draw`.
    what: how messages call the settings.

  Raises:
    ValueError: a mistake in the settings.
  """
  made = _made.get()
  if made is None:
    return _source(settings, what)
  key = json.dumps(settings, sort_keys=True)
  if key not in made:
    made[key] = _source(settings, what)
  return made[key]


def _source(settings, what):
  settings = dict(settings)
  max_examples = settings.pop('max_examples', 0)
  subset = settings.pop('subset', None)
  if 'name' not in settings:
    raise ValueError(f'{what} has no name.')
  make = plugins.load('data.sources', settings['name']).make
  whole = make(**plugins.arguments(make, settings, what=what))
  return subsets.of_settings(subsets.take(whole, max_examples), subset)
