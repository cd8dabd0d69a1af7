"""The ways in: which one suits a data set here, and what it decodes beforehand."""

import dataclasses

from jaxssl import hosts
from jaxssl import parallel
from jaxssl.data import cached
from jaxssl.data import dataset as datasets
from jaxssl.data import streamed
from jaxssl.data import threads

INPUTS = ('resident', 'cached', 'streamed')
DEVICE_SHARE = 0.25  # Of a device's free memory: the model needs the rest.
CPU_BUDGET = 2e9     # Bytes of resident images where no device tells its memory.
MAX_UP_FRONT = 300_000  # Images that 'auto' decodes before the first step, ...
SMALL_CANVAS = 64       # ... unless they are this small, and so decode fast.


def check(input):
  """Raises a ValueError where there is no such way in, or not on this machine."""
  if input not in (*INPUTS, 'auto'):
    raise ValueError(
        f'No data.input {input!r}. There are: auto, {", ".join(INPUTS)}.')
  if input == 'streamed':
    streamed.tensorflow()


def choose(dataset, *, input, cache_dir=''):
  """Picks a way in, and says why.

  'auto' is 'resident' where all canvases fit in a quarter of a device's free memory
  (2 GB in all where devices do not tell, as on CPU), else 'cached' where the disk
  has room, else 'streamed'. More than 300,000 images on canvases above 64 px are
  streamed unless a cache has them already: decoding all of them first would take
  too long.

  Args:
    dataset: a `Dataset`.
    input: one of `INPUTS`, or 'auto'.
    cache_dir: as for `train_batches`.

  Returns:
    One of `INPUTS`, and a sentence.

  Raises:
    ValueError: there is no such way in, or none is possible here.
  """
  check(input)
  if input != 'auto':
    return input, f'Input is {input}, as configured.'
  way, why = _automatic(dataset, cache_dir)
  # All must take part in the same computations.
  most = INPUTS[int(hosts.largest(INPUTS.index(way)))]
  if way != most:
    way, why = most, 'another process has no room for more'
  n, c = dataset.source.num_examples, dataset.canvas
  size = _bytes(n * c * c * 3)
  return way, f'Input is {way}: {n:,} images at {c} px are {size}; {why}.'


def _automatic(dataset, cache_dir):
  n, c = dataset.source.num_examples, dataset.canvas
  size = n * c * c * 3
  memory = parallel.local_devices()[0].memory_stats()
  if memory:
    room = DEVICE_SHARE * (memory['bytes_limit'] - memory['bytes_in_use'])
  else:
    room = CPU_BUDGET / len(parallel.local_devices())
  up_front = n <= MAX_UP_FRONT or c <= SMALL_CANVAS
  if size <= room and up_front:
    return 'resident', f'each device may hold {_bytes(room)}'
  free = cached.room(cache_dir)
  if free and cached.exists(dataset, cache_dir):
    return 'cached', 'an earlier run has decoded them'
  fits = 1.1 * size <= free
  if fits and up_front:
    return 'cached', f'each device may hold {_bytes(room)}, the disk {_bytes(free)}'
  try:
    streamed.tensorflow()
  except ValueError as e:
    if not fits:
      raise ValueError(f'{e} But the disk has only {_bytes(free)} free.') from e
    return 'cached', 'tensorflow, which would stream them, is not installed'
  return 'streamed', (
      'too many to decode first' if fits else f'the disk has {_bytes(free)} free')


def _bytes(size):
  return f'{size / 1e9:,.1f} GB' if size >= 1e9 else f'{size / 1e6:,.1f} MB'


def prepare(dataset, *, input, cache_dir='', progress=None):
  """Decodes what a way in wants decoded first.

  Training and evaluation share the work if both use what this returns.

  Args:
    dataset: a `Dataset`; one that is decoded already is returned as it is.
    input: one of `INPUTS`; of 'resident' this is the part on the host.
    cache_dir: as for `train_batches`.
    progress: called with (images done, images in all); None shows a bar where
      there is a terminal.

  Returns:
    A `Dataset`.

  Raises:
    errors.DataError: too many images are bad.
    errors.StorageError: the disk has no room for the cache.
  """
  if dataset.decoded or input == 'streamed':
    return dataset
  if input == 'resident':
    store = datasets.in_memory(dataset, workers=threads.WORKERS, progress=progress)
  else:
    store = cached.open_or_build(
        dataset, cache_dir=cache_dir, workers=threads.WORKERS, progress=progress)
  return dataclasses.replace(dataset, decoded=store)
