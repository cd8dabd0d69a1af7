"""Official layouts of data sets, each on a tiny made-up tree of exactly that form."""

import json
import os

import numpy as np
import pytest
from fake_trees import images
from fake_trees import make
from fake_trees import reds
from fake_trees import refused
from fake_trees import write
from PIL import Image

from jaxssl import taxonomy as taxonomies


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


# iNat21 by its JSON.


def inat_json(root, split, files_and_categories, categories):
  write(root / f'{split}.json', json.dumps({
      'info': {}, 'licenses': [],
      'images': [
          {'id': 10 + i, 'file_name': name, 'width': 1, 'height': 1}
          for i, (name, _) in enumerate(files_and_categories)],
      'annotations': [
          {'id': i, 'image_id': 10 + i, 'category_id': c}
          for i, (_, c) in enumerate(files_and_categories)],
      'categories': categories}))


def category(i, *ranks):
  names = ('kingdom', 'phylum', 'class', 'order', 'family', 'genus')
  return {
      'id': i, **dict(zip(names, ranks)), 'specific_epithet': ranks[6],
      'name': f'{ranks[5]} {ranks[6]}', 'common_name': 'a b', 'supercategory': 'Birds',
      'image_dir_name': 'unused'}


CATEGORIES = [
    category(7, 'Plantae', 'T', 'M', 'Lamiales', 'Lamiaceae', 'Prunella', 'vulgaris'),
    category(3, 'Animalia', 'C', 'Aves', 'P', 'Prunellidae', 'Prunella', 'modularis')]


def test_inat21_by_json(tmp_path):
  images(tmp_path, 'train/7/a.jpg', 'train/3/b.jpg', 'train/3/c.jpg', 'val/7/d.jpg')
  inat_json(
      tmp_path, 'train',
      [('train/7/a.jpg', 7), ('train/3/c.jpg', 3), ('train/3/b.jpg', 3)], CATEGORIES)
  inat_json(tmp_path, 'val', [('val/7/d.jpg', 7)], CATEGORIES)
  train, test = make('inat21', tmp_path, 'train'), make('inat21', tmp_path, 'test')
  assert reds(train) == [1, 2, 0] and train.labels.tolist() == [0, 0, 1]
  assert train.class_names == test.class_names == (
      'Prunella modularis', 'Prunella vulgaris')
  assert list(train.taxonomy) == [
      'kingdom', 'phylum', 'class', 'order', 'family', 'genus', 'species']
  assert train.taxonomy['kingdom'] == ('Animalia', 'Plantae')
  assert train.taxonomy['genus'] == (
      'Prunella (Prunellidae)', 'Prunella (Lamiaceae)')
  assert reds(test) == [3] and test.labels.tolist() == [1]


def test_inat21_json_and_official_folders_agree(tmp_path):
  folders = [
      '00000_Animalia_C_Aves_P_Prunellidae_Prunella_modularis',
      '00001_Plantae_T_M_Lamiales_Lamiaceae_Prunella_vulgaris']
  images(tmp_path, *(f'train/{f}/x.jpg' for f in folders))
  inat_json(
      tmp_path, 'train', [(f'train/{folders[0]}/x.jpg', 3),
                          (f'train/{folders[1]}/x.jpg', 7)], CATEGORIES)
  by_json = make('inat21', tmp_path, 'train', labels='json')
  by_name = make('inat21', tmp_path, 'train')
  assert by_json.taxonomy == by_name.taxonomy and by_json.digest == by_name.digest
  assert by_json.labels.tolist() == by_name.labels.tolist()


