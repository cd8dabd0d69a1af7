"""How well clusters of the features agree with the classes.

n is the examples, k the clusters.
"""

import jax
import numpy as np

from jaxssl import bootstrap
from jaxssl import features
from jaxssl import kmeans
from jaxssl import partitions

PROTOCOL = 'clustering'
VERSION = 1
SCORES = ('ami', 'nmi', 'ari', 'accuracy')


def make(
    embed, *, test, num_classes, num_clusters, metric, num_iters, num_restarts,
    num_runs, seed, feature='h'):
  """Scores k-means on the features, and the method's own prototypes if it has any.

  PCL (https://arxiv.org/abs/2005.04966) reports the adjusted mutual information (AMI)
  of k-means with k=25000 on ImageNet's features. The scores here are scikit-learn's
  (`partitions.agreement`). Accuracy gives each cluster one class and each class one
  cluster so that most examples are right; with more clusters than classes, the
  examples of those left over are all wrong. AMI and ARI are 0 by chance; NMI and
  accuracy may be compared at equal k only.

  Prototypes are those of the checkpoint. An example belongs to the prototype nearest
  to its z, by cosine and, with `_phi` in the name, by cosine / concentration. PCL
  clusters features of its momentum encoder, while z is the trained encoder's. Its
  figure of cluster sizes compares a training with estimated concentrations and one
  with constant ones: this evaluation of both has its numbers.

  Args:
    embed: see `features`.
    test: batches with labels, to cluster.
    num_classes: how many classes there are.
    num_clusters: k of k-means; 0 for as many as there are classes in `test`.
    metric, num_iters, num_restarts: see `kmeans.fit`.
    num_runs: of k-means, from as many seeds; scores are means over them.
    seed: of the first run; each next one has the next.
    feature: what k-means clusters, 'h' or 'z'.

  Returns:
    run(params, extra) -> dict of `num_clusters`; of k-means, `ami`, `nmi`, `ari`,
    `accuracy`, the same with `_std`, their standard deviation over runs if there are
    several, and with `_interval` [2], their 95 % interval over the examples that were
    clustered (`bootstrap.intervals`), `empty`, `largest`, `balance` and `variation`
    (`partitions.fullness`) and `sizes` [k], the first run's from the largest down; the
    same but `_std` of each granularity of prototypes, as `ami_k100` and
    `ami_k100_phi`.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing, out of
      range or all the same, or there are fewer examples than clusters.
  """
  partitions.check_kmeans(
      num_clusters=num_clusters, metric=metric, num_iters=num_iters,
      num_restarts=num_restarts, seed=seed)
  partitions.check_least(1, num_runs=num_runs)

  def run(params, extra):
    with features.shared():
      x, labels = features.extract(embed, params, extra, test, feature)
      labels = partitions.check_classes(labels, num_classes)
      k = num_clusters or len(np.unique(labels))
      found = [
          kmeans.fit(
              jax.random.PRNGKey(seed + i), x, k, metric=metric,
              num_iters=num_iters, num_restarts=num_restarts).assignments
          for i in range(num_runs)]
      metrics = {'num_clusters': k, **_over_runs(found, k, labels, seed)}
      for name, part in partitions.granularities(extra).items():
        z, _ = features.extract(embed, params, extra, test, 'z')
        for suffix, phi in ((name, None), (f'{name}_phi', part['concentration'])):
          assignments = partitions.nearest(z, part['prototypes'], phi)
          scores = _over_runs([assignments], len(part['prototypes']), labels, seed)
          for key, value in scores.items():
            key, interval, _ = key.partition('_interval')
            metrics[f'{key}_{suffix}{interval}'] = value
    return metrics

  return run


def _over_runs(found, k, labels, seed):
  """What is reported of the assignments [n] to k clusters in each of some runs."""
  agree = [partitions.agreement(assignments, labels) for assignments in found]
  sizes = [np.bincount(assignments, minlength=k) for assignments in found]

  def mean(each):
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

  once = np.ones(len(labels), int)
  scores = [one(once) for one in agree]
  metrics = {**mean(scores), **mean([partitions.fullness(s) for s in sizes])}
  limits = bootstrap.intervals(
      {name: metrics[name] for name in SCORES},
      lambda counts: mean([one(counts) for one in agree]), len(labels), seed=seed)
  metrics |= {f'{name}_interval': x for name, x in limits.items()}
  if len(found) > 1:
    metrics |= {
        f'{name}_std': float(np.std([one[name] for one in scores], ddof=1))
        for name in SCORES}
  return {**metrics, 'sizes': np.sort(sizes[0])[::-1]}
