"""ImageNet (ILSVRC 2012) in class folders named by WordNet ids.

  root/train/n01440764/n01440764_10026.JPEG
  root/val/n01440764/ILSVRC2012_val_00000293.JPEG

The official test images have no labels, so the validation images are the test set
here, as in the papers. Subsets with the same names (ImageNet-100) work too.
"""

import os
import re

from jaxssl.data import decode
from jaxssl.data import files

EXPECTED = (
    'the folder with train/ and val/ of ImageNet, each with class folders such as '
    'n01440764: ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from '
    'https://image-net.org, with the validation images sorted into class folders')
FOLDERS = {'train': 'train', 'val': 'val', 'test': 'val'}


def make(*, root, split):
  """Images of ImageNet.

  Args:
    root: the folder that holds `train` and `val`.
    split: 'train', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` whose classes are WordNet ids.

  Raises:
    ValueError: the layout is another, or `val` has classes that `train` lacks.
  """
  root, folder, classes = files.official(
      root, split, folders=FOLDERS, expected=EXPECTED)
  for name in classes:
    if not re.fullmatch(rb'n\d{8}', name):
      raise ValueError(
          f'Class folder {decode.printable(os.fsdecode(name))} is not a WordNet id '
          'such as n01440764.')
  return files.by_class(root, folder, classes)
