"""iNat21 in its official layout, with its taxonomy of seven levels.

The data are those of the iNat Challenge 2021 (https://arxiv.org/abs/2103.16483):
2,686,843 training images (or the 500,000 of `train_mini`) of 10,000 species, and
100,000 for validation. The official test images have no labels, so the validation
images are the test set here, as in https://arxiv.org/abs/2105.05837.

  root/train/00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_
      terrestris/<any name>.jpg
  root/val/...

The names of the class folders say the whole taxonomy. Where they are others,
root/train.json and root/val.json (train.json.tar.gz and val.json.tar.gz of the same
place) say which images there are and what they show.
"""

import collections
import json
import os
import re

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists
from jaxssl.data import trees

EXPECTED = (
    'the folder with train/ (or train_mini/) and val/ of the iNat Challenge 2021: '
    'train.tar.gz and val.tar.gz from '
    'https://github.com/visipedia/inat_comp/tree/master/2021')
FOLDERS = {
    'train': 'train', 'train_mini': 'train_mini', 'val': 'val', 'test': 'val'}
LEVELS = ('kingdom', 'phylum', 'class', 'order', 'family', 'genus', 'species')
OFFICIAL = re.compile(r'\d+_([^_]+)' + r'_([^_]*)' * 5 + r'_(.+)')


def make(*, root, split, labels='auto'):
  """Images of iNat21.

  Args:
    root: the folder that holds `train` and `val`.
    split: 'train', 'train_mini', 'val' or 'test' (the same as 'val').
    labels: 'folders', 'json', or 'auto': folders where they have their official
      names, which saves reading a file of a gigabyte.

  Returns:
    A `data.Source` with a taxonomy.

  Raises:
    ValueError: the layout is another, or `val` has species that `train` lacks.
  """
  if labels not in ('auto', 'folders', 'json'):
    raise ValueError(
        f'config.data.labels is {labels!r}; it is "auto", "folders" or "json".')
  root, folder, classes = files.official(
      root, split, folders=FOLDERS, expected=EXPECTED)
  path = os.path.join(root, f'{folder}.json')
  by_name = all(OFFICIAL.fullmatch(os.fsdecode(name)) for name in classes)
  if labels == 'json' or (
      labels == 'auto' and not by_name and os.path.isfile(path)):
    return _by_json(root, path)
  taxonomy = taxonomy_of(classes)
  source = files.by_class(root, folder, classes)
  return source._replace(class_names=taxonomy['species'], taxonomy=taxonomy)


def _by_json(root, path):
  """A source of the images that a file in the format of COCO names."""
  shown = decode.printable(path)
  if not os.path.isfile(path):
    raise ValueError(f'{shown} is missing. The root should be {EXPECTED}.')
  try:
    with open(path, encoding='utf-8') as f:
      found = json.load(f)
    categories = sorted(found['categories'], key=lambda c: c['id'])
    number_of = {c['id']: i for i, c in enumerate(categories)}
    lineages = [
        (*(_printable(c[level]) for level in LEVELS[:-1]), _printable(c['name']))
        for c in categories]
    name_of = {x['id']: os.fsencode(x['file_name']) for x in found['images']}
    label_of = {
        name_of[a['image_id']]: number_of[a['category_id']]
        for a in found['annotations']}
    names = sorted(label_of)
  except (KeyError, TypeError, ValueError, AttributeError) as e:
    raise ValueError(
        f'{shown} is not as iNat21 has it, with images, annotations and categories of '
        f'{", ".join(LEVELS[:-1])} and name ({type(e).__name__}: {e}).') from e
  listing = lists.listing(root, names, named_by=os.path.basename(path))
  taxonomy = _tree(lineages)
  labels = np.array([label_of[name] for name in names], np.int32)
  return files.source(
      listing, np.arange(len(names)), labels=labels)._replace(
          class_names=taxonomy['species'], taxonomy=taxonomy)


def _printable(name):
  return decode.printable(name.strip())


def taxonomy_of(classes):
  """Reads the ancestors of every species from the names of the class folders.

  A level without a name is called by its parent, as (Aves).

  Args:
    classes: folder names (bytes), b'00000_Animalia_..._Lumbricus_terrestris'.

  Returns:
    dict from each of `LEVELS` to a tuple of a name for each class.
  """
  return _tree([_lineage(decode.printable(os.fsdecode(name))) for name in classes])


def _tree(lineages):
  """A taxonomy of a tuple of seven names for each species."""
  taxonomy = trees.told_apart(dict(zip(LEVELS, zip(*lineages))))
  twice, count = collections.Counter(taxonomy['species']).most_common(1)[0]
  if count > 1:
    raise ValueError(f'Several class folders for one species: {twice}.')
  return taxonomy


def _lineage(name):
  match = OFFICIAL.fullmatch(name)
  if not match:
    raise ValueError(
        f'Class folder {name} is not named like iNat21\'s, '
        '<number>_<kingdom>_<phylum>_<class>_<order>_<family>_<genus>_<epithet>.')
  *names, epithet = match.groups()
  lineage = []
  for taxon in names:
    lineage.append(taxon or f'({lineage[-1].strip("()")})')
  return (*lineage, f'{lineage[-1]} {epithet.replace("_", " ")}')