def test_inat21_json_errors(tmp_path):
  images(tmp_path, 'train/7/a.jpg')
  refused('not named like', 'inat21', tmp_path)
  refused('train.json is missing', 'inat21', tmp_path, labels='json')
  inat_json(tmp_path, 'train', [('train/7/gone.jpg', 7)], CATEGORIES)
  refused('1 of the 1 images that train.json names are not', 'inat21', tmp_path)
  inat_json(tmp_path, 'train', [('../train/7/a.jpg', 7)], CATEGORIES)
  refused('outside its folder', 'inat21', tmp_path)
  inat_json(tmp_path, 'train', [('train/7/a.jpg', 7)], [{'id': 7}])
  refused('is not as iNat21 has it', 'inat21', tmp_path)
  write(tmp_path / 'train.json', '{')
  refused('is not as iNat21 has it', 'inat21', tmp_path)
  refused('"auto", "folders" or "json"', 'inat21', tmp_path, labels='xml')


# Places.

KINDS_16 = [f'kind {i}' for i in range(16)]


def scene_hierarchy(rows):
  """The authors' table: a title, names of columns, and marks in 3 and 16 columns."""
  lines = [
      ['Scene hierarchy', 'level 1', '', '', 'level 2', *[''] * 15],
      ['category', 'indoor', '"outdoor, natural"', '"outdoor, man-made"', *KINDS_16]]
  for name, threes, sixteens in rows:
    lines.append([
        f"'{name}'", *(str(int(i in threes)) for i in range(3)),
        *(str(int(i in sixteens)) for i in range(16))])
  return '\n'.join(','.join(line) for line in lines) + '\n'


def test_places365_hierarchy(tmp_path):
  images(tmp_path, *(f'train/{c}/1.jpg' for c in (
      'airfield', 'arch', 'barn', 'bar', 'building-outdoor')))
  write(tmp_path / 'scene_hierarchy_places365.csv', scene_hierarchy([
      ('/a/airfield', [2], [10, 12]), ('/a/arch', [1, 2], [11]),
      ('/b/bar', [0], [0]), ('/b/barn', [1, 2], [10, 0]),
      ('/b/building/outdoor', [2], [11]), ('/z/zoo', [2], [10])]))
  source = make('places365', tmp_path, 'train')
  assert source.class_names == ('airfield', 'arch', 'bar', 'barn', 'building-outdoor')
  # The barn is marked in two of the 16: the first from the left is kind 0, whose
  # other category is indoors (one mark each way: the first of the 3 wins).
  assert source.taxonomy == {
      'level1': ('outdoor, man-made', 'outdoor, man-made', 'indoor', 'indoor',
                 'outdoor, man-made'),
      'level2': ('kind 10', 'kind 11', 'kind 0', 'kind 0', 'kind 11'),
      'category': source.class_names}
  assert taxonomies.levels(source.taxonomy, 5)
  for text, message in [
      (scene_hierarchy([('/a/airfield', [2], [1])]), 'no row for arch, bar, barn'),
      (scene_hierarchy([('/a/airfield', [2], [])]), 'a mark among the 16'),
      ('a,b\n', 'no table of categories'), ("'/a/airfield',1,0\n", '3 and 16 columns')]:
    write(tmp_path / 'scene_hierarchy_places365.csv', text)
    refused(message, 'places365', tmp_path)


def test_places365_by_the_official_lists(tmp_path):
  images(tmp_path, 'data_256/a/airfield/1.jpg', 'data_256/a/airfield/2.jpg',
         'data_256/b/building/outdoor/3.jpg', 'val_256/v.jpg')
  write(tmp_path / 'categories_places365.txt', '/a/airfield 0\n/b/building/outdoor 1\n')
  write(tmp_path / 'places365_train_standard.txt',
        '/b/building/outdoor/3.jpg 1\n/a/airfield/2.jpg 0\n')
  write(tmp_path / 'scene_hierarchy_places365.csv', scene_hierarchy([
      ('/a/airfield', [2], [10]), ('/b/building/outdoor', [2], [11])]))
  train = make('places365', tmp_path, 'train')
  assert reds(train) == [2, 1] and train.labels.tolist() == [1, 0]
  assert train.taxonomy['level2'] == ('kind 10', 'kind 11')
  os.remove(tmp_path / 'data_256/a/airfield/2.jpg')
  refused('1 of the 2 images that places365_train_standard.txt names are not',
          'places365', tmp_path)


