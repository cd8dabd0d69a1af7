"""CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html), 32 x 32 pixels.

Accepted below the root, the first that is there:
  cifar-10-batches-bin/data_batch_1.bin ... data_batch_5.bin and test_batch.bin, the
    official binary version (or these files in the root itself);
  train.npz and test.npz, with `images` and `labels`;
  train/<class>/ and test/<class>/ with image files.
The official Python version is pickled, and reading a pickle can run any code in it.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import in_memory

CLASSES = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
           'ship', 'truck')
EXPECTED = (
    'the folder with cifar-10-batches-bin/ (unpack cifar-10-binary.tar.gz from '
    'https://www.cs.toronto.edu/~kriz/cifar.html; its Python version is pickled, '
    'which is not read), or with train.npz and test.npz, or with train/<class>/ '
    'and test/<class>/')
BATCHES = {
    'train': tuple(f'data_batch_{i}.bin' for i in range(1, 6)),
    'test': ('test_batch.bin',)}


def make(*, root, split):
  """Images of CIFAR-10.

  Args:
    root: folder in one of the layouts above.
    split: 'train' or 'test'.

  Returns:
    A `data.Source` with the official classes.

  Raises:
    ValueError: the layout or the contents are others.
  """
  root = files.check_root(root, EXPECTED)
  if split not in BATCHES:
    raise ValueError(f'No split {split!r}. There are: {", ".join(BATCHES)}.')
  for folder in (os.path.join(root, 'cifar-10-batches-bin'), root):
    paths = [os.path.join(folder, name) for name in BATCHES[split]]
    if os.path.isfile(paths[0]):
      return _binary(paths, folder)

  path = os.path.join(root, f'{split}.npz')
  if os.path.isfile(path):
    arrays = in_memory.load(path)
    if 'labels' not in arrays or arrays['images'].shape[1:] != (32, 32, 3):
      raise ValueError(
          f'{decode.printable(path)} should have labels and images [n, 32, 32, 3]; '
          f'it has {", ".join(arrays)}, and images {list(arrays["images"].shape)}.')
    if 'class_names' not in arrays or set(arrays['class_names']) != {*CLASSES}:
      arrays = in_memory.checked(arrays['images'], arrays['labels'], CLASSES)
    return in_memory.source(**arrays, name=path)

  root, folder, classes = files.official(
      root, split, folders={'train': 'train', 'test': 'test'}, expected=EXPECTED)
  if tuple(map(os.fsdecode, classes)) != CLASSES:
    raise ValueError(
        f'{decode.printable(root)} has the classes {files.shown(classes)}; those '
        f'of CIFAR-10 are {", ".join(CLASSES)}.')
  return files.by_class(root, folder, classes)


def _binary(paths, folder):
  """Records of a label and 32 x 32 pixels, all red, then green, then blue."""
  missing = [os.path.basename(path) for path in paths if not os.path.isfile(path)]
  if missing:
    raise ValueError(f'{decode.printable(folder)} lacks {", ".join(missing)}.')
  batches = [np.fromfile(path, np.uint8) for path in paths]
  for path, batch in zip(paths, batches):
    if not len(batch) or len(batch) % 3073:
      raise ValueError(
          f'{decode.printable(path)} has {len(batch):,} bytes, no multiple of '
          '3073: it is damaged or another file.')
  records = np.concatenate(batches).reshape(-1, 3073)
  images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  arrays = in_memory.checked(
      np.ascontiguousarray(images), records[:, 0], CLASSES)   # [n, 32, 32, 3]
  return in_memory.source(**arrays, name=folder)
