"""Titles and tables of the page."""

import made_workdir
import pytest

from jaxssl.report import overview
from jaxssl.report import reader
from jaxssl.report import tables


@pytest.mark.parametrize('data, title', [
    (dict(name='shapes', domain='species'), 'SimCLR on shapes species'),
    (dict(name='folder', root='/photos/birds/'), 'SimCLR on birds'),
    (dict(name='cifar10', root='/data/cifar10'), 'SimCLR on cifar10'),
    (dict(name='tfds', dataset='cifar100'), 'SimCLR on cifar100'),
    (dict(name='arrays'), 'SimCLR on arrays'), ({}, 'SimCLR')])
def test_title(tmp_path, data, title):
  made_workdir.write_config(tmp_path, data=data)
  assert overview.title(reader.read(tmp_path)) == title


def test_main_metrics_come_first(tmp_path):
  # As files have it: keys in the order of the alphabet.
  made_workdir.write_result(
      tmp_path, 'linear', 1, 0.5,
      metrics={'holdout_top1': 0.4, 'rate': 0.3, 'top1': 0.5, 'train_top1': 0.6})
  (result,) = reader.read(tmp_path).results
  assert [row['label'] for row in tables.rows(result)] == [
      'top-1', 'holdout top-1', 'train top-1']
  assert tables.others(result) == 'rate 0.3'


def test_spread_and_chance_stand_in_the_row_of_their_metric(tmp_path):
  made_workdir.write_details(tmp_path)
  results = tables.newest(reader.read(tmp_path).results)

  def shown(name):
    return [
        (r['label'], r['value_text'], r['control_text'], r['chance_text'])
        for r in tables.rows(results[name])]

  assert shown('low_shot') == [
      ('top-1 k1 mean', '20.0% ± 2.0%', '–', '10.0%'),
      ('top-1 k2 mean', '30.0% ± 2.0%', '–', '10.0%'),
      ('top-1 k4 mean', '37.0% ± 2.0%', '–', '10.0%'),
      ('top-1 k16 mean', '50.0% ± 2.0%', '–', '10.0%')]
  assert tables.others(results['low_shot']) == ''
  assert shown('neighbors') == [
      ('precision at 1', '100.0%', '–', '25.0%'),
      ('precision at 2', '75.0%', '37.5%', '25.0%')]
  levels = shown('granularity')
  assert ('top-1 kingdom', '90.0%', '60.0%', '50.0%') in levels
  assert ('top-1 kingdom trained', '95.0%', '–', '50.0%') in levels
  assert 'chance' not in tables.others(results['granularity'])
  assert shown('clustering') == [('ami', '0.4', '–', '–')]


def test_what_is_no_one_s_companion_keeps_its_place():
  metrics = dict(chance_map=0.1, map=0.5, map_11=0.4, map_11_k1_mean=0.3, loss_std=1)
  assert tables.companions(metrics) == {'chance_map'}
