"""Several sources as one, such as 250,000 images of each of four domains."""

import numpy as np

from jaxssl import data
from jaxssl.data import building


def make(*, parts):
  """The examples of several sources, one source after the other.

  Args:
    parts: for each source the settings that would stand in config.data: its `name`,
      its own arguments, and perhaps `max_examples` or `subset`.

  Returns:
    A `data.Source`. It has labels where all parts have the same classes.

  Raises:
    ValueError: there are no parts, or a mistake in one of them.
  """
  if not parts:
    raise ValueError('config.data.parts is empty; give the settings of each source.')
  sources = [
      building.source(settings, what=f'config.data.parts[{k}]')
      for k, settings in enumerate(parts)]
  ends = np.cumsum([source.num_examples for source in sources])
  starts = ends - [source.num_examples for source in sources]

  def part_of(index):
    k = int(np.searchsorted(ends, index, side='right'))
    return k, int(index - starts[k])

  def read(indices, short_side=None):
    indices = np.asarray(indices, np.int64)
    of_part, found = np.searchsorted(ends, indices, side='right'), {}
    for k in np.unique(of_part):
      places = np.flatnonzero(of_part == k)
      found.update(zip(places, sources[k].read(
          indices[places] - starts[k], short_side=short_side)))
    return [found[i] for i in range(len(indices))]

  def describe(index):
    k, inside = part_of(index)
    return f'part {k} ({parts[k]["name"]}): {sources[k].describe(inside)}'

  def encoded(index):
    k, inside = part_of(index)
    return sources[k].encoded(inside)

  def subset(names):
    return {
        'version': 1, 'digest': digest,
        'parts': [
            s.subset(names) if s.subset else {'digest': s.digest} for s in sources]}

  digest = data.digest_of([('pooled', *(source.digest for source in sources))])
  first, *others = sources
  alike = first.labels is not None and all(
      s.class_names == first.class_names and s.labels is not None
      and s.labels.ndim == first.labels.ndim for s in others)
  return data.Source(
      num_examples=int(ends[-1]), read=read, describe=describe, digest=digest,
      class_names=first.class_names if alike else None,
      labels=np.concatenate([s.labels for s in sources]) if alike else None,
      taxonomy=first.taxonomy if alike and all(
          s.taxonomy == first.taxonomy for s in others) else None,
      encoded=encoded if all(s.encoded for s in sources) else None,
      subset=subset if any(s.subset for s in sources) else None)
