"""The labelled examples of a set: which there are, a fixed part of them, their images.

In shapes, n is the examples, k the classes.
"""

import collections
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
  """The ids or the names of files in a text file of one a line.

  They are ids where every line is a number; empty lines do not count.

  Returns:
    int64 ids, ascending; or a list of names as they are.

  Raises:
    ValueError: one is there twice, or there is none.
    errors.StorageError: the file cannot be read.
  """
  with files.storage_errors(f'Cannot read {path}'), open(path, encoding='utf-8') as f:
    lines = [line.strip() for line in f if line.strip()]
  if not lines:
    raise ValueError(f'{path} is empty; it should have an id or a name a line.')
  if all(x.isascii() and x.isdigit() and len(x) < 19 for x in lines):
    listed = np.sort(np.array(lines, np.int64))
    twice = listed[1:][np.diff(listed) == 0]
  else:
    listed = lines
    twice = [x for x, count in collections.Counter(lines).items() if count > 1]
  if len(twice):
    raise ValueError(f'{path} has {twice[0]} more than once.')
  return listed


def find(listed, ids, describe, *, what):
  """The ids of the examples that a list is of.

  A name is that of a file, 'n01440764_10026.JPEG', with any of the folders that it
  lies in, 'n01440764/n01440764_10026.JPEG'.

  Args:
    listed: ids or names, as `read_list` gives them.
    ids: [n] of all examples.
    describe: the path of the example with an id; None where nobody knows them.
    what: how messages call the list.

  Returns:
    The ids, ascending.

  Raises:
    ValueError: some of the list are no example's or several examples', or two are
      the same example's.
  """
  if isinstance(listed, np.ndarray):
    missing = listed[~np.isin(listed, ids)]
    if missing.size:
      raise ValueError(
          f'{missing.size} of the {len(listed)} ids in {what} are not in the training '
          f'set, the first {missing[0]}.')
    return listed
  if describe is None:
    raise ValueError(
        f'{what} has names such as {listed[0]!r}, and these examples have none; it '
        'should have ids, one a line.')
  wanted, found = collections.defaultdict(list), {name: [] for name in listed}
  for name in listed:
    wanted[name.rpartition('/')[2]].append(name)
  for i in ids.tolist():
    path = describe(i)
    for name in wanted.get(path.rpartition('/')[2], ()):
      if f'/{path}'.endswith(f'/{name}'):
        found[name].append(i)
  missing = [name for name, examples in found.items() if not examples]
  if missing:
    there = describe(int(ids[0]))
    raise ValueError(
        f'{len(missing)} of the {len(found)} names in {what} are not in the training '
        f'set, the first {missing[0]!r}; it has names such as {there!r}.')
  several = [name for name, examples in found.items() if len(examples) > 1]
  if several:
    first, second = map(describe, found[several[0]][:2])
    raise ValueError(
        f'{len(several)} of the {len(found)} names in {what} are those of several '
        f'examples, the first {several[0]!r} of {first!r} and {second!r}: name their '
        'folders, too.')
  chosen, counts = np.unique([i for (i,) in found.values()], return_counts=True)
  if len(chosen) < len(found):
    twice = describe(int(chosen[counts > 1][0]))
    raise ValueError(f'{what} has {twice!r} under more than one name.')
  return chosen


def _hash(seed, number):
  text = f'{seed} {number}'.encode()
  return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), 'little')
