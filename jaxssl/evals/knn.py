"""Weighted k-nearest-neighbour accuracy (https://arxiv.org/abs/1805.01978).

n is the training examples, q those of the test set, c the classes.
"""

import numpy as np

from jaxssl import features
from jaxssl import neighbors
from jaxssl import paired
from jaxssl import scoring

PROTOCOL = 'knn'
VERSION = 1


def make(embed, *, train, test, num_classes, k, temperature, feature='h'):
  """The k most similar training examples vote on the class of each test example.

  Wu et al. 2018, Section 3.4: similarity is the cosine s, a vote weighs
  exp(s / temperature), and the class with the most weight is the answer. The usual
  setting is k=200, temperature=0.1; at temperature 0 here every vote weighs the
  same, which is plain majority. Of equally similar examples the earlier is nearer;
  of classes with equal votes the lower wins. A class without a vote is never a hit.

  Several k and temperatures are all scored after one search.

  Args:
    embed: see `features`.
    train: batches with labels, to search in.
    test: batches with labels, to classify.
    num_classes: how many classes there are.
    k: neighbours that vote; a number, or several.
    temperature: of the votes; a number, or several.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> {'top1': accuracy}, and 'top5' with more than 5 classes:
    those of the first k and temperature, with which examples were right
    (`paired.record`). The others are there as `top1_k20_t0.07`, or
    `top1_k20_majority` at temperature 0.

  Raises:
    ValueError: there is no k or no temperature, a k is below 1 or a temperature
      below 0; and, from `run`, labels are missing or out of range, or a k is above
      the number of training examples.
  """
  ks, temperatures = np.atleast_1d(k).tolist(), np.atleast_1d(temperature).tolist()
  if not (ks and temperatures and all(k >= 1 for k in ks)
          and all(0 <= t < np.inf for t in temperatures)):
    raise ValueError(
        f'kNN has k={k} and temperature={temperature}; it needs at least one of '
        'each, every k 1 or more and every temperature 0 or more.')
  votings = [(k, t) for k in ks for t in temperatures]

  def run(params, extra):
    bank, labels = features.extract(embed, params, extra, train, feature)
    with features.shared():
      queries, truth = features.extract(embed, params, extra, test, feature)
      ids = features.outputs(embed, params, extra, test).index
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    truth = scoring.check_labels(truth, num_classes, what='The test set')
    similarity, index = neighbors.nearest(queries, bank, k=max(ks))
    metrics = {}
    for number, (k, temperature) in enumerate(votings):
      ranks = np.concatenate([
          _ranks(
              similarity[i:i + 1024, :k], labels[index[i:i + 1024, :k]],
              truth[i:i + 1024], temperature)
          for i in range(0, len(truth), 1024)])
      suffix = _suffix(k, temperature) if number else ''
      for name, accuracy in scoring.accuracies(ranks, num_classes).items():
        metrics[name + suffix] = accuracy
      if not number:
        metrics |= paired.record(ranks == 0, ids, truth)
    return metrics

  def _ranks(similarity, labels, truth, temperature):
    """[q, k] similarities, labels of neighbours -> [q] ranks of the right class."""
    votes = neighbors.votes(                                      # [q, c]
        similarity, labels, temperature=temperature, num_classes=num_classes)
    voted = votes[np.arange(len(truth)), truth] > 0
    return np.where(voted, scoring.ranks(votes, truth), num_classes)

  return run


def _suffix(k, temperature):
  return f'_k{k}_t{temperature:g}' if temperature else f'_k{k}_majority'
