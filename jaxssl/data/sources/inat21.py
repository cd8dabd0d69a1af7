"""iNat21 in its official layout, with its taxonomy of seven levels.

The data are those of the iNat Challenge 2021 (https://arxiv.org/abs/2103.16483):
2,686,843 training images (or the 500,000 of `train_mini`) of 10,000 species, and
100,000 for validation. The official test images have no labels, so the validation
images are the test set here, as in https://arxiv.org/abs/2105.05837.

  root/train/00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_
      terrestris/<any name>.jpg
  root/val/...
"""

import collections
import os
import re

from jaxssl.data import decode
from jaxssl.data import files

EXPECTED = (
    'the folder with train/ (or train_mini/) and val/ of the iNat Challenge 2021: '
    'train.tar.gz and val.tar.gz from '
    'https://github.com/visipedia/inat_comp/tree/master/2021')
FOLDERS = {
    'train': 'train', 'train_mini': 'train_mini', 'val': 'val', 'test': 'val'}
LEVELS = ('kingdom', 'phylum', 'class', 'order', 'family', 'genus', 'species')


def make(*, root, split):
  """Images of iNat21.

  Args:
    root: the folder that holds `train` and `val`.
    split: 'train', 'train_mini', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` with a taxonomy.

  Raises:
    ValueError: the layout is another, or `val` has species that `train` lacks.
  """
  root, folder, classes = files.official(
      root, split, folders=FOLDERS, expected=EXPECTED)
  taxonomy = taxonomy_of(classes)
  source = files.by_class(root, folder, classes)
  return source._replace(class_names=taxonomy['species'], taxonomy=taxonomy)


def taxonomy_of(classes):
  """Reads the ancestors of every species from the names of the class folders.

  A name that two taxa of one level share (Prunella is a bird and a herb) gets its
  parent in brackets, and a level without a name is called by its parent, as (Aves).

  Args:
    classes: folder names (bytes), b'00000_Animalia_..._Lumbricus_terrestris'.

  Returns:
    dict from each of `LEVELS` to a tuple of a name for each class.
  """
  lineages = [_lineage(decode.printable(os.fsdecode(name))) for name in classes]
  taxonomy, above = {}, [''] * len(classes)
  for level, names in zip(LEVELS, zip(*lineages)):
    parents = collections.defaultdict(set)
    for name, parent in zip(names, above):
      parents[name].add(parent)
    above = taxonomy[level] = tuple(
        f'{name} ({parent})' if len(parents[name]) > 1 else name
        for name, parent in zip(names, above))
  if len(set(taxonomy['species'])) < len(classes):
    twice, _ = collections.Counter(taxonomy['species']).most_common(1)[0]
    raise ValueError(f'Several class folders for one species: {twice}.')
  return taxonomy


def _lineage(name):
  match = re.fullmatch(r'\d+_([^_]+)' + r'_([^_]*)' * 5 + r'_(.+)', name)
  if not match:
    raise ValueError(
        f'Class folder {name} is not named like iNat21\'s, '
        '<number>_<kingdom>_<phylum>_<class>_<order>_<family>_<genus>_<epithet>.')
  *names, epithet = match.groups()
  lineage = []
  for taxon in names:
    lineage.append(taxon or f'({lineage[-1].strip("()")})')
  return (*lineage, f'{lineage[-1]} {epithet.replace("_", " ")}')
