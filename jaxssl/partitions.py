"""Clusters of images: which is nearest, how full they are, how they fit the classes.

In shapes, n is the images, d the width, k the prototypes.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize
from sklearn import metrics

from jaxssl import kmeans
from jaxssl import scoring

CELLS = 2 ** 24  # Of images times prototypes on the device at a time: 64 MB.


def granularities(extra):
  """The prototypes in a checkpoint, from coarse to fine, on the host.

  Args:
    extra: a method's state. Where it has `clusters`, as PCL's has, each of them has
      `prototypes` [k, d] of unit length and `concentration` [k], and
      `has_prototypes` is 0 until they mean something.

  Returns:
    {name: {'prototypes': [k, d], 'concentration': [k]}}, empty where there are none.
  """
  if not extra.get('has_prototypes', 0):
    return {}
  found = jax.device_get({
      name: {key: part[key] for key in ('prototypes', 'concentration')}
      for name, part in extra['clusters'].items()})
  return dict(sorted(found.items(), key=lambda item: len(item[1]['prototypes'])))


def nearest(z, prototypes, concentration=None):
  """The prototype of each image: that of the highest cosine z.c, or of z.c / phi.

  Of equally near ones the first. z.c / phi is the logit of ProtoNCE (PCL,
  https://arxiv.org/abs/2005.04966): a loose prototype has to be nearer to win.

  Args:
    z: float32 [n, d] of unit length.
    prototypes: [k, d] of unit length.
    concentration: [k] phi, or None for the cosine alone.

  Returns:
    int32 [n], on the host.
  """
  phi = 1. if concentration is None else concentration[:, None]
  columns = jnp.asarray(prototypes / phi)
  index = np.empty(len(z), np.int32)
  for place in scoring.blocks(len(z), max(1, CELLS // len(prototypes))):
    index[place] = _highest(z[place], columns)
  return index


@jax.jit
def _highest(z, columns):
  # In full precision: a TF32 or bfloat16 product would change which is nearest.
  return jnp.argmax(jnp.matmul(z, columns.T, precision='highest'), axis=1)


def fullness(sizes):
  """How evenly the images are spread over the clusters.

  Args:
    sizes: [k] images of each cluster.

  Returns:
    dict of `empty`, the share of clusters without an image; `largest`, the share of
    the images in the largest cluster; `balance`, the entropy of the shares over that
    of equal ones, from 0, all in one cluster, to 1, all the same; and `variation`,
    the sizes' standard deviation over their mean.
  """
  balance = _entropy(sizes) / np.log(len(sizes)) if len(sizes) > 1 else 1.0
  return {
      'empty': float((sizes == 0).mean()),
      'largest': float(sizes.max() / sizes.sum()), 'balance': float(balance),
      'variation': float(sizes.std() / sizes.mean())}


def agreement(assignments, labels):
  """How well clusters agree with classes, on all examples or on resamples of them.

  AMI and NMI divide by the arithmetic mean of the entropies, as scikit-learn's do.
  What AMI takes off as chance, and which cluster stands for which class in the
  accuracy, are those of all examples in resamples, too.

  Args:
    assignments: int [n] clusters.
    labels: int [n] classes.

  Returns:
    counts int [n], how often each example is there -> {'ami', 'nmi', 'ari',
    'accuracy'}, NaN where only one cluster and one class are there.
  """
  num_classes = labels.max() + 1
  cells, cell = np.unique(
      assignments.astype(np.int64) * num_classes + labels, return_inverse=True)
  clusters, cell_cluster = np.unique(cells // num_classes, return_inverse=True)
  classes, cell_class = np.unique(cells % num_classes, return_inverse=True)
  table = np.zeros((len(clusters), len(classes)), np.int64)
  table[cell_cluster, cell_class] = np.bincount(cell)
  rows, columns = optimize.linear_sum_assignment(table, maximize=True)
  of_cluster = np.full(len(clusters), -1)
  of_cluster[rows] = columns
  right = of_cluster[cell_cluster] == cell_class                  # Of each cell.

  def information(sizes):
    """The entropies of clusters and of classes, on average, and what they share."""
    first, second, both = (_entropy(x) for x in sizes)
    return (first + second) / 2, first + second - both

  def scores(counts):
    cell_size = np.bincount(cell, counts, len(cells))
    sizes = (
        np.bincount(cell_cluster, cell_size), np.bincount(cell_class, cell_size),
        cell_size)
    entropy, shared = information(sizes)
    first, second, both = ((x * (x - 1)).sum() / 2 for x in sizes)  # Pairs together.
    n = counts.sum()
    by_chance = first * second / (n * (n - 1) / 2)
    with np.errstate(invalid='ignore', divide='ignore'):
      return {
          'ami': float((shared - expected) / (entropy - expected)),
          'nmi': float(shared / entropy),
          'ari': float((both - by_chance) / ((first + second) / 2 - by_chance)),
          'accuracy': float(cell_size[right].sum() / n)}

  # scikit-learn's AMI, solved for the information that unrelated partitions of these
  # sizes are expected to share; where they are equal it does not matter.
  ami = metrics.adjusted_mutual_info_score(labels, assignments)
  entropy, shared = information((table.sum(1), table.sum(0), table))
  expected = (shared - ami * entropy) / (1 - ami) if ami < 1 - 1e-9 else 0.0
  return scores


def _entropy(sizes):
  share = sizes[sizes > 0] / sizes.sum()
  return -(share * np.log(share)).sum()


def check_classes(labels, num_classes):
  """The labels of the test set, once there are two classes or more among them.

  Raises:
    ValueError: there is one class only; and see `scoring.check_labels`.
  """
  labels = scoring.check_labels(labels, num_classes, what='The test set')
  if labels.min() == labels.max():
    raise ValueError(
        f'All {len(labels)} examples of the test set are of class {labels[0]}; '
        'clusters are compared with two classes or more.')
  return labels


def check_kmeans(*, num_clusters, metric, num_iters, num_restarts, seed):
  """Raises a ValueError if settings of k-means are out of range; 0 clusters are not."""
  check_least(0, num_clusters=num_clusters, seed=seed)
  check_least(1, num_iters=num_iters, num_restarts=num_restarts)
  if metric not in kmeans.METRICS:
    raise ValueError(f'No metric {metric!r}. There are: {", ".join(kmeans.METRICS)}.')


def check_least(least, **settings):
  """Raises a ValueError if a setting is no whole number or is below its least."""
  for name, value in settings.items():
    if not isinstance(value, int) or value < least:
      raise ValueError(
          f'{name} is {value!r}; it must be a whole number from {least} up.')
