"""Images painted from their index: four small colour domains, offline and endless.

`objects`, `species`, `scenes` and `landcover` stand for ImageNet, iNat21, Places365
and GeoLifeCLEF 2020, the domains of https://arxiv.org/abs/2105.05837. Example i is
a pure function of (domain, split, seed, i): it is the same whatever is read with it
and however many examples there are, to the bit and on every machine. `size` is only
the resolution at which it is painted. n is the images asked for, s their `size`.
"""

import numpy as np

from jaxssl import data
from jaxssl.data.procedural import landcover
from jaxssl.data.procedural import objects
from jaxssl.data.procedural import scenes
from jaxssl.data.procedural import sheet
from jaxssl.data.procedural import species
from jaxssl.data.procedural import surroundings

DOMAINS = {
    'objects': objects, 'species': species, 'scenes': scenes,
    'landcover': landcover}
SPLITS = ('train', 'test')
VERSION = 1  # Counts up whenever any image changes, so that digests change with it.
PIXELS_AT_ONCE = 2**16  # As many as stay in a core's cache while they are painted.


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
    raise ValueError(f'num_examples of shapes is {num_examples}; give 1 or more.')
  if not 8 <= size <= 512:
    raise ValueError(f'size of shapes is {size} pixels; give 8 to 512.')

  look = DOMAINS[domain]
  ancestors = dict(zip(look.LEVELS, zip(*look.CLASSES)))
  painters = tuple(look.CLASSES.values())
  label_stream, image_stream = _streams(
      seed, tuple(DOMAINS).index(domain), SPLITS.index(split))
  labels = _labels(label_stream, num_examples, len(painters))
  at_once = max(1, PIXELS_AT_ONCE // size**2)

  def paint(indices):
    """[n, s, s, 3] uint8 images of a few examples."""
    keys = sheet.splitmix64(indices.astype(np.uint64))
    page = sheet.Sheet(sheet.splitmix64(image_stream ^ keys), size)
    if look.CLUTTER:
      surroundings.clutter(page)
    for label in np.unique(labels[indices]):
      members = np.flatnonzero(labels[indices] == label)
      part = page.part(members)
      painters[label](part)
      page.rgb[:, members] = part.rgb
    surroundings.light(page, dapple=look.DAPPLE)
    return page.pixels()

  def read(indices, short_side=None):
    """Paints examples; `short_side` is a hint that painting has no use for."""
    del short_side
    indices = np.asarray(indices, np.int64).reshape(-1)
    wrong = indices[(indices < 0) | (indices >= num_examples)]
    if wrong.size:
      raise IndexError(
          f'No example {wrong[0]} of shapes: there are 0 to {num_examples - 1}.')
    images = np.empty((len(indices), size, size, 3), np.uint8)
    by_class = np.argsort(labels[indices], kind='stable')
    for i in range(0, len(indices), at_once):
      some = by_class[i:i + at_once]
      images[some] = paint(indices[some])
    return list(images)

  def describe(index):
    return f'shapes/{domain}/{split}/{index} (seed {seed})'

  return data.Source(
      num_examples=num_examples,
      read=read,
      describe=describe,
      digest=data.digest_of(
          [('shapes', VERSION, domain, split, num_examples, size, seed)]),
      class_names=ancestors[look.LEVELS[-1]],
      labels=labels,
      taxonomy=ancestors)


def _streams(seed, domain, split):
  """Two keys [1] uint64 of these numbers alone: for labels and for images."""
  keys = np.uint64([0, 1])
  for number in (seed, domain, split):
    keys = sheet.splitmix64(keys ^ sheet.splitmix64(np.uint64([number % 2**64])))
  return keys[:1], keys[1:]


def _labels(stream, num_examples, num_classes):
  """[num_examples] int32: each class once in each run of num_classes, shuffled."""
  runs = -(-num_examples // num_classes)
  counter = np.arange(runs * num_classes, dtype=np.uint64)
  order = sheet.splitmix64(stream ^ sheet.splitmix64(counter))
  labels = np.argsort(order.reshape(runs, num_classes), axis=1)
  return labels.reshape(-1)[:num_examples].astype(np.int32)
