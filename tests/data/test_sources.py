"""Every source on trees and files made here, whose pixels and labels are known."""

import builtins
import errno
import os
import time

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from jaxssl import data
from jaxssl import errors
from jaxssl import plugins
from jaxssl.data import files


def make(name, **settings):
  return plugins.load('data.sources', name).make(**settings)


def colour(i):
  return [i % 256, 3 * i % 256, 255 - i % 256]


def tree(root, *paths):
  """Writes a PNG of one pixel at each path: colour(its place in the list)."""
  for i, path in enumerate(paths):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (1, 1), tuple(colour(i))).save(root / path, 'PNG')
  return str(root)


def check_refused(name, root, split, *words):
  with pytest.raises(ValueError) as e:
    make(name, root=root, split=split)
  assert '\n' not in str(e.value)
  for word in words:
    assert word in str(e.value)


def paths_of(source, root):
  return [
      os.path.relpath(source.describe(i), root) for i in range(source.num_examples)]


# Any folder.


def test_folder_lists_every_image_once_sorted_bytewise(tmp_path):
  names = [
      'b.jpg', 'a/z.PNG', 'a.webp', 'a-b/c.JPeG', 'Z.png', 'a/b/deep.jpg', 'é.png']
  root = tree(tmp_path, *names)
  for junk in ('notes.txt', '.hidden.jpg', '.cache/x.jpg', '._b.jpg', 'a/x.gif'):
    (tmp_path / junk).parent.mkdir(exist_ok=True)
    (tmp_path / junk).write_bytes(b'x')
  (tmp_path / 'folder.jpg').mkdir()
  source = make('folder', root=root, split='')
  want = sorted(names, key=str.encode)
  assert paths_of(source, root) == want
  assert source.labels is None and source.class_names is None
  images = source.read(np.arange(len(names)))
  assert [image[0, 0].tolist() for image in images] == [
      colour(names.index(name)) for name in want]
  again = source.read([3, 0, 3], short_side=8)
  np.testing.assert_array_equal(again, [images[3], images[0], images[3]])


def test_folder_gives_bad_images_in_their_place(tmp_path):
  root = tree(tmp_path, 'a.png', 'c.png')
  (tmp_path / 'b.jpg').write_bytes(b'')
  first, bad, last = make('folder', root=root, split='').read(range(3))
  assert isinstance(bad, data.BadImage) and bad.reason == 'empty file'
  assert first[0, 0].tolist() == colour(0) and last[0, 0].tolist() == colour(1)


def test_folder_follows_links_once(tmp_path):
  root = tree(tmp_path / 'root', 'a/1.png', 'b/2.png')
  tree(tmp_path / 'elsewhere', '3.png')
  os.symlink(tmp_path / 'elsewhere', tmp_path / 'root/b/linked')
  os.symlink(tmp_path / 'root', tmp_path / 'root/b/loop')
  os.symlink(tmp_path / 'root/a', tmp_path / 'root/z')  # The same images once more.
  os.symlink(tmp_path / 'root/a/1.png', tmp_path / 'root/b/file.png')
  os.symlink(tmp_path / 'nowhere', tmp_path / 'root/b/broken.png')
  source = make('folder', root=root, split='')
  assert paths_of(source, root) == [
      'a/1.png', 'b/2.png', 'b/file.png', 'b/linked/3.png']


def test_odd_file_names_do_no_harm(tmp_path):
  tree(tmp_path, 'x\n[ERROR] \x1b[31m\u202e.png')
  Image.new('RGB', (1, 1)).save(os.fsencode(tmp_path) + b'/\xff.png', 'PNG')
  source = make('folder', root=str(tmp_path), split='')
  shown = [source.describe(i) for i in range(2)]
  assert shown[0].endswith(r'x\n[ERROR] \x1b[31m\u202e.png')
  assert shown[1].endswith(r'\udcff.png')
  assert all(text.isprintable() for text in shown)
  assert all(isinstance(image, np.ndarray) for image in source.read([0, 1]))


