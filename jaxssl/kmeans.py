"""Exact k-means over all devices, and the concentration of its clusters.

In shapes, n is the rows, d their width, k the clusters.
"""

import logging
from typing import NamedTuple

import jax
import numpy as np

from jaxssl import lloyd
from jaxssl import parallel
from jaxssl import preemption

log = logging.getLogger(__name__)

METRICS = ('euclidean', 'spherical')
INITS = ('random', 'k-means++')
ROUNDING = 1e-5       # Relative differences below this are float order.


class Clustering(NamedTuple):
  """What `fit` found, on the host."""
  centroids: np.ndarray      # [k, d]
  prototypes: np.ndarray     # [k, d] the centroids at unit length.
  assignments: np.ndarray    # int32 [n], the nearest centroid of each row.
  concentration: np.ndarray  # [k] phi, each prototype's own temperature.
  inertia: float             # Summed squared distance of rows and their centroids.
  sizes: np.ndarray          # [k] rows of each cluster.
  num_empty: int             # Empty clusters that were split from others.


def fit(
    rng, x, k, *, num_iters=20, num_restarts=5, metric='euclidean', init='random',
    temperature=0.2, alpha=10., max_points_per_centroid=1000,
    min_points_per_centroid=10):
  """Lloyd's k-means as PCL runs it (Section 3.2, https://arxiv.org/abs/2005.04966).

  An empty cluster takes half of a large one, as in faiss (`lloyd.split_empty`).
  Every draw is made on the host, so the result depends on the key and, up to the
  order of float32 sums, not on the number of devices. Products are in full float32
  on every kind of device. With several processes each is given all rows.

  Args:
    rng: a key.
    x: [n, d] rows, on the host or on devices.
    k: number of clusters.
    num_iters: Lloyd iterations; fewer if they change nothing any more.
    num_restarts: runs from different centroids, of which the best is kept.
    metric: 'euclidean', or 'spherical', which clusters directions: rows and
      centroids have unit length, also in `inertia` and for the concentration. Rows
      of zeros have none and are only assigned.
    init: 'random' rows, 'k-means++' (Arthur and Vassilvitskii 2007), or [k, d]
      centroids to start from, which makes restarts pointless: there is one run.
    temperature: mean of the concentrations.
    alpha: see `concentration`.
    max_points_per_centroid: more rows than k times this are sampled for training;
      all rows are assigned at the end.
    min_points_per_centroid: fewer rows than k times this are worth a warning.

  Returns:
    A `Clustering`. Distances are finite and so is all that is made of them, also
    for rows that are equal or far away; what looks degenerate is logged.

  Raises:
    ValueError: k is below 1 or above n, a row is not finite, or a setting does not
      exist.
  """
  x = _checked(x, k, num_iters, num_restarts, metric, init)
  n = len(x)
  if n < k * min_points_per_centroid:
    log.warning(
        'k-means: %d rows are few for %d clusters; at least %d would be better.',
        n, k, k * min_points_per_centroid)
  generator = np.random.default_rng(np.asarray(jax.random.key_data(rng)))
  usable, directed = np.arange(n), np.flatnonzero(x.any(axis=1))
  if len(directed) < n:
    log.warning(
        'k-means: %d of %d rows are zeros and have no direction.',
        n - len(directed), n)
    if metric == 'spherical' and len(directed) >= k:
      usable = directed
  if len(usable) > k * max_points_per_centroid:
    usable = np.sort(
        generator.choice(usable, k * max_points_per_centroid, replace=False))
  origin, scale = _frame(x, metric)

  def normalized(x):
    return _normalized(x, metric, origin, scale)

  step, assign, plus_plus = lloyd.functions(metric)
  train = lloyd.split(
      lambda i, j: normalized(x[usable[i:j]]), len(usable), x.shape[1])
  best = None
  for _ in range(num_restarts if isinstance(init, str) else 1):
    if not isinstance(init, str):
      centroids = normalized(np.asarray(init, np.float32))
    elif init == 'random':
      centroids = normalized(x[generator.choice(usable, k, replace=False)])
    else:
      first = normalized(x[generator.choice(usable, 1)])[0]
      centroids = plus_plus(
          train, len(usable), first, generator.random(k, np.float32))
    centroids, num_empty = parallel.replicate(centroids), 0
    for _ in range(num_iters):
      preemption.heed()
      centroids, num_split, same = step(train, len(usable), centroids)
      num_empty += int(num_split)
      if same:
        break
    index, distances = assign(train, len(usable), centroids)
    inertia = _inertia(distances[:len(usable)])
    # One that is as good keeps its place, so that rounding does not decide.
    if best is None or inertia < best[0] * (1 - ROUNDING):
      best = inertia, centroids, num_empty, index, distances
  _, centroids, num_empty, index, distances = best
  if len(usable) < n:
    everything = lloyd.split(lambda i, j: normalized(x[i:j]), n, x.shape[1])
    index, distances = assign(everything, n, centroids)
  index, distances = np.asarray(index)[:n], np.asarray(distances)[:n]

  sizes = np.bincount(index, minlength=k)
  if k > 1 and sizes.min() < 2:
    log.warning(
        'k-means: of %d clusters %d are empty and %d have one row: the rows may be '
        'few, too much alike, or far from all others.',
        k, (sizes == 0).sum(), (sizes == 1).sum())
  centroids = (np.asarray(centroids, np.float64) + origin) * scale
  length = np.linalg.norm(centroids, axis=1, keepdims=True)
  if not length.all():
    log.warning('k-means: a centroid of zeros has no direction as a prototype.')
  return Clustering(
      centroids=centroids.astype(np.float32),
      prototypes=(centroids / np.where(length > 0, length, 1)).astype(np.float32),
      assignments=index,
      concentration=concentration(
          distances, index, k, temperature=temperature, alpha=alpha),
      inertia=_inertia(distances) * scale ** 2, sizes=sizes, num_empty=num_empty)


