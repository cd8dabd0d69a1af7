"""Features on disk: both formats give back what was written."""

import json

import numpy as np
import pytest

from jaxssl import errors
from jaxssl import feature_store

RNG = np.random.default_rng(0)
N = 10
ABOUT = dict(
    labels=np.arange(N, dtype=np.int32) % 3, ids=np.arange(N) * 7,
    class_names=('ant', 'bée', 'cat'),
    taxonomy={'kind': ('insect', 'insect', 'mammal')},
    provenance={'step': 4, 'digest': 'ab'})


@pytest.mark.parametrize('suffix', feature_store.FORMATS)
def test_round_trip(suffix, tmp_path, monkeypatch):
  monkeypatch.setattr(feature_store, 'CHUNK_ROWS', 4)
  outputs = {
      'h': RNG.standard_normal((N, 5)).astype(np.float32),
      'z': RNG.standard_normal((N, 2)).astype(np.float32)}
  path = tmp_path / f'train.{suffix}'
  for _ in range(2):  # The second time it is replaced.
    assert feature_store.save(path, outputs, **ABOUT) == path
  assert [p.name for p in tmp_path.iterdir()] == [path.name]
  found = feature_store.load(path)
  for name, want in (
      ('features', outputs['h']), ('z', outputs['z']), ('ids', ABOUT['ids']),
      ('labels', ABOUT['labels'])):
    assert found[name].dtype == want.dtype
    np.testing.assert_array_equal(found[name], want)
  assert found['class_names'].tolist() == list(ABOUT['class_names'])
  about = json.loads(str(found['about']))
  assert about['taxonomy'] == {'kind': ['insect', 'insect', 'mammal']}
  assert about['step'] == 4


@pytest.mark.parametrize('suffix', feature_store.FORMATS)
def test_without_labels_and_names(suffix, tmp_path):
  path = feature_store.save(
      tmp_path / f'x.{suffix}', {'h': np.ones((2, 3), np.float32)}, labels=None,
      ids=[0, 1], class_names=None, taxonomy=None, provenance={})
  assert feature_store.load(path).keys() == {'features', 'ids', 'about'}


def test_what_is_no_features_file_is_refused(tmp_path):
  with pytest.raises(ValueError, match='There is no features file'):
    feature_store.load(tmp_path / 'none.npz')
  (tmp_path / 'text.npz').write_text('not a zip')
  (tmp_path / 'empty.zarr').mkdir()
  np.savez(tmp_path / 'objects.npz', features=np.array([{}], object))
  for name in ('text.npz', 'empty.zarr'):
    with pytest.raises(ValueError, match='of plain arrays'):
      feature_store.load(tmp_path / name)
  with pytest.raises(ValueError, match='pickle'):
    feature_store.load(tmp_path / 'objects.npz')


def test_a_disk_that_cannot_be_written_is_a_storage_error(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.StorageError, match='Cannot write'):
    feature_store.save(
        tmp_path / 'file/x.npz', {'h': np.ones((1, 1))}, labels=None, ids=[0],
        class_names=None, taxonomy=None, provenance={})
