"""Results as rows, against numbers worked out by hand."""

import math

import numpy as np
import pytest
import scipy.stats

from jaxssl import plots
from jaxssl import tidy


def cell(axes, metrics, **more):
  return plots.Cell('', axes, {'linear': {'metrics': metrics, **more}}, ())


def test_mean_and_interval_over_seeds():
  values = [0.50, 0.54, 0.58]
  cells = [cell(dict(size=10, seed=s), {'top1': v}) for s, v in enumerate(values)]
  row, = tidy.rows(tidy.points(cells, 'linear/top1'), ('size',))
  want = scipy.stats.t.interval(
      0.95, 2, np.mean(values), scipy.stats.sem(values))
  assert row['value'] == pytest.approx(0.54) and row['num_seeds'] == 3
  assert (row['low'], row['high']) == pytest.approx(want)
  assert row['size'] == 10 and row['by_seed'] == {0: 0.50, 1: 0.54, 2: 0.58}


def test_one_seed_has_the_interval_of_its_result():
  cells = [cell(dict(a='x'), {'top1': 0.5}, intervals={'top1': [0.4, 0.7]})]
  row, = tidy.rows(tidy.points(cells, 'linear/top1'), ('a',))
  assert (row['low'], row['high'], row['num_seeds']) == (0.4, 0.7, 1)


@pytest.mark.parametrize('value', [None, math.nan])
def test_what_is_no_number_is_left_out(value):
  cells = [cell(dict(a='x', seed=s), {'top1': v}) for s, v in ((0, value), (1, 0.5))]
  row, = tidy.rows(tidy.points(cells, 'linear/top1'), ('a',))
  assert row['value'] == 0.5 and row['by_seed'] == {1: 0.5}
  row, = tidy.rows(tidy.points(cells[:1], 'linear/top1'), ('a',))
  assert row == {'a': 'x', **tidy.NO_VALUE}


def test_a_pattern_stands_for_all_metrics_of_its_form():
  metrics = {
      'top1': 0.1, 'top1_genus': 0.2, 'top1_genus_trained': 0.3, 'top1_land_cover': 0.4,
      'num_genus': 5}
  found = tidy.points([cell({}, metrics)], 'linear/top1_{level}')
  assert {p['axes']['level']: p['value'] for p in found} == {
      'genus': 0.2, 'land_cover': 0.4}
  found = tidy.points([cell({}, {'map_k1_mean': 0.1, 'map_k16_mean': 0.2})],
                      'linear/map_k{k}_mean')
  assert [(p['axes']['k'], p['value']) for p in found] == [(1, 0.1), (16, 0.2)]


def test_several_measures_have_an_axis_of_their_own():
  cells = [
      plots.Cell('', {'a': 1}, {'linear': {'metrics': {'top1': 0.1}},
                                'knn': {'metrics': {'top1': 0.2}}}, ()),
      plots.Cell('', {'a': 2}, {'linear': {'metrics': {'top1': 0.3}}}, ())]
  found = tidy.points(cells, {'by': {
      'linear': 'linear/top1', 'kNN': 'knn/top1 or linear/top1'}})
  assert [(p['axes'], p['value']) for p in found] == [
      ({'a': 1, 'by': 'linear'}, 0.1), ({'a': 1, 'by': 'kNN'}, 0.2),
      ({'a': 2, 'by': 'linear'}, 0.3), ({'a': 2, 'by': 'kNN'}, 0.3)]


def test_entries_of_an_array_have_names_and_intervals():
  metrics = {
      'accuracy_class': [0.5, 0.7], 'names_class': ['birds', 'ferns'],
      'lower_class': [0.4, 0.6], 'upper_class': [0.6, 0.8]}
  found = tidy.points(
      [cell({}, metrics)], 'linear/accuracy_class', items='names_class')
  assert [(p['axes']['item'], p['value'], p['low'], p['high']) for p in found] == [
      ('birds', 0.5, 0.4, 0.6), ('ferns', 0.7, 0.6, 0.8)]


def test_cells_are_chosen_by_their_axes():
  cells = [cell(dict(a=a), {'top1': a / 10}) for a in (1, 2, 3)] + [
      cell(dict(b=1), {'top1': 0.9})]
  found = tidy.points(cells, 'linear/top1', where={'a': (1, '3')})
  assert [p['value'] for p in found] == [0.1, 0.3, 0.9]


def test_drops_from_a_reference_of_the_same_seed():
  cells = [
      cell(dict(corruption=c, method='m', seed=s), {'top1': v},
           intervals={'top1': [v - 0.03, v + 0.03]})
      for s, c, v in ((0, 'clean', 0.9), (0, 'jpeg', 0.7), (1, 'clean', 0.8),
                      (1, 'jpeg', 0.7), (2, 'jpeg', 0.1))]
  found = tidy.relative(tidy.points(cells, 'linear/top1'), {'corruption': 'clean'})
  assert [p['value'] for p in found] == pytest.approx([0.2, 0.1])
  half = math.sqrt(2) * 0.03  # Of two independent numbers.
  assert found[0]['low'] == pytest.approx(0.2 - half)
  assert found[0]['high'] == pytest.approx(0.2 + half)


def test_an_axis_that_is_not_shown_may_not_vary():
  cells = [cell(dict(a=1, b=b), {'top1': 0.5}) for b in ('x', 'y')]
  with pytest.raises(ValueError, match="axis 'b', which has the values x and y"):
    tidy.rows(tidy.points(cells, 'linear/top1'), ('a',))
  # It may where another axis fixes it.
  assert len(tidy.rows(tidy.points(cells, 'linear/top1'), ('b',))) == 2


def test_values_are_ordered():
  assert tidy.ordered([20, 'b', 3, 'a', 3]) == [3, 20, 'b', 'a']
  assert tidy.ordered(['a', 'b', 'c'], ('c', 'b')) == ['c', 'b', 'a']