def test_folder_splits_by_folders_with_the_classes_of_train(tmp_path):
  root = tree(
      tmp_path, 'train/b/1.png', 'train/a/2.png', 'train/c/x/3.png',
      'validation/c/4.png', 'validation/b/5.png')
  train = make('folder', root=root, split='train')
  test = make('folder', root=root, split='test')
  assert train.class_names == test.class_names == ('a', 'b', 'c')
  assert paths_of(train, root) == [
      'train/a/2.png', 'train/b/1.png', 'train/c/x/3.png']
  assert train.labels.tolist() == [0, 1, 2] and train.labels.dtype == np.int32
  assert paths_of(test, root) == ['validation/b/5.png', 'validation/c/4.png']
  assert test.labels.tolist() == [1, 2]
  assert test.read([1])[0][0, 0].tolist() == colour(3)
  everything = make('folder', root=root, split='')
  assert everything.labels.tolist() == [0, 1, 2, 1, 2]
  named = make('folder', root=root, split='validation')
  assert named.digest == test.digest and named.labels.tolist() == [1, 2]
  assert make('folder', root=root, split='train', labels='none').labels is None


def test_folder_refuses_a_class_that_train_lacks(tmp_path):
  root = tree(
      tmp_path, 'train/a/1.png', 'train/b/2.png', 'val/a/3.png', 'val/q/4.png')
  check_refused(
      'folder', root, 'test', '1 class folders are not', 'q (with val/q/4')
  assert make('folder', root=root, split='').class_names == ('a', 'b', 'q')


def test_folder_without_split_folders_keeps_a_fifth_for_tests(tmp_path):
  names = [f'{"ab"[i % 2]}/{i}.png' for i in range(300)]
  root = tree(tmp_path, *names)
  train, test = (make('folder', root=root, split=s) for s in ('train', 'test'))
  kept = paths_of(train, root), paths_of(test, root)
  assert sorted(kept[0] + kept[1]) == sorted(names)
  assert 40 < test.num_examples < 80
  assert train.class_names == test.class_names == ('a', 'b')
  assert all(
      s.class_names[l] == p[0] for s, k in zip((train, test), kept)
      for l, p in zip(s.labels, k))
  tree(tmp_path, 'a/new.png')  # What was held out stays so.
  again = make('folder', root=root, split='test')
  assert set(kept[1]) <= set(paths_of(again, root))


def test_folder_with_unlabelled_parts(tmp_path):
  root = tree(
      tmp_path, 'train/a/1.png', 'train/b/2.png', 'test/3.png', 'unlabeled/4.png')
  assert make('folder', root=root, split='train').labels.tolist() == [0, 1]
  assert make('folder', root=root, split='test').labels is None
  unlabelled = make('folder', root=root, split='unlabeled')
  assert paths_of(unlabelled, root) == ['unlabeled/4.png']
  assert make('folder', root=root, split='').labels is None
  one_folder = tree(tmp_path / 'one', 'photos/1.png', 'photos/2.png')
  assert make('folder', root=one_folder, split='').labels is None


def test_folder_asks_when_train_may_be_a_class(tmp_path):
  root = tree(tmp_path, 'boat/1.png', 'car/2.png', 'train/3.png')
  check_refused(
      'folder', root, 'train', 'is train a split, or a class like boat, car')
  assert make('folder', root=root, split='').class_names == ('boat', 'car', 'train')


def test_digest_changes_with_names_and_sizes_only(tmp_path):
  root = tree(tmp_path / 'a', 'x.png', 'y.png')
  copy = tree(tmp_path / 'b', 'x.png', 'y.png')
  digest = make('folder', root=root, split='').digest
  assert make('folder', root=copy, split='').digest == digest
  with open(tmp_path / 'b/y.png', 'ab') as f:
    f.write(b'!')
  assert make('folder', root=copy, split='').digest != digest
  os.rename(tmp_path / 'a/y.png', tmp_path / 'a/z.png')
  assert make('folder', root=root, split='').digest != digest


def test_a_disk_that_fails_is_a_storage_error(tmp_path, monkeypatch):
  source = make('folder', root=tree(tmp_path, 'a.png', 'b.png'), split='')
  monkeypatch.setattr(time, 'sleep', lambda seconds: None)
  os.remove(tmp_path / 'b.png')
  with pytest.raises(errors.StorageError, match=r'b\.png'):
    source.read([0, 1])

  def failing(path):
    raise OSError(errno.EIO, 'Input/output error')
  monkeypatch.setattr(os, 'scandir', failing)
  with pytest.raises(errors.StorageError, match='cannot be listed: Input/output'):
    make('folder', root=str(tmp_path), split='')


