"""How much features and clusters tell of the classes, in nats.

Numbers over training are those of every checkpoint: the job's `step` is all or follow.
"""

import jax
import numpy as np

from jaxssl import features
from jaxssl import information
from jaxssl import kmeans
from jaxssl import partitions

PROTOCOL = 'mutual_information'
VERSION = 1


def make(
    embed, *, test, num_classes, dims, num_neighbors, num_clusters, metric, num_iters,
    num_restarts, seed, feature='h'):
  """Estimates I(features; labels), I(clusters; labels) and I(prototypes; labels).

  PCL (https://arxiv.org/abs/2005.04966) draws the first and the last over the epochs;
  its code has no estimator. Here `ross` is that of nearest neighbours for a continuous
  and a discrete variable (`information.ross`). The others are the plug-in estimate,
  which grows with the number of clusters, and as `miller_madow` its correction
  (`information.discrete`).

  Estimates by neighbours fail in many dimensions, where all distances are alike. So
  the features are first reduced to their `dims` principal components, which cannot
  know more than the features do: it is an estimate of a lower bound. Compare
  numbers of equal dims and neighbours, and of the same images.

  Args:
    embed: see `features`.
    test: batches with labels. The time grows with the square of their number.
    num_classes: how many classes there are.
    dims: principal components of the features; 0 for the features as they are.
    num_neighbors: k of the estimate by neighbours.
    num_clusters: k of k-means; 0 for as many as there are classes in `test`.
    metric, num_iters, num_restarts: see `kmeans.fit`.
    seed: of k-means.
    feature: 'h' or 'z'; prototypes are always those nearest to z.

  Returns:
    run(params, extra) -> dict of `entropy_labels`, the most there is to be told;
    `mi_features_ross`; `only_of_class`, how many examples that had to leave out;
    `num_clusters`, `mi_kmeans` and `mi_kmeans_miller_madow` of k-means; and of each
    granularity of prototypes `mi_prototypes_k100` and
    `mi_prototypes_k100_miller_madow`.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing, out of
      range or all the same, no class has two examples, there are fewer examples than
      clusters, or the features have fewer than `dims` dimensions.
  """
  partitions.check_kmeans(
      num_clusters=num_clusters, metric=metric, num_iters=num_iters,
      num_restarts=num_restarts, seed=seed)
  partitions.check_least(0, dims=dims)
  partitions.check_least(1, num_neighbors=num_neighbors)

  def run(params, extra):
    with features.shared():
      x, labels = features.extract(embed, params, extra, test, feature)
      labels = partitions.check_classes(labels, num_classes)
      sizes = np.bincount(labels)
      k = num_clusters or int((sizes > 0).sum())
      metrics = {
          'entropy_labels': information.entropy(labels),
          'mi_features_ross': information.ross(
              information.principal(x, dims), labels, k=num_neighbors),
          'only_of_class': int((sizes == 1).sum()), 'num_clusters': k}
      assignments = {'kmeans': kmeans.fit(
          jax.random.PRNGKey(seed), x, k, metric=metric, num_iters=num_iters,
          num_restarts=num_restarts).assignments}
      for name, part in partitions.granularities(extra).items():
        z, _ = features.extract(embed, params, extra, test, 'z')
        assignments[f'prototypes_{name}'] = partitions.nearest(z, part['prototypes'])
    for name, found in assignments.items():
      metrics[f'mi_{name}'], metrics[f'mi_{name}_miller_madow'] = (
          information.discrete(found, labels))
    return metrics

  return run
