"""Images that are arrays in memory, as a source; n counts them."""

import hashlib
import os

import numpy as np

from jaxssl import data
from jaxssl import errors
from jaxssl.data import decode


def load(path):
  """Reads an .npz file: `images`, and perhaps `labels` and `class_names`.

  Args:
    path: of a file as np.savez writes it. Python objects in it are refused.

  Returns:
    dict of what there is: images uint8 [n, h, w], [n, h, w, 1] or [n, h, w, 3],
    labels [n] int32, class_names tuple.

  Raises:
    ValueError: the file has other contents.
  """
  shown = decode.printable(os.fspath(path))
  try:
    with np.load(path, allow_pickle=False) as file:
      names = {'images', 'labels', 'class_names'} & set(file.files)
      arrays = {name: file[name] for name in names}
      there = ', '.join(decode.printable(name) for name in file.files) or 'nothing'
  except OSError as e:
    raise errors.StorageError(f'{shown} cannot be read: {e.strerror or e}.') from e
  except Exception as e:  # NumPy and zipfile raise many kinds on other contents.
    why = decode.printable(str(e))
    raise ValueError(f'{shown} is no .npz file of plain arrays: {why}') from e
  if 'images' not in arrays:
    raise ValueError(f'{shown} has no array "images", but {there}.')
  try:
    return checked(**arrays)
  except ValueError as e:
    raise ValueError(f'{shown}: {e}') from e


def checked(images, labels=None, class_names=None):
  """Checks arrays as `load` describes them; classes without names get numbers."""
  if images.dtype != np.uint8:
    raise ValueError(
        f'images are {images.dtype}; they should be uint8 from 0 to 255.')
  if images.ndim != 3 and (images.ndim != 4 or images.shape[3] not in (1, 3)):
    raise ValueError(
        f'images have the shape {list(images.shape)}; it should be [n, h, w, 3], '
        'or [n, h, w] for grey.')
  if not images.size:
    raise ValueError(f'images are empty: {list(images.shape)}.')
  arrays = {'images': images}
  if labels is None:
    return arrays
  if labels.shape != images.shape[:1] or labels.dtype.kind not in 'iu':
    raise ValueError(
        f'labels are {labels.dtype} {list(labels.shape)}; they should be '
        f'{len(images)} integers.')
  if class_names is None:
    class_names = map(str, range(int(labels.max()) + 1))
  class_names = tuple(decode.printable(str(name)) for name in class_names)
  if labels.min() < 0 or labels.max() >= len(class_names):
    raise ValueError(
        f'labels go from {labels.min()} to {labels.max()}; there are '
        f'{len(class_names)} class names.')
  return {**arrays, 'labels': labels.astype(np.int32), 'class_names': class_names}


def source(images, labels=None, class_names=None, *, name, ids=None):
  """A `data.Source` of some images of an array.

  Args:
    images: uint8 [n, h, w], [n, h, w, 1] or [n, h, w, 3].
    labels: [n] int32, or None.
    class_names: tuple, or None.
    name: what people call the array.
    ids: [m] the images to take, ascending, or None for all.
  """
  ids = np.arange(len(images)) if ids is None else ids
  if not len(ids):
    raise ValueError(f'{name}: none of its {len(images):,} images in this split.')

  def read(indices, short_side=None):
    del short_side  # Nothing to decode.
    rows = [images[i] for i in ids[np.asarray(indices)]]
    rows = [row[..., None] if row.ndim == 2 else row for row in rows]
    return [np.broadcast_to(row, (*row.shape[:2], 3)) for row in rows]

  pixels = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
  return data.Source(
      num_examples=len(ids), read=read,
      describe=lambda index: f'{decode.printable(name)} #{ids[index]}',
      digest=data.digest_of([(images.shape, pixels, ids.tolist())]),
      class_names=class_names,
      labels=None if labels is None else labels[ids])
