"""What the papers say in words, checked on our numbers; see `evidence`.

Functions in `CLAIMS` take the rows of a figure (`plots.Drawing`), names of axes and
values among them, and give an `evidence.Claim`. The paper is Cole et al. 2022
(https://arxiv.org/abs/2105.05837).
"""

import math

from jaxssl import evidence
from jaxssl import plugins
from jaxssl import tidy


def check(drawings, given):
  """Checks the claims of a study.

  Args:
    drawings: {name: `plots.Drawing`}.
    given: {label: settings}, of `config.claims`: the keywords of the function that the
      label names, or that `name` does; and perhaps `figure`, the name of the drawing
      whose rows are meant, where it is not the first.

  Returns:
    A list of `evidence.Claim`.

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


def beats(rows, *, statement, comparisons):
  """Any claim that one place of a figure is above another.

  `comparisons` are dicts of `called`, and of `first` and `second`, places such as
  {'pretraining': 'mine', 'labels': 100}; the first is to be above.
  """
  return evidence.claim(statement, [
      (c['called'], *(evidence.at(rows, c[side]) for side in ('first', 'second')))
      for c in comparisons])


def in_domain_beats_cross_domain(
    rows, *, pretraining='pretraining', target='target', apart=('Supervised',)):
  """Cole et al. 2022, Table 1: the diagonal wins every column."""
  pairs = [
      (f'on {t}, its own against {p}',
       evidence.at(rows, {pretraining: t, target: t}), other)
      for t in evidence.values(rows, target) for p in evidence.values(rows, pretraining)
      if not tidy.same(p, t) and p not in apart
      for other in [evidence.at(rows, {pretraining: p, target: t})]]
  return evidence.claim(
      'Pretraining in the domain of the task beats every other domain.', pairs)


def one_source_is_best_elsewhere(
    rows, *, source, pretraining='pretraining', target='target',
    apart=('Supervised',)):
  """Cole et al. 2022, Table 1: ImageNet is the best source for other domains."""
  pairs = [
      (f'on {t}, {source} against {p}',
       evidence.at(rows, {pretraining: source, target: t}),
       evidence.at(rows, {pretraining: p, target: t}))
      for t in evidence.values(rows, target) for p in evidence.values(rows, pretraining)
      if not tidy.same(t, source) and p not in (t, source, *apart)]
  return evidence.claim(
      f'For other domains than its own, {source} is the best to pretrain on.', pairs)


def pooled_is_below_in_domain(
    rows, *, pairs, pretraining='pretraining', target='target'):
  """Cole et al. 2022, Table 2: as many images of the task's own domain are better.

  `pairs` is {a pooled pretraining: the in-domain one of the same size}.
  """
  compared = [
      (f'on {t}, {own} against {pooled}',
       evidence.at(rows, {pretraining: own, target: t}),
       evidence.at(rows, {pretraining: pooled, target: t}))
      for t in evidence.values(rows, target) for pooled, own in pairs.items()]
  return evidence.claim(
      'Images pooled from several domains do worse than as many of the own.', compared)


def low_resolution_hurts_more_without_labels(
    rows, *, corruptions=('Resize & Downsample 2x', 'Resize & Downsample 4x'),
    ours='SimCLR', supervised='Supervised', corruption='corruption', method='method'):
  """Cole et al. 2022, Figure 4, of rows that are drops in accuracy."""
  pairs = [
      (f'{c}: drop of {ours} against {supervised}',
       *(evidence.at(rows, {corruption: c, method: m}) for m in (ours, supervised)))
      for c in corruptions]
  return evidence.claim(
      'Images of low resolution cost self-supervised pretraining more than '
      'supervised.', pairs)


def gap_grows_with_granularity(
    rows, *, ours='SimCLR', supervised='Supervised', level='level', method='method',
    domain='domain'):
  """Cole et al. 2022, Figure 5: of rows with a `count` of classes at each level."""
  pairs = []
  for d in evidence.values(rows, domain) or ['']:
    here = [r for r in rows if tidy.same(r.get(domain, ''), d)]
    levels = sorted(
        {r[level]: r.get('count') or 0 for r in here}.items(), key=lambda item: item[1])
    # A single class leaves nothing to get wrong.
    gaps = [
        (name, evidence.minus(evidence.at(here, {level: name, method: supervised}),
                     evidence.at(here, {level: name, method: ours})))
        for name, count in levels if count > 1]
    gaps = [(name, gap) for name, gap in gaps if gap is not None]
    if len(gaps) > 1:
      (coarse, low), (fine, high) = gaps[0], gaps[-1]
      called = f'{d}: ' if d != '' else ''
      pairs.append((f'{called}gap at {fine} against {coarse}', high, low))
  return evidence.claim(
      f'The finer the classes, the further {ours} is behind supervised training.',
      pairs)


def finetuning_beats_scratch(
    rows, *, protocol=('protocol', 'finetune'), size='size', labels='labels',
    domain='domain', scratch='Supervised', margin=0.02):
  """Cole et al. 2022, Figure 2: at few labels it is better, at many no more.

  At the most labels the two have met where the difference is within `margin`.
  """
  better, met = [], []
  for d, here in evidence.by_domain(rows, domain, protocol):
    few, many = evidence.extremes(here, labels)
    largest = evidence.extremes(here, size)[1]
    for n, into in ((few, better), (many, met)):
      a = evidence.at(here, {size: largest, labels: n})
      b = evidence.at(here, {size: scratch, labels: n})
      if few != many:
        called = f'{d}, {evidence.number(n)} labels: fine-tuned against scratch'
        into.append((called, a, b))
  first = evidence.claim('', better)
  second = evidence.claim('', met, least=-margin, most=margin)
  holds = [first.holds, second.holds]
  return evidence.Claim(
      'Fine-tuning beats training from scratch with few labels, and meets it with '
      f'many (within {100 * margin:g} points).',
      False if False in holds else None if None in holds else True,
      first.numbers + second.numbers)


def more_data_gains_little(
    rows, *, protocol=('protocol', 'linear'), size='size', labels='labels',
    domain='domain', margin=0.02):
  """Cole et al. 2022, Figure 2: 500k images instead of a million cost 1 or 2 points."""
  pairs = []
  for d, here in evidence.by_domain(rows, domain, protocol):
    many = evidence.extremes(here, labels)[1]
    sizes = sorted({r[size] for r in here if tidy.finite(r[size])})
    if len(sizes) > 1:
      pairs.append((
          f'{d}, {evidence.number(many)} labels: '
          f'{evidence.number(sizes[-1])} images against '
          f'{evidence.number(sizes[-2])}', *(
              evidence.at(here, {size: s, labels: many}) for s in sizes[:-3:-1])))
  return evidence.claim(
      'The largest pretraining set gains little over the next '
      f'({100 * margin:g} points at most).', pairs, least=-math.inf, most=margin)


def fusing(rows, *, target, helps, features='features', part='part',
           together='together', axis='target'):
  """Cole et al. 2022, Table 3: it helps on iNat21 and does not on ImageNet."""
  here = [r for r in rows if tidy.same(r.get(axis), target)]
  pairs = []
  for f in evidence.values(here, features):
    alone = [
        r for r in here if r[features] == f and r[part] != together
        and r['value'] is not None]
    both = evidence.at(here, {features: f, part: together})
    best = max(alone, key=lambda r: r['value'], default=None)
    pairs.append(
        (f'{f}: together against the better one', both, best) if helps else
        (f'{f}: the better one against together', best, both))
  return evidence.claim(
      f'On {target}, features of two networks together do '
      f'{"better" if helps else "worse"} than the better one alone.', pairs)


CLAIMS = {function.__name__: function for function in (
    beats, in_domain_beats_cross_domain, one_source_is_best_elsewhere,
    pooled_is_below_in_domain, low_resolution_hurts_more_without_labels,
    gap_grows_with_granularity, finetuning_beats_scratch, more_data_gains_little,
    fusing)}