@pytest.mark.parametrize('inside, lists', [
    ('data/vision/torralba/deeplearning/images256', 'trainvalsplit_places205/'),
    ('images256', '')])
def test_places205(tmp_path, inside, lists):
  images(tmp_path / inside, 'a/abbey/1.jpg', 'b/basement/2.jpg',
         'a/apartment_building/outdoor/3.jpg', 'a/abbey/4.jpg')
  refused('train_places205.csv is missing', 'places205', tmp_path)
  write(tmp_path / f'{lists}train_places205.csv', (
      'b/basement/2.jpg 2\na/abbey/1.jpg 0\na/apartment_building/outdoor/3.jpg 1\n'))
  write(tmp_path / f'{lists}val_places205.csv', 'a/abbey/4.jpg 0\n')
  train, test = (make('places205', tmp_path, split) for split in ('train', 'test'))
  assert train.class_names == ('abbey', 'apartment_building/outdoor', 'basement')
  assert reds(train) == [1, 0, 2] and train.labels.tolist() == [2, 0, 1]
  assert reds(test) == [3] and test.labels.tolist() == [0]
  write(tmp_path / f'{lists}val_places205.csv', 'a/abbey/4.jpg 0\na/abbey/9.jpg 0\n')
  refused('1 of the 2 .* a/abbey/9.jpg', 'places205', tmp_path, 'val')
  write(tmp_path / f'{lists}val_places205.csv', 'a/abbey/4.jpg 0\nb/x/1.jpg 0\n')
  refused('gives the label 0 to abbey, x', 'places205', tmp_path, 'val')


# GeoLifeCLEF 2020.


def glc(root, rows, header='observation_id;latitude;longitude;species_id'):
  write(root / 'observations/observations_us_train.csv', '\n'.join([header, *rows]))


def landcover(root, stem, value):
  path = root / f'{stem}_landcover.tif'
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.zeros((6, 6), np.uint8)
  pixels[3, 3] = value
  Image.fromarray(pixels).save(path)


def test_glc20_with_land_cover_from_the_middle_of_its_map(tmp_path):
  ids = [20000123 + 1000 * i for i in range(60)]
  rows = [f'{i};{40 + k / 10:.2f};-70.05;1' for k, i in enumerate(ids)]
  glc(tmp_path, rows)
  stems = [f'patches_us/{i % 100:02d}/{i // 100 % 100:02d}/{i}' for i in ids]
  images(tmp_path, *(f'{stem}_rgb.jpg' for stem in stems))
  refused('20000123_landcover.tif is missing, and', 'glc20', tmp_path)
  for k, stem in enumerate(stems):
    landcover(tmp_path, stem, (7, 24, 3)[k % 3])
  train, test = make('glc20', tmp_path, 'train'), make('glc20', tmp_path, 'test')
  assert train.class_names == test.class_names == ('3', '7', '24')
  assert sorted(reds(train) + reds(test)) == list(range(60))
  assert 0 < test.num_examples < 12
  for source in (train, test):
    assert source.labels.tolist() == [(1, 2, 0)[k % 3] for k in reds(source)]
  assert train.describe(0).endswith('patches_us/23/01/20000123_rgb.jpg')
  write(tmp_path / 'metadata/landcover_original_labels.csv',
        'landcover_code;landcover_label\n3;Water\n7;Forest\n24;Town\n')
  assert make('glc20', tmp_path, 'val').class_names == ('Water', 'Forest', 'Town')


def test_glc20_keeps_neighbours_together(tmp_path):
  rows = [f'{1000 + i};{30 + i // 2 * 0.1 + 0.02 * (i % 2) + 0.01:.3f};-80.05;5'
          for i in range(100)]
  glc(tmp_path, rows, 'observation_id;latitude;longitude;landcover')
  images(tmp_path, *(
      f'patches-us/{i % 100:02d}/{i // 100:02d}/{i}_rgb.jpg'
      for i in range(1000, 1100)))
  held = set(reds(make('glc20', tmp_path, 'test')))
  assert held and all({i, i ^ 1} <= held for i in held)


