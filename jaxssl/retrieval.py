"""Retrieval: how often what lies near an example is of its class.

n is the examples, d the width, q the queries, k their neighbours.
"""

import numpy as np

from jaxssl import neighbors


def among(x, rows, *, k):
  """The k rows of [n, d] most similar by cosine to some of them, never itself.

  Args:
    x: float32 [n, d].
    rows: int [q], whose neighbours to find.
    k: how many; at most n - 1.

  Returns:
    float32 [q, k] cosine similarities from the highest down, and int32 [q, k] rows;
    see `neighbors.nearest`.

  Raises:
    ValueError: there are fewer others than k.
  """
  if not 0 <= k < len(x):
    raise ValueError(
        f'k is {k}; each of {len(x)} examples has {len(x) - 1} others.')
  similarity, index = neighbors.nearest(x[rows], x, k=k + 1)
  # Where k + 1 or more are the same, the row itself may not be found: the last goes.
  out = index == rows[:, None]
  out[~out.any(1), -1] = True
  return (
      similarity[~out].reshape(len(rows), k), index[~out].reshape(len(rows), k))


def precision(truth, found):
  """The mean share of neighbours that are of the query's class.

  Args:
    truth: int [q] classes, 0 or more.
    found: int [q, k] classes of the neighbours; none of -1 is right.
  """
  return int(np.count_nonzero(found == truth[:, None])) / found.size


def chance(truth, labels, *, among_them):
  """The precision to expect of neighbours at random.

  Args:
    truth: int [q] classes of the queries, 0 or more.
    labels: int [n] classes to retrieve from, -1 for none.
    among_them: whether each query is one of the n, which is not its own neighbour.
  """
  sizes = np.bincount(labels[labels >= 0], minlength=truth.max() + 1)[truth]
  own = int(among_them)
  return float((sizes - own).mean() / (len(labels) - own))
