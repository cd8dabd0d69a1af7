"""GeoLifeCLEF 2020 (https://arxiv.org/abs/2004.04192), the part in the USA.

Aerial images of 256 x 256 pixels at about a metre each, around places where someone
saw a plant or an animal. The class is the land cover at the place, of which
https://arxiv.org/abs/2105.05837 has 16.

  root/observations/observations_us_train.csv   observation_id;latitude;longitude;...
  root/patches_us/CD/AB/<...ABCD>_rgb.jpg       the last four digits of the id
  root/patches_us/CD/AB/<...ABCD>_landcover.tif the land cover of each pixel
  root/metadata/landcover_original_labels.csv   landcover_code;landcover_label

The folders may be called patches-us as well, and metadata may be missing. A column
`landcover` of the observations counts before the .tif files. The near infrared and
the altitude are not read.

The split of the paper is not known. Here, a column `subset` of the observations says
which are for validation ('val'); without one they are those in a twentieth of the
cells of 0.1 degrees, chosen by a hash of the cell, since images of neighbours overlap:
about a million of the 1.1 million remain for training. Validation is the test set.
"""

import io
import math
import os

import numpy as np
from PIL import TiffImagePlugin

from jaxssl import data
from jaxssl.data import cached
from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists
from jaxssl.data import threads

EXPECTED = (
    'the folder with observations/observations_us_train.csv and patches_us/ of '
    'GeoLifeCLEF 2020, see https://www.imageclef.org/GeoLifeCLEF2020')
SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}
TABLE = 'observations_us_train.csv'
CHUNK = 256  # Land-cover files that a thread reads at a time.


def make(*, root, split):
  """Images of GeoLifeCLEF 2020 in the USA.

  Args:
    root: folder in the layout above.
    split: 'train', 'val' or 'test' (the same as 'val').

  Returns:
    A `data.Source` with a class for each kind of land cover. Reading it from .tif
    files takes one pass over them, the first time.

  Raises:
    ValueError: the layout is another, or an image is missing.
  """
  root = files.check_root(root, EXPECTED)
  if split not in SPLITS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(SPLITS)}.')
  folder = next(
      (name for name in ('patches_us', 'patches-us')
       if os.path.isdir(os.path.join(root, name))), None)
  path = next(
      (p for p in (os.path.join(root, 'observations', TABLE), os.path.join(root, TABLE))
       if os.path.isfile(p)), None)
  if folder is None or path is None:
    raise ValueError(
        f'{decode.printable(root)} has no {TABLE if folder else "patches_us"}. It '
        f'should be {EXPECTED}.')
  rows = lists.table(
      path, ('observation_id', 'latitude', 'longitude'), delimiter=';')
  ids = [row['observation_id'] for row in rows]
  stems = [f'{folder}/{i[-2:]}/{i[-4:-2]}/{i}' for i in ids]
  codes = _codes(root, rows, stems)
  listing = lists.listing(
      root, [os.fsencode(f'{stem}_rgb.jpg') for stem in stems],
      named_by=os.path.basename(path))

  held_out = np.array([_is_held_out(row) for row in rows])
  chosen = np.flatnonzero(held_out == (SPLITS[split] == 'val'))
  if not len(chosen):
    raise ValueError(f'None of the {len(rows):,} observations is for {split!r}.')
  # All observations, so that both splits number the classes alike.
  kinds, labels = np.unique(codes, return_inverse=True)
  names = _names(root)
  return files.source(
      listing, chosen, labels=labels[chosen].astype(np.int32),
      class_names=[names.get(int(code), str(code)) for code in kinds])


def _is_held_out(row):
  if 'subset' in row:
    return row['subset'] in ('val', 'test')
  try:
    cell = [math.floor(float(row[axis]) * 10) for axis in ('latitude', 'longitude')]
  except (ValueError, OverflowError) as e:
    raise ValueError(f'Observation {row["observation_id"]} is nowhere: {e}.') from e
  return files.held_out('{} {}'.format(*cell).encode(), one_in=20)


def _names(root):
  path = os.path.join(root, 'metadata', 'landcover_original_labels.csv')
  if not os.path.isfile(path):
    return {}
  rows = lists.table(path, ('landcover_code', 'landcover_label'), delimiter=';')
  return {int(row['landcover_code']): row['landcover_label'] for row in rows}


def _codes(root, rows, stems):
  """int [n] land cover of each observation."""
  if 'landcover' in rows[0]:
    return np.array([int(row['landcover']) for row in rows])
  key = data.digest_of([('land cover', root), *((stem,) for stem in stems)])

  def read(start):
    return [
        _centre(os.path.join(root, f'{stem}_landcover.tif'))
        for stem in stems[start:start + CHUNK]]

  def find():
    chunks = threads.ahead(
        read, range(0, len(stems), CHUNK), workers=threads.WORKERS,
        depth=2 * threads.WORKERS)
    return {'codes': np.concatenate([np.array(chunk) for chunk in chunks])}

  return cached.arrays(key, find)['codes']


def _centre(path):
  """The value of the pixel in the middle of a .tif of one byte a pixel."""
  shown = decode.printable(path)
  if not os.path.isfile(path):
    raise ValueError(
        f'{shown} is missing, and {TABLE} has no column landcover. The root should be '
        f'{EXPECTED}.')
  encoded = decode.read_bytes(path)
  try:
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(encoded))
    if image.mode not in ('L', 'P') or max(image.size) > 4096:
      raise ValueError(f'mode {image.mode}, {image.width} x {image.height} pixels')
    return image.getpixel((image.width // 2, image.height // 2))
  except MemoryError:
    raise
  except Exception as e:  # Pillow raises any kind on malformed bytes.
    raise ValueError(f'{shown} is no map of land cover: {e}.') from e