def test_glc20_by_columns(tmp_path):
  glc(tmp_path, ['1234;1;1;9;train', '5678;1;1;2;val'],
      'observation_id;latitude;longitude;landcover;subset')
  images(tmp_path, 'patches-us/34/12/1234_rgb.jpg', 'patches-us/78/56/5678_rgb.jpg')
  train, test = make('glc20', tmp_path, 'train'), make('glc20', tmp_path, 'test')
  assert reds(train) == [0] and train.labels.tolist() == [1]
  assert reds(test) == [1] and test.labels.tolist() == [0]
  assert test.class_names == ('2', '9')
  os.remove(tmp_path / 'patches-us/78/56/5678_rgb.jpg')
  refused('1 of the 2 images that observations_us_train.csv', 'glc20', tmp_path)
  glc(tmp_path, ['1;2'], 'observation_id;latitude')
  refused('no column longitude', 'glc20', tmp_path)
  os.remove(tmp_path / 'observations/observations_us_train.csv')
  refused('has no observations_us_train.csv', 'glc20', tmp_path)


# VOC 2007.


def voc(root, name, *objects):
  things = ''.join(
      f'<object><name>{n}</name><difficult>{d}</difficult><bndbox><xmin>1</xmin>'
      '</bndbox></object>' for n, d in objects)
  write(root / f'Annotations/{name}.xml',
        f'<annotation><filename>{name}.jpg</filename>{things}</annotation>')


@pytest.mark.parametrize('above', ['', 'VOC2007', 'VOCdevkit/VOC2007'])
def test_voc07(tmp_path, above):
  root = tmp_path / above
  images(root, *(f'JPEGImages/{i:06d}.jpg' for i in range(4)))
  voc(root, '000001', ('dog', 0), ('person', 1), ('dog', 1))
  voc(root, '000002', ('person', 0), ('aeroplane', 0))
  voc(root, '000003', ('tvmonitor', 1))
  write(root / 'ImageSets/Main/trainval.txt', '000002\n000001\n')
  write(root / 'ImageSets/Main/test.txt', '000003\n')
  train, test = (make('voc07', tmp_path, split) for split in ('trainval', 'test'))
  assert reds(train) == [2, 1] and reds(test) == [3]
  assert train.labels.dtype == np.int8 and train.labels.shape == (2, 20)
  assert [{train.class_names[k] for k in np.flatnonzero(row)} for row in train.labels
          ] == [{'person', 'aeroplane'}, {'dog'}]
  assert not test.labels.any()  # Only difficult ones: negative, as in PCL.
  refused('train.txt is missing', 'voc07', tmp_path, 'train')


def test_voc07_refuses_bad_annotations(tmp_path):
  images(tmp_path, 'JPEGImages/1.jpg')
  write(tmp_path / 'ImageSets/Main/test.txt', '1\n')
  refused('1.xml cannot be read', 'voc07', tmp_path, 'test')
  laughs = ('<!DOCTYPE annotation [<!ENTITY a "dog"><!ENTITY b "&a;&a;">]>'
            '<annotation><object><name>&b;</name></object></annotation>')
  for text, message in [
      (laughs, 'declares a document type, annotation'),
      (laughs.encode('utf-16'), 'declares a document type'),
      ('<annotation><object>', 'no annotation of VOC 2007'),
      ('<annotation><object><name>cow boy</name></object></annotation>', 'no annot')]:
    write(tmp_path / 'Annotations/1.xml', text)
    refused(message, 'voc07', tmp_path, 'test')
  write(tmp_path / 'ImageSets/Main/val.txt', '2\n')
  refused('1 of the 1 images that val.txt', 'voc07', tmp_path, 'val')


# CIFAR-100.


