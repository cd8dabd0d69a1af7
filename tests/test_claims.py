"""The papers' sentences: true of the papers' own numbers, and what makes them fail."""

import numpy as np
import pytest

from jaxssl import claims
from jaxssl import plots
from jaxssl import published


def row(value, *, seeds=5, noise=0.0005, interval=None, **axes):
  """A row with a little noise over seeds, or of one seed with an interval."""
  if interval is not None:
    return {**axes, 'value': value, 'low': value - interval, 'high': value + interval,
            'num_seeds': 1, 'by_seed': {0: value}}
  by_seed = {s: value + noise * np.cos(2 * s) for s in range(seeds)}
  return {
      **axes, 'value': float(np.mean(list(by_seed.values()))), 'low': None,
      'high': None, 'num_seeds': seeds, 'by_seed': by_seed}


def paper(name, **more):
  """A file of the paper's numbers as if they were ours."""
  rows = []
  for number, found in enumerate(published.read(name)):
    axes = {
        k: v for k, v in found.items()
        if k not in ('value', 'certainty', 'error', 'source')}
    # The noise differs from row to row, or differences would have none.
    rows.append(row(found['value'], noise=0.0002 * (1 + number % 3), **axes, **more))
  return rows


def scratch_for_both(rows):
  return [
      {**r, 'protocol': p} for r in rows
      for p in ([r['protocol']] if r['protocol'] else ['linear', 'finetune'])]


@pytest.mark.parametrize('name, settings, file, num', [
    ('in_domain_beats_cross_domain', {}, 'cole2022_domain', 12),
    ('one_source_is_best_elsewhere', dict(source='ImageNet'), 'cole2022_domain', 6),
    ('pooled_is_below_in_domain', dict(pairs={
        'iNat21 + ImageNet': 'in-domain 500k', 'ImageNet + Places365': 'in-domain 500k',
        'iNat21 + Places365': 'in-domain 500k', 'all four': 'in-domain 250k'}),
     'cole2022_pooling', 12),
    ('low_resolution_hurts_more_without_labels', {}, 'cole2022_quality', 2),
    ('gap_grows_with_granularity', {}, 'cole2022_granularity', 3),
    ('finetuning_beats_scratch', {}, 'cole2022_data_quantity', 6),
    ('more_data_gains_little', {}, 'cole2022_data_quantity', 3)])
def test_the_papers_claims_hold_of_its_numbers(name, settings, file, num):
  rows = paper(file)
  if file == 'cole2022_data_quantity':
    rows = scratch_for_both(rows)
  found = claims.CLAIMS[name](rows, **settings)
  assert found.holds is True, found
  assert len(found.numbers) == num
  # Turned round, it fails.
  turned = [
      {**r, 'value': 1 - r['value'],
       'by_seed': {s: 1 - v for s, v in r['by_seed'].items()}} for r in rows]
  if name != 'more_data_gains_little':  # Nor does what is turned round gain.
    assert claims.CLAIMS[name](turned, **settings).holds is False


def test_other_claims_do_not_hold_of_it():
  rows = paper('cole2022_domain')
  assert claims.one_source_is_best_elsewhere(rows, source='GLC20').holds is False
  rows = scratch_for_both(paper('cole2022_data_quantity'))
  found = claims.more_data_gains_little(rows, margin=0.001)
  assert found.holds is False
  found = claims.finetuning_beats_scratch(rows, margin=0.001)
  assert found.holds is False and 'within 0.1 points' in found.statement


def domains(in_domain, across, **more):
  return [
      row(in_domain if p == t else across, pretraining=p, target=t, **more)
      for p in 'ab' for t in 'ab']


@pytest.mark.parametrize('gap, interval, holds', [
    (0.10, 0.05, True), (0.10, 0.08, None), (-0.10, 0.05, False), (-0.05, 0.08, None)])
def test_one_seed_is_judged_by_its_intervals(gap, interval, holds):
  found = claims.in_domain_beats_cross_domain(
      domains(0.5 + gap, 0.5, interval=interval))
  assert found.holds is holds


