"""Images in .npz files, all in memory.

A file holds `images`, uint8 [n, h, w, 3] or [n, h, w] for grey, and optionally
`labels` [n] and `class_names`: what np.savez(path, images=..., labels=...) writes.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import in_memory


def make(*, root, split):
  """Images of an .npz file.

  Args:
    root: a file, or a folder with a file `<split>.npz`.
    split: for a folder, which file. For a file, '' is all of it; 'test' is a fifth,
      fixed by a hash of each image's place, and 'train' is the rest.

  Returns:
    A `data.Source`.

  Raises:
    ValueError: no such file, or other contents.
  """
  if not os.path.isfile(os.path.expanduser(root)):
    root = files.check_root(root, 'an .npz file, or a folder with <split>.npz')
    path = os.path.join(root, f'{split}.npz')
    if not os.path.isfile(path):
      there = sorted(name for name in os.listdir(root) if name.endswith('.npz'))
      raise ValueError(
          f'No {split}.npz in {decode.printable(root)}. '
          f'There are: {files.shown(there) or "no .npz files"}.')
    return in_memory.source(**in_memory.load(path), name=path)

  path = os.path.abspath(os.path.expanduser(root))
  if split not in ('', 'train', 'test'):
    raise ValueError(f'No split {split!r} in one file. There are: "", train, test.')
  arrays = in_memory.load(path)
  if split == '':
    return in_memory.source(**arrays, name=path)
  test = np.array([
      files.held_out(str(i).encode()) for i in range(len(arrays['images']))])
  ids = np.flatnonzero(test == (split == 'test'))
  return in_memory.source(**arrays, name=path, ids=ids)
