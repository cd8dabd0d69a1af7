"""How features lie in space, without labels: spread, rank, alignment, uniformity.

In double precision on the host. n is the examples, d the width.
"""

import numpy as np

ROWS = 25_600           # More change little, and a rank costs n d^2.
UNIFORMITY_ROWS = 4096  # Eight million pairs.

# Rules of thumb, for `verdict`.
COLLAPSED_SPREAD, COLLAPSED_RANK = 0.01, 1.1
LOW_SPREAD, LOW_RANK_SHARE = 0.2, 0.05


def spread(x):
  """How much each dimension of unit-length features varies over the examples.

  The mean of the dimensions' standard deviations, times sqrt(d) (SimSiam, Section
  4.1, https://arxiv.org/abs/2011.10566): 1 for directions spread evenly over the
  sphere, 0 where all are the same. Of more than `ROWS` examples, evenly spaced ones
  are taken.

  Args:
    x: [n, d] features of any length.
  """
  x = _unit(_sample(x, ROWS))
  return float(x.std(0).mean() * np.sqrt(x.shape[1]))


def rankme(x):
  """RankMe: how many directions count (https://arxiv.org/abs/2210.02885).

  The exponential of the entropy of the singular values, made to sum to one: from 1,
  all features on one line through zero, to min(n, d), all directions alike.
  Singular values that double precision cannot tell from zero count as zero, where
  the paper adds a small number to each. Of more than `ROWS` examples, evenly spaced
  ones are taken.

  Args:
    x: [n, d] features, as they are: not centered, not of unit length.

  Returns:
    The rank; 0 if all features are zero.
  """
  x = _sample(x, ROWS).astype(np.float64)
  gram = x.T @ x if x.shape[1] < len(x) else x @ x.T
  squares = np.linalg.eigvalsh(gram)
  noise = max(x.shape) * np.finfo(np.float64).eps * squares.max()
  values = np.sqrt(squares[squares > noise])
  p = values / values.sum()
  return float(np.exp(-(p * np.log(p)).sum())) if len(p) else 0.0


def alignment(xa, xb):
  """Mean squared distance of two views (https://arxiv.org/abs/2005.10242, 4.1).

  Args:
    xa: [n, d] features of one view of each image, made unit length here.
    xb: [n, d] of another.

  Returns:
    From 0, where the views of an image coincide, to 4; about 2 for unrelated ones
    in many dimensions.
  """
  return float(((_unit(xa) - _unit(xb)) ** 2).sum(1).mean())


def uniformity(x):
  """Log of the mean of exp(-2 squared distance) over pairs of examples.

  Wang and Isola, Section 4.1 (https://arxiv.org/abs/2005.10242), over the pairs of
  two different examples. Of more than `UNIFORMITY_ROWS` examples, evenly spaced
  ones are taken.

  Args:
    x: [n, d] features, made unit length here.

  Returns:
    From 0, all the same, down; about -4 for directions spread evenly in many
    dimensions.

  Raises:
    ValueError: there is one example only.
  """
  x = _unit(_sample(x, UNIFORMITY_ROWS))
  n = len(x)
  if n < 2:
    raise ValueError('Uniformity needs two examples or more; there is one.')
  total = sum(
      np.exp(4 * (x[i:i + 512] @ x.T) - 4).sum() for i in range(0, n, 512))
  return float(np.log((total - n) / (n * (n - 1))))


def verdict(metrics):
  """Says in one sentence what the numbers of `evals/health.py` mean.

  Collapsed: of h or z, the spread is below 0.01 or RankMe below 1.1. Partly
  collapsed: a spread is below 0.2, or RankMe below 5 % of what it could be. These
  are rules of thumb; compare with the control row of random weights.

  Args:
    metrics: dict with `spread_h`, `rankme_h`, `dims_h`, and the same of z if there
      is a projector.
  """
  said, collapsed, low = [], [], []
  for name in ('h', 'z'):
    if f'spread_{name}' not in metrics:
      continue
    spread, rank, dims = (
        metrics[f'{metric}_{name}'] for metric in ('spread', 'rankme', 'dims'))
    said.append(
        f'{name} has spread {spread:.2g} (0 is one point, 1 an even sphere) and '
        f'RankMe {rank:.3g} of {dims}')
    if spread < COLLAPSED_SPREAD or rank < COLLAPSED_RANK:
      collapsed.append(name)
    elif spread < LOW_SPREAD or rank < LOW_RANK_SHARE * dims:
      low.append(name)
  if collapsed:
    state = f'Collapsed, {" and ".join(collapsed)} nearly one for all images'
  elif low:
    state = f'Partly collapsed, {" and ".join(low)} much alike for all images'
  else:
    state = 'Healthy'
  return f'{state}: {"; ".join(said)}.'


def _unit(x):
  """Rows scaled to length one, in double precision; rows of zeros stay."""
  x = np.asarray(x, np.float64)
  norm = np.linalg.norm(x, axis=1, keepdims=True)
  return x / np.where(norm > 0, norm, 1)


def _sample(x, most):
  """At most so many rows, evenly spaced."""
  if len(x) <= most:
    return x
  return x[np.linspace(0, len(x) - 1, most).round().astype(int)]
