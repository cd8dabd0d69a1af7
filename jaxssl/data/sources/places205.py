"""Places205 (http://places.csail.mit.edu) by its official lists, 256 pixels.

  root/data/vision/torralba/deeplearning/images256/a/abbey/<name>.jpg
  root/trainvalsplit_places205/train_places205.csv      lines of a/abbey/<name>.jpg 0
  root/trainvalsplit_places205/val_places205.csv

The folder images256 and the two lists may also lie in the root itself. The official
test images have no labels, so the validation images are the test set.
"""

import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists

EXPECTED = (
    'the folder with data/vision/torralba/deeplearning/images256 and '
    'trainvalsplit_places205 of Places205: imagesPlaces205_resize.tar.gz and '
    'trainvalsplit_places205.tar.gz from http://places.csail.mit.edu')
SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}
IMAGES = ('data/vision/torralba/deeplearning/images256', 'images256')
LISTS = ('trainvalsplit_places205', '')


def make(*, root, split):
  """Images of Places205.

  Args:
    root: folder in the layout above.
    split: 'train', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` with a class for each category of scene.

  Raises:
    ValueError: the layout is another, or an image of the list is missing.
  """
  root = files.check_root(root, EXPECTED)
  if split not in SPLITS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(SPLITS)}.')
  folder = next(
      (name for name in IMAGES if os.path.isdir(os.path.join(root, name))), None)
  if folder is None:
    raise ValueError(
        f'{decode.printable(root)} has no folder images256. It should be {EXPECTED}.')

  def listed(split):
    name = f'{split}_places205.csv'
    paths = [os.path.join(root, folder, name) for folder in LISTS]
    return lists.numbered(
        next(filter(os.path.isfile, paths), paths[0]), hint=f'It is part of {EXPECTED}')

  numbers = listed(SPLITS[split])
  class_of = {}
  for path, number in numbers.items():
    name = b'/'.join(path.split(b'/')[1:-1])  # a/abbey/x.jpg shows an abbey.
    if class_of.setdefault(number, name) != name:
      raise ValueError(
          f'The list of {split} gives the label {number} to '
          f'{files.shown([class_of[number], name])}.')
  classes = [class_of.get(i, b'') for i in range(max(class_of) + 1)]
  if b'' in classes:
    raise ValueError(
        f'The list of {split} has no image with the label {classes.index(b"")}.')
  listing = lists.listing(
      os.path.join(root, folder), numbers, named_by=f'{SPLITS[split]}_places205.csv')
  return files.source(
      listing, np.arange(len(numbers)), class_names=classes,
      labels=np.fromiter(numbers.values(), np.int32, len(numbers)))
