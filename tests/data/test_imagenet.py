"""ImageNet in its official layouts, the tar files that it comes in, WordNet's tree."""

import io
import os
import tarfile

import numpy as np
import pytest
from fake_trees import images
from fake_trees import make
from fake_trees import png
from fake_trees import reds
from fake_trees import refused
from fake_trees import write
from scipy import io as matlab

from jaxssl import taxonomy as taxonomies
from jaxssl.data import BadImage
from jaxssl.data import tars
from jaxssl.data import wordnet


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


FISH, BIRD = 'n01440764', 'n01530575'


def tar(path, members):
  path.parent.mkdir(parents=True, exist_ok=True)
  with tarfile.open(path, 'w') as f:
    for name, content in members.items():
      info = tarfile.TarInfo(name)
      info.size = len(content)
      f.addfile(info, io.BytesIO(content))
  return path.read_bytes()


def class_tars(folder):
  """The tar of each class: fish with reds 1 and 2, a bird with red 3."""
  return {
      f'{BIRD}.tar': tar(folder / f'{BIRD}.tar', {f'{BIRD}_7.JPEG': png(3)}),
      f'{FISH}.tar': tar(folder / f'{FISH}.tar', {
          f'{FISH}_5.JPEG': png(1), 'notes.txt': b'x', f'{FISH}_6.JPEG': png(2)})}


def devkit(root, truth):
  folder = root / 'ILSVRC2012_devkit_t12/data'
  write(folder / 'ILSVRC2012_validation_ground_truth.txt',
        ''.join(f'{i}\n' for i in truth))
  synsets = np.zeros(3, [('ILSVRC2012_ID', object), ('WNID', object)])
  synsets['ILSVRC2012_ID'] = [2, 1, 1001]
  synsets['WNID'] = [FISH, BIRD, 'n00001740']
  matlab.savemat(folder / 'meta.mat', {'synsets': synsets})


def test_imagenet_from_the_official_tars(tmp_path):
  inner = class_tars(tmp_path / 'tmp')
  root = tmp_path / 'imagenet'
  tar(root / 'ILSVRC2012_img_train.tar', inner)
  val = [f'ILSVRC2012_val_{i:08d}.JPEG' for i in (1, 2, 3)]
  tar(root / 'ILSVRC2012_img_val.tar', {val[2]: png(12), val[0]: png(10)})
  devkit(root, [1, 1, 2])
  train = make('imagenet', root, 'train')
  assert train.class_names == (FISH, BIRD) and train.taxonomy is None
  assert train.labels.tolist() == [1, 0, 0] and reds(train) == [3, 1, 2]
  assert train.describe(1) == (
      f'{root}/ILSVRC2012_img_train.tar/{FISH}/{FISH}_5.JPEG')
  assert train.encoded(2) == png(2)
  test = make('imagenet', root, 'test')
  assert test.class_names == train.class_names
  assert reds(test) == [12, 10] and test.labels.tolist() == [0, 1]


def test_imagenet_from_the_tar_of_each_class_and_a_flat_folder(tmp_path):
  class_tars(tmp_path / 'train')
  images(tmp_path, *(f'val/ILSVRC2012_val_{i:08d}.JPEG' for i in (1, 2, 3)))
  train = make('imagenet', tmp_path, 'train')
  assert train.labels.tolist() == [0, 0, 1] and reds(train) == [1, 2, 3]
  refused(
      'takes LOC_val_solution.csv or ILSVRC2012_devkit', 'imagenet', tmp_path, 'val')
  write(tmp_path / 'LOC_val_solution.csv', (
      'ImageId,PredictionString\n'
      f'ILSVRC2012_val_00000001,{BIRD} 1 2 3 4 {BIRD} 5 6 7 8 \n'
      f'ILSVRC2012_val_00000003,{FISH} 1 2 3 4 \n'))
  refused('1 validation images have no known class: ILSVRC2012_val_00000002',
          'imagenet', tmp_path, 'val')
  os.remove(tmp_path / 'val/ILSVRC2012_val_00000002.JPEG')
  test = make('imagenet', tmp_path, 'val')
  assert test.labels.tolist() == [1, 0] and reds(test) == [0, 2]
  assert test.class_names == (FISH, BIRD)


def test_imagenet_flat_validation_alone_by_the_devkit(tmp_path):
  images(tmp_path, *(f'val/ILSVRC2012_val_{i:08d}.JPEG' for i in (1, 2)))
  devkit(tmp_path, [1, 2])
  test = make('imagenet', tmp_path, 'val')
  assert test.class_names == (FISH, BIRD) and test.labels.tolist() == [1, 0]
  devkit(tmp_path, [1, 9])
  refused('should have ILSVRC2012_validation_ground_truth.txt and meta.mat',
          'imagenet', tmp_path, 'val')


