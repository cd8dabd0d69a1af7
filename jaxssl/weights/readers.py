"""Reads files of weights as {name: array}, and never runs anything that is in them.

  .safetensors            no code in it by design
  .npz                    without pickled objects
  .pth, .pt, .tar, .bin   by torch's restricted reader (`weights_only`), which needs
                          the `torch` extra
  .index                  a TensorFlow checkpoint, or its prefix
  .pkl                    BYOL's, read as data by `inert`

Shapes and types are looked at before an array is read, where a format tells them.
"""

import argparse
import math
import pathlib
import re
import zipfile
from typing import NamedTuple

import numpy as np

from jaxssl import files
from jaxssl.weights import inert
from jaxssl.weights import names

MAX_BYTES = 2**35  # Of all arrays together: no ResNet here has as many.
TORCH_FLOOR = (2, 10)  # Those before it have known ways round `weights_only`.
TYPES = (
    'float16', 'bfloat16', 'float32', 'float64', 'bool', 'uint8', 'int32', 'int64')
HOW_TO_INSTALL = "pip install 'jaxssl[torch]', or convert it to .safetensors"


class Contents(NamedTuple):
  """What a file holds."""
  arrays: dict     # {name: array}; nested names are joined by '/'.
  about: str       # What we have written into it, as JSON; '' in other files.
  sha256: str


def read(path):
  """Reads a file of weights.

  Raises:
    ValueError: it is in no known format, or holds something other than arrays, in
      one line.
    errors.StorageError: it cannot be read.
  """
  path = pathlib.Path(str(path))
  index = path if path.suffix == '.index' else path.with_name(f'{path.name}.index')
  if index.is_file():
    data = sorted(index.parent.glob(f'{index.stem}.data-*'))
    sha = files.sha256(data[0]) if data else files.sha256(index)
    return Contents(_tensorflow(index.with_suffix('')), '', sha)
  if not path.is_file():
    raise ValueError(f'There is no file of weights {str(path)!r}.')
  readers = {
      '.safetensors': _safetensors, '.npz': _npz, '.pkl': _pickle, '.pth': _torch,
      '.pt': _torch, '.tar': _torch, '.bin': _torch}
  if path.suffix not in readers:
    raise ValueError(
        f'{path.name} is in no known format. There are: {", ".join(readers)}, and '
        'TensorFlow checkpoints by their prefix or .index file.')
  with files.storage_errors(f'Cannot read {path}'):
    found = readers[path.suffix](path)
  arrays, about = found if isinstance(found, tuple) else (found, '')
  return Contents(arrays, about, files.sha256(path))


def check(path, shapes):
  """Refuses what cannot be weights, before it is read.

  Args:
    path: of the file.
    shapes: {name: (shape, name of the type)}.
  """
  wrong = [f'{n} of {t}' for n, (_, t) in shapes.items() if t not in TYPES]
  if wrong:
    raise ValueError(
        f'{path.name} holds what is no weights: {names.listed(wrong)}.')
  total = sum(8 * math.prod(shape) for shape, _ in shapes.values())
  if total > MAX_BYTES:
    raise ValueError(
        f'{path.name} says that it holds {total / 2**30:,.0f} GiB of arrays.')


def _safetensors(path):
  import safetensors
  types = {
      'F16': 'float16', 'BF16': 'bfloat16', 'F32': 'float32', 'F64': 'float64',
      'BOOL': 'bool', 'U8': 'uint8', 'I32': 'int32', 'I64': 'int64'}
  try:
    with safetensors.safe_open(path, 'np') as file:
      keys = file.keys()
      slices = {name: file.get_slice(name) for name in keys}
      check(path, {
          name: (s.get_shape(), types.get(s.get_dtype(), s.get_dtype()))
          for name, s in slices.items()})
      about = (file.metadata() or {}).get('jaxssl', '')
      return {name: file.get_tensor(name) for name in slices}, about
  except safetensors.SafetensorError as e:
    raise ValueError(f'{path.name} is no .safetensors file: {e}.') from e


