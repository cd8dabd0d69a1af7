"""What differs between two results on the same test examples.

n is the examples, g the groups, such as classes, r the resamples.
"""

import base64
import hashlib

import numpy as np
import scipy.stats

RESAMPLES = 2000
ENDS = 2.5, 97.5  # Percentiles: a 95 % interval.


def record(correct, ids, labels):
  """Which test examples were right, as a protocol puts it into its result.

  Args:
    correct: bool [n].
    ids: int [n] of the examples.
    labels: int [n], their classes.

  Returns:
    dict of `correct_base64` [1], a bit for each example by ascending id, and
    `examples_sha256` [1], of ids and classes, which tells two test sets apart. They
    are arrays, as what is no number is kept out of tables.
  """
  order = np.argsort(ids)
  bits = np.packbits(np.asarray(correct, bool)[order])
  examples = np.stack([np.asarray(x)[order] for x in (ids, labels)]).astype('<i8')
  return {
      'correct_base64': np.array([base64.b64encode(bits).decode()]),
      'examples_sha256': np.array([hashlib.sha256(examples).hexdigest()])}


def recorded(result):
  """Reads from a result which test examples were right.

  Args:
    result: a result file's object, see `results`.

  Returns:
    The SHA-256 of the examples, see `record`, and bool [n] which were right, by
    ascending id; None where the result does not say.
  """
  metrics = result['metrics']
  if 'correct' in metrics:  # As `per_class` has it.
    metrics = record(*(np.array(metrics[k]) for k in ('correct', 'ids', 'labels')))
  if 'correct_base64' not in metrics:
    return None
  (bits,), (digest,) = metrics['correct_base64'], metrics['examples_sha256']
  bits = np.frombuffer(base64.b64decode(bits), np.uint8)
  return digest, np.unpackbits(bits, count=result['num_examples']['test']).astype(bool)


def differences(correct_a, correct_b, groups, seed, *, within=None):
  """By how much b is better than a, overall and in each group.

  Intervals are percentiles of a bootstrap over the test examples, drawn within each
  group so that groups keep their sizes. With few examples in a group it gains or
  loses by luck alone: `share_by_luck` is the share of groups that would be expected
  to gain, and that to lose, if every example that only one of the two has right
  were as likely to be the other's. A real difference is beyond it.

  Args:
    correct_a: bool [n], whether a had each example right.
    correct_b: bool [n], the same of b, in the same order.
    groups: int [n], such as the examples' classes.
    seed: of the resamples.
    within: None, or int [n], groups of groups, such as kingdoms: the shares of
      groups that gain and lose are given for each, too. A group lies in one.

  Returns:
    dict of `difference`, the accuracy of b minus that of a, its interval `lower`
    and `upper`, and `mcnemar_p`, the exact two-sided p-value of McNemar's test
    (https://doi.org/10.1007/BF02295996); [g] `group`, ascending, and of each
    `group_difference`, `group_lower`, `group_upper` and `group_num`;
    `share_gain`, `share_lose` and `share_by_luck`, of groups, and the interval
    `share_gain_lower`, `share_gain_upper` and the same of `share_lose`; and with
    `within` its ascending values as `within` and for each `within_gain`,
    `within_lose` and `within_by_luck`.

  Raises:
    ValueError: the arrays differ in length or are empty, or a group lies in two.
  """
  correct_a, correct_b = (np.asarray(c, bool) for c in (correct_a, correct_b))
  lengths = [len(x) for x in (correct_a, correct_b, groups)]
  if len(set(lengths)) > 1 or not lengths[0]:
    raise ValueError(
        f'There are {lengths[0]} examples of a, {lengths[1]} of b and {lengths[2]} '
        'groups; there must be as many of each, and some.')
  group, of_example = np.unique(groups, return_inverse=True)
  num, wins, losses = (
      np.bincount(of_example[rows], minlength=len(group))
      for rows in (slice(None), correct_b & ~correct_a, correct_a & ~correct_b))

  rng = np.random.Generator(np.random.Philox(seed))
  total, gaining, losing = np.zeros((3, RESAMPLES), np.int64)
  interval = np.empty((2, len(group)))
  for i in range(len(group)):
    counts = np.array([wins[i], losses[i], num[i] - wins[i] - losses[i]])
    drawn = rng.multinomial(num[i], counts / num[i], RESAMPLES)   # [r, 3]
    net = drawn[:, 0] - drawn[:, 1]
    interval[:, i] = np.percentile(net / num[i], ENDS)
    total += net
    gaining += net > 0
    losing += net < 0

  lower, upper = np.percentile(total / num.sum(), ENDS)
  gain, lose, luck = wins > losses, losses > wins, _by_luck(wins + losses)
  shares = {}
  for name, share, drawn in (('gain', gain, gaining), ('lose', lose, losing)):
    low, high = np.percentile(drawn / len(group), ENDS)
    shares |= {
        f'share_{name}': float(share.mean()), f'share_{name}_lower': float(low),
        f'share_{name}_upper': float(high)}
  result = {
      'difference': int(wins.sum() - losses.sum()) / int(num.sum()),
      'lower': float(lower), 'upper': float(upper),
      'mcnemar_p': _mcnemar(int(wins.sum()), int(losses.sum())),
      'group': group, 'group_difference': (wins - losses) / num,
      'group_lower': interval[0], 'group_upper': interval[1], 'group_num': num,
      **shares, 'share_by_luck': float(luck.mean())}
  if within is not None:
    values, which = _containing(within, of_example, group)
    num_groups = np.bincount(which)
    result['within'] = values
    for name, share in (('gain', gain), ('lose', lose), ('by_luck', luck)):
      result[f'within_{name}'] = np.bincount(which, share) / num_groups
  return result


def _mcnemar(wins, losses):
  if wins + losses == 0:
    return 1.0
  return float(scipy.stats.binomtest(wins, wins + losses).pvalue)


def _by_luck(discordant):
  """[g] probability that a fair coin favours one given side of so many examples."""
  ties = scipy.stats.binom.pmf(discordant / 2, discordant, 0.5)
  return (1 - ties) / 2


def _containing(within, of_example, group):
  """The values of `within`, and the number of the one that each group lies in."""
  if len(within) != len(of_example):
    raise ValueError(
        f'There are {len(of_example)} examples, and within has {len(within)}.')
  values, found = np.unique(within, return_inverse=True)
  which = np.empty(len(group), int)
  which[of_example] = found
  split = which[of_example] != found
  if split.any():
    raise ValueError(
        f'Group {group[of_example[split][0]]} lies in more than one of within.')
  return values, which
