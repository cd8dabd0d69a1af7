"""What the papers say in words, checked on our numbers.

Functions in `CLAIMS` take the rows of a figure (`plots.Drawing`), names of axes and
values among them, and give a `Claim`. The paper is Cole et al. 2022
(https://arxiv.org/abs/2105.05837).

A claim is of several comparisons. It holds if each is in its favour beyond its 95 %
interval: Student's t over seeds that both sides have, or with one seed the intervals
of the two results together. It fails if one speaks against it beyond an interval at
95 % for all of them together (Bonferroni). Else it is unclear.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

from jaxssl import plugins
from jaxssl import tidy


class Claim(NamedTuple):
  """A sentence of a paper, and whether it is true here."""
  statement: str
  holds: bool | None   # None: unclear, or no numbers yet.
  numbers: list[str]   # A line for each comparison.


def check(drawings, given):
  """Checks the claims of a study.

  Args:
    drawings: {name: `plots.Drawing`}.
    given: {label: settings}, of `config.claims`: the keywords of the function that the
      label names, or that `name` does; and perhaps `figure`, the name of the drawing
      whose rows are meant, where it is not the first.

  Returns:
    A list of `Claim`.

  Raises:
    ValueError: there is no such claim or drawing, or a setting is wrong.
  """
  found = []
  for label, settings in given.items():
    settings = dict(settings)
    name = settings.pop('name', label)
    figure = settings.pop('figure', next(iter(drawings), ''))
    if name not in CLAIMS:
      raise ValueError(
          f'No claim {name!r} in jaxssl/claims.py. There are: {", ".join(CLAIMS)}.')
    if figure not in drawings:
      raise ValueError(
          f'No figure {figure!r} for the claim {label!r}. There are: '
          f'{", ".join(drawings)}.')
    found.append(CLAIMS[name](drawings[figure].rows, **plugins.arguments(
        CLAIMS[name], settings, what=f'config.claims.{label}')))
  return found


def in_domain_beats_cross_domain(
    rows, *, pretraining='pretraining', target='target', apart=('Supervised',)):
  """Cole et al. 2022, Table 1: the diagonal wins every column."""
  pairs = [
      (f'on {t}, its own against {p}', at(rows, {pretraining: t, target: t}), other)
      for t in values(rows, target) for p in values(rows, pretraining)
      if not tidy.same(p, t) and p not in apart
      for other in [at(rows, {pretraining: p, target: t})]]
  return claim(
      'Pretraining in the domain of the task beats every other domain.', pairs)


def one_source_is_best_elsewhere(
    rows, *, source, pretraining='pretraining', target='target',
    apart=('Supervised',)):
  """Cole et al. 2022, Table 1: ImageNet is the best source for other domains."""
  pairs = [
      (f'on {t}, {source} against {p}', at(rows, {pretraining: source, target: t}),
       at(rows, {pretraining: p, target: t}))
      for t in values(rows, target) for p in values(rows, pretraining)
      if not tidy.same(t, source) and p not in (t, source, *apart)]
  return claim(
      f'For other domains than its own, {source} is the best to pretrain on.', pairs)


def pooled_is_below_in_domain(
    rows, *, pairs, pretraining='pretraining', target='target'):
  """Cole et al. 2022, Table 2: as many images of the task's own domain are better.

  `pairs` is {a pooled pretraining: the in-domain one of the same size}.
  """
  compared = [
      (f'on {t}, {own} against {pooled}', at(rows, {pretraining: own, target: t}),
       at(rows, {pretraining: pooled, target: t}))
      for t in values(rows, target) for pooled, own in pairs.items()]
  return claim(
      'Images pooled from several domains do worse than as many of the own.', compared)


def low_resolution_hurts_more_without_labels(
    rows, *, corruptions=('Resize & Downsample 2x', 'Resize & Downsample 4x'),
    ours='SimCLR', supervised='Supervised', corruption='corruption', method='method'):
  """Cole et al. 2022, Figure 4, of rows that are drops in accuracy."""
  pairs = [
      (f'{c}: drop of {ours} against {supervised}',
       *(at(rows, {corruption: c, method: m}) for m in (ours, supervised)))
      for c in corruptions]
  return claim(
      'Images of low resolution cost self-supervised pretraining more than '
      'supervised.', pairs)


def gap_grows_with_granularity(
    rows, *, ours='SimCLR', supervised='Supervised', level='level', method='method',
    domain='domain'):
  """Cole et al. 2022, Figure 5: of rows with a `count` of classes at each level."""
  pairs = []
  for d in values(rows, domain) or ['']:
    here = [r for r in rows if tidy.same(r.get(domain, ''), d)]
    levels = sorted(
        {r[level]: r.get('count') or 0 for r in here}.items(), key=lambda item: item[1])
    # A single class leaves nothing to get wrong.
    gaps = [
        (name, minus(at(here, {level: name, method: supervised}),
                     at(here, {level: name, method: ours})))
        for name, count in levels if count > 1]
    gaps = [(name, gap) for name, gap in gaps if gap is not None]
    if len(gaps) > 1:
      (coarse, low), (fine, high) = gaps[0], gaps[-1]
      called = f'{d}: ' if d != '' else ''
      pairs.append((f'{called}gap at {fine} against {coarse}', high, low))
  return claim(
      f'The finer the classes, the further {ours} is behind supervised training.',
      pairs)


def finetuning_beats_scratch(
    rows, *, protocol=('protocol', 'finetune'), size='size', labels='labels',
    domain='domain', scratch='Supervised', margin=0.02):
  """Cole et al. 2022, Figure 2: at few labels it is better, at many no more.

  At the most labels the two have met where the difference is within `margin`.
  """
  better, met = [], []
  for d, here in by_domain(rows, domain, protocol):
    few, many = extremes(here, labels)
    largest = extremes(here, size)[1]
    for n, into in ((few, better), (many, met)):
      a = at(here, {size: largest, labels: n})
      b = at(here, {size: scratch, labels: n})
      if few != many:
        into.append((f'{d}, {number(n)} labels: fine-tuned against scratch', a, b))
  first = claim('', better)
  second = claim('', met, least=-margin, most=margin)
  holds = [first.holds, second.holds]
  return Claim(
      'Fine-tuning beats training from scratch with few labels, and meets it with '
      f'many (within {100 * margin:g} points).',
      False if False in holds else None if None in holds else True,
      first.numbers + second.numbers)


def more_data_gains_little(
    rows, *, protocol=('protocol', 'linear'), size='size', labels='labels',
    domain='domain', margin=0.02):
  """Cole et al. 2022, Figure 2: 500k images instead of a million cost 1 or 2 points."""
  pairs = []
  for d, here in by_domain(rows, domain, protocol):
    many = extremes(here, labels)[1]
    sizes = sorted({r[size] for r in here if tidy.finite(r[size])})
    if len(sizes) > 1:
      pairs.append((
          f'{d}, {number(many)} labels: {number(sizes[-1])} images against '
          f'{number(sizes[-2])}', *(
              at(here, {size: s, labels: many}) for s in sizes[:-3:-1])))
  return claim(
      'The largest pretraining set gains little over the next '
      f'({100 * margin:g} points at most).', pairs, least=-math.inf, most=margin)


def fusing(rows, *, target, helps, features='features', part='part',
           together='together', axis='target'):
  """Cole et al. 2022, Table 3: it helps on iNat21 and does not on ImageNet."""
  here = [r for r in rows if tidy.same(r.get(axis), target)]
  pairs = []
  for f in values(here, features):
    alone = [
        r for r in here if r[features] == f and r[part] != together
        and r['value'] is not None]
    both = at(here, {features: f, part: together})
    best = max(alone, key=lambda r: r['value'], default=None)
    pairs.append(
        (f'{f}: together against the better one', both, best) if helps else
        (f'{f}: the better one against together', best, both))
  return claim(
      f'On {target}, features of two networks together do '
      f'{"better" if helps else "worse"} than the better one alone.', pairs)


def by_domain(rows, domain, protocol):
  """(domain, its rows of one protocol) for each domain."""
  axis, wanted = protocol
  rows = [r for r in rows if tidy.same(r.get(axis, wanted), wanted)]
  for d in values(rows, domain) or ['']:
    yield d, [r for r in rows if tidy.same(r.get(domain, ''), d)]


def values(rows, axis):
  """The values of an axis among rows with a number of ours."""
  return list(dict.fromkeys(
      r[axis] for r in rows if axis in r and r['value'] is not None
      and r[axis] != 'chance'))


def at(rows, place):
  """The one row at a place with a number of ours, or None."""
  found = [
      r for r in rows if r['value'] is not None
      and all(tidy.same(r.get(axis), value) for axis, value in place.items())]
  return found[0] if len(found) == 1 else None


def extremes(rows, axis):
  """The smallest and largest number along an axis."""
  found = [v for v in values(rows, axis) if tidy.finite(v)]
  return min(found, default=None), max(found, default=None)


def number(value):
  return f'{value:,}' if tidy.finite(value) else str(value)


def minus(a, b, level=tidy.LEVEL):
  """The difference of two rows with its interval, as a row; None where one is not."""
  if a is None or b is None:
    return None
  seeds = [s for s in a['by_seed'] if s in b['by_seed']]
  by_seed = {s: a['by_seed'][s] - b['by_seed'][s] for s in seeds}
  value = float(np.mean(list(by_seed.values()))) if seeds else a['value'] - b['value']
  low, high = tidy.interval(list(by_seed.values()), level)
  if len(seeds) == 1 and a['num_seeds'] == b['num_seeds'] == 1:
    halves = [
        math.nan if r['low'] is None else (r['high'] - r['low']) / 2 for r in (a, b)]
    # The intervals are at 95 %; another level is that much wider.
    half = math.hypot(*halves) * (
        scipy.stats.norm.ppf((1 + level) / 2)
        / scipy.stats.norm.ppf((1 + tidy.LEVEL) / 2))
    if math.isfinite(half):
      low, high = value - half, value + half
  return {
      'value': value, 'low': low, 'high': high, 'num_seeds': len(seeds),
      'by_seed': by_seed}


def claim(statement, pairs, *, least=0, most=math.inf):
  """Whether in each (label, a, b) a - b lies between two numbers."""
  pairs = [pair for pair in pairs if pair[1] is not None and pair[2] is not None]
  gaps = [minus(a, b) for _, a, b in pairs]
  strict = 1 - (1 - tidy.LEVEL) / max(len(pairs), 1)
  against = [minus(a, b, strict) for _, a, b in pairs]
  holds = None
  if gaps and all(
      g['low'] is not None and least < g['low'] and g['high'] < most for g in gaps):
    holds = True
  elif any(
      g['low'] is not None and (g['high'] < least or most < g['low'])
      for g in against):
    holds = False
  return Claim(statement, holds, lines(pairs, gaps))


def lines(pairs, gaps):
  """The comparisons in words, in percent and points."""
  found = []
  for (label, a, b), gap in zip(pairs, gaps):
    between = 'no interval'
    if gap['low'] is not None:
      between = f'{written(gap["low"], "+")} to {written(gap["high"], "+")}'
    found.append(
        f'{label}: {written(a["value"])} and {written(b["value"])}, difference '
        f'{written(gap["value"], "+")} ({between})')
  return found


def written(value, sign=''):
  return f'{100 * value:{sign}.1f}'.replace('-', '−')


CLAIMS = {function.__name__: function for function in (
    in_domain_beats_cross_domain, one_source_is_best_elsewhere,
    pooled_is_below_in_domain, low_resolution_hurts_more_without_labels,
    gap_grows_with_granularity, finetuning_beats_scratch, more_data_gains_little,
    fusing)}
