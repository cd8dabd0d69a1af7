"""CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html), 32 x 32 pixels.

Accepted below the root, the first that is there:
  cifar-100-binary/ with train.bin, test.bin, fine_label_names.txt and
    coarse_label_names.txt, the official binary version (or these in the root itself);
  train.npz and test.npz, with `images`, `labels` and `class_names`, all classes or
    some, and perhaps taxonomy.csv with a column `coarse`; see `trees.from_csv`.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import in_memory
from jaxssl.data import trees

EXPECTED = (
    'the folder with cifar-100-binary/ (unpack cifar-100-binary.tar.gz from '
    'https://www.cs.toronto.edu/~kriz/cifar.html; its Python version is pickled, '
    'which is not read), or with train.npz and test.npz')
SPLITS = ('train', 'test')


def make(*, root, split, labels='fine'):
  """Images of CIFAR-100.

  Args:
    root: folder in one of the layouts above.
    split: 'train' or 'test'.
    labels: 'fine' or 'coarse'.

  Returns:
    A `data.Source` with a taxonomy, down to the labels.

  Raises:
    ValueError: the layout or the contents are others.
  """
  root = files.check_root(root, EXPECTED)
  if split not in SPLITS or labels not in ('fine', 'coarse'):
    raise ValueError(
        f'No split {split!r} with labels {labels!r}. There are: '
        f'{", ".join(SPLITS)}; fine, coarse.')
  for folder in (os.path.join(root, 'cifar-100-binary'), root):
    if os.path.isfile(os.path.join(folder, f'{split}.bin')):
      arrays, taxonomy = _binary(folder, split)
      name = folder
      break
  else:
    name = os.path.join(root, f'{split}.npz')
    arrays, taxonomy = _arrays(root, name)
  if labels == 'coarse':
    if not taxonomy or 'coarse' not in taxonomy:
      raise ValueError(
          f'{decode.printable(root)} has no coarse labels: they come with '
          'cifar-100-binary/ or a taxonomy.csv with a column coarse.')
    arrays['labels'], arrays['class_names'], taxonomy = _coarse(
        arrays['labels'], taxonomy)
  return in_memory.source(**arrays, name=name)._replace(taxonomy=taxonomy)


def _binary(folder, split):
  """Records of a coarse label, a fine one, and pixels: all red, green, then blue."""
  def names(kind):
    path = os.path.join(folder, f'{kind}_label_names.txt')
    if not os.path.isfile(path):
      raise ValueError(
          f'{decode.printable(path)} is missing. The root should be {EXPECTED}.')
    with open(path, encoding='utf-8') as f:
      return tuple(decode.printable(name) for name in f.read().split())

  def records(split):
    path = os.path.join(folder, f'{split}.bin')
    if not os.path.isfile(path):
      raise ValueError(f'{decode.printable(path)} is missing.')
    found = np.fromfile(path, np.uint8)
    if not len(found) or len(found) % 3074:
      raise ValueError(
          f'{decode.printable(path)} has {len(found):,} bytes, no multiple of 3074: '
          'it is damaged or another file.')
    return found.reshape(-1, 3074)

  fine, coarse, train = names('fine'), names('coarse'), records('train')
  pairs = np.unique(train[:, :2], axis=0)  # [m, 2] (coarse, fine), by coarse.
  if sorted(pairs[:, 1]) != list(range(len(fine))) or pairs[-1, 0] >= len(coarse):
    raise ValueError(
        f'{decode.printable(folder)}: train.bin has {len(pairs)} pairs of a coarse and '
        f'a fine label, where each of the {len(fine)} fine ones should be in one.')
  parent = dict(zip(pairs[:, 1].tolist(), pairs[:, 0].tolist()))
  found = train if split == 'train' else records(split)
  images = found[:, 2:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  arrays = in_memory.checked(np.ascontiguousarray(images), found[:, 1], fine)
  return arrays, {
      'coarse': tuple(coarse[parent[i]] for i in range(len(fine))), 'fine': fine}


def _arrays(root, path):
  if not os.path.isfile(path):
    raise ValueError(
        f'{decode.printable(root)} has none of the layouts of CIFAR-100. It should be '
        f'{EXPECTED}.')
  arrays = in_memory.load(path)
  if 'labels' not in arrays or arrays['images'].shape[1:] != (32, 32, 3):
    raise ValueError(
        f'{decode.printable(path)} should have labels and images [n, 32, 32, 3]; '
        f'it has {", ".join(arrays)}, and images {list(arrays["images"].shape)}.')
  table = os.path.join(root, 'taxonomy.csv')
  if not os.path.isfile(table):
    return arrays, None
  return arrays, trees.from_csv(table, arrays['class_names'])


def _coarse(labels, taxonomy):
  """Labels, names and taxonomy of the level 'coarse', in the order of its names."""
  of_class = taxonomy['coarse']
  names = tuple(sorted(set(of_class)))
  first = [of_class.index(name) for name in names]
  above = list(taxonomy)[:list(taxonomy).index('coarse')]
  numbers = np.array([names.index(name) for name in of_class], np.int32)
  return numbers[labels], names, {
      **{level: tuple(taxonomy[level][i] for i in first) for level in above},
      'coarse': names}
