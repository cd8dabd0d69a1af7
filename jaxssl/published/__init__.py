"""Numbers that the papers published, as CSV files beside this one.

A row has the axes of its figure or table, named as studies name them; an empty axis
holds for all its values. Then follow

  value      a fraction in 0 to 1, or a difference of fractions
  certainty  'exact': printed, in the paper or by who reports it; 'digitised': read
             off a figure's pixels; 'from memory': not seen, only recalled or quoted
             by others, so a claim to verify and no target
  error      half the width of what a digitised value can be; empty where not known
  source     the figure or table, and what else there is to say

`cole2022_*` is Cole et al. 2022 (https://arxiv.org/abs/2105.05837), `pcl2021_*` Li et
al. 2021 (https://arxiv.org/abs/2005.04966).
"""

import csv
import pathlib

HERE = pathlib.Path(__file__).parent
CERTAINTIES = ('exact', 'digitised', 'from memory')


def names():
  """The files there are, without their ending."""
  return sorted(path.stem for path in HERE.glob('*.csv'))


def read(name):
  """The rows of a file.

  Args:
    name: of the file, without its ending; '' for no rows at all.

  Returns:
    A list of dicts: what is a number is a number, all else is text, and an empty
    `error` is None.

  Raises:
    ValueError: there is no such file.
  """
  if not name:
    return []
  if name not in names():
    raise ValueError(
        f'No {name!r} in jaxssl/published. There are: {", ".join(names())}.')
  with (HERE / f'{name}.csv').open(encoding='utf-8', newline='') as f:
    return [
        {key: parsed(text) for key, text in row.items()} | {
            'value': float(row['value']),
            'error': float(row['error']) if row['error'] else None}
        for row in csv.DictReader(f)]


def parsed(text):
  """A field as a number where it is one."""
  for kind in (int, float):
    try:
      return kind(text)
    except ValueError:
      pass
  return text
