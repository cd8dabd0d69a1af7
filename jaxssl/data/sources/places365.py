"""Places365-Standard (http://places2.csail.mit.edu), in its two official layouts.

Class folders (`places365standard_easyformat.tar`):
  root/train/<class>/*.jpg and root/val/<class>/*.jpg

The larger release (`train_256_places365standard.tar`, `val_256.tar` and
`filelist_places365-standard.tar`, or the `large` ones):
  root/data_256/a/airfield/*.jpg         (or data_256_standard, data_large, ...)
  root/val_256/Places365_val_00000001.jpg                         (or val_large)
  root/categories_places365.txt and root/places365_val.txt

The official test images have no labels, so the validation images are the test set.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files

EXPECTED = (
    'the folder with train/<class>/ and val/<class>/ of Places365-Standard, or '
    'with data_256/, val_256/, categories_places365.txt and places365_val.txt; see '
    'http://places2.csail.mit.edu/download.html')
SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}
FOLDERS = {
    'train': ('data_256', 'data_256_standard', 'data_large', 'data_large_standard'),
    'val': ('val_256', 'val_large')}


def make(*, root, split):
  """Images of Places365.

  Args:
    root: folder in one of the layouts above.
    split: 'train', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` with a class for each kind of scene.

  Raises:
    ValueError: the layout is another.
  """
  root = files.check_root(root, EXPECTED)
  if not os.path.isfile(os.path.join(root, 'categories_places365.txt')):
    return files.by_class(
        *files.official(root, split, folders=SPLITS, expected=EXPECTED))

  if split not in SPLITS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(SPLITS)}.')
  folders = FOLDERS[SPLITS[split]]
  folder = next(
      (name for name in folders if os.path.isdir(os.path.join(root, name))), None)
  if folder is None:
    raise ValueError(
        f'{decode.printable(root)} has none of the folders {", ".join(folders)}. '
        f'It should be {EXPECTED}.')
  numbers = _numbered(os.path.join(root, 'categories_places365.txt'))
  classes = sorted(numbers, key=numbers.get)
  if [numbers[name] for name in classes] != list(range(len(classes))):
    raise ValueError('categories_places365.txt does not number its lines from 0.')

  listing = files.find(root, folder)
  ids = np.arange(len(listing.folder))
  if SPLITS[split] == 'val':
    labels = _validation_labels(root, listing, len(classes))
  else:
    # The folder data_256/a/airfield is the category /a/airfield.
    class_of_folder = [path[len(folder):] for path in listing.folders]
    labels = files.class_labels(listing, ids, class_of_folder, classes)
  return files.source(
      listing, ids, labels=labels,
      class_names=[name.split(b'/', 2)[-1] for name in classes])


def _validation_labels(root, listing, num_classes):
  numbers = _numbered(os.path.join(root, 'places365_val.txt'))
  names = [
      os.path.basename(listing.path(i)) for i in range(len(listing.folder))]
  unknown = [name for name in names if name not in numbers]
  if unknown:
    raise ValueError(
        f'{len(unknown):,} images are not in places365_val.txt: '
        f'{files.shown(unknown, 3)}.')
  labels = np.array([numbers[name] for name in names], np.int32)
  if labels.max() >= num_classes:
    raise ValueError(
        f'places365_val.txt has the label {labels.max()}; there are {num_classes} '
        'classes.')
  return labels


def _numbered(path):
  """Reads lines of a name (bytes) and its number, such as '/a/airfield 0'."""
  shown = decode.printable(path)
  if not os.path.isfile(path):
    raise ValueError(
        f'{shown} is missing: unpack filelist_places365-standard.tar from '
        'http://places2.csail.mit.edu/download.html there.')
  numbers = {}
  with open(path, 'rb') as f:
    for line in f.read().splitlines():
      name, _, number = line.strip().rpartition(b' ')
      if not name or not number.isdigit():
        raise ValueError(f'{shown}: the line {line[:80]!r} is no name and number.')
      numbers[name] = int(number)
  return numbers