def test_without_seeds_or_intervals_nothing_is_claimed():
  rows = domains(0.9, 0.1, seeds=1, noise=0)
  found = claims.in_domain_beats_cross_domain(rows)
  assert found.holds is None and len(found.numbers) == 2
  assert found.numbers[0] == (
      'on a, its own against b: 90.0 and 10.0, difference +80.0 (no interval)')
  assert claims.in_domain_beats_cross_domain([]) == (
      'Pretraining in the domain of the task beats every other domain.', None, [])


def test_seeds_are_compared_in_pairs():
  # They differ more among themselves than the two differ, but not seed by seed.
  seeds = np.array([0.3, 0.5, 0.7])
  rows = []
  for p in 'ab':
    for t in 'ab':
      values = seeds + (0.02 + 0.001 * seeds if p == t else 0)
      rows.append({
          'pretraining': p, 'target': t, 'value': values.mean(), 'low': None,
          'high': None, 'num_seeds': 3, 'by_seed': dict(enumerate(values))})
  found = claims.in_domain_beats_cross_domain(rows)
  assert found.holds is True
  assert '+2.1 (+2.0 to +2.1)' in found.numbers[0]


@pytest.mark.parametrize('together, helps, holds', [
    (0.55, True, True), (0.55, False, False), (0.45, True, False), (0.45, False, True)])
def test_fusing(together, helps, holds):
  rows = [
      row(v, features='a + b', part=part, target='species', interval=0.01)
      for part, v in (('first', 0.5), ('second', 0.3), ('together', together))]
  assert claims.fusing(rows, target='species', helps=helps).holds is holds


def test_a_study_chooses_its_claims():
  drawings = {
      'first': plots.Drawing(None, domains(0.7, 0.5), ()),
      'second': plots.Drawing(None, domains(0.3, 0.5), ())}
  got = claims.check(drawings, {
      'in_domain_beats_cross_domain': {},
      'again': dict(name='in_domain_beats_cross_domain', figure='second', apart=())})
  assert [found.holds for found in got] == [True, False]


def test_no_numbers_yet():
  settings = {name: {} for name in claims.CLAIMS} | {
      'beats': dict(statement='So.', comparisons=()),
      'one_source_is_best_elsewhere': dict(source='a'),
      'pooled_is_below_in_domain': dict(pairs={'a': 'b'}),
      'fusing': dict(target='a', helps=True)}
  found = claims.check({'f': plots.Drawing(None, [], ())}, settings)
  assert [(f.holds, f.numbers) for f in found] == [(None, [])] * len(claims.CLAIMS)


@pytest.mark.parametrize('given, told', [
    ({'nothing': {}}, "No claim 'nothing' in jaxssl/claims.py. There are: beats, in"),
    ({'fusing': dict(figure='x')}, "No figure 'x' for the claim 'fusing'. There a"),
    ({'fusing': {}}, 'config.claims.fusing lacks helps, target')])
def test_mistakes(given, told):
  with pytest.raises(ValueError, match=told):
    claims.check({'f': plots.Drawing(None, [], ())}, given)


def test_any_place_can_be_claimed_to_beat_another():
  """By hand: 0.8 +- 0.05 against 0.6 +- 0.05 and 0.79 +- 0.05."""
  def row(kind, value):
    return {
        'kind': kind, 'value': value, 'low': value - 0.05, 'high': value + 0.05,
        'num_seeds': 1, 'by_seed': {0: value}}

  rows = [row('mine', 0.8), row('other', 0.6), row('near', 0.79)]

  def found(first, second):
    return claims.beats(rows, statement='It is so.', comparisons=[
        dict(called='x', first={'kind': first}, second={'kind': second})])

  assert found('mine', 'other').holds and found('other', 'mine').holds is False
  assert found('mine', 'near').holds is None
  assert found('mine', 'absent').numbers == []
  half = 100 * 0.05 * 2 ** 0.5
  assert found('mine', 'other').numbers == [
      f'x: 80.0 and 60.0, difference +20.0 (+{20 - half:.1f} to +{20 + half:.1f})']
