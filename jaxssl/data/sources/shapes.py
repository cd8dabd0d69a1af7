"""Images painted from their index: four small colour domains, offline and endless.

`objects`, `species`, `scenes` and `landcover` mirror ImageNet, iNat21, Places365 and
GeoLifeCLEF 2020, the domains of https://arxiv.org/abs/2105.05837. Example i is a pure
function of (domain, split, seed, i): it is the same whatever is read with it, however
many examples there are, and on every machine, to the bit. `size` is only the
resolution at which its scene is painted. n is the images asked for, s their `size`.
"""

import numpy as np

from jaxssl import data
from jaxssl.data.procedural import landcover
from jaxssl.data.procedural import objects
from jaxssl.data.procedural import scenes
from jaxssl.data.procedural import sheet
from jaxssl.data.procedural import species

DOMAINS = {
    'objects': objects, 'species': species, 'scenes': scenes, 'landcover': landcover}
SPLITS = ('train', 'test')
VERSION = 1            # Of the painting: another number, other images, other digest.
PIXELS_AT_ONCE = 2**16  # What stays in a core's cache while it is painted.


def make(*, domain, split, num_examples, size, seed):
  """A source of painted images.

  Args:
    domain: 'objects', 'species', 'scenes' or 'landcover'.
    split: 'train' or 'test', two streams that share no image.
    num_examples: how many there are; the first ones are the same for any number.
    size: pixels a side, 8 to 512.
    seed: another seed, other images of the same classes.

  Returns:
    A `data.Source`. Every run of num_classes examples has one of each class, in an
    order of its own.

  Raises:
    ValueError: an argument is out of its range.
  """
  if domain not in DOMAINS:
    raise ValueError(
        f'No domain {domain!r} of shapes. There are: {", ".join(DOMAINS)}.')
  if split not in SPLITS:
    raise ValueError(
        f'No split {split!r} of shapes. There are: {", ".join(SPLITS)}.')
  if num_examples < 1:
    raise ValueError(f'num_examples of shapes is {num_examples}; it must be 1 or more.')
  if not 8 <= size <= 512:
    raise ValueError(f'size of shapes is {size} pixels; it must be from 8 to 512.')

  levels, classes = DOMAINS[domain].LEVELS, DOMAINS[domain].CLASSES
  ancestors = dict(zip(levels, zip(*classes)))
  painters = tuple(classes.values())
  stream = _stream(seed, tuple(DOMAINS).index(domain), SPLITS.index(split))
  labels = _labels(stream, num_examples, len(painters))
  at_once = max(1, PIXELS_AT_ONCE // size**2)

  def read(indices, short_side=None):
    """Paints the examples; `short_side` is a hint that painting has no use for."""
    del short_side
    indices = np.asarray(indices, np.int64).reshape(-1)
    wrong = indices[(indices < 0) | (indices >= num_examples)]
    if wrong.size:
      raise IndexError(
          f'Example {wrong[0]} of shapes, which has {num_examples} examples.')
    keys = sheet.splitmix64(stream[1] ^ sheet.splitmix64(indices.astype(np.uint64)))
    images = np.empty((len(indices), size, size, 3), np.uint8)
    wanted = labels[indices]
    for label in np.unique(wanted):
      members = np.flatnonzero(wanted == label)
      for i in range(0, len(members), at_once):
        some = members[i:i + at_once]
        page = sheet.Sheet(keys[some], size)
        painters[label](page)
        images[some] = page.pixels()
    return list(images)

  def describe(index):
    return f'shapes/{domain}/{split}/{index} (seed {seed})'

  return data.Source(
      num_examples=num_examples,
      read=read,
      describe=describe,
      digest=data.digest_of(
          [('shapes', VERSION, domain, split, num_examples, size, seed)]),
      class_names=ancestors[levels[-1]],
      labels=labels,
      taxonomy=ancestors)


def _stream(seed, *numbers):
  """[2] uint64 keys, for labels and for images, that only these numbers have."""
  key = np.uint64([0, 1])
  for number in (seed, *numbers):
    key = sheet.splitmix64(key ^ sheet.splitmix64(np.uint64([number % 2**64])))
  return key


def _labels(stream, num_examples, num_classes):
  """[num_examples] int32: each class once in each run of num_classes, shuffled."""
  runs = -(-num_examples // num_classes)
  counter = np.arange(runs * num_classes, dtype=np.uint64)
  order = sheet.splitmix64(stream[0] ^ sheet.splitmix64(counter))
  labels = np.argsort(order.reshape(runs, num_classes), axis=1)
  return labels.reshape(-1)[:num_examples].astype(np.int32)
