"""Average precision: how far up a ranking the right examples stand.

n is the examples, c the classes.
"""

import numpy as np


def average_precisions(scores, positive, counts=None):
  """Average precision of each class, in the two forms of the PASCAL VOC devkits.

  Precision and recall are taken at each score that occurs, so that examples of one
  score enter together and their order does not matter. Precision is
  interpolated: at each recall it is the highest at that recall or above. `area` is
  the area under that curve (devkits from 2010 on, and PCL's code), `eleven` its
  mean at recalls 0, 0.1, ..., 1 (VOC 2007, Section 4.2 of
  https://doi.org/10.1007/s11263-009-0275-4).

  Args:
    scores: [n, c], finite; the highest first.
    positive: bool [n, c], with an example that is right in each class.
    counts: bool [n, c], examples that are looked at; None for all.

  Returns:
    float64 [c] `area` and [c] `eleven`.
  """
  found = []
  for k in range(scores.shape[1]):
    rows = slice(None) if counts is None else counts[:, k]
    found.append(_average_precision(scores[rows, k], positive[rows, k]))
  area, eleven = np.array(found).T
  return area, eleven


def _average_precision(scores, positive):
  order = np.argsort(-scores, kind='stable')
  scores, positive = scores[order], positive[order]
  last = np.append(np.diff(scores) != 0, True)  # The last example of each score.
  hits = np.cumsum(positive)[last]
  precision = hits / (np.flatnonzero(last) + 1)
  highest = np.maximum.accumulate(precision[::-1])[::-1]
  area = np.diff(hits, prepend=0) @ highest / hits[-1]
  # In integers: 3 of 10 are a recall of 0.3, which floats may put below it.
  at = np.searchsorted(10 * hits, np.arange(11) * hits[-1])
  return area, highest[at].mean()
