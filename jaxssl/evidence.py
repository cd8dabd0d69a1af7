"""Whether numbers bear a claim out: comparisons of rows, with their intervals.

A claim is of several comparisons. It holds if each is in its favour beyond its 95 %
interval: Student's t over seeds that both sides have, or with one seed the intervals
of the two results together. It fails if one speaks against it beyond an interval at
95 % for all of them together (Bonferroni). Else it is unclear. Rows are those of a
`plots.Drawing`.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

from jaxssl import tidy


class Claim(NamedTuple):
  """A sentence of a paper, and whether it is true here."""
  statement: str
  holds: bool | None   # None: unclear, or no numbers yet.
  numbers: list[str]   # A line for each comparison.


def by_domain(rows, domain, protocol):
  """(domain, its rows of one protocol) for each domain."""
  axis, wanted = protocol
  rows = [r for r in rows if tidy.same(r.get(axis, wanted), wanted)]
  for d in values(rows, domain) or ['']:
    yield d, [r for r in rows if tidy.same(r.get(domain, ''), d)]


def values(rows, axis):
  """The values of an axis among rows with a number of ours."""
  return list(dict.fromkeys(
      r[axis] for r in rows if axis in r and r['value'] is not None
      and r[axis] != 'chance'))


def at(rows, place):
  """The one row at a place with a number of ours, or None."""
  found = [
      r for r in rows if r['value'] is not None
      and all(tidy.same(r.get(axis), value) for axis, value in place.items())]
  return found[0] if len(found) == 1 else None


def extremes(rows, axis):
  """The smallest and largest number along an axis."""
  found = [v for v in values(rows, axis) if tidy.finite(v)]
  return min(found, default=None), max(found, default=None)


def number(value):
  return f'{value:,}' if tidy.finite(value) else str(value)


def minus(a, b, level=tidy.LEVEL):
  """The difference of two rows with its interval, as a row; None where one is not."""
  if a is None or b is None:
    return None
  seeds = [s for s in a['by_seed'] if s in b['by_seed']]
  by_seed = {s: a['by_seed'][s] - b['by_seed'][s] for s in seeds}
  value = float(np.mean(list(by_seed.values()))) if seeds else a['value'] - b['value']
  low, high = tidy.interval(list(by_seed.values()), level)
  if len(seeds) == 1 and a['num_seeds'] == b['num_seeds'] == 1:
    halves = [
        math.nan if r['low'] is None else (r['high'] - r['low']) / 2 for r in (a, b)]
    # The intervals are at 95 %; another level is that much wider.
    half = math.hypot(*halves) * (
        scipy.stats.norm.ppf((1 + level) / 2)
        / scipy.stats.norm.ppf((1 + tidy.LEVEL) / 2))
    if math.isfinite(half):
      low, high = value - half, value + half
  return {
      'value': value, 'low': low, 'high': high, 'num_seeds': len(seeds),
      'by_seed': by_seed}


def claim(statement, pairs, *, least=0, most=math.inf):
  """Whether in each (label, a, b) a - b lies between two numbers."""
  pairs = [pair for pair in pairs if pair[1] is not None and pair[2] is not None]
  gaps = [minus(a, b) for _, a, b in pairs]
  strict = 1 - (1 - tidy.LEVEL) / max(len(pairs), 1)
  against = [minus(a, b, strict) for _, a, b in pairs]
  holds = None
  if gaps and all(
      g['low'] is not None and least < g['low'] and g['high'] < most for g in gaps):
    holds = True
  elif any(
      g['low'] is not None and (g['high'] < least or most < g['low'])
      for g in against):
    holds = False
  return Claim(statement, holds, lines(pairs, gaps))


def lines(pairs, gaps):
  """The comparisons in words, in percent and points."""
  found = []
  for (label, a, b), gap in zip(pairs, gaps):
    between = 'no interval'
    if gap['low'] is not None:
      between = f'{written(gap["low"], "+")} to {written(gap["high"], "+")}'
    found.append(
        f'{label}: {written(a["value"])} and {written(b["value"])}, difference '
        f'{written(gap["value"], "+")} ({between})')
  return found


def written(value, sign=''):
  return f'{100 * value:{sign}.1f}'.replace('-', '−')
