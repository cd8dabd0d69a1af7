"""Which prototype each image is nearest to, and how evenly clusters are filled.

In shapes, n is the images, d the width, k the prototypes.
"""

import jax
import jax.numpy as jnp
import numpy as np

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
  share = sizes[sizes > 0] / sizes.sum()
  entropy = (share * np.log(1 / share)).sum()
  return {
      'empty': float((sizes == 0).mean()), 'largest': float(share.max()),
      'balance': float(entropy / np.log(len(sizes))) if len(sizes) > 1 else 1.0,
      'variation': float(sizes.std() / sizes.mean())}


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