def test_paths_take_little_memory(tmp_path):
  names = [f'{c:05d}_a_long_name_of_a_class/{i:036d}.png' for c in range(5)
           for i in range(20)]
  for name in names:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  listing = files.find(str(tmp_path))
  stored = len(listing.names) + listing.ends.nbytes + listing.folder.nbytes
  assert stored == len(names) * (40 + 8 + 4)
  assert [listing.path(i).decode() for i in range(100)] == names


@pytest.mark.parametrize('name, extra', [
    ('folder', 'any folder with images'), ('arrays', '<split>.npz'),
    ('inat21', 'train.tar.gz and val.tar.gz from https://github.com/visipedia'),
    ('imagenet', 'ILSVRC2012_img_train.tar'),
    ('places365', 'places2.csail.mit.edu'), ('cifar10', 'cifar-10-binary.tar.gz')])
def test_a_wrong_root_is_explained_in_one_line(tmp_path, name, extra):
  (tmp_path / 'file').touch()
  for root, message in [
      ('', 'config.data.root is not set'), (str(tmp_path / 'no'), 'does not exist'),
      (str(tmp_path / 'file/x'), 'does not exist'), ('gs://a/b', 'is a URL')]:
    with pytest.raises(ValueError, match=message) as e:
      make(name, root=root, split='train')
    assert '\n' not in str(e.value)
    assert extra in str(e.value) or root == 'gs://a/b'


def test_folder_errors_name_what_is_there(tmp_path):
  (tmp_path / 'a.gif').touch()
  (tmp_path / 'b.txt').touch()
  check_refused('folder', tmp_path, '', 'none of its 2 files ends with .jpg, .jpeg')
  check_refused('folder', tmp_path / 'a.gif', '', 'is not a folder')
  root = tree(tmp_path, 'train/1.png', 'extra/2.png', 'val/3.png')
  check_refused(
      'folder', root, 'nope', "'nope': it needs a folder nope,", "extra, tra")
  with pytest.raises(ValueError, match='"auto" or "none"'):
    make('folder', root=root, split='', labels='maybe')
  only = tree(tmp_path / 'only', 'train/1.png', 'train/2.png')
  check_refused('folder', only, 'test', 'test or val or ', 'and has train')


# Official layouts.

EARTHWORM = (
    '00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_'
    'terrestris')
ACCENTOR = (
    '00001_Animalia_Chordata_Aves_Passeriformes_Prunellidae_Prunella_modularis')
SELFHEAL = (
    '00002_Plantae_Tracheophyta_Magnoliopsida_Lamiales_Lamiaceae_Prunella_vulgaris')
HYBRID = '00003_Plantae_Tracheophyta_Liliopsida_Poales_Poaceae_Zea_mays_x y'


def test_inat21_has_seven_levels(tmp_path):
  species = [EARTHWORM, ACCENTOR, SELFHEAL, HYBRID]
  root = tree(
      tmp_path, *(f'train/{s}/{i}.jpg' for s in species for i in range(2)),
      f'val/{SELFHEAL}/v.jpg', f'val/{EARTHWORM}/v.jpg')
  train = make('inat21', root=root, split='train')
  assert train.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
  assert list(train.taxonomy) == [
      'kingdom', 'phylum', 'class', 'order', 'family', 'genus', 'species']
  assert train.taxonomy['kingdom'] == ('Animalia', 'Animalia', 'Plantae', 'Plantae')
  assert train.taxonomy['genus'] == (
      'Lumbricus', 'Prunella (Prunellidae)', 'Prunella (Lamiaceae)', 'Zea')
  assert train.taxonomy['species'] == train.class_names == (
      'Lumbricus terrestris', 'Prunella modularis', 'Prunella vulgaris',
      'Zea mays x y')
  for split in ('val', 'test'):
    test = make('inat21', root=root, split=split)
    assert test.labels.tolist() == [0, 2] and test.class_names == train.class_names
    assert test.read([0])[0][0, 0].tolist() == colour(9)


