"""Linear support vector machines on frozen features, on all examples or a few.

The transfer of PCL (https://arxiv.org/abs/2005.04966, Section 4), with the
settings of its code: VOC07, where an image has several labels, and Places205, where
it has one. n is the training examples, q those of the test set, d the features'
width, c the classes.
"""

import functools
import warnings

import numpy as np
from sklearn import exceptions
from sklearn import svm

from jaxssl import bootstrap
from jaxssl import features
from jaxssl import paired
from jaxssl import preemption
from jaxssl import probes
from jaxssl import ranking
from jaxssl import scoring

PROTOCOL = 'svm'
VERSION = 1


def make(
    embed, *, train, test, num_classes, class_names, cost, positive_weight, tol,
    max_iter, difficult, full, shots, num_draws, seed, feature='h'):
  """Fits linear SVMs one against the rest and scores them on `test`.

  Each feature vector is divided by its L2 norm plus 1e-5. An SVM is scikit-learn's
  LinearSVC: squared hinge, L2 penalty, dual, an intercept that is penalised too.

  With labels [n, c], one for each class: its positives weigh `positive_weight`,
  and average precision ranks the test examples by the decision function (see
  `ranking`). With labels [n], a single multi-class LinearSVC without weights.

  With few examples ("low-shot"), k training examples of each class are drawn and
  put together, and all classes are fitted on these c * k; an example that is drawn
  for two of its classes is there twice. A draw is a function of the seed, its
  number and the class, and the examples of a lower k are among those of a higher:
  PCL's code draws anew for each k. A class that all examples drawn have, so that
  it has no negative, is not fitted: all its scores are 0.

  Args:
    embed: see `features`.
    train: batches with labels [n] of classes, or [n, c] of 1 (there), -1 (not
      there) and 0 (difficult to say); where there is no -1, 0 is as good for it.
    test: batches with labels of the same form.
    num_classes: how many classes there are.
    class_names: their names for messages, or None.
    cost: of a margin that is not kept ("C").
    positive_weight: of a class's positives where its negatives weigh 1.
    tol: at which the solver stops.
    max_iter: at which it stops too.
    difficult: 'negative', as in PCL's code, or 'ignore': the class's classifier and
      its average precision leave those examples out, as VOC's devkit does.
    full: whether to fit on all training examples.
    shots: numbers k of training examples of each class, or none.
    num_draws: how often k examples are drawn.
    seed: of the draws and of the solver.
    feature: 'h' or 'z'.

  Returns:
    run(params, extra) -> dict. With labels [n, c] `map` and `map_11`, the mean over
    classes of both forms of average precision, and `ap` and `ap_11` [c]; with
    labels [n] `top1` and, with more than five classes, `top5`, and which test
    examples were right (`paired.record`). For each k of `shots` the mean and the
    standard deviation over draws, as `map_k1_mean` and `map_k1_std`. Of `map`,
    `map_11` and the means, with `_interval` [2] behind the name, the 95 % interval
    over the test examples (`bootstrap.intervals`). `chance_map` is the share of
    positives, `chance_top1` (with shots) that of a guess among all classes, which
    are drawn alike. `num_unconverged` of the `num_fits` fits stopped at `max_iter`.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing or
      wrong, a class has no or too few positives, or with `full` no negative, or the
      widths differ.
  """
  shots = tuple(shots)
  for name, value, good, wanted in (
      ('cost', cost, cost > 0, 'above 0'),
      ('positive_weight', positive_weight, positive_weight > 0, 'above 0'),
      ('tol', tol, tol > 0, 'above 0'),
      ('max_iter', max_iter, max_iter >= 1, '1 or more'),
      ('seed', seed, seed >= 0, '0 or more'),
      ('difficult', difficult, difficult in ('negative', 'ignore'),
       'negative or ignore'),
      ('shots', shots, all(k >= 1 for k in shots), '1 or more each'),
      ('shots', shots, full or shots, 'there where full is off'),
      ('num_draws', num_draws, num_draws >= 2 or not shots, '2 or more')):
    if not good:
      raise ValueError(f'{name} is {value!r}; it must be {wanted}.')
  called = functools.partial(_called, class_names)
  solver = functools.partial(
      svm.LinearSVC, C=cost, penalty='l2', loss='squared_hinge', dual=True, tol=tol,
      max_iter=max_iter, intercept_scaling=1, random_state=seed)

  def run(params, extra):
    x, labels = features.extract(embed, params, extra, train, feature)
    with features.shared():
      x_test, truth = features.extract(embed, params, extra, test, feature)
      ids = features.outputs(embed, params, extra, test).index
    several = np.ndim(labels) == 2
    check = scoring.check_multi_labels if several else scoring.check_labels
    labels = check(labels, num_classes, what='The training set')
    truth = check(truth, num_classes, what='The test set')
    scoring.check_widths(x, x_test)
    x_test = _scaled(x_test)
    members = _members(labels, num_classes)
    _check_counts(
        [len(rows) for rows in members], max(shots, default=1), 'training', called)
    if several:
      _check_counts((truth == 1).sum(0), 1, 'test', called)
    if several and full:
      _check_counts(negatives(labels).sum(0), 1, 'negative training', called)
    unconverged, once = [], np.ones(len(truth), int)

    def fitted(rows):
      """Fits on some rows -> [q, c] scores of the test examples."""
      fit = fit_each if several else fit_all
      weights, biases = fit(_scaled(x[rows]), labels[rows], unconverged)
      return x_test @ weights.T + biases

    def judge(scores):
      """counts [q], how often each test example is there -> {metric: number}."""
      if several:
        return functools.partial(_mean_precisions, precisions(scores, truth))
      ranks = scoring.ranks(scores, truth)
      return lambda counts: scoring.accuracies(np.repeat(ranks, counts), num_classes)

    metrics = {}
    if full:
      scores = fitted(slice(None))
      metrics = judge(scores)(once)
      if several:
        area, eleven = precisions(scores, truth)(once)
        limits = bootstrap.intervals(metrics, judge(scores), len(truth), seed=seed)
        metrics |= {'ap': area, 'ap_11': eleven}
        metrics |= {f'{name}_interval': x for name, x in limits.items()}
      else:
        metrics |= paired.record(scoring.ranks(scores, truth) == 0, ids, truth)
    for k in shots:
      mean, spread, interval = _over_draws([
          judge(fitted(_draw(members, k, seed=seed, draw=draw)))
          for draw in range(num_draws)], len(truth), seed)
      for name in mean:
        metrics |= {
            f'{name}_k{k}_mean': mean[name], f'{name}_k{k}_std': spread[name],
            f'{name}_k{k}_mean_interval': interval[name]}
    if several:
      metrics['chance_map'] = judge(np.zeros(truth.shape))(once)['map']
    elif shots:
      metrics['chance_top1'] = 1 / num_classes
    return {
        **metrics, 'num_unconverged': sum(unconverged),
        'num_fits': len(unconverged)}

  def fit_each(x, labels, unconverged):
    """An SVM for each class -> [c, d] weights and [c] biases."""
    weights, biases = np.zeros((num_classes, x.shape[1])), np.zeros(num_classes)
    for c in range(num_classes):
      positive, negative = labels[:, c] == 1, negatives(labels[:, c])
      if negative.any():
        rows = positive | negative
        weights[c:c + 1], biases[c:c + 1] = _fit(
            solver(class_weight={1: positive_weight, -1: 1}), x[rows],
            np.where(positive[rows], 1, -1), unconverged)
    return weights, biases

  def negatives(labels):
    return labels < (0 if difficult == 'ignore' else 1)

  def fit_all(x, labels, unconverged):
    """One SVM for all classes -> [c, d] weights and [c] biases."""
    weights, biases = _fit(solver(), x, labels, unconverged)
    if num_classes == 2:  # There LinearSVC has one row, of the second class.
      weights, biases = (np.concatenate([-a, a]) for a in (weights, biases))
    return weights, biases

  def precisions(scores, truth):
    counts = truth != 0 if difficult == 'ignore' else None
    return ranking.average_precisions(scores, truth == 1, counts)

  return run


