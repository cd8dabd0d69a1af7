"""Intervals over test examples, for numbers that are no shares of right answers.

n is the test examples. Those of shares have a closed form; see `results.intervals`.
"""

import collections

import numpy as np

from jaxssl import preemption

RESAMPLES = 200
Z = 1.959963984540054  # The normal distribution's 97.5 % quantile.


def intervals(estimates, score, n, *, seed):
  """95 % intervals: each estimate and 1.96 standard deviations of its bootstrap.

  Percentiles of the resamples themselves would lie too high: with examples that are
  there twice, clusters and classes agree better than on new ones.

  Args:
    estimates: {name: number}.
    score: int [n], how often each example is in a resample -> {name: number}, NaN
      where the resample cannot tell.
    n: how many examples there are.
    seed: of the resamples.

  Returns:
    {name: float64 [2]} limits, the upper at most 1.
  """
  rng = np.random.Generator(np.random.Philox(seed))
  found = collections.defaultdict(list)
  for _ in range(RESAMPLES):
    preemption.heed()
    counts = np.bincount(rng.integers(n, size=n), minlength=n)
    for name, value in score(counts).items():
      found[name].append(value)
  half = {name: Z * np.nanstd(found[name]) for name in estimates}
  return {
      name: np.minimum([estimate - half[name], estimate + half[name]], 1.0)
      for name, estimate in estimates.items()}
