"""Folders with a taxonomy.csv or a labels.csv, and parts of sources with manifests."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import taxonomy as taxonomies
from jaxssl.data import BadImage
from jaxssl.data import building
from jaxssl.data import dataset
from jaxssl.data import ledger
from jaxssl.data import subsets
from jaxssl.data import trees


def make(root, split='train', **settings):
  return plugins.load('data.sources', 'folder').make(
      root=str(root), split=split, **settings)


def images(root, *paths):
  for i, path in enumerate(paths):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (3, 2), (i, 0, 0)).save(root / path, 'PNG')


def reds(source):
  return [int(x[0, 0, 0]) for x in source.read(range(source.num_examples))]


# taxonomy.csv


@pytest.fixture
def zoo(tmp_path):
  images(tmp_path, *(
      f'{split}/{c}/1.png' for split in ('train', 'test')
      for c in ('cat', 'dog', 'herb', 'bird')))
  (tmp_path / 'taxonomy.csv').write_text(
      'wnid,class,level2,n_train,level1\n'
      'n1,cat,"small, soft",80,animal\nn2,dog,large,80,animal\n'
      'n3,herb,large,80,plant\nn4,bird,,80,animal\nn5,ant,small,80,animal\n')
  return tmp_path


def test_a_table_beside_the_splits_makes_a_tree(zoo):
  train, test = make(zoo), make(zoo, 'test')
  assert train.class_names == ('bird', 'cat', 'dog', 'herb')
  assert train.taxonomy == test.taxonomy == {
      'level1': ('animal', 'animal', 'animal', 'plant'),
      'level2': ('', 'small, soft', 'large (animal)', 'large (plant)'),
      'class': ('bird', 'cat', 'dog', 'herb')}
  nodes = taxonomies.levels(train.taxonomy, 4)
  assert [len(x.names) for x in nodes.values()] == [2, 3, 4]
  assert make(zoo, levels=('level1',)).taxonomy == {
      'level1': ('animal', 'animal', 'animal', 'plant'), 'class': train.class_names}
  assert list(make(zoo, levels=('level1', 'wnid')).taxonomy) == ['level1', 'wnid']
  assert make(zoo, levels='none').taxonomy is None
  assert make(zoo, labels='none').taxonomy is None


def test_mistakes_in_a_table(zoo):
  path = zoo / 'taxonomy.csv'
  with pytest.raises(ValueError, match='has no column level9, but wnid, class'):
    make(zoo, levels=('level9',))
  for text, message in [
      ('class,level1\ncat,a\ndog,a\n', 'no row for 2 of the 4 classes, such as bird'),
      ('class,words\n' + ''.join(f'{c},x\n' for c in ('cat', 'dog', 'herb', 'bird')),
       'no column that is a level .* to some of class, words'),
      ('class,level1\ncat\n', 'line 2 has other than 2 fields'),
      ('name,level1\ncat,a\n', 'has no column class'), ('', 'no column class, but n')]:
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as e:
      make(zoo)
    assert '\n' not in str(e.value)


def test_biological_ranks_come_in_their_order(tmp_path):
  path = tmp_path / 'taxonomy.csv'
  path.write_text(
      'class,species,genus,family,order,tax_class,phylum,kingdom,source\n'
      'x,G a,G,F,O,C,P,K,web\ny,G b,G,F,O,C,P,K,book\n')
  found = trees.from_csv(path, ('x', 'y'))
  assert list(found) == [
      'kingdom', 'phylum', 'tax_class', 'order', 'family', 'genus', 'species']
  assert found['species'] == ('G a', 'G b')


# labels.csv


@pytest.fixture
def partly(tmp_path):
  images(tmp_path, 'train/x/0.png', 'train/1.png', 'train/x/2.png', 'test/3.png',
         'test/4.png')
  (tmp_path / 'labels.csv').write_text(
      'file,label,who\ntrain/x/2.png,owl,me\ntrain/1.png,,me\ntest/4.png,bat,you\n')
  return tmp_path


def test_labels_for_some_images(partly):
  train, test = make(partly), make(partly, 'test')
  assert train.class_names == test.class_names == ('bat', 'owl')
  assert train.labels.tolist() == [-1, -1, 1] and reds(train) == [1, 0, 2]
  assert test.labels.tolist() == [-1, 0]
  labelled = make(partly, labelled_only=True)
  assert reds(labelled) == [2] and labelled.labels.tolist() == [1]
  assert labelled.class_names == ('bat', 'owl') and labelled.digest != train.digest
  assert make(partly, labels='none').labels is None


def test_labels_of_another_split_do_not_count(partly):
  (partly / 'labels.csv').write_text('file,label\ntrain/1.png,owl\n')
  assert make(partly).labels.tolist() == [0, -1, -1]
  assert make(partly, 'test').labels is None
  with pytest.raises(ValueError, match="in the split 'test' has a label"):
    make(partly, 'test', labelled_only=True)


def test_mistakes_in_labels(partly):
  for text, message in [
      ('file,label\ntrain/9.png,owl\n', '1 images of labels.csv are not in .*9.png'),
      ('file,label\ntrain/1.png,owl\ntrain/1.png,bat\n', 'names a file twice'),
      ('path,label\n', 'has no column file')]:
    (partly / 'labels.csv').write_text(text)
    with pytest.raises(ValueError, match=message):
      make(partly)


# Bytes, pools, settings.


def test_the_bytes_of_a_file(partly):
  source = make(partly, labelled_only=True)
  assert source.encoded(0) == (partly / 'train/x/2.png').read_bytes()


def test_several_labels_of_an_image_come_in_a_batch():
  labels = np.array([[0, 1], [1, 1], [0, 0]], np.int8)
  source = plugins.load('data.sources', 'digits').make(split='')._replace(
      labels=labels, class_names=('a', 'b'), num_examples=3)
  batch = dataset.Dataset(source, 8, 8, ledger.Ledger(source)).read([2, 0])
  np.testing.assert_array_equal(batch['label'], labels[[2, 0]])
  assert batch['label'].dtype == np.int8


def shapes(domain, n, **more):
  return dict(
      name='shapes', domain=domain, split='train', size=8, seed=0, num_examples=n,
      **more)


def subset(n, manifest=''):
  return dict(
      num_examples=n, draw='uniform', purpose='pretraining', seed=0, manifest=manifest)


def test_a_pool_is_its_parts_one_after_the_other(partly):
  parts = (
      shapes('objects', 30, subset=subset(7)), shapes('species', 5),
      dict(name='folder', root=str(partly), split='train'))
  pool = building.source(dict(name='pooled', parts=parts))
  alone = [building.source(part) for part in parts]
  want = [x for s in alone for x in s.read(range(s.num_examples))]
  ids = [14, 0, 6, 7, 11, 12, 13, 0]
  assert pool.num_examples == len(want) == 15
  for got, i in zip(pool.read(ids, short_side=4), ids):
    np.testing.assert_array_equal(got, want[i])
  assert pool.labels is None and pool.class_names is None
  assert pool.describe(8) == f'part 1 (shapes): {alone[1].describe(1)}'
  assert pool.describe(14) == f'part 2 (folder): {partly}/train/x/2.png'
  assert [len(p.get('ids', ())) for p in pool.subset(True)['parts']] == [7, 0, 0]
  other = building.source(dict(name='pooled', parts=parts[::-1]))
  assert other.digest != pool.digest


def test_a_pool_has_labels_where_the_classes_are_the_same(partly):
  a, b = shapes('objects', 6), shapes('objects', 30)
  pool = building.source(dict(name='pooled', parts=[a, {**b, 'seed': 1}]))
  parts = building.source(a), building.source({**b, 'seed': 1})
  assert pool.labels.tolist() == [*parts[0].labels, *parts[1].labels]
  assert pool.class_names == parts[0].class_names
  assert pool.taxonomy == parts[0].taxonomy and pool.subset is None
  (partly / 'train/bad.png').write_bytes(b'')
  folder = dict(name='folder', root=str(partly), split='train')
  pool = building.source(dict(name='pooled', parts=[folder, folder]))
  assert [isinstance(x, BadImage) for x in pool.read(range(8))] == (
      2 * [False, True, False, False])
  assert pool.encoded(5) == b'' and pool.labels.tolist() == 2 * [-1, -1, -1, 1]


def test_settings_of_a_source():
  whole = shapes('objects', 40)
  drawn = recipes.make_source({**whole, 'max_examples': 20, 'subset': subset(5)})
  assert drawn.num_examples == 5
  assert recipes.make_source({**whole, 'subset': {}}).num_examples == 40
  for settings, message in [
      (dict(name='pooled', parts=()), 'parts is empty'),
      (dict(name='pooled', parts=({**whole, 'x': 1},)), r'data.parts\[0\] has unknown'),
      (dict(name='pooled', parts=({'a': 1},)), r'data.parts\[0\] has no name'),
      ({**whole, 'subset': dict(num_examples=2)}, 'data.subset lacks draw, purpose')]:
    with pytest.raises(ValueError, match=message):
      recipes.make_source(settings)


def test_a_manifest_is_json(tmp_path):
  settings = shapes('objects', 40, subset=subset(5))
  drawn = building.source(settings)
  long, short = drawn.subset(True), drawn.subset(False)
  assert json.loads(json.dumps(long)) == long
  assert {k: long[k] for k in short} == short
  assert long.keys() - short.keys() == {'folder', 'names'}
  subsets.write(tmp_path / 'short.json', drawn, names=False)
  again = building.source(
      {**settings, 'subset': subset(0, manifest=str(tmp_path / 'short.json'))})
  assert again.digest == drawn.digest
