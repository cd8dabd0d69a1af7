"""Checkpoints that can be trusted: Orbax writes them, SHA-256 verifies them.

  checkpoints/<step>/state/                   the arrays, by Orbax
  checkpoints/<step>/manifest/manifest.json   shape, dtype and SHA-256 of every leaf
  bad_checkpoints/<step>-<n>/                 steps that did not verify

Orbax gives back a flipped bit without a word and has no way round a broken step, so
every leaf is compared with the manifest before it is used.
"""

import contextlib
import json
import logging
import os
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from jaxssl import errors
from jaxssl import files
from jaxssl import hosts
from jaxssl import manifest as manifest_lib
from jaxssl import parallel
from jaxssl import steps as steps_lib

log = logging.getLogger(__name__)

_OK, _GONE, _BAD = range(3)


class GoneError(errors.ConfigError):
  """There is no such step, or no longer: a running job deletes its old ones."""


def _nest(flat):
  """{path: leaf} as nested dicts, without what Orbax cannot hold: empty arrays."""
  return traverse_util.unflatten_dict(
      {path: x for path, x in flat.items() if 0 not in x.shape}, sep='/')


class Checkpoints:
  """The checkpoints of one run.

  One save is in flight at most: the next one waits for it. What failed in it is
  raised at the next `save`, `wait` or `close`. With several processes all call the
  same methods; process 0 alone renames and deletes.
  """

  def __init__(self, directory, *, keep=3, keep_every_steps=0, read_only=False):
    """Opens a run's checkpoints. A writer holds the run's lock.

    Args:
      directory: the folder of the steps, made if need be.
      keep: how many of the newest steps to keep. With fewer than 3, one may be
        deleted before an evaluator that follows the run has read it.
      keep_every_steps: also keep the steps that are multiples of this; 0 for none.
      read_only: for readers of a job that may be running: nothing is ever made,
        renamed or deleted.
    """
    if keep < 1:
      raise errors.ConfigError(f'Checkpoints to keep: {keep}. It takes at least 1.')
    self._directory = pathlib.Path(os.path.abspath(directory))
    self._keep = keep
    self._keep_every_steps = keep_every_steps
    self._read_only = read_only
    self._orbax = None
    self._saving = None  # The step whose save is in flight.
    # What fails in Orbax's threads comes to us as an exception; its log would put
    # pages of tracebacks before the one line that we make of it.
    logging.getLogger('absl').addFilter(_not_orbax)
    if read_only:
      return
    if hosts.is_first():
      with files.storage_errors(f'Cannot use {self._directory}'):
        self._directory.mkdir(parents=True, exist_ok=True)
        steps_lib.clean(self._directory)
    # A save that fails before its folders are made leaves asynchronous makers of
    # folders waiting, and the process with them.
    options = ocp.AsyncOptions(create_directories_asynchronously=False)
    self._orbax = ocp.AsyncCheckpointer(
        ocp.CompositeCheckpointHandler(
            state=ocp.PyTreeCheckpointHandler(use_compression=False),
            manifest=ocp.JsonCheckpointHandler('manifest.json'),
            composite_options=ocp.CompositeOptions(async_options=options)),
        async_options=options)

  def steps(self):
    """The steps that are there, ascending; whether they verify is not known."""
    return steps_lib.find(self._directory)

  def manifest(self, step):
    """What a step says of itself: 'step', 'info', 'digest' and 'leaves'.

    Raises:
      GoneError: there is no such step.
      StorageError: its manifest is broken.
    """
    if step not in self.steps():
      raise self._gone(step)
    try:
      return self._manifest(step)
    except Exception as e:
      raise self._unreadable(step, e) from e

  def save(self, step, state, info):
    """Starts to save a state; the caller may change or donate it at once.

    Blocks for the copy to the host, its SHA-256, and the save before this one.

    Args:
      step: number of steps done.
      state: pytree of arrays, equal on all processes.
      info: what else to keep, as JSON: digests of config and data, versions, ...

    Returns:
      The state's digest.

    Raises:
      DivergedError: the state is not finite. It is not saved.
      StorageError: this save cannot start, or the one before it failed.
    """
    self.wait()
    flat = manifest_lib.flatten(jax.device_get(state))
    manifest = {
        'step': int(step), 'info': json.loads(json.dumps(info, allow_nan=False)),
        **manifest_lib.of(flat)}
    if self._has(step, manifest['digest']):
      return manifest['digest']
    self._saving = step
    with self._saving_errors():
      if hosts.is_first():
        steps_lib.make_room(
            self._directory, step, sum(x.nbytes for x in flat.values()))
      self._orbax.save(
          epath.Path(self._directory / str(step)),
          args=ocp.args.Composite(
              state=ocp.args.PyTreeSave(_nest(flat)),
              manifest=ocp.args.JsonSave(
                  {**manifest, 'sha256': manifest_lib.json_sha256(manifest)})))
    return manifest['digest']

  def wait(self):
    """Waits until what was saved is on disk, then deletes the steps to be dropped.

    Raises:
      StorageError: the save failed. The steps before it are whole.
    """
    if self._saving is None:
      return
    with self._saving_errors():
      self._orbax.wait_until_finished()
    saved, self._saving = self._saving, None
    if hosts.is_first():
      steps_lib.prune(
          self._directory, saved, keep=self._keep,
          keep_every_steps=self._keep_every_steps)

  def close(self):
    """Waits like `wait`, and raises like it."""
    try:
      self.wait()
    finally:
      if self._orbax is not None:
        self._orbax.close()

  def restore(self, abstract_state, step=None, *, partial=False, replicated=True):
    """Reads the newest step that verifies, or the one asked for.

    Newer steps that do not verify are set aside in `bad_checkpoints/` once an older
    one does; read-only, they are passed over. Where none does, all stay.

    Args:
      abstract_state: pytree of what has `shape` and `dtype`; see `jax.eval_shape`.
      step: the step to read, or None for the newest.
      partial: `abstract_state` holds only some of the state's top-level parts, such
        as a dict of `params` and `extra`; only these are read and verified.
      replicated: puts the arrays on all devices; else they stay NumPy arrays.

    Returns:
      (step, state, info): the state in the structure of `abstract_state`, and info
      as it was saved, with the whole state's `digest`. None if nothing was saved.

    Raises:
      ConfigError: the step is whole but of another model, method or optimiser;
        names the first leaves that differ.
      GoneError: the step asked for is not there, or was deleted while it was read.
      StorageError: no step verifies, or not the one asked for.
    """
    wanted = manifest_lib.flatten(abstract_state)
    bad = {}
    while True:
      candidate = self._candidate(step, bad)
      if candidate is None:
        return None
      outcome, result = self._try(candidate, wanted, partial)
      if outcome == _OK:
        break
      if step is not None:
        raise self._unreadable(step, result) from result
      if outcome == _GONE:
        log.info('Checkpoint %d was deleted while it was read.', candidate)
      else:
        log.error('Checkpoint %d is broken: %s', candidate, _reason(result))
        bad[candidate] = _reason(result)

    if bad and not self._read_only and hosts.is_first():
      for broken in bad:
        steps_lib.set_aside(self._directory, broken)
      log.error('Going on from checkpoint %d instead.', candidate)
    manifest, flat = result
    leaves = [flat[path] for path in wanted]
    state = jax.tree.unflatten(jax.tree.structure(abstract_state), leaves)
    if replicated:
      state = parallel.replicate(state)
    return candidate, state, {**manifest['info'], 'digest': manifest['digest']}

  def _candidate(self, step, bad):
    """The step to try next, the same on all processes; None if none ever was."""
    steps = [s for s in self.steps() if s not in bad]
    newest = int(hosts.first_value(max(steps, default=-1)))
    if step is not None:
      if not hosts.first_value(step in steps):
        raise self._gone(step)
      return step
    if newest >= 0:
      return newest
    if bad:
      raise errors.StorageError(
          f'None of the checkpoints in {self._directory} can be trusted: '
          + '; '.join(f'{s}: {reason}' for s, reason in bad.items())
          + '. They are left as they are; move them away to start afresh.')
    return None

  def _try(self, step, wanted, partial):
    """(_OK, (manifest, leaves)), or (_GONE or _BAD, exception): on all the same."""
    outcome, result = _OK, None
    try:
      manifest = self._manifest(step)
      manifest_lib.check_fits(
          manifest, wanted, partial, self._directory / str(step))
      result = manifest, self._read(step, manifest, wanted)
    except (errors.ConfigError, MemoryError):
      raise
    except Exception as e:  # Orbax and TensorStore raise of every kind.
      outcome = _BAD if step in self.steps() else _GONE
      result = e
    worst = int(hosts.largest(outcome))
    if worst != outcome:
      result = RuntimeError('another process could not read it')
    return worst, result

  def _manifest(self, step):
    path = self._directory / str(step)
    for folder, folders, names in os.walk(path):
      for name in folders + names:
        if os.path.islink(os.path.join(folder, name)):
          raise ValueError(f'{name} is a symbolic link')
    manifest = json.loads((path / 'manifest' / 'manifest.json').read_text())
    if manifest.pop('sha256') != manifest_lib.json_sha256(manifest):
      raise ValueError('the manifest does not match its own SHA-256')
    if manifest['step'] != step:
      raise ValueError(f'the manifest is of step {manifest["step"]}')
    return manifest

  def _read(self, step, manifest, wanted):
    """{path: array} of a step, every one verified."""
    path = epath.Path(self._directory / str(step) / 'state')
    handler = ocp.PyTreeCheckpointHandler()
    shapes = traverse_util.flatten_dict(handler.metadata(path).tree, sep='/')
    flat = {}
    for name, leaf in wanted.items():
      if 0 in leaf.shape:
        flat[name] = np.zeros(leaf.shape, leaf.dtype)
      # Before reading: a few forged bytes can claim an array of any size.
      elif tuple(shapes[name].shape) != tuple(leaf.shape):
        raise ValueError(f'{name} is {tuple(shapes[name].shape)} in the file')
    item = _nest(wanted)
    arrays = handler.restore(path, args=ocp.args.PyTreeRestore(
        item, partial_restore=True, restore_args=jax.tree.map(
            lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)))
    flat.update(traverse_util.flatten_dict(arrays, sep='/'))
    for name, leaf in manifest_lib.describe(flat).items():
      if leaf != manifest['leaves'][name]:
        raise ValueError(f'{name} does not match its SHA-256')
    return flat

  def _has(self, step, digest):
    try:
      return self._manifest(step)['digest'] == digest
    except Exception:
      return False

  def _unreadable(self, step, reason):
    if step not in self.steps():
      return self._gone(step)
    return errors.StorageError(
        f'Checkpoint {step} in {self._directory} is broken: {_reason(reason)}.')

  def _gone(self, step):
    return GoneError(
        f'{self._directory} has no step {step}. It has: '
        f'{", ".join(map(str, self.steps())) or "none"}.')

  @contextlib.contextmanager
  def _saving_errors(self):
    """Turns what fails in a save into one line, and frees the space it took."""
    try:
      yield
    except Exception as e:
      step, self._saving = self._saving, None
      if isinstance(e, errors.JobError):
        raise
      with contextlib.suppress(OSError):
        if hosts.is_first():
          steps_lib.clean(self._directory)
      raise errors.StorageError(
          f'Checkpoint {step} could not be saved in {self._directory}: '
          f'{_reason(e)}.') from e


def _reason(error):
  """The first line of an error; of a long one both ends, as the cause is last."""
  line = next(iter(str(error).splitlines()), '').rstrip('.') or type(error).__name__
  return line if len(line) < 300 else f'{line[:80]} ... {line[-200:]}'


def _not_orbax(record):
  return 'orbax' not in record.pathname
