"""The TFDS source on small sets prepared here, offline."""

import json
import shutil
import sys

import numpy as np
import pytest

from jaxssl import data
from jaxssl import errors
from jaxssl import plugins

tfds = pytest.importorskip('tensorflow_datasets')
pytest.importorskip('array_record.python.array_record_module')

NUM_TRAIN, NUM_TEST = 23, 7


def picture(i):
  rng = np.random.default_rng(i)
  return rng.integers(0, 256, (9 + i, 12, 3), dtype=np.uint8)


def grid(i):
  return np.full((4, 5, 1), i, np.uint8)


class TinyThings(tfds.core.GeneratorBasedBuilder):
  """Two images and two labels an example; `number` says which example it is."""
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
        'image': tfds.features.Image(encoding_format='png'),
        'mask': tfds.features.Image(shape=(None, None, 1)),
        'label': tfds.features.ClassLabel(names=['a', 'b', 'c']),
        'coarse': tfds.features.ClassLabel(num_classes=2),
        'number': np.int64}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(0, NUM_TRAIN),
            'test': self._generate_examples(NUM_TRAIN, NUM_TRAIN + NUM_TEST)}

  def _generate_examples(self, first, last):
    for i in range(first, last):
      label = i % 3 if i < NUM_TRAIN else -1  # The test labels are secret.
      yield i, {'image': picture(i), 'mask': picture(i)[..., :1], 'label': label,
                'coarse': i % 2, 'number': i}


class TinyGrids(tfds.core.GeneratorBasedBuilder):
  """Images stored as arrays, without labels."""
  VERSION = tfds.core.Version('2.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
        'pixels': tfds.features.Tensor(shape=(4, 5, 1), dtype=np.uint8)}))

  def _split_generators(self, dl_manager):
    return {'train': ((i, {'pixels': grid(i)}) for i in range(6))}

  def _generate_examples(self):
    raise NotImplementedError


def make(**settings):
  return plugins.load('data.sources', 'tfds').make(**settings)


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  """A folder for each file format, with `tiny_things` in it."""
  folders = {}
  for form in ('array_record', 'tfrecord'):
    folders[form] = tmp_path_factory.mktemp(form)
    TinyThings(data_dir=folders[form], file_format=form).download_and_prepare()
  return folders


@pytest.fixture
def copied(prepared, tmp_path):
  """Copies of these folders, to change."""
  return {
      form: shutil.copytree(
          folder, tmp_path / form,
          ignore=shutil.ignore_patterns('*_array_record', 'labels_*'))
      for form, folder in prepared.items()}


def which(source):
  """The number of the picture that each image of the source equals."""
  pictures = [picture(i) for i in range(NUM_TRAIN + NUM_TEST)]
  return [
      next(i for i, p in enumerate(pictures) if np.array_equal(p, image))
      for image in source.read(range(source.num_examples), short_side=4)]


@pytest.mark.parametrize('form', ['array_record', 'tfrecord'])
def test_every_example_once_with_its_label(prepared, form):
  settings = dict(dataset='tiny_things', data_dir=str(prepared[form]))
  train = make(split='train', **settings)
  numbers = which(train)
  assert sorted(numbers) == list(range(NUM_TRAIN))
  assert train.class_names == ('a', 'b', 'c')
  np.testing.assert_array_equal(train.labels, np.array(numbers) % 3)
  np.testing.assert_array_equal(train.read([7, 2, 7])[2], picture(numbers[7]))
  part = make(split='train[5:9]', **settings)
  assert which(part) == numbers[5:9]
  np.testing.assert_array_equal(part.labels, train.labels[5:9])
  everything = make(split='', label_key='none', **settings)
  assert sorted(which(everything)) == list(range(NUM_TRAIN + NUM_TEST))
  assert everything.labels is None
  assert make(split='test', **settings).labels is None  # All are -1.
  coarse = make(split='train', label_key='coarse', **settings)
  np.testing.assert_array_equal(coarse.labels, np.array(numbers) % 2)
  mask = make(split='train', image_key='mask', **settings).read([3])[0]
  np.testing.assert_array_equal(
      mask, np.repeat(picture(numbers[3])[..., :1], 3, axis=-1))
  digests = {s.digest for s in (train, part, everything)}
  assert len(digests) == 3
  assert train.digest == make(split='train', **settings).digest


def test_tfrecord_is_copied_once_into_a_folder_beside_it(copied):
  settings = dict(dataset='tiny_things', split='train')
  first = make(data_dir=str(copied['tfrecord']), **settings)
  folder = copied['tfrecord'] / 'tiny_things'
  assert sorted(p.name for p in folder.iterdir()) == ['1.0.0', '1.0.0_array_record']
  assert not list((folder / '1.0.0').glob('*array_record*'))
  copy = folder / '1.0.0_array_record'
  stamps = {p: p.stat().st_mtime_ns for p in copy.iterdir()}
  again = make(data_dir=str(copied['tfrecord']), **settings)
  assert {p: p.stat().st_mtime_ns for p in copy.iterdir()} == stamps
  assert again.digest == first.digest
  # The same examples, in the same order, as in a set prepared as array_record.
  assert which(again) == which(
      make(data_dir=str(copied['array_record']), **settings))

  info = json.loads((copy / 'dataset_info.json').read_text())
  info['splits'][0]['shardLengths'] = ['22']
  (copy / 'dataset_info.json').write_text(json.dumps(info))
  with pytest.raises(ValueError, match='_array_record is a copy of something else'):
    make(data_dir=str(copied['tfrecord']), **settings)


