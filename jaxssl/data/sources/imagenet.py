"""ImageNet (ILSVRC 2012) in class folders named by WordNet ids, or in tar files.

Training images, the first that is there:
  root/train/n01440764/n01440764_10026.JPEG
  root/train/n01440764.tar                      the tar of each class
  root/ILSVRC2012_img_train.tar                 the official tar of these tars

Validation images:
  root/val/n01440764/ILSVRC2012_val_00000293.JPEG
  root/val/ILSVRC2012_val_00000293.JPEG         all in one folder, as they come
  root/ILSVRC2012_img_val.tar

Where they are not in class folders, their classes are those of
root/LOC_val_solution.csv (of the set at Kaggle) or of
root/ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt with meta.mat
(ILSVRC2012_devkit_t12.tar.gz).

The official test images have no labels, so the validation images are the test set
here, as in the papers. Subsets with the same names (ImageNet-100) work too. A file
root/wordnet.is_a.txt makes a taxonomy; see `wordnet`. The set of TFDS is read by the
source `tfds`.
"""

import os
import re

import numpy as np
from scipy import io

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists
from jaxssl.data import tars
from jaxssl.data import wordnet as wordnets

EXPECTED = (
    'the folder with train/ and val/ of ImageNet, each with class folders such as '
    'n01440764, or with ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and '
    'ILSVRC2012_devkit_t12/, from https://image-net.org')
FOLDERS = {'train': 'train', 'val': 'val', 'test': 'val'}
TARS = {'train': 'ILSVRC2012_img_train.tar', 'val': 'ILSVRC2012_img_val.tar'}
TRUTH = 'ILSVRC2012_validation_ground_truth.txt'
DEVKIT = 'ILSVRC2012_devkit_t12/data'


def make(*, root, split, wordnet=''):
  """Images of ImageNet.

  Args:
    root: folder in one of the layouts above.
    split: 'train', 'val' or 'test' (the same as 'val').
    wordnet: path of the file of WordNet's tree; '' is wordnet.is_a.txt in the root,
      and no taxonomy where there is none.

  Returns:
    A `data.Source` whose classes are WordNet ids.

  Raises:
    ValueError: the layout is another, or `val` has classes that `train` lacks.
  """
  root = files.check_root(root, EXPECTED)
  if split not in FOLDERS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(FOLDERS)}.')
  source = _source(root, FOLDERS[split])
  path = os.path.expanduser(wordnet) or os.path.join(root, 'wordnet.is_a.txt')
  if not wordnet and not os.path.isfile(path):
    return source
  return source._replace(taxonomy=wordnets.levels(path, source.class_names))


def _source(root, folder):
  classes, in_tars = _training(root)
  inside = os.path.join(root, folder)
  has_folder = os.path.isdir(inside)
  of_folders = files.subfolders(inside) if has_folder else []
  if of_folders:
    return files.by_class(root, folder, _checked(classes or of_folders))

  listing = None
  if folder == 'train' and in_tars:
    found, of_image = in_tars, _classes_of(in_tars.names)
  elif folder == 'val' and has_folder:
    listing = files.find(root, folder)
    of_image = _truth(root, [listing.path(i) for i in range(len(listing.folder))])
  elif folder == 'val' and os.path.isfile(os.path.join(root, TARS['val'])):
    found = tars.index([os.path.join(root, TARS['val'])])
    of_image = _truth(root, found.names.tolist())
  else:
    raise ValueError(
        f'{decode.printable(root)} has no {TARS[folder]} and no class folders in '
        f'{folder}, but {files.shown(sorted(os.listdir(root))) or "nothing"}. '
        f'It should be {EXPECTED}.')

  classes = _checked(classes or sorted(set(of_image)))
  number_of = {name: i for i, name in enumerate(classes)}
  labels = np.array([number_of.get(name, -1) for name in of_image], np.int32)
  if (labels < 0).any():
    raise ValueError(
        f'{(labels < 0).sum():,} images are of classes that are not among the '
        f'{len(classes):,} of the training images, such as '
        f'{files.shown([of_image[np.argmin(labels)]])}.')
  if listing:
    return files.source(
        listing, np.arange(len(labels)), labels=labels, class_names=classes)
  return tars.source(
      found, labels=labels, class_names=tuple(map(os.fsdecode, classes)))


def _training(root):
  """Classes (bytes) of the training images, if they are there, and their index."""
  folder, paths = os.path.join(root, 'train'), [os.path.join(root, TARS['train'])]
  if os.path.isdir(folder):
    classes = files.subfolders(folder)
    if classes:
      return classes, None
    paths = sorted(
        os.path.join(folder, name) for name in os.listdir(folder)
        if name.endswith('.tar')) or paths
  if not os.path.isfile(paths[0]):
    return None, None
  found = tars.index(paths)
  return sorted(set(_classes_of(found.names))), found


def _classes_of(names):
  """n01440764 of n01440764_10026.JPEG, in whatever folder."""
  return [os.path.basename(bytes(name)).partition(b'_')[0] for name in names]


def _checked(classes):
  for name in classes:
    if not re.fullmatch(rb'n\d{8}', name):
      raise ValueError(
          f'The class {files.shown([name])} is not a WordNet id such as n01440764.')
  return classes


def _truth(root, names):
  """The class (bytes) of each validation image, from an official file."""
  solution = os.path.join(root, 'LOC_val_solution.csv')
  folder = next((f for f in (os.path.join(root, DEVKIT), root) if os.path.isfile(
      os.path.join(f, TRUTH))), None)
  if os.path.isfile(solution):
    class_of = {
        row['ImageId']: row['PredictionString'].partition(' ')[0]
        for row in lists.table(solution, ('ImageId', 'PredictionString'))}
  elif folder:
    class_of = _devkit(folder)
  else:
    raise ValueError(
        f'The validation images in {decode.printable(root)} are not in class folders: '
        f'that takes LOC_val_solution.csv or {DEVKIT}/{TRUTH} there.')
  stems = [os.fsdecode(os.path.basename(name)).partition('.')[0] for name in names]
  unknown = [stem for stem in stems if stem not in class_of]
  if unknown:
    raise ValueError(
        f'{len(unknown):,} validation images have no known class: '
        f'{files.shown(unknown, 3)}.')
  return [os.fsencode(class_of[stem]) for stem in stems]


def _devkit(folder):
  """{stem of an image: WordNet id}: line i of the truth is that of image i."""
  path = os.path.join(folder, 'meta.mat')
  try:
    synsets = io.loadmat(
        path, squeeze_me=True, variable_names=['synsets'])['synsets']
    name_of = dict(zip(synsets['ILSVRC2012_ID'].tolist(), synsets['WNID'].tolist()))
    with open(os.path.join(folder, TRUTH), encoding='ascii') as f:
      return {
          f'ILSVRC2012_val_{i:08d}': str(name_of[int(line)])
          for i, line in enumerate(f, 1)}
  except Exception as e:  # SciPy raises many kinds on other contents.
    raise ValueError(
        f'{decode.printable(folder)} should have {TRUTH} and meta.mat of '
        f'ILSVRC2012_devkit_t12.tar.gz ({type(e).__name__}: {e}).') from e