def test_inat21_tells_taxa_of_one_name_apart(tmp_path):
  root = tree(tmp_path, *(f'train/{i}_{name}/1.jpg' for i, name in enumerate([
      'A_P_C_O_F_G_x', 'B_P_C_O_F_G_x', 'A_Q___F_H_y', 'A_Q___F_H_z'])))
  taxonomy = make('inat21', root=root, split='train').taxonomy
  assert {level: len(set(names)) for level, names in taxonomy.items()} == {
      'kingdom': 2, 'phylum': 3, 'class': 3, 'order': 3, 'family': 3, 'genus': 3,
      'species': 4}
  assert taxonomy['phylum'] == ('P (A)', 'P (B)', 'Q', 'Q')
  assert taxonomy['class'][2] == taxonomy['order'][2] == '(Q)'
  assert taxonomy['family'][2] == taxonomy['family'][3] == 'F ((Q))'


def test_inat21_errors(tmp_path):
  root = tree(
      tmp_path / 'mini', f'train_mini/{EARTHWORM}/1.jpg', f'val/{EARTHWORM}/1.jpg')
  assert make('inat21', root=root, split='train_mini').num_examples == 1
  check_refused('inat21', root, 'train', 'no folder train, but train_mini, val')
  check_refused(
      'inat21', root, 'all', "No split 'all'. There are: train, train_mini")
  root = tree(tmp_path / 'odd', 'train/Lumbricus terrestris/1.jpg')
  check_refused(
      'inat21', root, 'train', 'Lumbricus terrestris is not named like iNat21')
  twice = EARTHWORM.replace('00000', '00009')
  root = tree(
      tmp_path / 'twice', f'train/{EARTHWORM}/1.jpg', f'train/{twice}/1.jpg')
  check_refused('inat21', root, 'train', 'one species: Lumbricus terrestris')
  root = tree(tmp_path / 'val', f'train/{EARTHWORM}/1.jpg', f'val/{ACCENTOR}/1.jpg')
  check_refused(
      'inat21', root, 'val', 'not among the 1 classes of the training images')


def test_imagenet(tmp_path):
  root = tree(
      tmp_path, 'train/n01440764/a.JPEG', 'train/n01443537/b.JPEG',
      'val/n01443537/c.JPEG')
  assert make('imagenet', root=root, split='train').labels.tolist() == [0, 1]
  test = make('imagenet', root=root, split='test')
  assert test.labels.tolist() == [1]
  assert test.class_names == ('n01440764', 'n01443537')
  tree(tmp_path, 'val/ILSVRC2012_val_00000001.JPEG')
  check_refused(
      'imagenet', root, 'val', '1 images lie outside of class folders, such as')
  tree(tmp_path, 'train/goldfish/d.JPEG')
  check_refused('imagenet', root, 'train', 'goldfish is not a WordNet id')


def test_places365_in_class_folders(tmp_path):
  root = tree(tmp_path, 'train/airfield/1.jpg', 'train/bar/2.jpg', 'val/bar/3.jpg')
  test = make('places365', root=root, split='test')
  assert test.class_names == ('airfield', 'bar') and test.labels.tolist() == [1]


def test_places365_in_the_official_layout(tmp_path):
  root = tree(
      tmp_path, 'data_256/a/airfield/1.jpg', 'data_256/a/building/outdoor/2.jpg',
      'data_256/b/bar/3.jpg', 'val_256/v1.jpg', 'val_256/v2.jpg')
  check_refused(
      'places365', root, 'train', 'no folder train, but data_256, val_256')
  categories = tmp_path / 'categories_places365.txt'
  categories.write_text('/a/airfield 0\n/b/bar 1\n/a/building/outdoor 2\n')
  train = make('places365', root=root, split='train')
  assert train.labels.tolist() == [0, 2, 1]
  assert train.class_names == ('airfield', 'bar', 'building/outdoor')
  check_refused(
      'places365', root, 'val', 'places365_val.txt is missing: unpack filelist')
  (tmp_path / 'places365_val.txt').write_text('v2.jpg 0\nv1.jpg 2\nv3.jpg 1\n')
  assert make('places365', root=root, split='test').labels.tolist() == [2, 0]
  (tmp_path / 'places365_val.txt').write_text('v2.jpg 0\n')
  check_refused(
      'places365', root, 'val', '1 images are not in places365_val.txt: v1.jpg')
  (tmp_path / 'places365_val.txt').write_text('v2.jpg 0\nv1.jpg 3\n')
  check_refused('places365', root, 'val', 'the label 3; there are 3 classes')
  categories.write_text('/a/airfield\n')
  check_refused('places365', root, 'train', 'is no name and number')


