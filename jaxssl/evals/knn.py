"""Weighted k-nearest-neighbour accuracy (https://arxiv.org/abs/1805.01978).

n is the training examples, q those of the test set, c the classes.
"""

import numpy as np

from jaxssl import features
from jaxssl import neighbors
from jaxssl import scoring

PROTOCOL = 'knn'
VERSION = 1


def make(embed, *, train, test, num_classes, k, temperature, feature='h'):
  """The k most similar training examples vote on the class of each test example.

  Wu et al. 2018, Section 3.4: similarity is the cosine s, a vote weighs
  exp(s / temperature), and the class with the most weight is the answer. The usual
  setting is k=200, temperature=0.1. Of equally similar examples the earlier is
  nearer; of classes with equal votes the lower wins. A class without a vote is
  never a hit.

  Args:
    embed: see `features`.
    train: batches with labels, to search in.
    test: batches with labels, to classify.
    num_classes: how many classes there are.
    k: neighbours that vote.
    temperature: of the votes.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> {'top1': accuracy}, and 'top5' with more than 5 classes.

  Raises:
    ValueError: k or the temperature is not positive; and, from `run`, labels are
      missing or out of range, or k is above the number of training examples.
  """
  if k < 1 or not temperature > 0:
    raise ValueError(
        f'kNN has k={k} and temperature={temperature}; both must be above 0.')

  def run(params, extra):
    bank, labels = features.extract(embed, params, extra, train, feature)
    queries, truth = features.extract(embed, params, extra, test, feature)
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    truth = scoring.check_labels(truth, num_classes, what='The test set')
    similarity, index = neighbors.nearest(queries, bank, k=k)
    ranks = np.concatenate([
        _ranks(similarity[i:i + 1024], labels[index[i:i + 1024]], truth[i:i + 1024])
        for i in range(0, len(truth), 1024)])
    return scoring.accuracies(ranks, num_classes)

  def _ranks(similarity, labels, truth):
    """[q, k] similarities, labels of neighbours -> [q] ranks of the right class."""
    # Relative to the nearest one, so that no temperature overflows.
    behind = (similarity - similarity[:, :1]).astype(np.float64)
    weights = np.exp(behind / temperature)
    cells = np.arange(len(truth))[:, None] * num_classes + labels  # [q, k]
    votes = np.bincount(
        cells.ravel(), weights.ravel(), minlength=len(truth) * num_classes)
    votes = votes.reshape(len(truth), num_classes)                # [q, c]
    voted = votes[np.arange(len(truth)), truth] > 0
    return np.where(voted, scoring.ranks(votes, truth), num_classes)

  return run
