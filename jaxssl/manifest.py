"""What a state is, to the bit: shape, dtype and SHA-256 of every leaf.

Leaves are named by their path in the state, as in 'params/conv_init/kernel'.
"""

import concurrent.futures
import hashlib
import json
import os

import jax
import numpy as np

from jaxssl import errors


def state_manifest(state):
  """Says what a state is, to the bit.

  Args:
    state: pytree of arrays, on devices or on the host.

  Returns:
    {'leaves': {path: {'shape', 'dtype', 'sha256'}}, 'digest'}. The digest is the
    SHA-256 of all leaves' path, dtype, shape and SHA-256 of their bytes, by path.

  Raises:
    DivergedError: a leaf is not finite; names the first.
  """
  return of(flatten(jax.device_get(state)))


def of(flat):
  """`state_manifest` of {path: host array}."""
  for path, finite in zip(flat, _on_all_cores(_is_finite, flat.values())):
    if not finite:
      raise errors.DivergedError(f'The state has diverged: {path} is not finite.')
  leaves = describe(flat)
  return {'leaves': leaves, 'digest': json_sha256(leaves)}


def describe(flat):
  """{path: array} as {path: {'shape', 'dtype', 'sha256'}}."""
  shas = _on_all_cores(_sha256, flat.values())
  return {
      path: {'shape': list(x.shape), 'dtype': str(x.dtype), 'sha256': sha}
      for (path, x), sha in zip(flat.items(), shas)}


def flatten(tree):
  """A pytree as {path: leaf}, in the tree's own order."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  flat = {
      jax.tree_util.keystr(path, simple=True, separator='/'): leaf
      if hasattr(leaf, 'dtype') else np.asarray(leaf) for path, leaf in leaves}
  if len(flat) != len(leaves):
    raise ValueError('Two leaves of the state have one path: is a "/" in a key?')
  return flat


def _on_all_cores(function, arrays):
  # NumPy and hashlib let go of the GIL.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(function, arrays))


def _is_finite(x):
  return not jax.dtypes.issubdtype(x.dtype, np.inexact) or np.isfinite(x).all()


def _sha256(x):
  buffer = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
  return hashlib.sha256(buffer).hexdigest()


def json_sha256(value):
  """SHA-256 of a JSON value, whatever the order of its keys."""
  return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def check_fits(manifest, wanted, partial, where):
  """Checks a saved state against the one that is wanted, before any array is read.

  Args:
    manifest: of the saved state.
    wanted: {path: what has `shape` and `dtype`}.
    partial: only the top-level parts that `wanted` has are compared.
    where: how messages call the saved state.

  Raises:
    ConfigError: the leaves, their shapes or dtypes differ; names the first.
  """
  tops = {path.partition('/')[0] for path in wanted}
  saved = {
      path: (tuple(leaf['shape']), leaf['dtype'])
      for path, leaf in manifest['leaves'].items()
      if not partial or path.partition('/')[0] in tops}
  wanted = {path: (tuple(x.shape), str(x.dtype)) for path, x in wanted.items()}
  wrong = [p for p in {**wanted, **saved} if wanted.get(p) != saved.get(p)]
  if wrong:
    shown = [
        f'{p} is {_leaf_text(saved.get(p))} there, {_leaf_text(wanted.get(p))} here'
        for p in wrong[:3]]
    more = f'; and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    raise errors.ConfigError(
        f'The checkpoint {where} is of another model, method or optimiser: '
        f'{"; ".join(shown)}{more}.')


def _leaf_text(leaf):
  return f'{leaf[1]} {list(leaf[0])}' if leaf else 'absent'
