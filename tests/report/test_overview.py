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