def test_imagenet_says_what_is_missing(tmp_path):
  (tmp_path / 'x').mkdir()
  refused('no ILSVRC2012_img_train.tar and no class folders in train, but x',
          'imagenet', tmp_path)
  class_tars(tmp_path / 'train')
  images(tmp_path, 'val/n09999999/a.JPEG')
  refused('1 class folders are not among the 2', 'imagenet', tmp_path, 'val')


def test_an_index_of_tars_is_built_once_and_when_they_change(tmp_path, monkeypatch):
  path = tmp_path / 'a.tar'
  tar(path, {'b/1.png': png(1), './2.png': png(2)})
  found = tars.index([path])
  assert found.names.tolist() == [b'b/1.png', b'2.png']
  with monkeypatch.context() as m:
    m.setattr(tarfile, 'open', None)
    again = tars.index([path])
  for a, b in zip(found[1:], again[1:]):
    np.testing.assert_array_equal(a, b)
  tar(path, {'b/1.png': png(1), '2.png': png(2), '3.png': png(3)})
  assert len(tars.index([path]).names) == 3
  source = tars.source(tars.index([path]), labels=None, class_names=None)
  assert reds(source) == [1, 2, 3]


def test_a_damaged_cache_or_none_does_no_harm(tmp_path, monkeypatch):
  path = tmp_path / 'a.tar'
  tar(path, {'1.png': png(1), '2.png': png(2)})
  tars.index([path])
  [kept] = (tmp_path / 'cache/jaxssl').iterdir()
  whole = kept.read_bytes()
  for content in (b'', whole[:-30], whole.replace(b'1.png', b'9.png')):
    kept.write_bytes(content)
    assert tars.index([path]).names.tolist() == [b'1.png', b'2.png']
    assert kept.read_bytes() != content
  monkeypatch.setenv('XDG_CACHE_HOME', str(path))  # A file: no folder can be made.
  assert len(tars.index([path]).names) == 2


def test_damaged_tars_are_told(tmp_path):
  whole = tar(tmp_path / 'a.tar', {'1.png': png(1), '2.png': png(2), 'x.txt': b'x'})
  for content, message in [
      (whole[:1600], 'is cut off: 2.png|is no uncompressed tar'),
      (b'not a tar', 'no uncompressed tar file'), (b'', 'no images|no uncompressed')]:
    write(tmp_path / 'bad.tar', content)
    with pytest.raises(ValueError, match=message):
      tars.index([tmp_path / 'bad.tar'])
  with tarfile.open(tmp_path / 'c.tar.gz', 'w:gz') as f:
    f.add(tmp_path / 'a.tar', 'a.tar')
  with pytest.raises(ValueError, match='no uncompressed tar file'):
    tars.index([tmp_path / 'c.tar.gz'])
  tar(tmp_path / 'b.tar', {'1.png': b'no image'})
  [bad] = tars.source(
      tars.index([tmp_path / 'b.tar']), labels=None, class_names=None).read([0])
  assert isinstance(bad, BadImage)


#        r
#      / | \
#     a  b  c       d is below a and, one deeper, below e: it goes below e;
#     |  |  |       f is below b and c, equally deep: it goes below b.
#     | ( f )
#     e
#    d (also below a)
IS_A = 'r a\nr b\nr c\nb f\nc f\na e\ne d\na d\n\nx y\n'


def test_wordnet_takes_the_longest_way(tmp_path):
  write(tmp_path / 'is_a.txt', IS_A)
  levels = wordnet.levels(tmp_path / 'is_a.txt', ('d', 'f', 'c'))
  assert levels == {
      'depth0': ('r', 'r', 'r'), 'depth1': ('a', 'b', 'c'),
      'depth2': ('e', 'f', 'c'), 'depth3': ('d', 'f', 'c')}
  nodes = [len(x.names) for x in taxonomies.levels(levels, 3).values()]
  assert nodes == [1, 3, 3, 3]
  for lines, message in [
      ('r a\n', '2 of the 2 classes, such as d'), ('r a b\n', 'two a line'),
      ('f d\nd f\n', 'goes in a circle at')]:
    write(tmp_path / 'is_a.txt', lines)
    with pytest.raises(ValueError, match=message):
      wordnet.levels(tmp_path / 'is_a.txt', ('d', 'f'))


def test_imagenet_with_wordnet(tmp_path):
  images(tmp_path, f'train/{FISH}/1.JPEG', f'train/{BIRD}/2.JPEG')
  assert make('imagenet', tmp_path, 'train').taxonomy is None
  write(tmp_path / 'wordnet.is_a.txt', f'n0 n1\nn0 {BIRD}\nn1 {FISH}\n')
  want = {'depth0': ('n0', 'n0'), 'depth1': ('n1', BIRD), 'depth2': (FISH, BIRD)}
  assert make('imagenet', tmp_path, 'train').taxonomy == want
  os.rename(tmp_path / 'wordnet.is_a.txt', tmp_path / 'tree.txt')
  path = str(tmp_path / 'tree.txt')
  assert make('imagenet', tmp_path, 'train', wordnet=path).taxonomy == want
  refused('no list of WordNet ids', 'imagenet', tmp_path, wordnet=path + 'x')
