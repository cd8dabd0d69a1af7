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

  def read(indices, short_side=None):
    return source.read(kept[np.asarray(indices, np.int64)], short_side=short_side)

  return source._replace(
      num_examples=num_examples,
      read=read,
      describe=lambda index: source.describe(int(kept[index])),
      digest=digest_of([('subset', source.digest, kept.tobytes().hex())]),
      labels=None if source.labels is None else source.labels[kept])
