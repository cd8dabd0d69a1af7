"""Features made by any framework, to be scored by the protocols here.

A file is an `.npz`, or a `.zarr` folder, with `features` [n, d], `labels` [n] and
perhaps more; see `feature_store`. Several files of the same examples, such as those
of several networks, can be read side by side. In shapes, n is the examples and d the
width.
"""

import functools
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
  widths: tuple[int, ...] = ()  # Of the files side by side, where they are several.

  @property
  def embed(self):
    """The embed of the batches: 'h' of one file, 'h0', 'h1', ... of several."""
    return _embed_several(self.widths) if self.widths else embed

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


@functools.cache  # The same object each time: see `features.outputs`.
def _embed_several(widths):
  starts = np.cumsum((0, *widths))

  def embed_several(params, extra, features):
    del params, extra
    return {
        f'h{i}': features[:, start:start + width]
        for i, (start, width) in enumerate(zip(starts, widths))}
  return embed_several


def paths(text):
  """The paths in a config's value: one, or several separated by commas."""
  return [path.strip() for path in text.split(',') if path.strip()]


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
  if not n:
    raise ValueError(f'{path} has no examples.')
  labels = found.get('labels')
  ids = np.asarray(found.get('ids', np.arange(n)))
  for name, array in (('labels', labels), ('ids', ids)):
    if array is not None and len(array) != n:
      raise ValueError(f'{path} has {n} features and {len(array)} {name}.')
  if not np.issubdtype(ids.dtype, np.integer) or len(np.unique(ids)) < n:
    raise ValueError(f'{path} has `ids` that are not integers, each there once.')
  names = found.get('class_names')
  try:
    about = json.loads(str(found.get('about', '{}')))
    taxonomy = about.get('taxonomy')
  except (ValueError, AttributeError) as e:
    raise ValueError(f'{path} has `about` that is not a JSON object.') from e
  return Features(
      features.astype(np.float32), labels, ids.astype(np.int64),
      class_names=None if names is None else tuple(names.tolist()),
      taxonomy=taxonomy and {k: tuple(v) for k, v in taxonomy.items()})


def read_together(paths):
  """Reads one file, or several of the same examples side by side.

  Rows are matched by id and come in the order of the first file. Files without ids
  are matched by place.

  Args:
    paths: of the files.

  Returns:
    `Features`; of several files with their `widths`.

  Raises:
    ValueError: see `read`; or a file has other ids or labels than the first.
  """
  first, *others = sets = [read(path) for path in paths]
  if not others:
    return first
  columns = [first.features]
  for path, other in zip(paths[1:], others):
    only = np.setxor1d(first.ids, other.ids)
    if only.size:
      has, lacks = (paths[0], path) if only[0] in first.ids else (path, paths[0])
      raise ValueError(
          f'{paths[0]} and {path} do not hold the same examples: id {only[0]} is in '
          f'{has} and not in {lacks}.')
    rows = np.argsort(other.ids)[np.argsort(np.argsort(first.ids))]
    _check_same_labels(first, other.labels, rows, paths[0], path)
    columns.append(other.features[rows])
  return first._replace(
      features=np.concatenate(columns, axis=1),
      widths=tuple(s.features.shape[1] for s in sets))


def _check_same_labels(first, labels, rows, path, other_path):
  if first.labels is None or labels is None:
    if first.labels is not labels:
      has, lacks = (other_path, path) if labels is not None else (path, other_path)
      raise ValueError(f'{has} has labels and {lacks} has none.')
    return
  labels = labels[rows]
  if labels.shape != first.labels.shape:
    raise ValueError(
        f'The labels are of shape {first.labels.shape} in {path} and {labels.shape} '
        f'in {other_path}.')
  differs = (labels != first.labels).reshape(len(rows), -1).any(1)
  if differs.any():
    row = differs.argmax()
    raise ValueError(
        f'Id {first.ids[row]} has label {first.labels[row]} in {path} and '
        f'{labels[row]} in {other_path}.')


def train_and_test(path, test_path):
  """Reads a training and a test set.

  Each of the two may be several files, separated by commas; see `read_together`.
  Without a test file a fixed fifth of the first, chosen by a hash of each id, is the
  test set.
  """
  train = read_together(paths(path))
  if test_path:
    test = read_together(paths(test_path))
    wide, test_wide = (s.widths or s.features.shape[1:] for s in (train, test))
    if wide != test_wide:
      raise ValueError(
          f'The features are {" and ".join(map(str, wide))} wide in {path} and '
          f'{" and ".join(map(str, test_wide))} in {test_path}.')
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
  least = int(max(s.labels.max() for s in sets)) + 1
  names = sets[0].class_names
  if names is None:
    return least
  if least > len(names):
    raise ValueError(
        f'Labels go up to {least - 1}; there are {len(names)} class_names.')
  return len(names)
