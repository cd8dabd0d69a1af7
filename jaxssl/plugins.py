"""Finds plug-ins by file name: `methods/simclr.py` is the method 'simclr'."""

import importlib
import inspect
import pkgutil


def names(kind):
  """The plug-ins of a kind ('methods', 'models', 'evals', 'data.sources').

  They are the modules of its package but for those that the package lists in `PARTS`.
  """
  package = importlib.import_module(f'jaxssl.{kind}')
  found = {m.name for m in pkgutil.iter_modules(package.__path__)}
  return sorted(found - set(getattr(package, 'PARTS', ())))


def load(kind, name):
  """Imports jaxssl.<kind>.<name>; each such module has one public `make`."""
  if name not in names(kind):
    raise ValueError(
        f'No {name!r} in jaxssl/{kind.replace(".", "/")}. '
        f'There are: {", ".join(names(kind))}.')
  return importlib.import_module(f'jaxssl.{kind}.{name}')


def arguments(function, given, *, what, **supplied):
  """Checks a config's sub-dict as the keyword arguments of `function`.

  Args:
    function: a `make`, or any function whose keywords are a config's keys.
    given: dict of what the config says; a `name` that the function does not take is
      passed over: it has named the function.
    what: how messages call the sub-dict, such as 'config.method'.
    **supplied: what only the caller knows; those the function does not take are
      left out.

  Returns:
    dict of keyword arguments to call `function` with.

  Raises:
    ValueError: a key is missing or unknown; the message lists the right ones.
  """
  parameters = inspect.signature(function).parameters
  wanted = {k for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
  required = {k for k in wanted if parameters[k].default is inspect.Parameter.empty}
  given = {k: v for k, v in given.items() if k != 'name' or k in wanted}
  supplied = {k: v for k, v in supplied.items() if k in wanted and k not in given}
  unknown = sorted(set(given) - wanted)
  missing = sorted(required - set(given) - set(supplied))
  if unknown or missing:
    raise ValueError(
        f'{what} '
        + ' and '.join(
            f'{verb} {", ".join(keys)}'
            for verb, keys in (('has unknown', unknown), ('lacks', missing)) if keys)
        + f'; its keys are {", ".join(sorted(wanted))}.')
  return {**given, **supplied}
