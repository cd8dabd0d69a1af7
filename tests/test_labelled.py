import numpy as np
import pytest

from jaxssl import errors
from jaxssl import labelled


def test_gathered_examples_are_sorted_and_whole():
  rng = np.random.default_rng(1)
  index = rng.permutation(20)
  image = np.uint8(index[:, None] * [1, 2])
  batches = [
      {'image': image[i:i + 6], 'index': index[i:i + 6], 'size': index[i:i + 6] + 1}
      for i in range(0, 20, 6)]
  got = labelled.gather(batches, np.array([17, 3, 4]))
  np.testing.assert_equal(got, {
      'image': np.uint8([[3, 6], [4, 8], [17, 34]]), 'index': np.array([3, 4, 17]),
      'size': np.array([4, 5, 18])})
  assert got['image'].dtype == np.uint8


def test_parts_are_balanced_nested_and_fixed():
  rng = np.random.default_rng(0)
  ids = rng.permutation(1000) + 5
  labels = np.where(ids % 100 == 0, 3, ids % 3).astype(np.int32)  # 10 of class 3.
  how = dict(num_classes=4, seed=0)
  parts = {f: labelled.balanced(ids, labels, fraction=f, **how)
           for f in (0.0001, 0.01, 0.1, 1.0)}
  label_of = dict(zip(ids.tolist(), labels.tolist()))
  counts = [
      np.bincount([label_of[i] for i in part.tolist()], minlength=4).tolist()
      for part in parts.values()]
  assert counts == [[1] * 4, [2] * 4, [25, 25, 25, 10], [250, 250, 250, 10]]
  for small, large in zip(list(parts.values()), list(parts.values())[1:]):
    assert np.isin(small, large).all() and (np.diff(large) > 0).all()
  order = np.argsort(ids)
  np.testing.assert_array_equal(
      labelled.balanced(ids[order], labels[order], fraction=0.01, **how),
      parts[0.01])
  # By hand: sorted by the little-endian BLAKE2b of '0 <id>', the first two of a class.
  np.testing.assert_array_equal(
      parts[0.01], [200, 215, 400, 495, 504, 730, 740, 925])
  other = labelled.balanced(ids, labels, fraction=0.1, num_classes=4, seed=1)
  assert np.isin(other, parts[0.1]).mean() < 0.5


def test_a_list_of_ids(tmp_path):
  path = tmp_path / 'ids.txt'
  path.write_text('12\n\n3 \n40')
  np.testing.assert_array_equal(labelled.read_list(path), [3, 12, 40])


def test_a_list_of_names(tmp_path):
  path = tmp_path / 'names.txt'
  path.write_text('n01440764_10026.JPEG\n\n 12\nb/a.png\n')
  assert labelled.read_list(path) == ['n01440764_10026.JPEG', '12', 'b/a.png']


@pytest.mark.parametrize('text, message', [
    ('4\n4', 'has 4 more than once'), ('a.png\n4\na.png', 'has a.png more than once'),
    ('\n', 'is empty')])
def test_a_list_that_is_none_is_refused(text, message, tmp_path):
  path = tmp_path / 'ids.txt'
  path.write_text(text)
  with pytest.raises(ValueError, match=message):
    labelled.read_list(path)


PATHS = [
    'train/cat/1.png', 'train/cat/2.png', 'train/dog/1.png', 'train/dog/12.png',
    'train/dog/mother/3.png']
IDS = np.array([14, 12, 10, 11, 13])


def path_of(i):
  return PATHS[i - 10]


def test_names_are_found_with_and_without_folders():
  names = ['2.png', 'dog/1.png', 'train/cat/1.png', '3.png', '12.png']
  found = labelled.find(names, IDS, path_of, what='list.txt')
  np.testing.assert_array_equal(found, [10, 11, 12, 13, 14])
  assert found.dtype.kind == 'i'
  np.testing.assert_array_equal(
      labelled.find(['train/dog/12.png'], IDS, path_of, what='list.txt'), [13])


def test_ids_are_found_as_they_are():
  ids = np.array([10, 13])
  assert labelled.find(ids, IDS, None, what='list.txt') is ids


@pytest.mark.parametrize('listed, describe, message', [
    (np.array([9, 10, 99]), None,
     '2 of the 3 ids in list.txt are not in the training set, the first 9'),
    (['2.png', '7.png', 'at/1.png', 'cat/3.png'], path_of,
     "3 of the 4 names in list.txt are not in the training set, the first '7.png'; it "
     "has names such as 'train/dog/mother/3.png'"),
    (['1.png', '2.png'], path_of,
     "1 of the 2 names in list.txt are those of several examples, the first '1.png' of "
     "'train/dog/1.png' and 'train/cat/1.png'"),
    (['2.png', 'cat/2.png'], path_of,
     "list.txt has 'train/cat/2.png' under more than one name"),
    (['2.png'], None, "has names such as '2.png', and these examples have none")])
def test_a_list_that_does_not_fit_the_examples(listed, describe, message):
  with pytest.raises(ValueError, match=message):
    labelled.find(listed, IDS, describe, what='list.txt')


def test_a_list_that_is_not_there(tmp_path):
  with pytest.raises(errors.StorageError, match=r'Cannot read .*none\.txt'):
    labelled.read_list(tmp_path / 'none.txt')


@pytest.mark.parametrize('batches, message', [
    ([], 'The set has no examples'),
    ([{'index': np.arange(2)}], 'The set has no labels'),
    ([{'index': np.arange(2), 'label': np.arange(2)}] * 2, 'id 0 more than once'),
    ([{'index': np.arange(2), 'label': np.array([0, 9])}], 'labels from 0 to 9')])
def test_examples_that_do_not_fit_are_refused(batches, message):
  with pytest.raises(ValueError, match=message):
    labelled.ids_and_labels(batches, 3, what='The set')
