"""From example ids to batches on devices: the batch at a step is fixed by its seed.

Each epoch visits the examples in an order of its own, a permutation drawn from
(seed, epoch); what remains after its last full batch is left out, and is something
else in every epoch. Nothing is remembered between steps, so a run can go on at any
step, on any number of hosts, with the batches that it would have had.

There are three ways in, which give equal batches. 'resident': everything is decoded
once and lies on the devices, where batches are gathered. 'cached': everything is
decoded once, into a memory-mapped file. 'streamed': tf.data decodes as it goes.

In shapes, n is the examples of the source, m the images of a batch in this process
and c the side of the canvas.
"""

import contextlib
import dataclasses
import functools
import hashlib
import time
import weakref
from typing import Any

import jax
import numpy as np

from jaxssl import hosts
from jaxssl import parallel
from jaxssl.data import BadImage
from jaxssl.data import canvas as canvases
from jaxssl.data import dataset as datasets
from jaxssl.data import inputs
from jaxssl.data import ledger as ledgers
from jaxssl.data import streamed
from jaxssl.data import threads

Dataset = datasets.Dataset
BLOCK = 64  # Neighbours that a window keeps near each other.


def check(
    *, batch_size, input, short_side, canvas, cache_dir, window=0,
    interpolation='bicubic'):
  """Checks a config's settings for this module, before any work.

  Raises:
    ValueError: one of them is impossible here.
  """
  if batch_size < 1:
    raise ValueError(f'data.batch_size is {batch_size}; it must be at least 1.')
  if not isinstance(cache_dir, str):
    raise ValueError(f"data.cache_dir is {cache_dir!r}; it must be a path or ''.")
  if window < 0 or window % BLOCK:
    raise ValueError(
        f'data.window is {window}; it must be 0, or a multiple of {BLOCK} images.')
  canvases.check(short_side, canvas, interpolation)
  inputs.check(input)


def steps_per_epoch(num_examples, batch_size):
  """Full batches in an epoch.

  Raises:
    ValueError: there are fewer images than a batch.
  """
  if not 0 < batch_size <= num_examples:
    raise ValueError(
        f'There are {num_examples:,} images and data.batch_size is {batch_size:,}: '
        'an epoch needs at least one full batch.')
  return num_examples // batch_size


