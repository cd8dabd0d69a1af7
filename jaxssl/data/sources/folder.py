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

Two files in the root may say more. `labels.csv` has the columns `file` (a path below
the root) and `label`; its labels count instead of folders, and an image that it does
not name, or names with an empty label, has the label -1: nobody has said its class.
`taxonomy.csv` has a row for each class, with a column `class` and one for each of its
ancestors; see `trees.from_csv`.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists
from jaxssl.data import subsets
from jaxssl.data import trees

TRAIN = (b'train', b'training')
TEST = (b'test', b'val', b'valid', b'validation')


def make(*, root, split, labels='auto', labelled_only=False, levels='auto'):
  """Images of a folder tree.

  Args:
    root: the folder.
    split: '', 'train', 'test' or the name of a folder in `root`.
    labels: 'auto' takes those of labels.csv, or class folders if there are any;
      'none' takes none.
    labelled_only: whether to leave out images without a label.
    levels: columns of taxonomy.csv that are levels, from coarse to fine; 'auto' knows
      them by their names, 'none' passes the file over.

  Returns:
    A `data.Source`.

  Raises:
    ValueError: no such folder or split, no images, a class that the training split
      or the taxonomy lacks, or an image of labels.csv that is not there.
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

  if labels == 'none':
    classes = []
  elif os.path.isfile(os.path.join(root, 'labels.csv')):
    classes, numbers = _listed_labels(root, listing, ids)
  else:
    classes = _class_folders(
        class_of_folder, np.unique(listing.folder[ids]),
        {c for first, c in zip(top, class_of_folder) if first in TRAIN}
        if split and divided else None)
    numbers = (
        files.class_labels(listing, ids, class_of_folder, classes) if classes else None)
  if not classes:
    if labelled_only:
      raise ValueError(
          f'config.data.labelled_only: no image of {decode.printable(root)} in the '
          f'split {split!r} has a label.')
    return files.source(listing, ids)

  source = files.source(listing, ids, class_names=classes, labels=numbers)
  path = os.path.join(root, 'taxonomy.csv')
  if levels != 'none' and os.path.isfile(path):
    source = source._replace(
        taxonomy=trees.from_csv(path, source.class_names, levels=levels))
  return subsets.labelled(source) if labelled_only else source


def _class_folders(class_of_folder, used, trained):
  """The classes, or [] where folders do not give any.

  Args:
    class_of_folder: the class (bytes) of each folder, b'' for none.
    used: folders that the split's images are in.
    trained: classes of the training split, where the root has one and it counts.
  """
  here = {class_of_folder[i] for i in used}
  classes = set(class_of_folder)
  if trained is not None:
    classes = trained if _are_classes(trained) else here
  return sorted(classes) if b'' not in here and _are_classes(classes) else []


def _listed_labels(root, listing, ids):
  """Classes and [m] int32 labels by labels.csv; no classes if none is of these."""
  rows = lists.table(os.path.join(root, 'labels.csv'), ('file', 'label'))
  label_of = {os.fsencode(row['file']): row['label'] for row in rows}
  if len(label_of) < len(rows):
    raise ValueError('labels.csv names a file twice.')
  missing = label_of.keys() - {listing.path(i) for i in range(len(listing.folder))}
  if missing:
    raise ValueError(
        f'{len(missing):,} images of labels.csv are not in {decode.printable(root)}: '
        f'{files.shown(sorted(missing), 3)}.')
  classes = sorted({*label_of.values()} - {''})
  number_of = {'': -1, **{name: i for i, name in enumerate(classes)}}
  numbers = np.array(
      [number_of[label_of.get(listing.path(i), '')] for i in ids], np.int32)
  return (classes, numbers) if (numbers >= 0).any() else ([], None)


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
