"""Images in memory, of many sizes, as a source for tests of the pipeline."""

import collections
import time

import numpy as np

from jaxssl import data


def image(i):
  """Example i: noise of a size of its own, from 6 x 6 to 39 x 39."""
  rng = np.random.default_rng(i)
  height, width = rng.integers(6, 40, 2)
  return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def make(num_examples, bad=(), labels=True, error=None, slow=()):
  """Makes a source and a Counter of how often each example has been read.

  Args:
    num_examples: of the source.
    bad: ids that cannot be decoded.
    labels: whether there are any.
    error: {id: exception} to raise when it is read.
    slow: ids that take long to read.
  """
  bad, error, reads = set(bad), error or {}, collections.Counter()

  def read_one(i):
    reads[i] += 1
    if i in slow:
      time.sleep(0.03)
    if i in error:
      raise error[i]
    if i in bad:
      return data.BadImage('truncated' if i % 3 else 'no image', f'at byte {i}')
    return image(i)

  def read(indices, short_side=None):
    assert short_side is not None  # The pipeline says what it will shrink to.
    return [read_one(int(i)) for i in indices]

  source = data.Source(
      num_examples, read, describe=lambda i: f'folder/{i}.png',
      digest=data.digest_of([(num_examples, sorted(bad))]),
      labels=np.arange(num_examples, dtype=np.int32) % 7 if labels else None)
  return source, reads
