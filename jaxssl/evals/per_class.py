"""Accuracy of each class and each taxon, and which test examples were right.

q is the test examples, c the classes, t the taxa of a level.
"""

import numpy as np

from jaxssl import classifiers
from jaxssl import features
from jaxssl import scoring
from jaxssl import taxonomy as taxonomies

PROTOCOL = 'per_class'
VERSION = 1


def make(
    embed, *, train, test, num_classes, class_names, taxonomy, by, num_listed,
    feature='h'):
  """Classifies the test examples and counts what is right, class by class.

  Of a taxon it is the share of its examples whose class, not only whose taxon, is
  right. Intervals are Wilson's at 95 % (`scoring.wilson`), each for its class
  alone. `correct`, `ids` and `labels` are what `paired.differences` compares two
  results by.

  Args:
    embed: see `features`.
    train: batches with labels.
    test: batches with labels.
    num_classes: how many classes there are.
    class_names: their names, or None for those at the last level of the taxonomy
      or, without one, their numbers.
    taxonomy: {level: the name of each class's ancestor}, see `taxonomy`; the path
      of a JSON file with it; or None.
    by: the classifier: dict of `name`, 'linear' or 'knn', and the keywords of that
      function in `classifiers`.
    num_listed: how many of the best and worst classes are listed.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> dict of `top1`; of each class [c] the `names`, `accuracy`,
    its interval `lower` and `upper` and the number `num` of its test examples;
    `best` and `worst`, names of classes, of equally good ones the lower first; the
    same five of the [t] taxa at each level above the classes, as `accuracy_family`,
    and `taxon_family` [c], the number of each class's taxon, -1 without; and of
    each test example [q] its id in `ids`, class in `labels`, and 1 or 0 in
    `correct`.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing or
      out of range, a class has no test example, or the taxonomy is no tree.
  """
  classify = classifiers.make(by)
  if num_listed < 1:
    raise ValueError(f'num_listed is {num_listed}; it must be 1 or more.')
  if isinstance(taxonomy, str):
    taxonomy = taxonomies.read(taxonomy)

  def run(params, extra):
    levels = taxonomies.levels(taxonomy, num_classes) if taxonomy else {}
    names = class_names
    if names is None:
      names = list(taxonomy.values())[-1] if taxonomy else range(num_classes)
    names = [str(name) for name in names]
    x, labels = features.extract(embed, params, extra, train, feature)
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    found = features.outputs(embed, params, extra, test, feature=feature)
    truth = scoring.check_labels(found.labels, num_classes, what='The test set')
    absent = np.flatnonzero(np.bincount(truth, minlength=num_classes) == 0)
    if absent.size:
      raise ValueError(
          f'{len(absent)} of {num_classes} classes have no test example, the '
          f'first is {names[absent[0]]!r}.')

    predicted = classify(x, labels, found.features[feature], num_classes)
    correct = predicted == truth
    classes = _rows(names, truth, correct)
    order = np.argsort(-classes['accuracy'], kind='stable')
    reverse = np.argsort(classes['accuracy'], kind='stable')
    metrics = {
        'top1': int(correct.sum()) / len(correct), **classes,
        'best': [names[c] for c in order[:num_listed]],
        'worst': [names[c] for c in reverse[:num_listed]],
        'ids': found.index, 'labels': truth, 'correct': correct.astype(int)}
    for level, (taxa, of_class) in list(levels.items())[:-1]:
      there = of_class[truth] >= 0
      rows = _rows(taxa, of_class[truth[there]], correct[there])
      metrics |= {f'{name}_{level}': values for name, values in rows.items()}
      metrics[f'taxon_{level}'] = of_class
    return metrics

  return run


def _rows(names, group, correct):
  """The accuracy of each group of examples, all of which have some."""
  num = np.bincount(group, minlength=len(names))
  hits = np.bincount(group[correct], minlength=len(names))
  lower, upper = scoring.wilson(hits, num)
  return {
      'names': list(names), 'accuracy': hits / num, 'lower': lower, 'upper': upper,
      'num': num}
