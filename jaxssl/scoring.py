"""What protocols share: checked labels, ranks, accuracies, chance, blocks of rows.

n is the examples, k the classes. Accuracies are counted in integers, on the host.
"""

import numpy as np


def check_labels(labels, num_classes, *, what):
  """The labels as int32, once they are known to be classes.

  Args:
    labels: [n] integers, or None.
    num_classes: how many classes there are.
    what: how messages call the examples, such as 'The test set'.

  Raises:
    ValueError: there are no labels, several for an example, or one out of range.
  """
  if labels is None:
    raise ValueError(f'{what} has no labels, and this protocol needs them.')
  labels = np.asarray(labels)
  if labels.ndim != 1:
    raise ValueError(
        f'{what} has labels of shape {labels.shape}; this protocol takes one class '
        'for each example.')
  if not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(f'{what} has labels of type {labels.dtype}, not integers.')
  if labels.min() < 0 or labels.max() >= num_classes:
    raise ValueError(
        f'{what} has labels from {labels.min()} to {labels.max()}; with '
        f'num_classes {num_classes} they go from 0 to {num_classes - 1}.')
  return labels.astype(np.int32)


def ranks(scores, labels):
  """How many classes are put before the right one: 0 is a hit.

  Of classes with equal scores the lower comes first, as in `argmax`.

  Args:
    scores: [..., k] of each class, NumPy or JAX.
    labels: [...] the right classes, of a shape that broadcasts against the scores'.

  Returns:
    [...] ranks; k where a score is not finite, for NaN must never be a hit.
  """
  xp = scores.__array_namespace__()
  num_classes = scores.shape[-1]
  labels = xp.broadcast_to(labels, scores.shape[:-1])[..., None]
  truth = xp.take_along_axis(scores, labels, axis=-1)
  lower = xp.arange(num_classes) < labels
  before = ((scores > truth) | ((scores == truth) & lower)).sum(-1)
  return xp.where(xp.isfinite(scores).all(-1), before, num_classes)


def accuracies(ranks, num_classes):
  """{'top1': share} of the [n] ranks, and 'top5' where there are more classes."""
  return {
      f'top{t}': int((np.asarray(ranks) < t).sum()) / len(ranks)
      for t in (1, 5) if t == 1 or num_classes > t}


def chance(train_labels, test_labels, num_classes):
  """What guessing without looking at the images gets: the control row.

  The guess is the most frequent class of training, or the five most frequent; of
  equally frequent ones the lower.

  Args:
    train_labels: [n] classes.
    test_labels: [n] classes.
    num_classes: how many classes there are.

  Returns:
    {'top1': accuracy}, and 'top5' where there are more than five classes.

  Raises:
    ValueError: see `check_labels`.
  """
  train_labels = check_labels(train_labels, num_classes, what='The training set')
  test_labels = check_labels(test_labels, num_classes, what='The test set')
  counts = np.bincount(train_labels, minlength=num_classes)
  place = np.argsort(np.argsort(-counts, kind='stable'))  # Class -> its rank.
  return accuracies(place[test_labels], num_classes)


def blocks(n, most):
  """Slices of one length, `most` or less, that cover range(n).

  The last may overlap the one before it, so that one compiled program serves all.
  """
  length = -(-n // -(-n // most))
  return [
      slice(start, start + length)
      for start in (min(i, n - length) for i in range(0, n, length))]