def _npz(path):
  try:
    with zipfile.ZipFile(path) as archive:
      shapes = {
          member.filename.removesuffix('.npy'): _npy_header(archive, member)
          for member in archive.infolist()}
    about = shapes.pop('about', None)
    check(path, shapes)
    with np.load(path, allow_pickle=False) as arrays:
      return (
          {name: arrays[name] for name in shapes},
          str(arrays['about']) if about else '')
  except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as e:
    raise ValueError(f'{path.name} is no .npz of plain arrays: {e}.') from e


def _npy_header(archive, member):
  """The shape and type of an array in a zip file, which has as many bytes."""
  with archive.open(member) as file:
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read_header is None:
      raise ValueError(f'{member.filename} has a header of version {version}')
    shape, _, dtype = read_header(file)
    size = file.tell() + math.prod(shape) * dtype.itemsize
  if dtype.hasobject:
    raise ValueError(f'{member.filename} holds pickled objects')
  if size != member.file_size:
    raise ValueError(f'{member.filename} has another size than its header says')
  return shape, dtype.name


def _torch(path):
  try:
    import torch
  except ImportError as e:
    raise ValueError(f'{path.name} takes torch to read: {HOW_TO_INSTALL}.') from e
  version = tuple(map(int, re.findall(r'\d+', torch.__version__)[:2]))
  if version < TORCH_FLOOR:
    raise ValueError(
        f'torch {torch.__version__} may run code in {path.name}; it takes '
        f'{".".join(map(str, TORCH_FLOOR))} or later: {HOW_TO_INSTALL}.')
  try:
    # DINO's full checkpoints hold their command line, which is a plain record.
    with torch.serialization.safe_globals([argparse.Namespace]):
      found = torch.load(path, map_location='cpu', weights_only=True)
    arrays = {
        name: (x.float() if x.dtype == torch.bfloat16 else x).detach().numpy()
        for name, x in _leaves(found, '') if isinstance(x, torch.Tensor)}
  except Exception as e:  # Whatever a hostile or a broken file causes.
    reason = ' '.join(str(e).split()).partition('Please file an issue')[0]
    raise ValueError(
        f'{path.name} is no PyTorch file of tensors alone, and nothing in it was run: '
        f'{reason[:300]}') from e
  check(path, {name: (x.shape, x.dtype.name) for name, x in arrays.items()})
  return arrays


def _leaves(value, prefix):
  """Yields (name, leaf) of nested dicts."""
  if not isinstance(value, dict):
    yield prefix, value
    return
  for key, inner in value.items():
    yield from _leaves(inner, f'{prefix}/{key}' if prefix else str(key))


def _tensorflow(prefix):
  import tensorflow as tf
  try:
    reader = tf.train.load_checkpoint(str(prefix))
    types = reader.get_variable_to_dtype_map()
    shapes = {
        name: (shape, types[name].name)
        for name, shape in reader.get_variable_to_shape_map().items()
        if types[name] != tf.string}  # The object graph of newer checkpoints.
    check(prefix, shapes)
    return {name: reader.get_tensor(name) for name in shapes}
  except (tf.errors.OpError, RuntimeError, TypeError) as e:
    raise ValueError(
        f'{prefix.name} is no TensorFlow checkpoint: {" ".join(str(e).split())}'
    ) from e


def _pickle(path):
  """The online network of BYOL's published state: parameters and averages."""
  if path.stat().st_size > MAX_BYTES:
    raise ValueError(f'{path.name} is too large for a file of weights.')
  root = inert.mapping(inert.read(path.read_bytes())) or {}
  state = root.get('experiment_state')
  fields = ('online_params', 'target_params', 'online_state', 'target_state')
  if isinstance(state, inert.Call) and isinstance(state.args, tuple):
    parts = dict(zip(fields, state.args))
  else:
    parts = inert.mapping(state) or root
  parts = {k: inert.mapping(parts.get(k)) for k in ('online_params', 'online_state')}
  if not all(parts.values()):
    raise ValueError(
        f"{path.name} is not BYOL's pickle: it has no experiment_state with "
        'online_params and online_state. Save the arrays as .npz instead.')
  arrays = {}
  for part, modules in parts.items():
    for module, leaves in modules.items():
      for name, leaf in (inert.mapping(leaves) or {}).items():
        found = inert.array(leaf)
        if found is not None:
          arrays[f'{part}/{module}/{name}'] = found
  return arrays