def _over_draws(judges, q, seed):
  """Of each number the mean over draws, its standard deviation and its interval.

  Args:
    judges: of each draw, counts [q] -> {name: number}.
    q: how many test examples there are.
    seed: of the intervals.
  """
  def means(counts):
    each = [judge(counts) for judge in judges]
    return {name: float(np.mean([m[name] for m in each])) for name in each[0]}

  once = np.ones(q, int)
  mean, each = means(once), [judge(once) for judge in judges]
  spread = {name: float(np.std([m[name] for m in each], ddof=1)) for name in mean}
  return mean, spread, bootstrap.intervals(mean, means, q, seed=seed)


def _mean_precisions(precisions, counts):
  """Over classes; one that a resample has no positive of does not count."""
  area, eleven = precisions(counts)
  there = ~np.isnan(area)
  if not there.any():
    return {'map': np.nan, 'map_11': np.nan}
  return {'map': float(area[there].mean()), 'map_11': float(eleven[there].mean())}


def _scaled(x):
  # LinearSVC works in float64: converted here, it is not converted in every fit.
  x = x.astype(np.float64)
  return x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-5)


def _fit(machine, x, target, unconverged):
  preemption.heed()
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    machine.fit(x, target)
  unconverged.append(bool(machine.n_iter_ >= machine.max_iter))
  return machine.coef_, machine.intercept_


def _members(labels, num_classes):
  """The rows of each class's examples, ascending: a list of c arrays."""
  if labels.ndim == 2:
    return [np.flatnonzero(column == 1) for column in labels.T]
  counts = np.bincount(labels, minlength=num_classes)
  return np.split(np.argsort(labels, kind='stable'), np.cumsum(counts)[:-1])


def _check_counts(counts, least, what, called):
  for c, count in enumerate(counts):
    if count < least:
      raise ValueError(
          f'{called(c)} has {count} {what} examples; it needs {least} or more.')


def _draw(members, k, *, seed, draw):
  """k rows of each class, in one array [c * k]."""
  return np.concatenate([
      rows[probes.order(len(rows), seed=seed, stream=draw * len(members) + c)[:k]]
      for c, rows in enumerate(members)])


def _called(class_names, c):
  return f'Class {c} ({class_names[c]})' if class_names else f'Class {c}'
