"""Our numbers beside the paper's."""

import pytest

from jaxssl import comparison
from jaxssl import plots


def paper(value, **axes):
  return {**axes, 'value': value, 'certainty': 'exact', 'error': None, 'source': ''}


def cells(values, **more):
  """{(axis values): top1} along `domain` and `n`."""
  return [
      plots.Cell('', dict(domain=d, n=n, **more), {'linear': {
          'metrics': {'top1': v}, 'controls': {
              'random_init': {'top1': 0.1}, 'chance': {'top1': 0.01}}}}, ())
      for (d, n), v in values.items()]


def collect(given, published, **more):
  return comparison.collect(
      given, published, ('domain', 'n'), 'linear/top1', x='n', **more)


def test_difference_and_what_only_the_paper_has():
  got = collect(
      cells({('species', 10): 0.5, ('species', 20): 0.6}),
      [paper(0.45, domain='iNat21', n=10), paper(0.7, domain='iNat21', n=30),
       paper(0.8, domain='Other', n=10)], stands_for={'species': 'iNat21'})
  assert [(r['n'], r['value'], r['published'], r['difference']) for r in got] == [
      (10, 0.5, 0.45, pytest.approx(0.05)), (20, 0.6, None, None),
      (30, None, 0.7, None)]
  assert {r['domain'] for r in got} == {'species'}
  assert [r['certainty'] for r in got] == ['exact', None, 'exact']


def test_equal_numbers_differ_by_zero():
  row, = collect(cells({('a', 1): 0.5}), [paper(0.5, domain='a', n=1)])
  assert row['difference'] == 0


def test_a_range_of_its_own_is_not_compared():
  got = collect(
      cells({('a', 1): 0.5, ('a', 2): 0.5}), [
          paper(0.5, domain='a', n=n) for n in (1000, 2000)])
  assert [r['published'] for r in got] == [None, None]


def test_an_empty_value_holds_for_all():
  got = collect(
      cells({('a', 1): 0.5, ('b', 1): 0.6}), [paper(0.4, domain='', n=1)])
  assert [r['published'] for r in got] == [0.4, 0.4]


def test_without_a_cell_the_paper_stands_alone():
  got = collect([], [paper(0.4, domain='iNat21', n=1), paper(0.3, domain='x', n=1)],
                stands_for={'species': 'iNat21'})
  assert [(r['domain'], r['value'], r['published']) for r in got] == [
      ('species', None, 0.4), ('x', None, 0.3)]


def test_what_all_cells_share_holds_for_the_paper():
  published = [paper(v, domain='a', n=1, method=m) for m, v in (('X', 0.1), ('Y', 0.2))]
  row, = collect(cells({('a', 1): 0.5}, method='ours'), published,
                 stands_for={'ours': 'Y'})
  assert row['published'] == 0.2
  with pytest.raises(ValueError, match='2 numbers for domain a, n 1'):
    collect(cells({('a', 1): 0.5}), published)
  row, = collect(cells({('a', 1): 0.5}), published, where={'method': 'X'})
  assert row['published'] == 0.1


def test_controls_are_rows_of_their_own():
  given = cells({('a', 1): 0.5, ('b', 1): 0.6})
  got = collect(
      given, [paper(0.2, domain='Scratch', n=1)], hue='domain',
      controls={'random_init': 'scratch', 'chance': 'chance'},
      stands_for={'scratch': 'Scratch'})
  assert [(r['domain'], r['value'], r['published']) for r in got] == [
      ('a', 0.5, None), ('b', 0.6, None), ('scratch', pytest.approx(0.1), 0.2),
      ('chance', pytest.approx(0.01), None)]


def test_counts_of_classes_come_from_results_or_from_the_paper():
  cell = plots.Cell('', {'method': 'm'}, {'g': {'metrics': {
      'top1_genus': 0.5, 'num_classes_genus': 7}}}, ())
  for cells, want in (([cell], {'genus': 7}), ([], {'family': 3})):
    got = comparison.collect(
        cells, [{**paper(0.6, method='m', level='family'), 'count': 3}],
        ('method', 'level'), 'g/top1_{level}', x='level', hue='method',
        counts='g/num_classes_{level}')
    assert {r['level']: r['count'] for r in got} == want
