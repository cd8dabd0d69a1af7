"""A tree over ImageNet's classes from WordNet, where a noun may be of several kinds.

The file is `wordnet.is_a.txt` as ImageNet has published it: a line for each relation,
the WordNet id of the more general noun, a space, and that of the more special one.

A noun with several parents goes below the one that is farthest from the root, and
below the first by id where several are. So every noun has one place, at the end of
the longest way down to it. https://arxiv.org/abs/2105.05837 has 19 depths and does
not say how it chose.
"""

import collections

from jaxssl.data import decode


def levels(path, classes):
  """Reads the ancestors of every class.

  Args:
    path: of the file.
    classes: WordNet ids, such as 'n01440764'.

  Returns:
    A taxonomy with the levels depth0, which is the root, depth1, ..., as many as
    the longest way down needs. A class whose way is shorter keeps its own name at
    deeper levels.

  Raises:
    ValueError: the file is another, lacks a class, or goes in a circle.
  """
  shown = decode.printable(str(path))
  parents = collections.defaultdict(set)
  try:
    with open(path, encoding='utf-8') as f:
      for line in filter(str.strip, f):
        parent, child = line.split()
        parents[child].add(parent)
  except (OSError, ValueError) as e:
    raise ValueError(
        f'{shown} is no list of WordNet ids, two a line, parent and child: {e}.') from e
  unknown = [name for name in classes if name not in parents]
  if unknown:
    raise ValueError(
        f'{shown} does not have {len(unknown):,} of the {len(classes):,} classes, such '
        f'as {unknown[0]}.')

  ways = {}  # From the root to each noun that has been met.

  def way(noun, below=()):
    if noun in below:
      raise ValueError(f'{shown} goes in a circle at {noun}.')
    if noun not in ways:
      above = [way(parent, (*below, noun)) for parent in sorted(parents.get(noun, ()))]
      ways[noun] = (*max(above, key=len, default=()), noun)
    return ways[noun]

  found = [way(name) for name in classes]
  return {
      f'depth{d}': tuple(w[min(d, len(w) - 1)] for w in found)
      for d in range(max(map(len, found)))}
