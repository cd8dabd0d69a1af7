"""Names of the classes' ancestors, as the files of data sets give them.

A taxonomy is what `data.Source` has: {level: a name for each class}, coarse to fine.
"""

import collections
import re

from jaxssl.data import lists

# Columns of a taxonomy.csv that are levels wherever they occur, as are level1, ...
RANKS = (
    'kingdom', 'phylum', 'tax_class', 'order', 'family', 'genus', 'species', 'coarse')


def told_apart(taxonomy):
  """Gives a name that several nodes of one level share its parent in brackets.

  Prunella is a bird and a herb. What has no name ('') keeps none.

  Args:
    taxonomy: {level: a name for each class}, coarse to fine.
  """
  told, above = {}, None
  for level, names in taxonomy.items():
    above = above or [''] * len(names)
    parents = collections.defaultdict(set)
    for name, parent in zip(names, above):
      parents[name].add(parent)
    told[level] = tuple(
        f'{name} ({parent})' if name and parent and len(parents[name]) > 1 else name
        for name, parent in zip(names, above))
    above = [name or parent for name, parent in zip(told[level], above)]
  return told


def from_csv(path, classes, *, levels='auto'):
  """Reads the ancestors of classes from a table with a row for each.

  Args:
    path: of a CSV file with a column `class` and one for each level.
    classes: names; the table has a row for each, and perhaps others.
    levels: names of columns from coarse to fine. 'auto' takes level1, level2, ...,
      then kingdom, phylum, tax_class, order, family, genus, species, then coarse, as
      many of them as there are, wherever they stand.

  Returns:
    A taxonomy. Its last level is that of the classes themselves: the last column, if
    it has a name for each, or else `class`.

  Raises:
    ValueError: the table lacks a class or a column.
  """
  wanted = () if levels == 'auto' else tuple(levels)
  rows = lists.table(path, ('class', *wanted))
  of_class = {row['class']: row for row in rows}
  unknown = [name for name in classes if name not in of_class]
  if unknown:
    raise ValueError(
        f'{path} has no row for {len(unknown):,} of the {len(classes):,} classes, '
        f'such as {unknown[0]}.')
  rows = [of_class[name] for name in classes]
  if levels == 'auto':
    numbered = {c: re.match(r'level_?(\d+)', c) for c in rows[0]}
    wanted = [
        *sorted((c for c in rows[0] if numbered[c]), key=lambda c: int(numbered[c][1])),
        *(c for c in RANKS if c in rows[0])]
    if not wanted:
      raise ValueError(
          f'{path} has no column that is a level by its name: call it level1, or set '
          f'config.data.levels to some of {", ".join(rows[0])}, or to "none".')
  taxonomy = told_apart({c: [row[c] for row in rows] for c in wanted})
  last = taxonomy[wanted[-1]] if wanted else ()
  if len(set(last)) < len(classes) or '' in last:
    taxonomy['class'] = tuple(classes)
  return taxonomy
