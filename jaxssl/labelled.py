"""The labelled examples of a set: which there are, a fixed part of them, their images.

In shapes, n is the examples, k the classes.
"""

import hashlib

import numpy as np

from jaxssl import files
from jaxssl import preemption
from jaxssl import scoring


def ids_and_labels(batches, num_classes, *, what):
  """The [n] ids of all examples and their int32 [n] classes.

  Args:
    batches: see `features`.
    num_classes: how many classes there are.
    what: how messages call the examples, such as 'The test set'.

  Raises:
    ValueError: there are no examples, an id is there twice, or a label is missing or
      out of range.
  """
  index, labels = [], []
  for batch in batches:
    preemption.heed()
    index.append(np.asarray(batch['index']))
    labels.append(batch.get('label'))
  if not index:
    raise ValueError(f'{what} has no examples.')
  index = np.concatenate(index)
  ids, counts = np.unique(index, return_counts=True)
  if len(ids) < len(index):
    raise ValueError(f'{what} has the id {ids[counts > 1][0]} more than once.')
  labels = None if any(x is None for x in labels) else np.concatenate(labels)
  return index, scoring.check_labels(labels, num_classes, what=what)


def gather(batches, ids):
  """Some of the examples, in host memory, as the batches have them.

  A canvas of side c takes 3 * c * c bytes: 13,000 images on canvases of 384 pixels,
  1 % of ImageNet, are 5.8 GB, and all of ImageNet 570 GB.

  Args:
    batches: see `features`.
    ids: [n] of the examples.

  Returns:
    {name: [n, ...]}, by ascending id.
  """
  ids = np.sort(ids)
  examples = {}
  for batch in batches:
    preemption.heed()
    rows = np.flatnonzero(np.isin(batch['index'], ids))
    places = np.searchsorted(ids, np.asarray(batch['index'])[rows])
    for name, x in batch.items():
      x = np.asarray(x)
      if name not in examples:
        examples[name] = np.empty((len(ids), *x.shape[1:]), x.dtype)
      examples[name][places] = x[rows]
  return examples


def balanced(ids, labels, *, fraction, num_classes, seed):
  """The ids of a share of the examples, as many of each class as far as it goes.

  max(1, round(fraction * n / k)) of each class, or all that a smaller class has:
  those with the lowest hashes of seed and id. A smaller share is part of a larger
  one.

  Args:
    ids: [n] of all examples.
    labels: int [n] classes.
    fraction: above 0, at most 1.
    num_classes: k.
    seed: of the hashes.

  Returns:
    The chosen ids, ascending.
  """
  each = max(1, round(fraction * len(ids) / num_classes))
  hashes = np.array([_hash(seed, i) for i in ids.tolist()], np.uint64)
  order = np.lexsort((ids, hashes, labels))
  starts = np.searchsorted(labels[order], np.arange(num_classes))
  place = np.arange(len(ids)) - starts[labels[order]]  # Within the class.
  return np.sort(ids[order[place < each]])


def read_list(path):
  """The ids in a text file of one a line, ascending; empty lines do not count.

  Raises:
    ValueError: a line is no id, an id is there twice, or there is none.
    errors.StorageError: the file cannot be read.
  """
  with files.storage_errors(f'Cannot read {path}'), open(path, encoding='utf-8') as f:
    lines = [line.strip() for line in f]
  ids = []
  for number, line in enumerate(lines, 1):
    if line and not (line.isascii() and line.isdigit() and len(line) < 19):
      raise ValueError(
          f'Line {number} of {path} is {line!r}; it must be the id of an example, its '
          'place in the training set from 0 on. Names of files are not looked up.')
    if line:
      ids.append(int(line))
  found, counts = np.unique(np.array(ids, np.int64), return_counts=True)
  if len(found) < len(ids):
    raise ValueError(f'{path} has the id {found[counts > 1][0]} more than once.')
  if not ids:
    raise ValueError(f'{path} has no ids.')
  return found


def _hash(seed, number):
  text = f'{seed} {number}'.encode()
  return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), 'little')