def concentration(distances, assignments, k, *, temperature, alpha):
  """Spread of each cluster (PCL, Section 3.3, https://arxiv.org/abs/2005.04966).

  phi is the mean distance, not squared, over log(size + alpha). As in PCL's code, a
  cluster of one row or none, where phi says nothing, gets the largest phi; all are
  clipped to their 10th and 90th percentile and scaled to a mean of `temperature`.
  Our own: none is below a thousandth of the mean, as logits are divided by it.

  Args:
    distances: [n] of each row to its centroid.
    assignments: [n] the cluster of each row.
    k: number of clusters.
    temperature: mean of the result, and all of it where all distances are 0.
    alpha: keeps small clusters from an extreme phi.

  Returns:
    float32 [k].
  """
  sizes = np.bincount(assignments, minlength=k)
  total = np.bincount(assignments, distances, minlength=k)
  phi = total / (np.maximum(sizes, 1) * np.log(np.maximum(sizes, 2) + alpha))
  phi[sizes < 2] = phi[sizes >= 2].max(initial=0)
  if not phi.any():
    return np.full(k, temperature, np.float32)
  phi = np.clip(phi, *np.percentile(phi, [10, 90]))
  phi = np.maximum(phi / phi.mean(), 1e-3)
  return np.float32(temperature * phi / phi.mean())


def _checked(x, k, num_iters, num_restarts, metric, init):
  """Returns the rows as float32 on the host, or says what is wrong."""
  with np.errstate(over='ignore'):  # What overflows is reported as not finite.
    x = np.asarray(x, np.float32)
  if x.ndim != 2 or not x.shape[1]:
    raise ValueError(f'k-means wants rows [n, d], not an array {list(x.shape)}.')
  if not 1 <= k <= len(x):
    raise ValueError(
        f'k is {k}; with {len(x)} rows to cluster it must be from 1 to {len(x)}.')
  if num_iters < 1 or num_restarts < 1:
    raise ValueError(
        f'k-means has num_iters={num_iters} and num_restarts={num_restarts}; both '
        'must be at least 1.')
  if metric not in METRICS:
    raise ValueError(f'No metric {metric!r}. There are: {", ".join(METRICS)}.')
  if isinstance(init, str) and init not in INITS:
    raise ValueError(
        f'No init {init!r}. There are: {", ".join(INITS)}, or centroids [k, d].')
  if not isinstance(init, str) and np.shape(init) != (k, x.shape[1]):
    raise ValueError(
        f'The centroids to start from are {list(np.shape(init))}; they must be '
        f'{[k, x.shape[1]]}.')
  bad = np.flatnonzero(~np.isfinite(_peaks(x)))
  if len(bad):
    raise ValueError(
        f'{len(bad)} of {len(x)} rows are not finite: '
        f'{", ".join(map(str, bad[:10]))}{", ..." if len(bad) > 10 else ""}.')
  return x


def _peaks(x):
  return np.maximum(x.max(axis=1), -x.min(axis=1))


def _inertia(distances):
  return float(np.square(np.asarray(distances, np.float64)).sum())


def _frame(x, metric):
  """Where and how large the rows are: an origin near them, and a scale.

  Float32 squares overflow far from zero, and products round much where the rows lie
  far from the origin; neither changes who is near whom.
  """
  if metric == 'spherical':
    return 0., 1.
  # A power of two, which rounds nothing, and a median, which no outlier moves.
  scale = 2. ** (np.frexp(_peaks(x).max())[1] - 1)
  return np.median(x[::max(1, len(x) // 1000)] / np.float32(scale), axis=0), scale


def _normalized(x, metric, origin, scale):
  """Rows [n, d] as they are clustered: x / scale - origin, or of unit length."""
  if metric == 'euclidean':
    x = x / np.float32(scale)
    x -= origin
    return x
  peaks = _peaks(x)
  x = x / np.where(peaks > 0, peaks, 1)[:, None]  # So that no square overflows.
  length = np.sqrt(np.einsum('nd,nd->n', x, x))
  x /= np.where(length > 0, length, 1)[:, None]
  return x
