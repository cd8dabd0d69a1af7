"""Any folder of images, nested or flat, with labels if it has class folders.

Every JPEG, PNG and WebP file below the root counts, by its ending in any case,
sorted by path. Nothing else is needed: no labels, no list, no splits.

Splits. `split=''` is all of the root: what pretraining on one's own images wants.
If the root has split folders (`train` or `training`; `test`, `val`, `valid` or
`validation`), 'train' and 'test' are these. If it has none, 'test' is a fifth of
the images, fixed by a hash of each path, and 'train' is the rest. Any other split
is the folder of that name in the root.

Labels. The class of an image is the first folder of its path, below the split
folder if there is one. A flat folder, or a single one, gives no labels. The test
split numbers the classes as the training split does.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files

TRAIN = (b'train', b'training')
TEST = (b'test', b'val', b'valid', b'validation')


def make(*, root, split, labels='auto'):
  """Images of a folder tree.

  Args:
    root: the folder.
    split: '', 'train', 'test' or the name of a folder in `root`.
    labels: 'auto' takes class folders for labels if there are any, 'none' never.

  Returns:
    A `data.Source`.

  Raises:
    ValueError: no such folder or split, no images, or a class that the training
      split lacks.
  """
  if labels not in ('auto', 'none'):
    raise ValueError(f'config.data.labels is {labels!r}; it is "auto" or "none".')
  root = files.check_root(root, 'any folder with images')
  listing = files.find(root)
  top, second = zip(*(
      (path.split(b'/', 2) + [b''])[:2] for path in listing.folders))
  divided = split not in ('', 'train', 'test') or _is_divided(set(top))
  class_of_folder = second if divided else top

  if split == '':
    chosen = np.ones(len(listing.folder), bool)
  elif divided:
    name = _split_folder(set(top), split)
    chosen = np.array([name == first for first in top])[listing.folder]
  else:
    _refuse_split_among_classes(set(top))
    chosen = np.array([
        files.held_out(listing.path(i)) == (split == 'test')
        for i in range(len(listing.folder))])
  ids = np.flatnonzero(chosen)
  if not len(ids):
    raise ValueError(
        f'{decode.printable(root)}: none of its {len(chosen):,} images fell into '
        f'{split!r}.')

  here = {class_of_folder[i] for i in np.unique(listing.folder[ids])}
  classes = set(class_of_folder)
  if split and divided:
    trained = {c for first, c in zip(top, class_of_folder) if first in TRAIN}
    classes = trained if _are_classes(trained) else here
  if labels == 'none' or b'' in here or not _are_classes(classes):
    return files.source(listing, ids)
  classes = sorted(classes)
  return files.source(
      listing, ids, class_names=classes,
      labels=files.class_labels(listing, ids, class_of_folder, classes))


def _are_classes(names):
  return len(names) > 1 and b'' not in names


def _is_divided(top):
  """Whether the folders of a root are its splits; a lone `train` may be a class."""
  train, test = top & {*TRAIN}, top & {*TEST}
  return bool(train and test) or top in (train, test)


def _split_folder(top, split):
  """The folder (bytes) that holds a split."""
  names = {'train': TRAIN, 'test': TEST}.get(split, (os.fsencode(split),))
  for name in names:
    if name and name in top:
      return name
  raise ValueError(
      f'config.data.root has no images for the split {split!r}: it needs a folder '
      f'{" or ".join(map(os.fsdecode, names))}, and has '
      f'{files.shown(sorted(top - {b""})) or "no folders"}.')


def _refuse_split_among_classes(top):
  splits = sorted(top & {*TRAIN, *TEST})
  if splits:
    classes = files.shown(sorted(top.difference(splits, {b''}))) or 'other images'
    raise ValueError(
        f'In config.data.root, is {files.shown(splits)} a split, or a class like '
        f'{classes}? Set config.data.split to "" for all images, or '
        'config.data.root to the folder that you mean.')