def cifar_records(n, seed):
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
  labels = rng.integers(0, 10, n).astype(np.uint8)
  records = b''.join(
      bytes([label]) + b''.join(image[..., c].tobytes() for c in range(3))
      for image, label in zip(images, labels))
  return images, labels, records


def test_cifar10_binary(tmp_path):
  folder = tmp_path / 'cifar-10-batches-bin'
  folder.mkdir()
  batches = [cifar_records(4, i) for i in range(6)]
  for i in range(5):
    (folder / f'data_batch_{i + 1}.bin').write_bytes(batches[i][2])
  (folder / 'test_batch.bin').write_bytes(batches[5][2])
  for root in (tmp_path, folder):
    train = make('cifar10', root=str(root), split='train')
    np.testing.assert_array_equal(
        train.read(range(20)), np.concatenate([b[0] for b in batches[:5]]))
    np.testing.assert_array_equal(
        train.labels, np.concatenate([b[1] for b in batches[:5]]))
    assert train.class_names[3] == 'cat' and train.num_classes == 10
  test = make('cifar10', root=str(tmp_path), split='test')
  np.testing.assert_array_equal(test.read([2])[0], batches[5][0][2])
  (folder / 'test_batch.bin').write_bytes(batches[5][2][:-1])
  check_refused('cifar10', tmp_path, 'test', 'no multiple of 3073')
  os.remove(folder / 'data_batch_4.bin')
  check_refused('cifar10', tmp_path, 'train', 'lacks data_batch_4.bin')


def test_cifar10_other_layouts(tmp_path):
  images, labels, _ = cifar_records(5, 0)
  np.savez(tmp_path / 'test.npz', images=images, labels=labels)
  test = make('cifar10', root=str(tmp_path), split='test')
  np.testing.assert_array_equal(test.read(range(5)), images)
  assert test.labels.tolist() == labels.tolist() and test.class_names[9] == 'truck'
  np.savez(tmp_path / 'train.npz', images=images[:, :16], labels=labels)
  check_refused('cifar10', tmp_path, 'train', 'images [5, 16, 32, 3]')

  names = test.class_names
  root = tree(
      tmp_path / 'tree', *(f'train/{n}/1.png' for n in names), 'test/dog/2.png')
  assert make('cifar10', root=root, split='test').labels.tolist() == [5]
  assert make('cifar10', root=root, split='train').class_names == names
  root = tree(tmp_path / 'other', 'train/apple/1.png', 'train/bear/1.png')
  check_refused(
      'cifar10', root, 'train', 'has the classes apple, bear; those of CIFAR-10')
  (tmp_path / 'py/cifar-10-batches-py').mkdir(parents=True)
  check_refused(
      'cifar10', tmp_path / 'py', 'train', 'its Python version is pickled')


# Arrays.


def test_arrays(tmp_path):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (50, 6, 7, 3), dtype=np.uint8)
  labels = rng.integers(0, 3, 50)
  np.savez(tmp_path / 'train.npz', images=images, labels=labels)
  np.savez_compressed(
      tmp_path / 'grey.npz', images=images[..., 0], labels=labels,
      class_names=np.array(['x', 'y', 'z']))
  source = make('arrays', root=str(tmp_path), split='train')
  np.testing.assert_array_equal(
      source.read([4, 0, 4], short_side=2), images[[4, 0, 4]])
  assert source.labels.tolist() == labels.tolist()
  assert source.class_names == ('0', '1', '2')
  assert source.describe(4).endswith('train.npz #4')
  grey = make('arrays', root=str(tmp_path), split='grey')
  np.testing.assert_array_equal(
      grey.read([7])[0], np.repeat(images[7, ..., :1], 3, axis=-1))
  assert grey.class_names == ('x', 'y', 'z') and grey.digest != source.digest

  path = str(tmp_path / 'train.npz')
  everything, train, test = (
      make('arrays', root=path, split=s) for s in ('', 'train', 'test'))
  assert everything.num_examples == 50 and 3 < test.num_examples < 20
  places = [int(s.describe(i).split('#')[1]) for s in (train, test)
            for i in range(s.num_examples)]
  assert sorted(places) == list(range(50))
  np.testing.assert_array_equal(
      [*train.read(range(train.num_examples)),
       *test.read(range(test.num_examples))], images[places])
  np.testing.assert_array_equal([*train.labels, *test.labels], labels[places])
  assert len({s.digest for s in (everything, train, test)}) == 3


