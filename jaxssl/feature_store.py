"""Features on disk: one `.npz`, or a `.zarr` folder of chunks for large sets.

Both hold the same arrays. In shapes, n is the examples, d the width of a feature and c
the classes.

  features     [n, d] the encoder's output; others by their name, such as z [n, d]
  labels       [n] classes, or [n, c] with 1, 0 and -1
  ids          [n] integers
  class_names  [c] text
  about        JSON text: the taxonomy, and where the features come from
"""

import hashlib
import json
import pathlib
import shutil
import zipfile

import numpy as np

from jaxssl import files

FORMATS = ('npz', 'zarr')
CHUNK_ROWS = 65_536


def save(path, outputs, *, labels, ids, class_names, taxonomy, provenance):
  """Writes features; a file or folder of this name is replaced.

  Args:
    path: ends in .npz or .zarr.
    outputs: {'h': float32 [n, d], ...}; 'h' is written as `features`.
    labels: [n] or [n, c], or None.
    ids: int [n].
    class_names: names, or None.
    taxonomy: {level: ancestors' names by class}, or None.
    provenance: what JSON can hold: run, step, digest, versions, ...

  Returns:
    The path.
  """
  path = pathlib.Path(path)
  arrays = {'features' if k == 'h' else k: x for k, x in outputs.items()}
  arrays |= {'ids': np.asarray(ids, np.int64)}
  if labels is not None:
    arrays['labels'] = labels
  about = json.dumps({'taxonomy': taxonomy, **provenance})
  temporary = path.with_name(f'.{path.name}.tmp')
  with files.storage_errors(f'Cannot write {path}'):
    if path.suffix == '.zarr':
      shutil.rmtree(temporary, ignore_errors=True)
      for name, x in arrays.items():
        _save_array(temporary / name, np.asarray(x))
      (temporary / 'about.json').write_text(
          json.dumps({'class_names': class_names, 'about': about}))
      shutil.rmtree(path, ignore_errors=True)
      temporary.rename(path)
    else:
      if class_names is not None:
        arrays['class_names'] = np.asarray(class_names, np.str_)
      with temporary.open('wb') as file:
        np.savez(file, **arrays, about=np.str_(about))
      temporary.replace(path)
  return path


def load(path):
  """Reads the arrays of a file or folder, whatever wrote it.

  Returns:
    {name: array}

  Raises:
    ValueError: it is neither; nothing in it is ever unpickled.
  """
  path = pathlib.Path(path)
  if not path.exists():
    raise ValueError(f'There is no features file {str(path)!r}.')
  try:
    with files.storage_errors(f'Cannot read {path}'):
      if path.is_dir():
        return _load_folder(path)
      with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
  except (ValueError, zipfile.BadZipFile, AttributeError, TypeError, KeyError) as e:
    raise ValueError(f'{path} is no .npz or .zarr of plain arrays: {e}.') from e


def sha256(path):
  """Of a file, or of a folder's files in the order of their names."""
  path = pathlib.Path(path)
  if path.is_file():
    return files.sha256(path)
  sha = hashlib.sha256()
  for child in sorted(p for p in path.rglob('*') if p.is_file()):
    sha.update(f'{child.relative_to(path)} {files.sha256(child)}\n'.encode())
  return sha.hexdigest()


def _spec(path):
  return {
      'driver': 'zarr3', 'kvstore': {'driver': 'file', 'path': f'{path.resolve()}/'}}


def _save_array(path, x):
  import tensorstore  # Comes with Orbax; seldom needed.
  chunks = [min(CHUNK_ROWS, max(1, len(x))), *x.shape[1:]]
  store = tensorstore.open({
      **_spec(path), 'create': True, 'metadata': {
          'shape': list(x.shape), 'data_type': x.dtype.name,
          'chunk_grid': {
              'name': 'regular', 'configuration': {'chunk_shape': chunks}}}}).result()
  store.write(x).result()


def _load_folder(path):
  import tensorstore
  found = {
      child.name: tensorstore.open(_spec(child)).result().read().result()
      for child in sorted(path.iterdir()) if (child / 'zarr.json').exists()}
  if not found:
    raise ValueError('it has no arrays')
  if (path / 'about.json').exists():
    more = json.loads((path / 'about.json').read_text())
    found['about'] = np.str_(more['about'])
    if more['class_names'] is not None:
      found['class_names'] = np.asarray(more['class_names'], np.str_)
  return found
