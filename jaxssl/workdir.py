"""A run's folder: which recipe it belongs to, which attempt this is, and its end.

  config.json  the recipe, written once; a later run with another one is refused
  run.json     versions, devices, command line and data of the newest attempt
  DONE         step and digest of the finished run
"""

import contextlib
import importlib.metadata
import json
import logging
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import jax

import jaxssl
from jaxssl import errors
from jaxssl import files
from jaxssl import hosts
from jaxssl import lock

log = logging.getLogger(__name__)

PACKAGES = (
    'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'scikit-learn')


@contextlib.contextmanager
def open_run(workdir, config, *, free_keys, data_digest=''):
  """Makes or reopens a run's folder and holds its lock.

  Nothing is made or changed in a folder that is refused. Of several processes the
  first does it for all.

  Args:
    workdir: the folder; its parents are made too.
    config: the recipe: dicts, lists and plain values.
    free_keys: dotted prefixes of the config that a later run may change, since they
      do not change the result, such as 'log_every_steps' or 'checkpoint.keep'.
    data_digest: digest of the images; a run goes on only with those it began with.

  Yields:
    The absolute path of the folder.

  Raises:
    ConfigError: the folder is not one of ours, or belongs to another recipe or to
      other images; names each key with its old and new value.
    LockedError: the folder cannot be made, or another process writes in it.
  """
  try:
    config = json.loads(json.dumps(config, allow_nan=False))
  except (TypeError, ValueError) as e:
    raise errors.ConfigError(f'The config holds what JSON cannot: {e}.') from e

  def open_it():
    path = make_folder(workdir)
    stack.enter_context(lock.Lock(path))
    for leftover in path.glob('.*.tmp'):  # Of a process killed while writing.
      leftover.unlink()
    _hold_to_recipe(path / 'config.json', config, free_keys)
    _record_attempt(path / 'run.json', data_digest)
    return str(path)

  with contextlib.ExitStack() as stack:
    yield pathlib.Path(hosts.on_first(open_it))


@contextlib.contextmanager
def written(folder):
  """Where this process writes what people read: `folder`, in the first process.

  The others do all that the first does, since some of it takes devices of all, and
  write it to a folder that is thrown away.
  """
  if hosts.is_first():
    yield pathlib.Path(folder)
    return
  with tempfile.TemporaryDirectory(prefix='jaxssl-') as scratch:
    yield pathlib.Path(scratch)


def make_folder(workdir):
  """Makes the folder of a run, or of a study, unless it holds something else.

  Returns:
    Its absolute path.

  Raises:
    ConfigError: it is no place for one, or holds other things.
    LockedError: it cannot be made or written in.
  """
  path = pathlib.Path(os.path.abspath(os.path.expanduser(workdir)))
  try:
    home = pathlib.Path.home().resolve()
  except RuntimeError:  # Neither HOME nor an entry for this user.
    home = None
  if path.resolve() in (home, pathlib.Path(path.resolve().anchor)):
    raise errors.ConfigError(f'{path} is no place for a run. Take a new folder.')
  try:
    path.mkdir(parents=True, exist_ok=True)
    others = sorted(p.name for p in path.iterdir() if not _ours(p.name))
  except OSError as e:
    raise errors.LockedError(f'Cannot make the folder {path}: {e.strerror}.') from e
  if others and 'config.json' not in others:
    raise errors.ConfigError(
        f'{path} holds other things ({", ".join(map(repr, others[:3]))}) and no '
        'config.json. Take a new or an empty folder.')
  if not os.access(path, os.W_OK | os.X_OK):
    raise errors.LockedError(f'Cannot write in {path}.')
  return path


def _ours(name):
  """What a run that was killed at its very start may leave behind."""
  return name == '.lock' or (name.startswith('.') and name.endswith('.tmp'))


def _hold_to_recipe(path, config, free_keys):
  saved = files.read_json(path)
  if saved is None:
    files.write_json(path, config)
    return
  changes = [
      f'{key}: {old} -> {new}' for key, old, new in differences(saved, config)
      if not any(f'{key}.'.startswith(f'{free}.') for free in free_keys)]
  if changes:
    more = f' and {len(changes) - 10} more' if len(changes) > 10 else ''
    raise errors.ConfigError(
        f'{path.parent} belongs to another recipe: {"; ".join(changes[:10])}{more}.'
        ' Put these back, or take another --workdir.')


def differences(old, new, prefix=''):
  """Lists the (dotted key, old, new) in which two nested dicts differ, as JSON."""
  found = []
  for key in sorted(old.keys() | new.keys()):
    a, b = old.get(key), new.get(key)
    if isinstance(a, dict) and isinstance(b, dict):
      found += differences(a, b, f'{prefix}{key}.')
    elif a != b or (key in old) != (key in new):
      shown = [json.dumps(d[key]) if key in d else 'absent' for d in (old, new)]
      found.append((f'{prefix}{key}', *shown))
  return found


def _record_attempt(path, data_digest):
  try:
    last = files.read_json(path) or {}
  except errors.StorageError as e:
    log.warning('%s It is made anew.', e)
    last = {}
  digests = last.get('data_digest'), data_digest
  if all(digests) and digests[0] != digests[1]:
    raise errors.ConfigError(
        f'The images are not those that {path.parent} began with: their digest was '
        f'{digests[0]} and is {digests[1]}. Put them back, or take another '
        '--workdir.')
  now = versions()
  for name, old, new in differences(last.get('versions', now), now):
    log.warning(
        '%s was %s and is %s: the results may differ in their last bits.',
        name, old, new)
  devices = jax.devices()
  files.write_json(path, {  # Never the environment: it holds secrets.
      'attempts': last.get('attempts', 0) + 1,
      'versions': now,
      'devices': {
          'platform': devices[0].platform, 'kind': devices[0].device_kind,
          'count': len(devices), 'processes': jax.process_count()},
      'argv': sys.argv,
      'data_digest': data_digest,
      'git_commit': _git_commit()})


def versions():
  """Of Python, of this package and of those that make its numbers."""
  found = {'python': platform.python_version(), 'jaxssl': jaxssl.__version__}
  for package in PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[package] = importlib.metadata.version(package)
  return found


def _git_commit():
  root = pathlib.Path(__file__).resolve().parent.parent
  if not (root / '.git').exists():  # Installed: a repository above is not ours.
    return None
  try:
    out = subprocess.run(
        ['git', '-C', root, 'rev-parse', 'HEAD'], capture_output=True, text=True,
        timeout=5)
  except (OSError, subprocess.TimeoutExpired):
    return None
  return out.stdout.strip() or None


def write_done(workdir, step, digest):
  """Marks a run as finished, with the digest of its final state."""
  files.write_json(pathlib.Path(workdir) / 'DONE', {'step': step, 'digest': digest})


def read_done(workdir):
  """The {'step', 'digest'} of a finished run, or None."""
  return files.read_json(pathlib.Path(workdir) / 'DONE')
