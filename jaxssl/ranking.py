"""Average precision: how far up a ranking the right examples stand.

n is the examples, c the classes.
"""

import numpy as np


def average_precisions(scores, positive, counts=None):
  """Ranks examples for each class, to take average precisions with any weights.

  There are two forms, those of the PASCAL VOC devkits. Precision and recall are taken
  at each score that occurs, so that examples of one score enter together and their
  order does not matter. Precision is interpolated: at each recall it is the highest
  at that recall or above. `area` is the area under that curve (devkits from 2010 on,
  and PCL's code), `eleven` its mean at recalls 0, 0.1, ..., 1 (VOC 2007, Section 4.2
  of https://doi.org/10.1007/s11263-009-0275-4).

  Args:
    scores: [n, c], finite; the highest first.
    positive: bool [n, c].
    counts: bool [n, c], examples that are looked at; None for all.

  Returns:
    weights int [n], how often each example is there -> float64 [c] `area` and [c]
    `eleven`, NaN for a class without a positive.
  """
  classes = []
  for k in range(scores.shape[1]):
    rows = np.arange(len(scores)) if counts is None else np.flatnonzero(counts[:, k])
    order = rows[np.argsort(-scores[rows, k], kind='stable')]
    last = np.append(np.diff(scores[order, k]) != 0, True)  # The last of each score.
    classes.append((order, last, positive[order, k]))

  def weighted(weights):
    return np.array([
        _average_precision(weights[order], last, right)
        for order, last, right in classes]).T
  return weighted


def _average_precision(weights, last, positive):
  """The two forms, of examples from the highest score to the lowest."""
  hits, seen = (np.cumsum(x)[last] for x in (weights * positive, weights))
  if not hits[-1]:
    return np.nan, np.nan
  precision = hits / np.maximum(seen, 1)
  highest = np.maximum.accumulate(precision[::-1])[::-1]
  area = np.diff(hits, prepend=0) @ highest / hits[-1]
  # In integers: 3 of 10 are a recall of 0.3, which floats may put below it.
  at = np.searchsorted(10 * hits, np.arange(11) * hits[-1])
  return area, highest[at].mean()
