"""Results of evaluations as files: what was measured, on what, with what beside it.

  eval/<name>/<step>.json   or features.json where no checkpoint was read
"""

import pathlib
import re

import jax
import numpy as np
import scipy.stats

from jaxssl import files
from jaxssl import plugins
from jaxssl import workdir as workdirs

# Metrics that are shares of the test examples, perhaps of those with a name at a
# level; holdout_top1 and what is a mean over draws are not.
SHARE = re.compile(r'top\d+(?:_(?P<level>.+?))?(?<!_mean)(?<!_std)$')
LEVEL = 0.95


def write(
    folder, key, settings, metrics, controls, *, step, digest, seed, num_examples,
    num_classes, **more):
  """Writes a result to `<folder>/<key>/<step>.json`.

  Args:
    folder: such as a workdir's `eval/`.
    key: the evaluation's name in config.evals.
    settings: its entry there.
    metrics: {name: number or array}, what the protocol's `run` returned.
    controls: {'random_init': metrics or None, 'chance': metrics or None}.
    step: of the checkpoint, or 'features'.
    digest: of the checkpoint, or None.
    seed: of the run, or None.
    num_examples: {'train': n, 'test': n}, those that the protocol reads.
    num_classes: of the labels; 0 without.
    **more: other entries, such as where features came from.
  """
  protocol = plugins.load('evals', settings['name'])
  path = pathlib.Path(folder) / key / f'{step}.json'
  with files.storage_errors(f'Cannot make {path.parent}'):
    path.parent.mkdir(parents=True, exist_ok=True)
  seeds = {'run': seed, **{k: v for k, v in settings.items() if k == 'seed'}}
  files.write_json(path, plain({
      'protocol': protocol.PROTOCOL, 'version': protocol.VERSION, 'step': step,
      'digest': digest, 'seeds': seeds, 'num_examples': num_examples,
      'num_classes': num_classes, 'settings': settings, 'metrics': metrics,
      'intervals': intervals(metrics, num_examples.get('test')),
      'controls': controls, 'versions': workdirs.versions(), **more}))


def intervals(metrics, num_test):
  """95 % bootstrap intervals of metrics over the test examples.

  Of `ami` it is what the protocol gives as `ami_interval` [2]; see `bootstrap`. For
  shares of right answers nothing need be given: a resample of n examples of which a
  share p is right has a binomial number of right ones, so the percentile bootstrap's
  limits are its quantiles, without a draw.

  Args:
    metrics: {name: number or array}.
    num_test: n; None where nobody knows.

  Returns:
    {name: [low, high]} of those that have an interval, or that `SHARE` names.
  """
  ends, found = ((1 - LEVEL) / 2, (1 + LEVEL) / 2), {}
  for name, value in metrics.items():
    share = SHARE.match(name)
    if f'{name}_interval' in metrics:
      found[name] = np.asarray(metrics[f'{name}_interval']).tolist()
    elif share and num_test and np.ndim(value) == 0 and 0 <= value <= 1:
      level = (share['level'] or '').removesuffix('_trained')
      n = metrics.get(f'num_{level}', num_test)
      found[name] = (scipy.stats.binom.ppf(ends, n, value) / n).tolist()
  return found


def table(key, metrics, controls, num_test):
  """The numbers of a result beside its controls, as lines of text for a terminal."""
  between = intervals(metrics, num_test)
  columns = ('random_init', 'chance')
  rows = [(key, 'result', '95 %', 'untrained', 'chance')]
  for name, value in metrics.items():
    if np.ndim(value):
      continue
    low_high = between.get(name)
    rows.append((
        name, f'{value:.4g}',
        f'{low_high[0]:.4g} to {low_high[1]:.4g}' if low_high else '', *(
            f'{controls[c][name]:.4g}' if name in (controls[c] or {}) else ''
            for c in columns)))
  widths = [max(map(len, column)) for column in zip(*rows)]
  return '\n'.join(
      '  '.join([row[0].ljust(widths[0]), *(
          text.rjust(width) for text, width in zip(row[1:], widths[1:]))]).rstrip()
      for row in rows)


def plain(value):
  """Arrays and NumPy numbers as lists and numbers, and what is not finite as None."""
  if isinstance(value, dict):
    return {str(k): plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(v) for v in value]
  if isinstance(value, (np.ndarray, np.generic, jax.Array)):
    return plain(np.asarray(value).tolist())
  if isinstance(value, float) and not np.isfinite(value):
    return None
  return value


def described(metrics):
  """The numbers of a result in a few words."""
  return ', '.join(
      f'{name} {value:.4g}' for name, value in metrics.items() if np.ndim(value) == 0)


def flat(results):
  """{key: {metric: value}} as {'eval/key/metric': number}, as metrics.jsonl has it."""
  return {
      f'eval/{key}/{name}': float(value) for key, metrics in results.items()
      for name, value in metrics.items() if np.ndim(value) == 0}
