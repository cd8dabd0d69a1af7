"""Accuracy at every level of a taxonomy, of a classifier of its finest level.

Figure 5 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): how fine a
distinction frozen features still make. n is the training examples, q those of the
test set.
"""

import numpy as np

from jaxssl import classifiers
from jaxssl import features
from jaxssl import scoring
from jaxssl import taxonomy as taxonomies

PROTOCOL = 'granularity'
VERSION = 1


def make(
    embed, *, train, test, num_classes, taxonomy, by, per_level, feature='h'):
  """Predicts classes, and scores predictions and truth as ancestors at each level.

  A classifier is trained on the classes, the finest level. At a coarser one a
  prediction is right if its class and the right class have the same ancestor there.
  Examples whose class has no ancestor at a level are left out of it; a prediction
  without one is wrong.

  Args:
    embed: see `features`.
    train: batches with labels.
    test: batches with labels.
    num_classes: how many classes there are.
    taxonomy: {level: the name of each class's ancestor}, see `taxonomy`; or the
      path of a JSON file with it.
    by: the classifier: dict of `name`, 'linear' or 'knn', and the keywords of that
      function in `classifiers`.
    per_level: whether to train one on the labels of each level, too.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> dict of `top1`, and for each level, by its name:
    `top1_genus`; `top1_genus_trained`, of the one trained on this level; the
    accuracy `chance_genus` of the most frequent node in training;
    `num_classes_genus`, the nodes there; and `num_genus`, the test examples that
    have an ancestor there. `mistake_height` is the mean height of the lowest common
    ancestor of truth and prediction over the mistakes
    (`taxonomy.common_heights`), NaN without mistakes.

  Raises:
    ValueError: a setting is out of range; and, from `run`, the taxonomy is missing
      or no tree, labels are missing or out of range, or a level has no example.
  """
  classify = classifiers.make(by)
  if isinstance(taxonomy, str):
    taxonomy = taxonomies.read(taxonomy)

  def run(params, extra):
    levels = taxonomies.levels(taxonomy, num_classes)
    x, labels = features.extract(embed, params, extra, train, feature)
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    x_test, truth = features.extract(embed, params, extra, test, feature)
    truth = scoring.check_labels(truth, num_classes, what='The test set')
    predicted = classify(x, labels, x_test, num_classes)
    wrong = predicted != truth
    heights = taxonomies.common_heights(taxonomy, truth[wrong], predicted[wrong])
    metrics = {
        'top1': _share(~wrong),
        'mistake_height': float(heights.mean()) if wrong.any() else float('nan')}

    finest = list(levels)[-1]
    for name, (nodes, of_class) in levels.items():
      seen, asked = of_class[labels] >= 0, of_class[truth] >= 0    # [n], [q]
      for what, rows in (('training', seen), ('test', asked)):
        if not rows.any():
          raise ValueError(
              f'No {what} example has an ancestor at level {name!r} of the '
              'taxonomy.')
      there, right = of_class[labels[seen]], of_class[truth[asked]]
      metrics |= {
          f'top1_{name}': _share(of_class[predicted[asked]] == right),
          f'chance_{name}': scoring.chance(there, right, len(nodes))['top1'],
          f'num_classes_{name}': len(nodes), f'num_{name}': len(right)}
      if per_level and name == finest:
        metrics[f'top1_{name}_trained'] = metrics[f'top1_{name}']
      elif per_level and len(nodes) == 1:
        metrics[f'top1_{name}_trained'] = 1.0
      elif per_level:
        found = classify(x[seen], there, x_test[asked], len(nodes))
        metrics[f'top1_{name}_trained'] = _share(found == right)
    return metrics

  return run


def _share(right):
  return int(np.count_nonzero(right)) / len(right)
