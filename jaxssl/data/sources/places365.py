"""Places365-Standard (http://places2.csail.mit.edu), in its two official layouts.

Class folders (`places365standard_easyformat.tar`):
  root/train/<class>/*.jpg and root/val/<class>/*.jpg

The larger release (`train_256_places365standard.tar`, `val_256.tar` and
`filelist_places365-standard.tar`, or the `large` ones):
  root/data_256/a/airfield/*.jpg         (or data_256_standard, data_large, ...)
  root/val_256/Places365_val_00000001.jpg                         (or val_large)
  root/categories_places365.txt and root/places365_val.txt

Only the training images that root/places365_train_standard.txt names count, where
there is such a file: the folders of the Challenge hold four times as many. The
official test images have no labels, so the validation images are the test set.

root/scene_hierarchy_places365.csv, the authors' table of 3 and 16 kinds of scenes,
makes a taxonomy. A category may be marked in several columns, and a tree has one
parent for each: it goes to the first column from the left that is marked among the
16, and each of the 16 belongs to that of the 3 that most of its categories are
marked in.
"""

import csv
import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists
from jaxssl.data import trees

EXPECTED = (
    'the folder with train/<class>/ and val/<class>/ of Places365-Standard, or '
    'with data_256/, val_256/, categories_places365.txt and places365_val.txt; see '
    'http://places2.csail.mit.edu/download.html')
SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}
FOLDERS = {
    'train': ('data_256', 'data_256_standard', 'data_large', 'data_large_standard'),
    'val': ('val_256', 'val_large')}


FILELIST = (
    'unpack filelist_places365-standard.tar from '
    'http://places2.csail.mit.edu/download.html there')
HIERARCHY = 'scene_hierarchy_places365.csv'


def make(*, root, split):
  """Images of Places365.

  Args:
    root: folder in one of the layouts above.
    split: 'train', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` with a class for each category of scene.

  Raises:
    ValueError: the layout is another.
  """
  root = files.check_root(root, EXPECTED)
  if os.path.isfile(os.path.join(root, 'categories_places365.txt')):
    source = _by_lists(root, split)
  else:
    source = files.by_class(
        *files.official(root, split, folders=SPLITS, expected=EXPECTED))
  path = os.path.join(root, HIERARCHY)
  if not os.path.isfile(path):
    return source
  return source._replace(taxonomy=hierarchy(path, source.class_names))


def _by_lists(root, split):
  if split not in SPLITS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(SPLITS)}.')
  folders = FOLDERS[SPLITS[split]]
  folder = next(
      (name for name in folders if os.path.isdir(os.path.join(root, name))), None)
  if folder is None:
    raise ValueError(
        f'{decode.printable(root)} has none of the folders {", ".join(folders)}. '
        f'It should be {EXPECTED}.')
  numbers = lists.numbered(
      os.path.join(root, 'categories_places365.txt'), hint=FILELIST)
  classes = sorted(numbers, key=numbers.get)
  if [numbers[name] for name in classes] != list(range(len(classes))):
    raise ValueError('categories_places365.txt does not number its lines from 0.')

  listed = os.path.join(root, 'places365_train_standard.txt')
  if SPLITS[split] == 'train' and os.path.isfile(listed):
    names = lists.numbered(listed, hint=FILELIST)
    listing = lists.listing(
        root, [os.fsencode(folder) + name for name in names],
        named_by=os.path.basename(listed))
  else:
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
  numbers = lists.numbered(os.path.join(root, 'places365_val.txt'), hint=FILELIST)
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


def hierarchy(path, classes):
  """Reads the taxonomy of scenes; the top of the file says how parents are chosen.

  Args:
    path: of scene_hierarchy_places365.csv: rows of a category such as '/a/airfield',
      3 marks and 16 marks, below a row that names the columns.
    classes: names such as airfield or building/outdoor; those of class folders have
      '-' or '_' for the '/'.

  Returns:
    {'level1': 3 names, 'level2': 16, 'category': `classes`}.

  Raises:
    ValueError: the table is another, or lacks a class.
  """
  shown = decode.printable(path)
  try:
    with open(path, encoding='utf-8-sig', newline='') as f:
      rows = [[cell.strip(" '\"") for cell in row] for row in csv.reader(f) if row]
    first = next(i for i, row in enumerate(rows) if row[0].startswith('/'))
    header = rows[first - 1][1:20]
    marks = {
        _plain(row[0].split('/', 2)[-1]): [int(cell) for cell in row[1:20]]
        for row in rows[first:] if row[0]}
  except (OSError, ValueError, StopIteration, csv.Error) as e:
    raise ValueError(f'{shown} is no table of categories and marks: {e}.') from e
  if first == 0 or len(header) != 19 or any(
      len(row) != 19 or not any(row[3:]) for row in marks.values()):
    raise ValueError(
        f'{shown} should have 3 and 16 columns of marks, and a mark among the 16 in '
        'each row.')
  unknown = [name for name in classes if _plain(name) not in marks]
  if unknown:
    raise ValueError(f'{shown} has no row for {files.shown(unknown, 3)}.')
  table = np.array(list(marks.values()))
  parent = (table[:, 3:].T @ table[:, :3]).argmax(1)          # [16]
  kind = [int(np.argmax(marks[_plain(name)][3:])) for name in classes]
  return trees.told_apart({
      'level1': [header[parent[k]] for k in kind],
      'level2': [header[3 + k] for k in kind],
      'category': list(classes)})


def _plain(name):
  return name.replace('/', '_').replace('-', '_')