@functools.lru_cache(maxsize=2)
def order(seed, epoch, num_examples, window=0):
  """The order in which an epoch visits the examples: int32 [n], read-only.

  Where reading far apart is slow, as from a bucket, a window helps: blocks of
  neighbours come in a random order, and so many examples at a time are shuffled.

  Args:
    seed: of the order.
    epoch: which has an order of its own.
    num_examples: n.
    window: examples that are shuffled with each other; 0 for all, and the order is
      then as random as can be.
  """
  bits = np.random.Philox(key=seed, counter=[0, 0, 0, epoch])
  generator = np.random.Generator(bits)
  if not window:
    ids = generator.permutation(num_examples).astype(np.int32)
  else:
    blocks = np.array_split(
        np.arange(num_examples, dtype=np.int32), -(-num_examples // BLOCK))
    ids = np.concatenate([blocks[i] for i in generator.permutation(len(blocks))])
    for start in range(0, num_examples, window):
      generator.shuffle(ids[start:start + window])
  ids.setflags(write=False)
  return ids


def order_digest(seed, num_examples, window=0):
  """SHA-256 of the first epoch's order.

  NumPy does not promise the same permutation in its next version; a checkpoint that
  keeps this can tell.
  """
  ids = order(seed, 0, num_examples, window).astype('<i4')
  return hashlib.sha256(ids.tobytes()).hexdigest()


def batch_ids(seed, step, num_examples, batch_size, window=0):
  """The example ids of the global batch at a step: int32 [batch_size]."""
  epoch, i = divmod(step, steps_per_epoch(num_examples, batch_size))
  ids = order(seed, epoch, num_examples, window)
  return ids[i * batch_size:(i + 1) * batch_size]


def host_share(rows):
  """The rows [batch_size, ...] of a global batch that this process holds: a block."""
  if len(rows) % hosts.count():
    raise ValueError(
        f'A batch of {len(rows)} does not divide over {hosts.count()} processes.')
  return rows[hosts.share(len(rows))]


@dataclasses.dataclass(frozen=True)
class InOrder:
  """Every example once, in order, as often as it is iterated over."""
  dataset: Any
  batch_size: int
  strict: bool
  part: Any = None  # A slice of the examples; None is all of them.

  def shared(self):
    """This process's share of them, where there are several processes."""
    part = hosts.share(self.dataset.source.num_examples)
    return dataclasses.replace(
        self, part=part, batch_size=max(1, self.batch_size // hosts.count()))

  def __iter__(self):
    ledger = self.dataset.ledger
    if self.strict:
      ledger = ledgers.Ledger(self.dataset.source, limit=0)
    ids, rows = [], []
    rows_in_order = self.dataset.rows_in_order(
        workers=threads.WORKERS, part=self.part)
    with contextlib.closing(rows_in_order):
      for i, row in rows_in_order:
        if isinstance(row, BadImage):
          ledger.add(i, row)
          continue
        ids.append(i)
        rows.append(row)
        if len(ids) == self.batch_size:
          yield self.dataset.batch(ids, rows)
          ids, rows = [], []
    if ids:
      yield self.dataset.batch(ids, rows)


def in_order(dataset, batch_size, *, strict=True):
  """Batches for evaluation, on the host; the last one may be short.

  Args:
    dataset: a `Dataset`. A decoded one (see `inputs.prepare`) is not decoded again.
    batch_size: images in a batch.
    strict: whether a bad image is an error. Otherwise it is left out, which suits
      features of a training set: `index` says which examples there are.

  Returns:
    An iterable, any number of times, of batches as `Dataset.read` returns them.
    While it runs, it raises errors.DataError at a bad image, naming it.
  """
  return InOrder(dataset, batch_size, strict)


class Batches:
  """Iterator over batches on devices; close it, or use it in a `with`.

  Attributes:
    dataset: the `Dataset` behind it, decoded where the way in does so.
    input: the way in, and
    reason: a sentence that says why.
    waited: seconds that the consumer has waited for batches so far.
  """

  def __init__(self, batches, dataset, input, reason):
    self._batches = batches
    # At exit too: tensorflow's threads, left alone, would then wait for ever.
    self.close = weakref.finalize(self, batches.close)
    self.dataset, self.input, self.reason = dataset, input, reason
    self.waited = 0.0

  def __iter__(self):
    return self

  def __next__(self):
    start = time.perf_counter()
    try:
      return next(self._batches)
    finally:
      self.waited += time.perf_counter() - start

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()


def train_batches(
    dataset, *, seed, batch_size, first_step, last_step, input, way='pmap',
    cache_dir='', window=0, progress=None):
  """Batches for the steps of training, split over the devices.

  Args:
    dataset: a `Dataset`.
    seed: of the order of the examples.
    batch_size: images in the global batch.
    first_step, last_step: the steps from the first up to, not including, the last.
    input: one of `inputs.INPUTS`, or 'auto' (see `inputs.choose`).
    way: how `parallel.split` lays out arrays.
    cache_dir: folder of caches; '' is a private one in the user's own cache folder.
    window: of the order of the examples; see `order`.
    progress: as for `inputs.prepare`.

  Returns:
    `Batches` like those of `Dataset.read`, laid out on the devices.

  Raises:
    ValueError: fewer images than a batch, or a batch that does not divide over the
      devices, or an input that is impossible here.
    errors.DataError: too many images are bad; the iterator may raise it too.
  """
  n = dataset.source.num_examples
  steps_per_epoch(n, batch_size)
  num_devices = len(parallel.devices())
  if batch_size % num_devices:
    raise ValueError(
        f'data.batch_size is {batch_size}, which does not divide over '
        f'{num_devices} devices.')
  input, reason = inputs.choose(dataset, input=input, cache_dir=cache_dir)
  dataset = inputs.prepare(
      dataset, input=input, cache_dir=cache_dir, progress=progress)
  steps, workers = range(first_step, last_step), threads.WORKERS

  def ids_of(step):
    return host_share(batch_ids(seed, step, n, batch_size, window))

  if input == 'resident':
    batches = _resident(dataset, seed, batch_size, steps, way, window)
  elif input == 'cached':
    batches = threads.ahead(
        lambda step: parallel.split(dataset.read(ids_of(step)), way),
        steps, workers=2, depth=2)
  else:
    batches = threads.ahead(
        lambda batch: parallel.split(batch, way),
        streamed.host_batches(dataset, ids_of, steps=steps, workers=workers),
        workers=1, depth=1)
  return Batches(batches, dataset, input, reason)


def _resident(dataset, seed, batch_size, steps, way, window):
  """Yields batches that each device gathers from the canvases that lie on it."""
  def gather(arrays, order, first, rows):
    ids = order[first + rows]
    return {'index': ids, **jax.tree.map(lambda x: x[ids], arrays)}

  mapped = parallel.mapped(gather, (None, None, None, 0), 0, way=way)
  n = dataset.source.num_examples
  arrays = {'image': dataset.decoded.images, 'size': dataset.decoded.sizes}
  if dataset.source.labels is not None:
    arrays['label'] = dataset.source.labels
  arrays = parallel.replicate(arrays)
  # Where in the global batch the images of each device are.
  rows = parallel.split(host_share(np.arange(batch_size, dtype=np.int32)), way)
  good = dataset.decoded.replacements()
  present = None
  for step in steps:
    epoch, i = divmod(step, steps_per_epoch(n, batch_size))
    if epoch != present:
      present, ids = epoch, parallel.replicate(
          good[order(seed, epoch, n, window)])
    yield mapped(arrays, ids, np.int32(i * batch_size), rows)