def test_a_damaged_tfrecord_is_no_shorter_set(copied):
  folder = copied['tfrecord'] / 'tiny_things/1.0.0'
  shard = next(folder.glob('*train.tfrecord*'))
  whole = shard.read_bytes()
  second = 16 + int.from_bytes(whole[:8], 'little')
  # `second` is where the second record starts.
  flipped = whole[:99] + bytes([whole[99] ^ 1]) + whole[100:]
  for damaged in (flipped, whole[:-5], whole[:second], b''):
    shard.write_bytes(damaged)
    with pytest.raises(errors.DataError, match=r'train\.tfrecord.*(damaged|exam)'):
      make(dataset='tiny_things', split='train', data_dir=str(copied['tfrecord']))
    assert [p.name for p in folder.parent.iterdir()] == ['1.0.0']


def test_labels_are_read_once(copied):
  settings = dict(dataset='tiny_things', split='train', data_dir=str(
      copied['array_record']))
  train = make(**settings)
  kept, = (copied['array_record'] / 'tiny_things/1.0.0').glob('labels_*.npy')
  np.save(kept, 2 - train.labels)  # To see that it is this file that counts.
  np.testing.assert_array_equal(make(**settings).labels, 2 - train.labels)
  for torn in (b'', b'torn'):
    kept.write_bytes(torn)
    np.testing.assert_array_equal(make(**settings).labels, train.labels)
  np.save(kept, train.labels[:-1])
  np.testing.assert_array_equal(make(**settings).labels, train.labels)


def test_arrays_and_preparing(tmp_path):
  source = make(dataset='tiny_grids', split='train', data_dir=str(tmp_path))
  assert (tmp_path / 'tiny_grids/2.0.0').is_dir() and source.labels is None
  images = source.read(range(6))
  assert sorted(int(image[0, 0, 0]) for image in images) == list(range(6))
  assert {(image.shape, image.dtype) for image in images} == {
      ((4, 5, 3), np.dtype(np.uint8))}


def test_bad_images_keep_their_place(copied, monkeypatch):
  from jaxssl.data import decode
  source = make(
      dataset='tiny_things', split='train', data_dir=str(copied['array_record']))
  monkeypatch.setattr(decode, 'MAX_PIXELS', 12 * (9 + 10))
  images = source.read(range(NUM_TRAIN))
  bad = [isinstance(image, data.BadImage) for image in images]
  assert sum(bad) == NUM_TRAIN - 11
  assert {image.reason for image, b in zip(images, bad) if b} == {'too large'}


def test_a_lost_file_is_a_storage_error(copied):
  settings = dict(
      dataset='tiny_things', label_key='none', data_dir=str(copied['array_record']))
  source = make(split='train', **settings)  # Opens its files when it reads.
  for path in (copied['array_record'] / 'tiny_things/1.0.0').glob('*train*'):
    path.unlink()
  with pytest.raises(errors.StorageError, match=r'1\.0\.0 train cannot be read'):
    source.read([0])
  with pytest.raises(errors.StorageError, match=r'No such file .*train'):
    make(split='train', **settings)
  assert make(split='test', **settings).num_examples == NUM_TEST


def test_a_damaged_record_is_a_storage_error(copied):
  settings = dict(
      dataset='tiny_things', label_key='none', data_dir=str(copied['array_record']))
  shard, = (copied['array_record'] / 'tiny_things/1.0.0').glob('*train*')
  whole = bytearray(shard.read_bytes())
  for place in range(0, len(whole), 999):
    whole[place] ^= 1
  shard.write_bytes(whole)
  with pytest.raises(errors.StorageError, match=r'1\.0\.0 train cannot be read'):
    make(split='train', **settings).read(range(NUM_TRAIN))


@pytest.mark.parametrize('settings, message', [
    (dict(dataset='no_such_set'), "TFDS has no 'no_such_set' for us"),
    (dict(dataset='imagenet2012'), "TFDS has no 'imagenet2012' for us: Manual"),
    (dict(split='nope'), r"Unknown split 'nope'. Should be one of \['train',"),
    (dict(image_key='number'), "image_key is 'number'. There are: image, mask"),
    (dict(label_key='number'), "label_key is 'number'. There are: .*coarse"),
])
def test_mistakes_are_explained_in_one_line(prepared, settings, message):
  usual = dict(
      dataset='tiny_things', split='train', data_dir=str(prepared['array_record']))
  with pytest.raises(ValueError, match=message) as e:
    make(**{**usual, **settings})
  assert '\n' not in str(e.value)


def test_without_array_record_the_limit_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'array_record.python.array_record_module', None)
  with pytest.raises(ValueError, match='array_record, which has wheels for Linux'):
    make(dataset='tiny_things', split='train', data_dir='')
