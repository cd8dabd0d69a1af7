"""Parts of a source, drawn once and the same for every method that uses them."""

import numpy as np

from jaxssl.data import digest_of


def take(source, num_examples, *, seed=0):
  """A uniform random subset; smaller ones are contained in larger ones.

  Args:
    source: a `data.Source`.
    num_examples: how many to keep; 0, or at least as many as there are, keeps all.
    seed: of the draw.

  Returns:
    A source of the kept examples in their old order, with new ids from 0.
  """
  if not 0 < num_examples < source.num_examples:
    return source
  bits = np.random.Philox(key=seed, counter=[0, 0, 1, 0])
  drawn = np.random.Generator(bits).permutation(source.num_examples)
  kept = np.sort(drawn[:num_examples])

  return only(source, kept)


def without(source, names):
  """A source without the examples of these names, as its `describe` gives them."""
  if not names:
    return source
  ids = [i for i in range(source.num_examples) if source.describe(i) not in names]
  return source if len(ids) == source.num_examples else only(source, np.array(ids))


def only(source, ids):
  """A source of some examples, [m] ids in the order in which they are to be."""
  def read(indices, short_side=None):
    return source.read(ids[np.asarray(indices, np.int64)], short_side=short_side)

  return source._replace(
      num_examples=len(ids),
      read=read,
      describe=lambda index: source.describe(int(ids[index])),
      digest=digest_of([('subset', source.digest, ids.astype('<i8').tobytes().hex())]),
      labels=None if source.labels is None else source.labels[ids])
