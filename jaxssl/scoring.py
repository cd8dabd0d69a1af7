"""What protocols share: checked labels, ranks, accuracies, chance, blocks of rows.

n is the examples, k the classes. Accuracies are counted in integers, on the host.
"""

import numpy as np

RELIABILITY_BINS = 15  # As many as Guo et al. have.


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


def check_multi_labels(labels, num_classes, *, what):
  """The multi-label labels as int8, once they are known to be such.

  Args:
    labels: [n, k]: 1 where a class is there, -1 where it is not, 0 where it is
      difficult to say or, in sets that know no -1, where it is not; or None.
    num_classes: how many classes there are.
    what: how messages call the examples, such as 'The test set'.

  Raises:
    ValueError: there are no labels, or they are of another form.
  """
  if labels is None:
    raise ValueError(f'{what} has no labels, and this protocol needs them.')
  labels = np.asarray(labels)
  if labels.ndim != 2 or labels.shape[1] != num_classes:
    raise ValueError(
        f'{what} has labels of shape {labels.shape}; it should be [n, '
        f'{num_classes}], a column for each class.')
  wrong = labels[~np.isin(labels, (-1, 0, 1))]
  if wrong.size:
    raise ValueError(
        f'{what} has the label {wrong[0]}; a multi-label one is 1, 0 or -1.')
  return labels.astype(np.int8)


def check_widths(x, x_test):
  """Raises a ValueError unless the features are equally wide."""
  if x.shape[1] != x_test.shape[1]:
    raise ValueError(
        f'Training features are {x.shape[1]} wide, test features '
        f'{x_test.shape[1]}.')


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


def reliability(confidences, right):
  """How often a classifier is right when it is so sure (Guo et al. 2017, Section 2,
  https://arxiv.org/abs/1706.04599).

  Args:
    confidences: [n] probabilities of the predicted class, within [0, 1].
    right: bool [n], whether it is the right one.

  Returns:
    dict of, for each of m equal stretches of confidence, `reliability_confidence`
    [m], the mean there, `reliability_accuracy` [m], the share that is right, NaN
    both where nothing is, and `reliability_num` [m], how many examples; and `ece`,
    the expected calibration error: the mean over the examples of the distance of the
    two in their stretch.
  """
  m = RELIABILITY_BINS
  # A confidence of 1 belongs to the last; the others begin where they are open.
  place = np.clip(np.ceil(np.asarray(confidences, np.float64) * m) - 1, 0, m - 1)
  place = place.astype(int)
  num, sums, hits = (
      np.bincount(place, weights, minlength=m) for weights in (
          None, confidences, right))
  filled = np.maximum(num, 1)
  return {
      'ece': float(np.abs(sums - hits).sum() / len(place)),
      'reliability_confidence': np.where(num, sums / filled, np.nan),
      'reliability_accuracy': np.where(num, hits / filled, np.nan),
      'reliability_num': num}


def wilson(hits, counts):
  """Limits of the 95 % interval of a share, by Wilson's score method.

  They lie in [0, 1], and make sense with few examples and at shares of 0 and 1
  (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953).

  Args:
    hits: int [...] of `counts` that are right.
    counts: int [...] examples, 1 or more.

  Returns:
    float64 [...] lower and [...] upper limits.
  """
  z = 1.959963984540054  # The normal distribution's 97.5 % quantile.
  share = hits / counts
  middle = (share + z**2 / (2 * counts)) / (1 + z**2 / counts)
  half = z / (1 + z**2 / counts) * np.sqrt(
      share * (1 - share) / counts + z**2 / (4 * counts**2))
  # Rounding must not put the share, where it is 0 or 1, outside the limits.
  return np.minimum(middle - half, share), np.maximum(middle + half, share)


def blocks(n, most):
  """Slices of one length, `most` or less, that cover range(n).

  The last may overlap the one before it, so that one compiled program serves all.
  """
  length = -(-n // -(-n // most))
  return [
      slice(start, start + length)
      for start in (min(i, n - length) for i in range(0, n, length))]
