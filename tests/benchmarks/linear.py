"""Seconds of linear classifiers here: a grid of them, and scikit-learn's.

  python tests/benchmarks/linear.py          # 50,000 examples, d=512.
  python tests/benchmarks/linear.py --quick  # A fifth of the examples.

First a grid of 30 heads against one, by SGD: an epoch of training alone, and as a
protocol has it, with the choice by held-out examples and the last training on all.
One head with few classes waits for memory, with many the arithmetic is 30 times as
much; both are shown.

Then L-BFGS against scikit-learn's LogisticRegression(lbfgs) on 100 classes: normal
clusters that overlap, the variance of features falling off as in those of a network
(`steep`), or all alike (`flat`). The objective and its decay are the same, both have
float32 features and stop by themselves, with scikit-learn's default tolerance. The
objective is computed from the weights in float64. Ours must not be above by more
than a thousandth, and its accuracy not lower by more than a percent.

Ours and the other take turns, so that other load on the machine falls on both, and
each has its best. Ours has compiled before; that is told apart. CPU time is there
too: on a machine that does other work as well it says more.
"""

import argparse

import jax
import numpy as np
import stopwatch
from sklearn import linear_model

from jaxssl import lbfgs
from jaxssl import linear_probe
from jaxssl import probes

WIDTH, CLASSES, DECAY = 512, 100, 1e-3
RATES = np.geomspace(0.01, 1, 6)
DECAYS = np.geomspace(1e-6, 1e-2, 5)


def clusters(n, num_classes, spectrum):
  """[n, d] features and [n] classes; about three quarters can be told apart."""
  rng = np.random.default_rng(0)
  means = 0.16 * rng.standard_normal((num_classes, WIDTH))
  labels = rng.integers(0, num_classes, n).astype(np.int32)
  x = (means[labels] + rng.standard_normal((n, WIDTH))).astype(np.float32)
  if spectrum == 'steep':  # Eigenvalues as 1 / i, along random axes.
    share = 1 / np.arange(1, WIDTH + 1)
    axes, _ = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))
    x = x @ (np.sqrt(WIDTH * share / share.sum())[:, None] * axes).astype(np.float32)
  return x, labels


def first_calls(runs):
  """{name: seconds of its first call}, which compiles."""
  return {
      name: best[0] for name, best in stopwatch.best_of(runs, 1)[0].items()}


def grid_against_one(n, num_classes, turns):
  x, labels = clusters(n, num_classes, 'flat')

  def alone(rates, decays):
    grid = np.array([(r, d) for r in rates for d in decays], np.float32)
    cells = probes.Cells(*grid.T, np.ones(len(grid), bool))
    center, scale = probes.standardization(x, standardize=False)
    return lambda: jax.block_until_ready(probes.fit(
        lambda epoch: x, labels, np.zeros(n, bool), cells, num_classes=num_classes,
        epochs=1, batch_size=1024, seed=0, center=center, scale=scale))

  def protocol(rates, decays):
    settings = linear_probe.check(
        num_classes=num_classes, optimizer='nesterov', schedule='cosine',
        rates=rates, decays=decays, epochs=1, batch_size=1024, seed=0,
        standardize=False)
    return lambda: jax.block_until_ready(linear_probe.fit(settings, x, labels)[0])

  for what, make in (('training', alone), ('protocol', protocol)):
    runs = {30: make(RATES, DECAYS), 1: make(RATES[-1:], DECAYS[:1])}
    first = first_calls(runs)
    best, _ = stopwatch.best_of(runs, turns)
    (many, many_cpu), (one, one_cpu) = best[30], best[1]
    print(
        f'grid, {num_classes} classes, {what}: 30 heads {many:.2f} s, one '
        f'{one:.2f} s: {many / one:.1f} times; CPU seconds {many_cpu:.2f} and '
        f'{one_cpu:.2f}: {many_cpu / one_cpu:.1f}; first calls {first[30]:.1f} and '
        f'{first[1]:.1f} s', flush=True)


def objective(weights, biases, x, labels):
  total = 0.
  for i in range(0, len(x), 8192):
    logits = x[i:i + 8192] @ weights.astype(np.float64) + biases
    logits -= logits[np.arange(len(logits)), labels[i:i + 8192]][:, None]
    most = logits.max(1)
    total += (most + np.log(np.exp(logits - most[:, None]).sum(1))).sum()
  return total / len(x) + DECAY / 2 * (weights.astype(np.float64) ** 2).sum()


def against_scikit_learn(n, spectrum, turns):
  x, labels = clusters(n + n // 5, CLASSES, spectrum)
  x, x_test, labels, labels_test = x[:n], x[n:], labels[:n], labels[n:]

  def ours():
    heads, stopped = lbfgs.fit(
        x, labels, np.zeros(n, bool), [DECAY], np.ones(1, bool), num_classes=CLASSES,
        iterations=1000, scale=np.ones(WIDTH, np.float32))
    assert stopped.all()
    return np.asarray(heads.weights[:, 0]), np.asarray(heads.biases[0])

  def theirs():
    fitted = linear_model.LogisticRegression(
        C=1 / (DECAY * n), max_iter=1000).fit(x, labels)
    return fitted.coef_.T, fitted.intercept_

  first = first_calls({'ours': ours})['ours']
  best, heads = stopwatch.best_of({'ours': ours, 'scikit-learn': theirs}, turns)
  (us, us_cpu), (them, them_cpu) = best['ours'], best['scikit-learn']
  print(
      f'L-BFGS, {spectrum}: ours {us:.2f} s, scikit-learn {them:.2f} s: ours is '
      f'{them / us:.1f} times as fast; CPU seconds {us_cpu:.2f} and {them_cpu:.2f}: '
      f'{them_cpu / us_cpu:.1f}; our first call {first:.1f} s')
  objectives, accuracies = {}, {}
  for name, (weights, biases) in heads.items():
    objectives[name] = objective(weights, biases, x, labels)
    accuracies[name] = ((x_test @ weights + biases).argmax(1) == labels_test).mean()
    print(
        f'  {name}: objective {objectives[name]:.7f}, test accuracy '
        f'{accuracies[name]:.4f}', flush=True)
  if (objectives['ours'] > 1.001 * objectives['scikit-learn']
      or accuracies['ours'] < accuracies['scikit-learn'] - 0.01):
    raise SystemExit('Ours is worse.')


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--quick', action='store_true', help='a fifth of the examples')
  parser.add_argument('--turns', type=int, default=3)
  parser.add_argument('--part', choices=('all', 'grid', 'lbfgs'), default='all')
  args = parser.parse_args()
  n = 10_000 if args.quick else 50_000
  print(f'{n:,} examples, d={WIDTH}, {jax.devices()[0].device_kind}')
  if args.part != 'lbfgs':
    for num_classes in (10, 100):
      grid_against_one(n, num_classes, args.turns)
  if args.part != 'grid':
    for spectrum in ('steep', 'flat'):
      against_scikit_learn(n, spectrum, args.turns)


if __name__ == '__main__':
  main()