class Payload:
  """Makes a file when it is unpickled."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return builtins.open, (self.path, 'w')


def test_arrays_errors(tmp_path):
  images = np.zeros((4, 6, 7, 3), np.uint8)
  object_array = np.empty(1, object)
  object_array[0] = Payload(tmp_path / 'ran')
  for arrays, message in [
      (dict(images=images / 255.), 'float64; they should be uint8'),
      (dict(images=images[0, 0]), r'shape \[7, 3\]; it should be'),
      (dict(images=np.zeros((4, 3, 6, 7), np.uint8)), r'shape \[4, 3, 6, 7\]'),
      (dict(images=images[:0]), 'images are empty'),
      (dict(pixels=images), 'no array "images", but pixels'),
      (dict(images=images, labels=np.zeros(3, int)), r'int64 \[3\]; they should'),
      (dict(images=images, labels=np.zeros(4)), 'float64'),
      (dict(images=images, labels=np.array([0, 1, 2, -1])), 'from -1 to 2'),
      (dict(images=images, labels=np.arange(4), class_names=np.array(['a', 'b'])),
       'from 0 to 3; there are 2 class names'),
      (dict(images=object_array), 'no .npz file of plain arrays'),
      (dict(images=images, labels=object_array), 'no .npz file of plain arrays')]:
    np.savez(tmp_path / 'bad.npz', **arrays)
    with pytest.raises(ValueError, match=message) as e:
      make('arrays', root=str(tmp_path / 'bad.npz'), split='')
    assert 'bad.npz' in str(e.value) and '\n' not in str(e.value)
  assert not (tmp_path / 'ran').exists()
  np.savez(tmp_path / 'good.npz', images=images)
  np.save(tmp_path / 'images.npy', images)
  whole = (tmp_path / 'good.npz').read_bytes()
  for content in (
      b'', b'PK\3\4 broken', b'text', whole[:-9], whole.replace(b'(4, 6', b'(9, 6'),
      (tmp_path / 'images.npy').read_bytes()):
    (tmp_path / 'bad.npz').write_bytes(content)
    check_refused('arrays', tmp_path / 'bad.npz', '', 'no .npz file of plain')
  check_refused('arrays', tmp_path, 'test', 'No test.npz in', 'are: bad.npz, good')


def test_digits_are_scikit_learns():
  truth = datasets.load_digits()
  everything = make('digits', split='')
  train, test = make('digits', split='train', size=32), make('digits', split='test')
  assert everything.num_examples == 1797
  assert everything.labels.tolist() == truth.target.tolist()
  np.testing.assert_array_equal(
      np.stack(everything.read(range(1797)))[..., 1],
      np.rint(truth.images / 16 * 255))
  assert train.num_examples + test.num_examples == 1797
  np.testing.assert_array_less(
      np.abs(np.bincount(test.labels) - np.bincount(truth.target) / 5), 1)
  place = int(train.describe(5).split('#')[1])
  want = Image.fromarray(everything.read([place])[0]).resize((32, 32), Image.BOX)
  np.testing.assert_array_equal(train.read([5])[0], np.asarray(want))
  places = {int(s.describe(i).split('#')[1]) for s in (train, test)
            for i in range(s.num_examples)}
  assert len(places) == 1797
  with pytest.raises(ValueError, match='size is 30; it should be a multiple of 8'):
    make('digits', split='', size=30)
  with pytest.raises(ValueError, match="No split 'val'"):
    make('digits', split='val')
