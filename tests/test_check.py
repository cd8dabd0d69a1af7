"""The job that looks at images, on a folder with one of each kind of mistake."""

import hashlib
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from configs import check as check_config
from jaxssl import check
from jaxssl import errors
from jaxssl import main
from jaxssl.data import building


@pytest.fixture
def root(tmp_path):
  """Two classes; a broken image, one that is in both splits, and one twice."""
  root = tmp_path / 'images'
  for i, (path, size) in enumerate([
      ('train/a/0.png', (4, 6)), ('train/a/1.png', (5, 5)), ('train/b/2.png', (9, 3)),
      ('test/a/3.png', (2, 2)), ('test/b/4.png', (8, 8))]):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (40 * i, 255, 0)).save(root / path)
  (root / 'train/b/broken.png').write_bytes(b'\x89PNG\r\n\x1a\n nothing')
  (root / 'train/b/empty.jpg').touch()
  (root / 'test/b/copy.png').write_bytes((root / 'train/a/1.png').read_bytes())
  (root / 'train/a/twin.png').write_bytes((root / 'train/a/0.png').read_bytes())
  (root / 'taxonomy.csv').write_text('class,level1\na,x\nb,x\n')
  return root


def run(workdir, **changes):
  check.check({**check_config.get_config().to_dict(), **changes}, workdir)
  return json.loads((workdir / 'check.json').read_text())


def test_everything_is_counted_and_nothing_is_fatal(root, tmp_path, capfd):
  found = run(
      tmp_path / 'out', data=dict(name='folder', root=str(root)), few_images=3, grid=2)
  train, test = found['splits']['train'], found['splits']['test']
  assert (train['num_examples'], train['num_checked'], train['num_bad']) == (6, 6, 2)
  assert train['bad_reasons'] == {'truncated': 1, 'empty file': 1}
  assert [pathlib.Path(b['name']).name for b in train['bad']] == [
      'broken.png', 'empty.jpg']
  assert train['smallest']['size'] == [6, 4] and train['largest']['size'] == [3, 9]
  assert train['largest']['name'].endswith('train/b/2.png')
  assert test['smallest']['size'] == [2, 2] and test['num_bad'] == 0
  assert train['images_per_class'] == {'min': 3, 'median': 3.0, 'max': 3}
  assert train['small_classes'] == {} and test['small_classes'] == {'a': 1, 'b': 2}
  assert (test['classes_present'], test['num_classes']) == (2, 2)
  assert train['levels'] == [
      {'name': 'level1', 'num_nodes': 1}, {'name': 'class', 'num_nodes': 2}]
  assert found['duplicates']['num_groups'] == 2
  assert found['duplicates']['num_across_splits'] == 1
  assert found['duplicates']['num_images'] == 4
  assert [[n.partition(': ')[0] for n in group]
          for group in found['duplicates']['groups']] == [
              ['train', 'test'], ['train', 'train']]
  names = ['a/3.png', 'b/4.png', 'b/copy.png']
  assert test['bytes_sha256'] == hashlib.sha256(b''.join(
      hashlib.sha256((root / 'test' / n).read_bytes()).digest()
      for n in names)).hexdigest()
  said = capfd.readouterr().err
  assert '6 images, 6 looked at, 2 bad; 2 of 2 classes' in said
  assert 'levels level1 1, class 2' in said


def test_a_sample_is_evenly_spaced(root, tmp_path):
  found = run(
      tmp_path / 'out', data=dict(name='folder', root=str(root), split='train'),
      splits=(), max_images=2)
  assert list(found['splits']) == ['all']
  assert found['splits']['all']['num_checked'] == 2
  assert check.spaced(6, 2).tolist() == [0, 5] and check.spaced(3, 9).size == 3


def test_a_file_that_is_gone_is_listed(root, monkeypatch):
  monkeypatch.setattr('time.sleep', lambda seconds: None)
  source = building.source(dict(name='folder', root=str(root), split='train'))
  (root / 'train/a/0.png').unlink()
  about, digests = check.look_at(source, np.arange(6), what='train')
  assert about['bad_reasons']['no file'] == 1 and 0 not in digests


def test_pixels_are_hashed_where_there_are_no_files(tmp_path):
  found = run(tmp_path / 'out', data=dict(
      name='shapes', domain='species', size=8, seed=0, num_examples=9, batch_size=3,
      canvas=8), few_images=1)
  assert found['splits']['train']['hashed'] == 'pixels'
  assert found['duplicates']['num_groups'] == 0
  assert 'batch_size' not in found['data']


def test_labels_of_all_kinds(root):
  source = building.source(dict(name='folder', root=str(root), split='train'))
  several = source._replace(labels=np.array(3 * [[1, 0], [1, 1]], np.int8))
  about = check.labels_of(several, 4)
  assert about['small_classes'] == {'b': 3} and about['images_per_class']['max'] == 6
  some = source._replace(labels=np.array([0, -1, 0, 0, -1, 0], np.int32))
  about = check.labels_of(some, 1)
  assert about['num_unlabelled'] == 2 and about['classes_present'] == 1
  assert check.labels_of(source._replace(labels=None), 1) == {'num_classes': 0}
  torn = source._replace(taxonomy={'x': ('a', 'b'), 'y': ('c', 'c'), 'z': ('1', '2')})
  assert "'c' is below" in check.labels_of(torn, 1)['levels_error']


def test_the_picture_shows_each_image_and_marks_bad_ones(root, tmp_path):
  source = building.source(dict(name='folder', root=str(root), split='train'))
  check.picture(tmp_path / 'grid.png', source, grid=3, tile=48)
  sheet = np.asarray(Image.open(tmp_path / 'grid.png'))
  assert sheet.shape == (2 * (48 + 16 + 6), 3 * (48 + 6), 4)
  assert sheet[20, 10].tolist() == [0, 255, 0, 255]           # train/a/0.png
  assert sheet[20, 54 + 20].tolist() == [40, 255, 0, 255]     # train/a/1.png
  assert sheet[70:, 54 + 8:54 + 40, 3].any()  # A bad image: a frame, and its reason.
  assert not sheet[70 + 8:70 + 40, 54 + 8:54 + 40, 3].any()


def test_the_command_line(root, tmp_path):
  command = ['main', '--config=configs/check.py', f'--config.data.root={root}',
             f'--workdir={tmp_path / "out"}']
  assert main.main(command) == 0
  assert (tmp_path / 'out/grid_test.png').exists()
  assert main.main([*command, f'--config.data.root={tmp_path / "no"}']) == 78
  assert main.main([*command, '--config.grid=0']) == 78


def test_the_data_of_a_recipe():
  config = check_config.get_config('recipe=simclr_inat')
  assert config.job == 'check' and config.data.name == 'inat21'
  with pytest.raises(errors.ConfigError, match='tile is 2'):
    check.check({**config.to_dict(), 'tile': 2}, pathlib.Path('unused'))
