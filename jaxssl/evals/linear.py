"""Linear classification of frozen features.

The usual measure of a representation, as in SimCLR
(https://arxiv.org/abs/2002.05709, Appendix B.6), but for a grid of learning rates
and weight decays that are trained side by side.
"""

import functools

import numpy as np

from jaxssl import features
from jaxssl import probes
from jaxssl import scoring

PROTOCOL = 'linear'
VERSION = 1


def make(
    embed, *, train, test, num_classes, rates, decays, epochs, batch_size, seed,
    standardize, feature='h', augment=None):
  """Trains a linear classifier on features of `train` and scores it on `test`.

  As in SimCLR's reference code: SGD with Nesterov momentum 0.9, a cosine without
  warm-up, weights from zero, decay of the weights but not of the biases. The rate
  of the first step is rate * batch_size / 256. The code's own setting is rate 0.1
  with decay 1e-6 for 90 epochs of 4096 on ImageNet, decay 0 for 100 epochs of 512
  on CIFAR.

  A tenth of the training examples, fixed by the seed, is held out; the cell of the
  grid with the highest top-1 there, then the lowest cross-entropy, is trained on
  all of them. The test examples are seen once, at the end. Scores that are no
  longer finite are never right.

  Frozen features are extracted once. With `augment` they are extracted anew for
  each epoch, from random views; to choose and to test, the images are still seen as
  `embed` sees them. The encoder is then what takes the time, so every cell is
  trained with and without the held-out part in the one pass.

  Args:
    embed: see `features`.
    train: batches with labels.
    test: batches with labels.
    num_classes: how many classes there are.
    rates: learning rates to choose from, per 256 examples.
    decays: weight decays to choose from.
    epochs: passes over the training examples.
    batch_size: of a minibatch, at most.
    seed: of the order and the held-out part.
    standardize: whether each feature is first given mean 0 and variance 1 over the
      training examples.
    feature: 'h' or 'z'.
    augment: None, or the embed of random views (`features.with_random_view`).

  Returns:
    run(params, extra) -> dict of `top1` and, with more than 5 classes, `top5` on
    the test set; `train_top1`; `rate` and `decay` of the chosen cell and its
    `holdout_top1`; `holdout_grid` [rates, decays], the same of every cell, rates
    and decays ascending; `diverged`, how many cells did; and `on_edge`, 1 if a rate
    or decay beyond the grid might do better (no decay at all is no edge).

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing or
      out of range, or the features of train and test differ in width.
  """
  rates, decays = np.unique(rates), np.unique(decays)
  if not (rates.size and decays.size and rates[0] > 0 and decays[0] >= 0
          and np.isfinite([*rates, *decays]).all()):
    raise ValueError(
        f'The grid has rates {rates.tolist()} and decays {decays.tolist()}; it '
        'needs at least one of each, rates above 0 and decays of 0 or more.')
  for name, value, least in (
      ('num_classes', num_classes, 2), ('epochs', epochs, 1),
      ('batch_size', batch_size, 1), ('seed', seed, 0)):
    if value < least:
      raise ValueError(f'{name} is {value}; it must be {least} or more.')
  cells = [(rate, decay) for rate in rates for decay in decays]

  def run(params, extra):
    x, labels = features.extract(embed, params, extra, train, feature)
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    x_test, truth = features.extract(embed, params, extra, test, feature)
    truth = scoring.check_labels(truth, num_classes, what='The test set')
    if x.shape[1] != x_test.shape[1]:
      raise ValueError(
          f'Training features are {x.shape[1]} wide, test features '
          f'{x_test.shape[1]}.')

    def features_of(epoch):
      if augment is None:
        return x
      views = features.in_epoch(train, epoch)
      return features.extract(augment, params, extra, views, feature)[0]

    held_out = probes.order(len(x), seed=seed, stream=0) < -(-len(x) // 10)
    center, scale = probes.standardization(x, standardize=standardize)
    fit = functools.partial(
        _fit, features_of, labels, held_out, num_classes=num_classes,
        epochs=epochs, batch_size=batch_size, seed=seed, center=center, scale=scale)

    if augment is None:
      seekers = fit(cells, on_all=[False] * len(cells))
    else:
      both = fit(cells * 2, on_all=[False] * len(cells) + [True] * len(cells))
      seekers = probes.pick(both, 0, len(cells))
    best, chosen = _choose(seekers, x[held_out], labels[held_out], rates, decays)
    if augment is None:
      head = fit(cells[best:best + 1], on_all=[True])
    else:
      head = probes.pick(both, len(cells) + best, len(cells) + best + 1)

    test_ranks, train_ranks = (
        probes.score(head, *examples)[0][:, 0]
        for examples in ((x_test, truth), (x, labels)))
    return {
        **scoring.accuracies(test_ranks, num_classes),
        'train_top1': scoring.accuracies(train_ranks, num_classes)['top1'],
        **chosen}

  return run


def _fit(features_of, labels, held_out, cells, *, on_all, batch_size, **settings):
  rate, decay = np.array(cells, np.float32).T
  return probes.fit(
      features_of, labels, held_out,
      probes.Cells(rate * batch_size / 256, decay, np.array(on_all)),
      batch_size=batch_size, **settings)


def _choose(heads, x, labels, rates, decays):
  """The best head by the held-out examples, and what is reported of the choice."""
  ranks, losses = probes.score(heads, x, labels)
  hits, loss = (ranks == 0).sum(0), losses.mean(0, dtype=np.float64)
  best = int(np.lexsort((np.where(np.isfinite(loss), loss, np.inf), -hits))[0])
  i, j = divmod(best, len(decays))
  rate_on_edge = len(rates) > 1 and i in (0, len(rates) - 1)
  decay_on_edge = len(decays) > 1 and (
      j == len(decays) - 1 or (j == 0 and decays[0] > 0))
  return best, {
      'rate': float(rates[i]), 'decay': float(decays[j]),
      'holdout_top1': int(hits[best]) / len(x),
      'holdout_grid': (hits / len(x)).reshape(len(rates), len(decays)),
      'diverged': int((~np.isfinite(loss)).sum()),
      'on_edge': int(rate_on_edge or decay_on_edge)}