def cifar100(fine):
  """Records whose coarse label is a fifth of the fine one; returns their images."""
  rng = np.random.default_rng(len(fine))
  pixels = rng.integers(0, 256, (len(fine), 32, 32, 3), dtype=np.uint8)
  return pixels, b''.join(
      bytes([f // 5, f]) + b''.join(x[..., c].tobytes() for c in range(3))
      for f, x in zip(fine, pixels))


def test_cifar100_binary(tmp_path):
  folder = tmp_path / 'cifar-100-binary'
  order = [*range(20), 3]
  pixels, records = cifar100(order)
  write(folder / 'train.bin', records)
  write(folder / 'test.bin', cifar100([17])[1])
  refused('fine_label_names.txt is missing', 'cifar100', tmp_path)
  write(folder / 'fine_label_names.txt', ''.join(f'f{i:02d}\n' for i in range(20)))
  write(folder / 'coarse_label_names.txt', 'west\neast\nsouth\nnorth\n')
  train = make('cifar100', tmp_path, 'train')
  np.testing.assert_array_equal(train.read(range(21)), pixels)
  assert train.labels.tolist() == order and train.class_names[17] == 'f17'
  assert train.taxonomy['coarse'] == tuple(
      ('west', 'east', 'south', 'north')[i // 5] for i in range(20))
  coarse = make('cifar100', folder, 'test', labels='coarse')
  assert coarse.class_names == ('east', 'north', 'south', 'west')
  assert coarse.labels.tolist() == [1]
  assert coarse.taxonomy == {'coarse': coarse.class_names}
  write(folder / 'train.bin', records[:-1])
  refused('no multiple of 3074', 'cifar100', tmp_path)
  write(folder / 'train.bin', records[:3074 * 19])
  refused('each of the 20 fine ones', 'cifar100', tmp_path)


def test_cifar100_arrays_of_some_classes(tmp_path):
  refused('has none of the layouts of CIFAR-100', 'cifar100', tmp_path)
  pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
  np.savez(tmp_path / 'train.npz', images=pixels, labels=[2, 0, 1, 0],
           class_names=np.array(['apple', 'bear', 'pear']))
  train = make('cifar100', tmp_path, 'train')
  assert train.taxonomy is None and train.labels.tolist() == [2, 0, 1, 0]
  refused('has no coarse labels', 'cifar100', tmp_path, labels='coarse')
  write(tmp_path / 'taxonomy.csv', (
      'fine_label,class,coarse_label,coarse,level1\n0,apple,4,fruit,plants\n'
      '3,bear,8,carnivores,animals\n57,pear,4,fruit,plants\n'))
  assert make('cifar100', tmp_path, 'train').taxonomy == {
      'level1': ('plants', 'animals', 'plants'),
      'coarse': ('fruit', 'carnivores', 'fruit'), 'class': ('apple', 'bear', 'pear')}
  coarse = make('cifar100', tmp_path, 'train', labels='coarse')
  assert coarse.class_names == ('carnivores', 'fruit')
  assert coarse.labels.tolist() == [1, 1, 0, 1]
  assert coarse.taxonomy == {
      'level1': ('animals', 'plants'), 'coarse': ('carnivores', 'fruit')}
  np.testing.assert_array_equal(coarse.read(range(4)), pixels)


@pytest.mark.parametrize('name, split, extra', [
    ('places205', 'train', 'trainvalsplit_places205.tar.gz'),
    ('glc20', 'train', 'imageclef.org/GeoLifeCLEF2020'),
    ('voc07', 'test', 'VOCtest_06-Nov-2007.tar'),
    ('cifar100', 'train', 'cifar-100-binary.tar.gz')])
def test_what_a_root_should_be_is_said_in_one_line(tmp_path, name, split, extra):
  refused(f'root is not set.*{extra}', name, '', split)
  refused(f'does not exist.*{extra}', name, tmp_path / 'no', split)
  (tmp_path / 'empty').mkdir()
  refused(extra, name, tmp_path / 'empty', split)
  refused("No split 'nope'", name, tmp_path / 'empty', 'nope')
