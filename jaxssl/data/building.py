"""A source from a config's settings: the one that they name, or a part of it."""

from jaxssl import plugins
from jaxssl.data import subsets


def source(settings, *, what='config.data'):
  """Builds a source.

  Args:
    settings: dict of `name`, the source's own arguments, and perhaps `max_examples`
      and `subset`; see `subsets.take` and `subsets.draw`.
    what: how messages call the settings.

  Raises:
    ValueError: a mistake in the settings.
  """
  settings = dict(settings)
  max_examples = settings.pop('max_examples', 0)
  subset = settings.pop('subset', None)
  if 'name' not in settings:
    raise ValueError(f'{what} has no name.')
  make = plugins.load('data.sources', settings['name']).make
  whole = make(**plugins.arguments(make, settings, what=what))
  return subsets.of_settings(subsets.take(whole, max_examples), subset)
