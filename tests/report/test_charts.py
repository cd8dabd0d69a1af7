"""Charts and numbers as the page writes them."""

import re

import numpy as np
import pytest

from jaxssl.report import charts
from jaxssl.report import pictures


def test_curve_lies_where_its_values_say():
  chart = charts.chart(
      'loss', {'loss': ([0, 50, 100], [1.0, 2.0, 3.0])}, levels=[('chance', 4.0)])
  left, top, step, text = zip(*chart['lines'][0]['points'])
  assert left == (0, 50, 100) and step == ('0', '50', '100')
  assert text == ('1', '2', '3')
  # Equal steps of value are equal steps of height, and the level is one more.
  assert top[0] - top[1] == pytest.approx(top[1] - top[2], abs=0.02)
  assert chart['levels'][0]['top'] == pytest.approx(2 * top[2] - top[1], abs=0.02)
  ticks = {t['text']: t['top'] for t in chart['y_ticks']}
  assert ticks['2'] == pytest.approx(top[1], abs=0.01)
  assert chart['summary'] == 'loss, step 0 to 100: loss from 1 to 3; chance is 4.'


def test_named_places_bands_and_columns_lie_where_they_say():
  chart = charts.chart(
      'top-1', {'this run': ([0, 1, 2], [0.2, 0.4, 0.6])}, kind='percent',
      across='level', places=[(0, 'order'), (1, 'genus 3'), (2, 'species')],
      bands={'this run': ([0.1, 0.3, 0.5], [0.3, 0.5, 0.7])}, columns=[(0, 1, 0.4)])
  assert [(t['left'], t['text']) for t in chart['x_ticks']] == [
      (0, 'order'), (50, 'genus 3'), (100, 'species')]
  (line,) = chart['lines']
  assert [p[2] for p in line['points']] == ['order', 'genus 3', 'species']
  assert chart['summary'] == (
      'top-1, level order to species: this run from 20.0% to 60.0%.')
  tops = {t['text']: t['top'] for t in chart['y_ticks']}
  assert '0%' in tops and chart['slanted']

  def corners(path):
    return np.array(re.findall(r'(-?[\d.]+) (-?[\d.]+)', path), float)
  left, top = corners(line['band']).T
  assert left.tolist() == [0, 50, 100, 100, 50, 0]
  middle = [p[1] for p in line['points']]
  np.testing.assert_allclose((top[:3] + top[:2:-1]) / 2, middle, atol=0.02)
  # The column is from 0 to where the curve is at the second level.
  assert chart['columns'] == (
      f'M0.00 {tops["0%"]:.2f}V{middle[1]:.2f}H50.00V{tops["0%"]:.2f}Z')


def test_logarithmic_curve():
  values = [1000.0, 100.0, 10.0, 1.0]
  chart = charts.chart('norm', {'norm': (range(4), values)}, kind='log')
  tops = [p[1] for p in chart['lines'][0]['points']]
  np.testing.assert_allclose(np.diff(tops), np.diff(tops)[0], atol=0.02)
  assert [t['text'] for t in chart['y_ticks']] == ['1', '10', '100', '1k']
  flat = charts.chart('norm', {'norm': (range(2), [1.0, 2.0])}, kind='log')
  assert not flat['log']


def test_curve_breaks_where_a_value_is_missing():
  nan = float('nan')
  chart = charts.chart('x', {'x': (range(6), [1.0, 2.0, nan, 4.0, 5.0, nan])})
  assert chart['lines'][0]['path'].count('M') == 2
  assert chart['lines'][0]['last'] == '5'
  assert charts.chart('x', {'x': ([1], [nan])}) is None
  assert charts.chart('x', {}) is None


def test_a_long_curve_is_averaged():
  x = np.arange(100_000)
  short_x, short_y = charts.thinned(x, x.astype(float))
  assert len(short_x) == charts.MAX_POINTS == 400
  np.testing.assert_allclose(short_y, short_x - 124.5)  # Means of 250 steps each.


@pytest.mark.parametrize('low, high, want', [
    (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 4000, [0, 1000, 2000, 3000, 4000]),
    (-3.7, -0.2, [-3, -2, -1]), (0.0, 0.03, [0, 0.01, 0.02, 0.03]),
    (99.5, 101.5, [99.5, 100, 100.5, 101, 101.5])])
def test_ticks_are_round(low, high, want):
  np.testing.assert_allclose(charts.steps_between(low, high, 4), want, atol=1e-12)


@pytest.mark.parametrize('value, want', [
    (0.78512, '78.5%'), (1.0, '100.0%'), (0.0, '0.0%'), (0.0004, '0.0%')])
def test_percent(value, want):
  assert charts.percent(value) == want


@pytest.mark.parametrize('value, want', [
    (3, '3'), (3.0, '3'), (6.23611, '6.236'), (-3.59141, '−3.591'), (1e-6, '1e−6'),
    (4000.0, '4,000'), (123456.7, '123,457'), (0.0, '0'), (float('inf'), 'inf')])
def test_number(value, want):
  assert charts.number(value) == want


@pytest.mark.parametrize('value, want', [
    (0.352, '+35.2'), (-0.021, '−2.1'), (0.0, '+0.0'), (-0.0001, '0.0')])
def test_points(value, want):
  assert charts.points(value) == want


@pytest.mark.parametrize('num', [1, 10, 11, 300])
def test_class_colours_differ(num):
  colors = pictures.class_colors(num)
  assert len(set(colors)) == num
  assert all(re.fullmatch('#[0-9a-f]{6}', c) for c in colors)
