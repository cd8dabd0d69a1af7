"""The nearest neighbours of some test examples: who they are, and of which class.

The retrieval figure of Cole et al. 2022 (https://arxiv.org/abs/2105.05837, in the
slides). n is the examples to search, q the queries, k their neighbours.
"""

import numpy as np

from jaxssl import features
from jaxssl import neighbors
from jaxssl import partitions
from jaxssl import probes
from jaxssl import retrieval
from jaxssl import scoring
from jaxssl import taxonomy as taxonomies

PROTOCOL = 'neighbors'
VERSION = 1


def make(
    embed, *, test, taxonomy, k, num_queries, seed, train=None, feature='h'):
  """Finds the neighbours of test examples by cosine, and counts those of its class.

  Queries are drawn from the test examples by the seed, and are in the order of the
  draw: the first few are as random as all. The share of their neighbours that are of
  the class of the query is the precision; where the data have a taxonomy, also that
  of the same ancestor at each level, over the queries whose class has one there. A
  neighbour whose class has none there is of another.

  Args:
    embed: see `features`.
    test: batches to draw queries from; labels, if there are any, are for the
      precision alone.
    taxonomy: {level: the name of each class's ancestor}, see `taxonomy`; the path of
      a JSON file with it; or None.
    k: neighbours of each query; a number, or several, each with its precision.
    num_queries: q, at most.
    seed: of the draw.
    train: batches to search in; without, the other test examples.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> dict of `queries` [q], their ids; `neighbors` [q, k], ids
    from the nearest on, for the largest k; `similarity` [q, k]; and with one class
    for each example: `query_labels` [q] and `neighbor_labels` [q, k],
    `precision_at_10` for k = 10, `chance`, the same to expect at random, and
    `precision_at_10_family` and `chance_family` of each level above the classes.

  Raises:
    ValueError: a setting is out of range; and, from `run`, there are not k examples
      to search, labels are out of the taxonomy's range or it is no tree, or no query
      has an ancestor at a level.
  """
  ks = np.atleast_1d(k).tolist()
  if not ks:
    raise ValueError('k is empty; it needs a number of neighbours.')
  for number in ks:
    partitions.check_least(1, k=number)
  partitions.check_least(1, num_queries=num_queries)
  partitions.check_least(0, seed=seed)
  if isinstance(taxonomy, str):
    taxonomy = taxonomies.read(taxonomy)

  def run(params, extra):
    with features.shared():
      asked, truth, ids = outputs(params, extra, test, 'The test set')
      bank, labels, bank_ids = (asked, truth, ids) if train is None else outputs(
          params, extra, train, 'The set to search')
    chosen = probes.order(len(ids), seed=seed, stream=0)[:num_queries]
    if train is None:
      similarity, index = retrieval.among(bank, chosen, k=max(ks))
    else:
      similarity, index = neighbors.nearest(asked[chosen], bank, k=max(ks))
    metrics = {
        'queries': ids[chosen], 'neighbors': bank_ids[index],
        'similarity': similarity}
    if truth is None or labels is None:
      return metrics
    truth = truth[chosen]
    metrics |= {'query_labels': truth, 'neighbor_labels': labels[index]}
    metrics |= precisions(truth, labels, index, '')
    if not taxonomy:
      return metrics
    for level, (_, of_class) in list(levels().items())[:-1]:
      there = of_class[truth] >= 0
      if not there.any():
        raise ValueError(
            f'No query has an ancestor at level {level!r} of the taxonomy.')
      metrics |= precisions(
          of_class[truth[there]], of_class[labels], index[there], f'_{level}')
    return metrics

  def levels():
    return taxonomies.levels(taxonomy, len(next(iter(taxonomy.values()))))

  def outputs(params, extra, batches, what):
    """Features, one class for each example or None, and ids."""
    index = features.outputs(embed, params, extra, batches).index
    x, labels = features.extract(embed, params, extra, batches, feature)
    if labels is None or np.ndim(labels) != 1:
      return x, None, index
    num_classes = len(list(levels().values())[-1].names) if taxonomy else (
        np.max(labels) + 1)
    return x, scoring.check_labels(labels, num_classes, what=what), index

  def precisions(truth, labels, index, suffix):
    return {
        **{f'precision_at_{k}{suffix}':
           retrieval.precision(truth, labels[index[:, :k]]) for k in ks},
        f'chance{suffix}': retrieval.chance(
            truth, labels, among_them=train is None)}

  return run
