"""The images of a source on canvases: decoded when asked for, or once for all.

In shapes, n is the examples of the source, m the images of a batch and c the side
of the canvas. A row is what decoding one example gives: (uint8 [c, c, 3], (height,
width)), or a `BadImage`.
"""

import contextlib
import dataclasses
import logging
from typing import Any
from typing import NamedTuple

import numpy as np
import tqdm

from jaxssl import preemption
from jaxssl.data import BadImage
from jaxssl.data import canvas as canvases
from jaxssl.data import threads

log = logging.getLogger(__name__)

CHUNK = 16  # Examples that a thread decodes at a time.


class Decoded(NamedTuple):
  """All canvases of a source, in memory or in a memory-mapped file."""
  images: Any                   # uint8 [n, c, c, 3]; zeros where an image is bad.
  sizes: Any                    # int32 [n, 2] height and width on the canvas.
  bad: dict[int, BadImage]
  check: Any = None             # (id, image): raises where an image is damaged.

  def rows(self, ids):
    """The rows of some examples, as decoding them gave."""
    return [self.bad[i] if i in self.bad else self._row(i) for i in ids]

  def _row(self, i):
    if self.check:
      self.check(i, self.images[i])
    return self.images[i], self.sizes[i]

  def replacements(self):
    """int32 [n]: each example's own id, or for a bad one the next good id."""
    ids = np.arange(len(self.sizes), dtype=np.int32)
    good = np.setdiff1d(ids, np.fromiter(self.bad, np.int32, len(self.bad)))
    return good[np.searchsorted(good, ids) % len(good)]


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A source, how its images lie on their canvases, and what was wrong with them.

  Attributes:
    source: a `data.Source`.
    short_side: pixels, as in `canvas.place`.
    canvas: pixels, as in `canvas.place`.
    ledger: a `ledger.Ledger` of the source.
    decoded: a `Decoded` to read from, where everything is decoded already.
    interpolation: as in `canvas.place`.
  """
  source: Any
  short_side: int
  canvas: int
  ledger: Any
  decoded: Any = None
  interpolation: str = 'bicubic'

  def __post_init__(self):
    canvases.check(self.short_side, self.canvas, self.interpolation)

  def decode(self, ids):
    """The rows of some examples, in a list."""
    ids = [int(i) for i in ids]
    if self.decoded:
      return self.decoded.rows(ids)
    rows, num_bad, num_cropped = [], 0, 0
    for image in self.source.read(ids, short_side=self.short_side):
      if isinstance(image, BadImage):
        rows.append(image)
        num_bad += 1
        continue
      rows.append(canvases.place(
          image, short_side=self.short_side, canvas=self.canvas,
          interpolation=self.interpolation))
      size = canvases.shrunk(canvases.size_of(image), self.short_side)
      num_cropped += max(size) > self.canvas
    self.ledger.count(decoded=len(rows) - num_bad, cropped=num_cropped)
    return rows

  def read(self, ids):
    """Reads a batch for training, the next good example in the place of a bad one.

    Args:
      ids: [m] example ids.

    Returns:
      {'image': uint8 [m, c, c, 3], 'size': int32 [m, 2] height and width on the
      canvas, 'index': int32 [m], 'label': int32 [m] where the source has labels}.
      All of a replaced example is the replacement's.

    Raises:
      errors.DataError: too many images are bad.
    """
    ids = [int(i) for i in ids]
    rows = self.decode(ids)
    for k, row in enumerate(rows):
      while isinstance(row, BadImage):
        self.ledger.add(ids[k], row)
        ids[k] = (ids[k] + 1) % self.source.num_examples
        [row] = self.decode([ids[k]])
      rows[k] = row
    return self.batch(ids, rows)

  def batch(self, ids, rows):
    """Stacks rows to a batch, as `read` returns it."""
    images, sizes = zip(*rows)
    batch = {
        'image': np.stack(images),                                # [m, c, c, 3]
        'size': np.asarray(sizes, np.int32),                      # [m, 2]
        'index': np.asarray(ids, np.int32)}                       # [m]
    if self.source.labels is not None:
      batch['label'] = self.source.labels[batch['index']]
    return batch

  def rows_in_order(self, *, workers, part=None):
    """Yields (id, row) of the examples of a part once, decoding ahead in threads."""
    ids = range(self.source.num_examples)[part or slice(None)]

    def decode(start):
      return self.decode(range(start, min(start + CHUNK, ids.stop)))

    starts = range(ids.start, ids.stop, CHUNK)
    chunks = threads.ahead(decode, starts, workers=workers, depth=2 * workers)
    for start, rows in zip(starts, chunks):
      yield from enumerate(rows, start)


def fill(dataset, put, *, workers, progress):
  """Decodes a whole source, noting its bad images in the ledger.

  Args:
    dataset: a `Dataset`.
    put: called with (id, uint8 [c, c, 3]) in order of id, zeros for a bad image.
    workers: number of threads.
    progress: called with (images done, images in all); None shows a bar where
      there is a terminal.

  Returns:
    int32 [n, 2] sizes, and {id: BadImage} of the bad ones.
  """
  num_examples, canvas = dataset.source.num_examples, dataset.canvas
  log.info('Decoding %s images once for all.', f'{num_examples:,}')
  sizes, bad = np.zeros((num_examples, 2), np.int32), {}
  nothing = np.zeros((canvas, canvas, 3), np.uint8)
  with contextlib.closing(dataset.rows_in_order(workers=workers)) as rows:
    for i, row in tqdm.tqdm(
        rows, 'Decoding', num_examples, unit=' images',
        disable=True if progress else None):  # None: where there is no terminal.
      preemption.heed()
      if isinstance(row, BadImage):
        dataset.ledger.add(i, row)
        bad[i] = row
        put(i, nothing)
      else:
        image, sizes[i] = row
        put(i, image)
      if progress and ((i + 1) % CHUNK == 0 or i + 1 == num_examples):
        progress(i + 1, num_examples)
  return sizes, bad


def in_memory(dataset, *, workers, progress=None):
  """Decodes a whole source into memory; arguments as for `fill`."""
  n, c = dataset.source.num_examples, dataset.canvas
  images = np.zeros((n, c, c, 3), np.uint8)
  sizes, bad = fill(dataset, images.__setitem__, workers=workers, progress=progress)
  return Decoded(images, sizes, bad)
