"""The papers' numbers, against some typed by hand."""

import csv

import pytest

from jaxssl import published


def test_every_file_is_whole():
  assert len(published.names()) >= 15
  for name in published.names():
    with (published.HERE / f'{name}.csv').open(newline='') as f:
      head, *lines = csv.reader(f)
    assert head[-4:] == ['value', 'certainty', 'error', 'source'] and lines
    assert all(len(line) == len(head) for line in lines), name
    places = [tuple(line[:-4]) for line in lines]
    assert len(set(places)) == len(places), f'{name} has two numbers for one place'
    for row in published.read(name):
      assert row['certainty'] in published.CERTAINTIES
      assert isinstance(row['value'], float) and -0.1 < row['value'] <= 1
      assert row['source']
      assert (row['error'] is None) or (
          row['certainty'] == 'digitised' and 0 < row['error'] <= 0.01)


@pytest.mark.parametrize('name, place, value, certainty, error', [
    ('cole2022_domain', dict(pretraining='ImageNet', target='Places365'), 0.486,
     'exact', None),
    ('cole2022_domain', dict(pretraining='Supervised', target='iNat21'), 0.791,
     'exact', None),
    ('cole2022_pooling', dict(pretraining='all four', target='ImageNet'), 0.574,
     'exact', None),
    ('cole2022_pooling', dict(pretraining='in-domain 250k', target='iNat21'), 0.451,
     'exact', None),
    ('cole2022_fusion', dict(
        features='iNat21 SimCLR + ImageNet supervised', metric='top1'), 0.553,
     'from memory', None),
    ('cole2022_data_quantity', dict(
        domain='ImageNet', protocol='linear', size=125000, labels=250000), 0.472,
     'digitised', 0.006),
    ('cole2022_data_quantity', dict(
        domain='iNat21', protocol='finetune', size=1000000, labels=1000000), 0.70,
     'digitised', None),  # A marker that is partly hidden.
    ('cole2022_data_quantity', dict(
        domain='Places365', size='Supervised', labels=10000), 0.08, 'digitised',
     0.006),
    ('cole2022_methods', dict(method='BYOL', labels=1000000), 0.457, 'digitised',
     0.006),
    ('cole2022_quality', dict(
        corruption='Resize & Downsample 4x', method='SimCLR'), 0.341, 'digitised',
     0.002),
    ('cole2022_granularity', dict(
        domain='iNat21', method='MoCo', level='Family'), 0.695, 'digitised', 0.01),
    ('cole2022_granularity', dict(
        domain='ImageNet', method='SimCLR', level=12), 0.716, 'digitised', 0.004),
    ('pcl2021_low_shot', dict(dataset='VOC07', method='PCL v2', k=16), 0.783,
     'exact', None),
    ('pcl2021_low_shot', dict(dataset='Places205', method='Jigsaw', k=4), 0.094,
     'from memory', None),
    ('pcl2021_semi_supervised', dict(method='SwAV', fraction=0.01), 0.785,
     'from memory', None),
    ('pcl2021_linear', dict(dataset='ImageNet', method='PCL v2'), 0.676, 'exact',
     None),
    ('pcl2021_knn', dict(method='PCL'), 0.545, 'from memory', None),
    ('pcl2021_clustering', dict(method='DeepCluster'), 0.281, 'from memory', None),
    ('pcl2021_detection', dict(method='MoCo', task='mask', metric='ap75'), 0.376,
     'from memory', None),
    ('pcl_small_scale', dict(dataset='CIFAR-20', method='PCL', metric='ari'), 0.363,
     'exact', None)])
def test_numbers_typed_by_hand(name, place, value, certainty, error):
  row, = (
      r for r in published.read(name) if all(r[k] == v for k, v in place.items()))
  assert (row['value'], row['certainty'], row['error']) == (value, certainty, error)


@pytest.mark.parametrize('name, rows, total', [
    ('cole2022_domain', 20, 10.885), ('cole2022_pooling', 21, 10.623),
    ('cole2022_data_quantity', 3 * 11 * 6, None), ('pcl2021_low_shot', 2 * 8 * 5, None),
    ('cole2022_methods', 24, None), ('cole2022_quality', 10, 0.742)])
def test_nothing_is_left_out(name, rows, total):
  found = published.read(name)
  assert len(found) == rows
  if total is not None:
    assert sum(r['value'] for r in found) == pytest.approx(total)


def test_a_name_that_is_not_there():
  with pytest.raises(ValueError, match="No 'x' in jaxssl/published\\. There are: cole"):
    published.read('x')
  assert published.read('') == []
