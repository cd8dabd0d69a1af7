"""A linear classifier whose settings are chosen on held-out training examples.

What `linear` and `fusion` share. n is the examples, d the features' width, g the
heads that are trained side by side.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from jaxssl import lbfgs
from jaxssl import probes
from jaxssl import scoring

OPTIMIZERS = (*probes.OPTIMIZERS, 'lbfgs')


class Settings(NamedTuple):
  """How classifiers are trained; made by `check`."""
  num_classes: int
  optimizer: str
  schedule: str
  rates: Any       # Ascending; [0.0] where there is none, with L-BFGS.
  decays: Any      # Ascending.
  epochs: int
  batch_size: int
  seed: int
  standardize: bool

  @property
  def cells(self):
    return [(rate, decay) for rate in self.rates for decay in self.decays]


def check(
    *, num_classes, optimizer, schedule, rates, decays, epochs, batch_size, seed,
    standardize):
  """The settings of the classifiers, once they are known to fit each other.

  Args:
    num_classes: how many classes there are.
    optimizer: 'nesterov' or 'momentum', SGD with this kind of momentum 0.9; or
      'lbfgs', all examples at each iteration (see `lbfgs`).
    schedule: of SGD's rate: 'cosine' or 'steps' (see `probes.fit`); 'none' with
      L-BFGS.
    rates: SGD's learning rates to choose from, per 256 examples; () with L-BFGS.
    decays: weight decays to choose from.
    epochs: passes over the training examples; with L-BFGS, iterations at most.
    batch_size: of SGD's minibatches, at most; 0 with L-BFGS.
    seed: of the order and the held-out part.
    standardize: whether each feature is first given mean 0 and variance 1 over the
      training examples.

  Returns:
    `Settings`.

  Raises:
    ValueError: one is out of range.
  """
  if optimizer not in OPTIMIZERS:
    raise ValueError(f'No optimizer {optimizer!r}. There are: {", ".join(OPTIMIZERS)}.')
  by_sgd = optimizer != 'lbfgs'
  if by_sgd and schedule not in probes.SCHEDULES:
    raise ValueError(
        f'No schedule {schedule!r}. There are: {", ".join(probes.SCHEDULES)}.')
  if not by_sgd:
    if (tuple(rates), schedule, batch_size) != ((), 'none', 0):
      raise ValueError(
          f'L-BFGS has no rates, schedule or minibatches: rates {tuple(rates)}, '
          f"schedule {schedule!r} and batch_size {batch_size} must be (), 'none' "
          'and 0.')
    rates = (0.0,)
  rates, decays = np.unique(rates), np.unique(decays)
  if not (rates.size and decays.size and (rates[0] > 0 or not by_sgd)
          and decays[0] >= 0 and np.isfinite([*rates, *decays]).all()):
    raise ValueError(
        f'The grid has rates {rates.tolist()} and decays {decays.tolist()}; it '
        'needs at least one of each, rates above 0 and decays of 0 or more.')
  for name, value, least in (
      ('num_classes', num_classes, 2), ('epochs', epochs, 1),
      ('batch_size', batch_size, int(by_sgd)), ('seed', seed, 0)):
    if value < least:
      raise ValueError(f'{name} is {value}; it must be {least} or more.')
  return Settings(
      num_classes, optimizer, schedule, rates, decays, epochs, batch_size, seed,
      standardize)


def fit(settings, x, labels, *, features_of=None):
  """Trains a classifier in every cell of the grid and keeps the best.

  A tenth of the examples, fixed by the seed, is held out; the cell with the highest
  top-1 there, then the lowest cross-entropy, is trained on all of them.

  Args:
    settings: `Settings`.
    x: float32 [n, d] features to choose by, on the host.
    labels: int32 [n] classes.
    features_of: None, or epoch -> the features [n, d] to train on in that epoch.
      They may take long to make: every cell is then trained with and without the
      held-out part in the one pass.

  Returns:
    The best of the `probes.Heads`, alone, and a dict of `rate` (not with L-BFGS)
    and `decay` of its cell, its `holdout_top1`; `holdout_grid` [rates, decays], the
    same of every cell, ascending; `diverged`, how many cells did; `on_edge`, 1 if a
    rate or decay beyond the grid might do better (no decay at all is no edge); and
    with L-BFGS `converged`, whether it took fewer iterations than it had.
  """
  held_out = probes.order(len(x), seed=settings.seed, stream=0) < -(-len(x) // 10)
  center, scale = probes.standardization(x, standardize=settings.standardize)
  shared = dict(num_classes=settings.num_classes, center=center, scale=scale)
  cells = settings.cells
  if features_of is not None:
    both, _ = _fit(
        settings, features_of, labels, held_out, cells * 2,
        np.arange(2 * len(cells)) >= len(cells), shared)
    best, chosen = _choose(
        settings, probes.pick(both, 0, len(cells)), x[held_out], labels[held_out])
    return probes.pick(both, len(cells) + best, len(cells) + best + 1), chosen

  def same(epoch):
    return x

  seekers, _ = _fit(
      settings, same, labels, held_out, cells, np.zeros(len(cells), bool), shared)
  best, chosen = _choose(settings, seekers, x[held_out], labels[held_out])
  head, stopped = _fit(
      settings, same, labels, held_out, cells[best:best + 1], np.ones(1, bool), shared)
  return head, {**chosen, **stopped}


def _fit(settings, features_of, labels, held_out, cells, on_all, shared):
  rates, decays = np.array(cells, np.float32).T
  if settings.optimizer == 'lbfgs':
    heads, stopped = lbfgs.fit(
        features_of(0), labels, held_out, decays, on_all, iterations=settings.epochs,
        num_classes=shared['num_classes'], scale=shared['scale'])
    return heads, {'converged': int(stopped.all())}
  cells = probes.Cells(rates * settings.batch_size / 256, decays, on_all)
  return probes.fit(
      features_of, labels, held_out, cells, epochs=settings.epochs,
      batch_size=settings.batch_size, seed=settings.seed,
      optimizer=settings.optimizer, schedule=settings.schedule, **shared), {}


def _choose(settings, heads, x, labels):
  """The best head by the held-out examples, and what is reported of the choice."""
  rates, decays = settings.rates, settings.decays
  ranks, losses = probes.score(heads, x, labels)
  hits, loss = (ranks == 0).sum(0), losses.mean(0, dtype=np.float64)
  best = int(np.lexsort((np.where(np.isfinite(loss), loss, np.inf), -hits))[0])
  i, j = divmod(best, len(decays))
  rate_on_edge = len(rates) > 1 and i in (0, len(rates) - 1)
  decay_on_edge = len(decays) > 1 and (
      j == len(decays) - 1 or (j == 0 and decays[0] > 0))
  return best, {
      **({} if settings.optimizer == 'lbfgs' else {'rate': float(rates[i])}),
      'decay': float(decays[j]), 'holdout_top1': int(hits[best]) / len(x),
      'holdout_grid': (hits / len(x)).reshape(len(rates), len(decays)),
      'diverged': int((~np.isfinite(loss)).sum()),
      'on_edge': int(rate_on_edge or decay_on_edge)}


def accuracies(head, x, labels, num_classes):
  """{'top1', and with more than 5 classes 'top5'} of one head; see `scoring`."""
  return scoring.accuracies(probes.score(head, x, labels)[0][:, 0], num_classes)
