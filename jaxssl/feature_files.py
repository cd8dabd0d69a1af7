"""Features made by any framework, to be scored by the protocols here.

A file is an `.npz`, or a `.zarr` folder, with `features` [n, d], `labels` [n] and
perhaps more; see `feature_store`. In shapes, n is the examples and d the width.
"""

import hashlib
import json
from typing import NamedTuple

import numpy as np

from jaxssl import feature_store

TEST_SHARE = 5  # Without a test file, one in so many examples is held out.


class Features(NamedTuple):
  """Features, batched as evaluators take them; iterate as often as you like."""
  features: np.ndarray        # float32 [n, d]
  labels: np.ndarray | None   # [n], or [n, classes]
  ids: np.ndarray             # int64 [n]
  class_names: tuple[str, ...] | None = None
  taxonomy: dict[str, tuple[str, ...]] | None = None

  def batches(self, batch_size=4096):
    rows = range(0, len(self.ids), batch_size)
    return [self._batch(slice(i, i + batch_size)) for i in rows]

  def _batch(self, part):
    batch = {'image': self.features[part], 'index': self.ids[part]}
    return batch if self.labels is None else {**batch, 'label': self.labels[part]}

  def only(self, mask):
    labels = None if self.labels is None else self.labels[mask]
    return self._replace(
        features=self.features[mask], labels=labels, ids=self.ids[mask])


def embed(params, extra, features):
  """The embed of features that are made already."""
  del params, extra
  return {'h': features}


def read(path):
  """Reads a features file.

  Raises:
    ValueError: it is no such file, or its arrays do not fit; it is never unpickled.
  """
  found = feature_store.load(path)
  features = found.get('features')
  if features is None or features.ndim != 2 or not np.issubdtype(
      features.dtype, np.floating):
    what = 'no array' if features is None else f'{features.dtype} {features.shape}'
    raise ValueError(
        f'{path} has {what} as `features`; it must be floats of shape [n, d].')
  n = len(features)
  labels = found.get('labels')
  ids = np.asarray(found.get('ids', np.arange(n)))
  for name, array in (('labels', labels), ('ids', ids)):
    if array is not None and len(array) != n:
      raise ValueError(f'{path} has {n} features and {len(array)} {name}.')
  if not np.issubdtype(ids.dtype, np.integer) or len(np.unique(ids)) < n:
    raise ValueError(f'{path} has `ids` that are not integers, each there once.')
  names, about = found.get('class_names'), found.get('about')
  taxonomy = json.loads(str(about)).get('taxonomy') if about is not None else None
  return Features(
      features.astype(np.float32), labels, ids.astype(np.int64),
      class_names=None if names is None else tuple(names.tolist()),
      taxonomy=taxonomy and {k: tuple(v) for k, v in taxonomy.items()})


def train_and_test(path, test_path):
  """Reads a training and a test set.

  Without a test file a fixed fifth of the first, chosen by a hash of each id, is the
  test set.
  """
  train = read(path)
  if test_path:
    test = read(test_path)
    if test.features.shape[1] != train.features.shape[1]:
      raise ValueError(
          f'The features are {train.features.shape[1]} wide in {path} and '
          f'{test.features.shape[1]} in {test_path}.')
    return train, test
  held_out = np.array([
      int.from_bytes(hashlib.sha256(b'%d' % i).digest()[:8], 'big') % TEST_SHARE == 0
      for i in train.ids])
  if held_out.all() or not held_out.any():
    raise ValueError(f'{path} has too few examples to hold a test set out.')
  return train.only(~held_out), train.only(held_out)


def num_classes(*sets):
  """How many classes the labels of some sets have; 0 if one has none."""
  if any(s.labels is None for s in sets):
    return 0
  if any(s.labels.ndim == 2 for s in sets):
    return sets[0].labels.shape[1]
  return int(max(s.labels.max() for s in sets)) + 1
