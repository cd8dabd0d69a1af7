import numpy as np
import pytest

from jaxssl import feature_files
from jaxssl import features


def write(path, ids, labels, width, scale=1):
  """Features that say which example they are of."""
  x = scale * (ids[:, None] + np.arange(width) / 100)
  arrays = dict(features=x.astype(np.float32), ids=ids)
  np.savez(path, **arrays if labels is None else arrays | dict(labels=labels))
  return str(path)


def two_files(folder, n=40):
  rng = np.random.default_rng(0)
  ids = 7 + 3 * rng.permutation(n)
  other = rng.permutation(ids)
  return (write(folder / 'a.npz', ids, ids % 5, 3),
          write(folder / 'b.npz', other, other % 5, 2, scale=-1)), ids


def test_rows_of_several_files_are_matched_by_id(tmp_path):
  paths, ids = two_files(tmp_path)
  found = feature_files.read_together(paths)
  np.testing.assert_array_equal(found.ids, ids)
  np.testing.assert_array_equal(found.labels, ids % 5)
  np.testing.assert_allclose(found.features[:, 0], ids)
  np.testing.assert_allclose(found.features[:, 3], -ids)
  assert found.widths == (3, 2)


@pytest.mark.parametrize('num_files', [1, 2])
def test_the_embed_gives_each_file_its_name(num_files, tmp_path):
  paths, ids = two_files(tmp_path)
  train, test = feature_files.train_and_test(', '.join(paths[:num_files]), '')
  assert train.embed is test.embed
  got = features.outputs(train.embed, {}, {}, train.batches(16))
  if num_files == 1:
    np.testing.assert_array_equal(got.features['h'], train.features)
    return
  assert sorted(got.features) == ['h0', 'h1']
  np.testing.assert_allclose(got.features['h0'][:, 0], got.index)
  np.testing.assert_allclose(got.features['h1'][:, 0], -got.index)
  assert set(train.ids) | set(test.ids) == set(ids) and len(test.ids) < 20


def test_a_test_file_for_each_training_file(tmp_path):
  (a, b), _ = two_files(tmp_path)
  train, test = feature_files.train_and_test(f'{a},{b}', f'{a},{b}')
  np.testing.assert_array_equal(train.features, test.features)
  for wrong, told in ((f'{b},{a}', '3 and 2 wide.*2 and 3'), (a, '3 and 2 wide.* 3 ')):
    with pytest.raises(ValueError, match=told):
      feature_files.train_and_test(f'{a},{b}', wrong)


IDS = np.array([4, 2, 9])


@pytest.mark.parametrize('ids, labels, told', [
    ([2, 4, 8], [1, 0, 2], 'id 8 is in .*b.npz and not in .*a.npz'),
    ([2, 4], [1, 0], 'id 9 is in .*a.npz and not in .*b.npz'),
    ([2, 4, 9], [1, 3, 2], 'Id 4 has label 0 in .*a.npz and 3 in .*b.npz'),
    ([2, 4, 9], [[1], [0], [2]], r'shape \(3,\) in .*\(3, 1\)'),
    ([2, 4, 9], None, 'a.npz has labels and .*b.npz has none')])
def test_files_of_other_examples_or_labels_are_refused(ids, labels, told, tmp_path):
  a = write(tmp_path / 'a.npz', IDS, np.array([0, 1, 2]), 2)
  b = write(
      tmp_path / 'b.npz', np.array(ids), labels and np.array(labels), 2)
  with pytest.raises(ValueError, match=told) as error:
    feature_files.read_together([a, b])
  assert '\n' not in str(error.value)
