"""Trees over classes: {level: the name of every class's ancestor there}.

Levels go from coarse to fine, and the last is the classes themselves. Branches need
not be of one length: a class may have no ancestor at a level (''), and where a name
repeats the one above it, it is the same node, as when a class that ends early is
carried down to the last level. k is the classes, m pairs of classes.
"""

import collections
import json
import pathlib
from typing import NamedTuple

import numpy as np


class Level(NamedTuple):
  names: tuple          # Of its nodes, in the order of their first classes.
  of_class: np.ndarray  # int32 [k], each class's node; -1 where there is none.


def read(path):
  """Reads a taxonomy from JSON: an object with, for each level, a list of names.

  Raises:
    ValueError: there is no such file, or it holds something else.
  """
  try:
    found = json.loads(pathlib.Path(path).read_text('utf-8'))
  except (OSError, ValueError) as e:
    raise ValueError(f'No taxonomy can be read from {str(path)!r}: {e}.') from e
  if not isinstance(found, dict) or not all(
      isinstance(names, list) and all(isinstance(n, str) for n in names)
      for names in found.values()):
    raise ValueError(
        f'{path} must have an object of levels, coarse to fine, each with a list '
        'that names the ancestor of every class.')
  return {level: tuple(names) for level, names in found.items()}


def levels(taxonomy, num_classes):
  """The nodes of each level, once the taxonomy is known to be a tree.

  Args:
    taxonomy: see the top of the file; or None.
    num_classes: k.

  Returns:
    {name: `Level`}, coarse to fine.

  Raises:
    ValueError: there is no taxonomy, a class is missing or without a name or there
      twice, a level is empty, or a node has two parents.
  """
  _check(taxonomy, num_classes)
  found = {}
  for (level, names), lineages in zip(taxonomy.items(), _lineages(taxonomy)):
    nodes, of_class = {}, np.full(num_classes, -1, np.int32)
    for i, (name, lineage) in enumerate(zip(names, lineages)):
      if name:
        number, first = nodes.setdefault(name, (len(nodes), lineage))
        if first != lineage:
          raise ValueError(
              f'At level {level!r} of the taxonomy, {name!r} is below '
              f'{" > ".join(first[:-1]) or "nothing"} and below '
              f'{" > ".join(lineage[:-1]) or "nothing"}; give two names to two '
              'nodes, and one lineage to one.')
        of_class[i] = number
    found[level] = Level(tuple(nodes), of_class)
  return found


def common_heights(taxonomy, a, b):
  """Height of the lowest common ancestor of two classes, for m pairs.

  A node's height is the longest way down from it, in edges, to a class: 0 for a
  class and itself, and in a tree of unbroken levels 1 for two of one genus. Where
  several nodes stand at the top, a root is above them. This is the hierarchical
  distance of Deng et al. 2010 (https://doi.org/10.1007/978-3-642-15555-0_6).

  Args:
    taxonomy: one that `levels` accepts.
    a: int [m] classes.
    b: int [m] classes.

  Returns:
    int [m] heights.
  """
  *_, lineages = _lineages(taxonomy)
  ids, heights = {(): 0}, collections.Counter()
  path = np.full((len(lineages), len(taxonomy) + 1), -1)
  for i, lineage in enumerate(lineages):
    for depth in range(len(lineage) + 1):
      node = ids.setdefault(lineage[:depth], len(ids))
      path[i, depth] = node
      heights[node] = max(heights[node], len(lineage) - depth)
  # What stands above a shared node is shared too.
  shared = (path[a] == path[b]) & (path[a] >= 0)
  lowest = path[a, shared.sum(1) - 1]
  return np.array([heights[node] for node in range(len(ids))])[lowest]


def _lineages(taxonomy):
  """Yields, for each level, the names from the top down to each class's node."""
  lineages = [()] * len(next(iter(taxonomy.values())))
  for names in taxonomy.values():
    lineages = [
        above if name in ('', *above[-1:]) else (*above, name)
        for above, name in zip(lineages, names)]
    yield lineages


def _check(taxonomy, num_classes):
  if not taxonomy:
    raise ValueError('The data have no taxonomy, and this protocol needs one.')
  for level, names in taxonomy.items():
    if len(names) != num_classes:
      raise ValueError(
          f'Level {level!r} of the taxonomy has {len(names)} names for '
          f'{num_classes} classes.')
    if not any(names):
      raise ValueError(f'Level {level!r} of the taxonomy has no name at all.')
  level, classes = list(taxonomy.items())[-1]
  if not all(classes):
    raise ValueError(
        f'Class {classes.index("")} has no name at the last level of the taxonomy, '
        f'{level!r}.')
  twice, count = collections.Counter(classes).most_common(1)[0]
  if count > 1:
    raise ValueError(
        f'{count} classes are called {twice!r} at the last level of the taxonomy, '
        f'{level!r}; each needs its own name.')
