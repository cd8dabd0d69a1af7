"""A map of the features on a plane, and how far it can be trusted.

n is the examples, p the points of the map, d the features' width.
"""

import numpy as np
from sklearn import manifold
from sklearn import neighbors as sklearn_neighbors

from jaxssl import features
from jaxssl import maps
from jaxssl import partitions
from jaxssl import probes
from jaxssl import retrieval

PROTOCOL = 'embedding'
VERSION = 1


def make(embed, *, test, class_names, by, num_points, k, seed, feature='h'):
  """Maps test examples to the plane by t-SNE or UMAP, of features of unit length.

  A map bends and tears. Trustworthiness (Venna and Kaski 2001,
  https://doi.org/10.1007/3-540-44668-0_68) is 1 where each point's neighbours on the
  map are also its neighbours among the features; continuity is 1 where the
  neighbours among the features are also neighbours on the map. About 0.5 is what
  points at random get. Where an accuracy on the map is higher than among the
  features, the map shows classes further apart than they are.

  Args:
    embed: see `features`.
    test: batches; labels, if there are any, are for colours and accuracies alone.
    class_names: the classes' names, or None.
    by: how to draw it: dict of `name`, 'tsne' or 'umap', and the keywords of that
      function in `maps`.
    num_points: p, at most, drawn by the seed. Memory is quadratic in p.
    k: neighbours of each point in the four numbers below; below p / 2.
    seed: of the draw.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> dict of `coordinates` [p, 2], `ids` [p], ascending, and
    `num_points`; `trustworthiness` and `continuity`; and with one class for each
    example `labels` [p], `class_names`, where there are any, and `accuracy_map` and
    `accuracy_features`: the share of points whose k nearest others, by majority, are
    of its class (of equally frequent classes the lower counts).

  Raises:
    ValueError: a setting is out of range or a library is missing; and, from `run`,
      there are too few points, or all have the same features.
  """
  draw = maps.make(by)
  partitions.check_least(1, num_points=num_points, k=k)
  partitions.check_least(0, seed=seed)

  def run(params, extra):
    with features.shared():
      x, labels = features.extract(embed, params, extra, test, feature)
      index = features.outputs(embed, params, extra, test).index
    chosen = np.sort(probes.order(len(x), seed=seed, stream=0)[:num_points])
    if 2 * k >= len(chosen):
      raise ValueError(
          f'k is {k}; with {len(chosen)} points it must be below half of that.')
    x = maps.unit(x[chosen])
    if maps.all_same(x):
      raise ValueError(
          f'All {len(x)} examples have the same features: there is nothing to map.')
    points = draw(x)
    metrics = {
        'num_points': len(points), 'coordinates': points, 'ids': index[chosen],
        'trustworthiness': float(manifold.trustworthiness(x, points, n_neighbors=k)),
        'continuity': float(manifold.trustworthiness(points, x, n_neighbors=k))}
    if labels is None or np.ndim(labels) != 1:
      return metrics
    labels = labels[chosen]
    _, near = retrieval.among(x, np.arange(len(x)), k=k)
    on_map = sklearn_neighbors.NearestNeighbors(n_neighbors=k).fit(points)
    metrics |= {
        'labels': labels,
        'accuracy_map': _accuracy(labels, on_map.kneighbors()[1]),
        'accuracy_features': _accuracy(labels, near)}
    return metrics if class_names is None else {
        **metrics, 'class_names': list(class_names)}

  return run


def _accuracy(labels, near):
  """The share of [p] labels that are the most frequent of their neighbours [p, k]."""
  classes, labels = np.unique(labels, return_inverse=True)
  voted = np.array([
      np.bincount(row, minlength=len(classes)).argmax() for row in labels[near]])
  return int(np.count_nonzero(voted == labels)) / len(labels)
