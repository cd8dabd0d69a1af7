"""Seconds of linear classifiers here: a grid of them, and scikit-learn's.

  python -m tests.benchmarks.linear          # 50,000 examples, d=512.
  python -m tests.benchmarks.linear --quick  # A fifth of the examples.

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
each has its median. Ours has compiled before; what its first call took is told apart.
CPU seconds are there too: on a machine that does other work as well their ratio says
more.
"""

import jax
import numpy as np

from jaxssl import huge_pages
from jaxssl import lbfgs
from jaxssl import linear_probe
from jaxssl import probes
from tests.benchmarks import stopwatch
from tests.benchmarks import table

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


def grid_against_one(n, num_classes, turns):
  """Two rows: an epoch alone, and the whole protocol."""
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

  found = []
  for what, make in (('training', alone), ('protocol', protocol)):
    runs = {'30': make(RATES, DECAYS), '1': make(RATES[-1:], DECAYS[:1])}
    first, _ = stopwatch.by_turns(runs, 1)
    times, _ = stopwatch.by_turns(runs, turns)
    (many, many_cpu), (one, one_cpu) = times['30'], times['1']
    found.append(table.Row(
        f'linear: an epoch of 30 heads by SGD, {n:,} x {WIDTH}, {num_classes} classes, '
        f'{what}', 's', float(many), 'one head', float(one), ('ratio', '<=', 3),
        note=f'CPU seconds {many_cpu:.1f} and {one_cpu:.1f}, first calls '
             f'{first["30"][0]:.1f} and {first["1"][0]:.1f} s'))
  return found


def objective(weights, biases, x, labels):
  total = 0.
  for i in range(0, len(x), 8192):
    logits = x[i:i + 8192] @ weights.astype(np.float64) + biases
    logits -= logits[np.arange(len(logits)), labels[i:i + 8192]][:, None]
    most = logits.max(1)
    total += (most + np.log(np.exp(logits - most[:, None]).sum(1))).sum()
  return total / len(x) + DECAY / 2 * (weights.astype(np.float64) ** 2).sum()


def against_scikit_learn(n, spectrum, turns):
  """One row; raises where ours finds worse weights."""
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

  runs, peer = {'ours': ours}, 'scikit-learn'
  first, _ = stopwatch.by_turns(runs, 1)
  try:
    from sklearn import linear_model
    runs[peer] = theirs
  except ImportError as e:
    peer = f'scikit-learn: {e}'
  times, heads = stopwatch.by_turns(runs, turns)
  note = f'first call {first["ours"][0]:.1f} s'
  if peer in runs:
    (lowest, best), (their_lowest, their_best) = (
        scores(*heads[name], x, labels, x_test, labels_test) for name in runs)
    if lowest > 1.001 * their_lowest or best < their_best - 0.01:
      raise RuntimeError(
          f'Ours is worse: objective {lowest:.6f} and {their_lowest:.6f}, accuracy '
          f'{best:.4f} and {their_best:.4f}.')
    note += (
        f', CPU seconds {times["ours"][1]:.1f} and {times[peer][1]:.1f}, objective '
        f'{lowest:.5f} and {their_lowest:.5f}, accuracy {best:.3f} and '
        f'{their_best:.3f}')
  return table.Row(
      f'linear: L-BFGS, {n:,} x {WIDTH}, {CLASSES} classes, {spectrum}', 's',
      float(times['ours'][0]), peer, float(times[peer][0]) if peer in runs else None,
      ('ratio', '<=', 0.2), note=note)


def scores(weights, biases, x, labels, x_test, labels_test):
  """The objective, and the share of test examples that are right."""
  right = (x_test @ weights + biases).argmax(1) == labels_test
  return objective(weights, biases, x, labels), float(right.mean())


def rows(quick, part='all'):
  n = 10_000 if quick else 50_000
  found = []
  if part != 'lbfgs':
    for num_classes in (10, 100):  # Some take a tenth of a second, and vary.
      found += grid_against_one(n, num_classes, turns=15)
  if part != 'grid':
    found += [against_scikit_learn(n, s, turns=5) for s in ('steep', 'flat')]
  return found


def main():
  parser = table.parser(__doc__)
  parser.add_argument('--part', choices=('all', 'grid', 'lbfgs'), default='all')
  args = parser.parse_args()
  table.deliver(rows(args.quick, args.part), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
