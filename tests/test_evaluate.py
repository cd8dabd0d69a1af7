"""A run on a folder with a broken image, and jobs that score its checkpoints."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tiny_run
from PIL import Image

from configs import common
from configs import embed as embed_config
from configs.evaluate import standard
from configs.evaluate import svm
from jaxssl import embed
from jaxssl import errors
from jaxssl import evaluate
from jaxssl import feature_store
from jaxssl import recipe as recipes
from jaxssl import train
from jaxssl.data.sources import voc07

pytestmark = pytest.mark.unoptimized
CLASSES = ('dark', 'light')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  """A folder of two classes that brightness tells apart, with one broken file."""
  root = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(0)
  for c, name in enumerate(CLASSES):
    (root / name).mkdir()
    for i in range(40):
      pixels = rng.integers(0, 100, (24, 20, 3)) + 150 * c
      Image.fromarray(pixels.astype(np.uint8)).save(root / name / f'{i:02}.png')
  broken = root / 'dark' / '07.png'
  broken.write_bytes(broken.read_bytes()[:200])
  return root


def config_of(images):
  c = tiny_run.get_config()
  c.data = dict(
      name='folder', root=str(images), split='', batch_size=8, input='resident',
      short_side=16, canvas=24, cache_dir='')
  c.eval_data = dict(
      train=dict(split='train', max_examples=0),
      test=dict(split='test', max_examples=0))
  c.evals = dict(knn=common.knn(k=5), health=common.health())
  return c.to_dict()


@pytest.fixture(scope='module')
def run(images, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('run')
  train.train(config_of(images), workdir)
  return workdir


def job(run, *, step='last', evals=None, **changes):
  c = standard.get_config('epochs=20,batch_size=16,k=5')
  c.checkpoint, c.step = str(run), step
  if evals is not None:
    c.evals = evals
  return {**c.to_dict(), **changes}


def results(folder, name, step):
  return json.loads((pathlib.Path(folder) / 'eval' / name / f'{step}.json').read_text())


def test_a_run_scores_itself_beside_its_controls(run):
  result = results(run, 'knn', 24)
  assert result['protocol'] == 'knn' and result['version'] == 1
  assert result['digest'] == tiny_run.done(run)['digest']
  assert result['metrics']['top1'] > 0.9
  assert result['controls']['random_init'].keys() == result['metrics'].keys()
  assert 0.3 < result['controls']['chance']['top1'] < 0.7
  assert results(run, 'health', 24)['controls']['chance'] is None


def test_the_broken_image_is_listed_and_left_out(run):
  (bad,) = map(json.loads, (run / 'bad_images.jsonl').read_text().splitlines())
  assert bad['name'].endswith('dark/07.png') and bad['reason'] == 'truncated'
  counted = results(run, 'knn', 24)['num_examples']
  assert sum(counted.values()) == 79


def test_a_job_gives_what_the_run_gave_and_adds_a_linear_classifier(run, tmp_path):
  evaluate.evaluate(job(run), tmp_path)
  again, first = (results(folder, 'knn', 24) for folder in (tmp_path, run))
  assert again['metrics'] == first['metrics']
  assert again['controls'] == first['controls']
  linear = results(tmp_path, 'linear', 24)
  assert linear['metrics']['top1'] > 0.9
  assert linear['metrics']['top1'] > linear['controls']['chance']['top1'] + 0.2


def digits(split, **more):
  return dict(name='digits', split=split, size=16, **more)


def test_a_job_scores_a_run_on_another_data_set(run, tmp_path):
  """With its classes, not those of the images that the run was trained on."""
  changes = dict(eval_data={
      'train': digits('train', max_examples=200),
      'test': digits('test', max_examples=100)})
  evaluate.evaluate(job(run, evals=dict(knn=common.knn(k=5)), **changes), tmp_path)
  result = results(tmp_path, 'knn', 24)
  assert result['num_classes'] == 10
  assert result['num_examples'] == {'train': 200, 'test': 100}
  assert result['controls']['chance']['top1'] < 0.2
  assert 0.2 < result['metrics']['top1'] < 0.9


def test_a_job_scores_a_run_on_images_with_several_labels(run, tmp_path):
  """In VOC 2007's layout; the brightness of an image tells its two classes."""
  voc = tmp_path / 'voc'
  for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
    (voc / folder).mkdir(parents=True)
  lists = {'trainval': [], 'test': []}
  for i in range(80):
    c = i % 20
    things = ''.join(
        f'<object><name>{voc07.CLASSES[k]}</name><difficult>0</difficult></object>'
        for k in {c, c // 10})
    (voc / f'Annotations/{i:06}.xml').write_text(f'<annotation>{things}</annotation>')
    pixels = np.full((24, 24, 3), 12 * c + i // 20, np.uint8)
    Image.fromarray(pixels).save(voc / f'JPEGImages/{i:06}.jpg')
    lists['test' if i % 40 < 20 else 'trainval'].append(f'{i:06}')
  for split, names in lists.items():
    (voc / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names))
  data = {
      name: dict(name='voc07', root=str(voc), split=split)
      for name, split in (('train', 'trainval'), ('test', 'test'))}
  evals = svm.get_config().evals.to_dict()
  evaluate.evaluate(job(run, evals=evals, eval_data=data), tmp_path)
  result = results(tmp_path, 'svm', 24)
  assert result['num_classes'] == 20
  assert result['num_examples'] == {'train': 40, 'test': 40}
  assert len(result['metrics']['ap']) == 20
  assert result['metrics']['map'] > 2 * result['metrics']['chance_map']
  assert result['controls']['random_init']['map'] > 0


def test_training_and_test_images_must_have_the_same_classes(run, tmp_path):
  changes = dict(eval_data={'train': {}, 'test': digits('test', max_examples=100)})
  with pytest.raises(errors.ConfigError, match=(
      r'evals\.knn trains on 2 classes, from dark to light, and is tested on 10, '
      'from 0 to 9')):
    evaluate.evaluate(job(run, evals=dict(knn=common.knn(k=5)), **changes), tmp_path)


def test_a_job_scores_all_steps(run, tmp_path):
  evals = dict(knn=common.knn(k=5))
  evaluate.evaluate(job(run, step='all', evals=evals), tmp_path)
  steps = sorted(int(p.stem) for p in (tmp_path / 'eval' / 'knn').iterdir())
  assert steps == [8, 16, 24]
  digests = {results(tmp_path, 'knn', s)['digest'] for s in steps}
  assert len(digests) == 3


def test_a_job_follows_a_run_to_its_end(run, tmp_path, monkeypatch):
  """Checkpoints appear one by one; DONE comes after the last."""
  source, live = run / 'checkpoints', tmp_path / 'live'
  live.mkdir()
  for name in ('config.json', 'bad_images.jsonl'):
    shutil.copy(run / name, live)
  appearing = [8, 16, 24, 'DONE']

  def grow(seconds):
    new = appearing.pop(0)
    if new == 'DONE':
      shutil.copy(run / 'DONE', live)
    else:
      shutil.copytree(source / str(new), live / 'checkpoints' / str(new))

  monkeypatch.setattr(evaluate.time, 'sleep', grow)
  out = tmp_path / 'out'
  evaluate.evaluate(
      job(live, step='follow', evals=dict(knn=common.knn(k=5))), out)
  assert not appearing
  assert sorted(int(p.stem) for p in (out / 'eval' / 'knn').iterdir()) == [8, 16, 24]


def test_the_augmented_linear_classifier(run, tmp_path):
  c = standard.get_config('epochs=3,batch_size=16,size=16,augmented')
  evals = {'linear_augmented': c.evals.linear_augmented.to_dict()}
  evaluate.evaluate(job(run, evals=evals), tmp_path)
  result = results(tmp_path, 'linear_augmented', 24)
  assert result['protocol'] == 'linear' and result['settings']['augment']['size'] == 16
  assert result['metrics']['top1'] > 0.7


@pytest.mark.parametrize('changes, told', [
    (dict(checkpoint='/no/run'), 'config.json'),
    (dict(step='newest'), 'last, all, follow'),
    (dict(step='7'), '8, 16, 24'),
    (dict(chekpoint=''), 'unknown'),
    (dict(evals={'x': dict(name='nothing')}), 'knn'),
    (dict(data_root='/no/images'), '/no/images')])
def test_a_mistake_is_named_and_nothing_is_written(changes, told, run, tmp_path):
  with pytest.raises(errors.ConfigError, match=told):
    evaluate.evaluate(job(run, **changes), tmp_path / 'out')
  assert not (tmp_path / 'out').exists()


def test_weights_that_do_not_fit_are_an_error(run, tmp_path):
  other = tmp_path / 'other'
  shutil.copytree(run, other)
  config = json.loads((other / 'config.json').read_text())
  config['model']['width'] = 0.25
  (other / 'config.json').write_text(json.dumps(config))
  with pytest.raises(errors.ConfigError, match='encoder'):
    evaluate.evaluate(job(other), tmp_path / 'out')


def test_without_labels_what_needs_them_is_left_out():
  evals = dict(
      knn=common.knn(), health=common.health(),
      linear=common.linear(epochs=1, batch_size=1, decays=(0.0,)))
  assert set(recipes.wanted_evals(evals, lambda _: 0)) == {'health'}


def write_features(path, n, seed):
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 3, n)
  features = rng.standard_normal((n, 6)).astype(np.float32)
  features[np.arange(n), labels] += 4
  np.savez(path, features=features, labels=labels)
  return features, labels


def features_job(folder, **changes):
  c = standard.get_config('epochs=20,batch_size=32,k=7')
  c.features = str(folder / 'train.npz')
  return {**c.to_dict(), **changes}


@pytest.mark.parametrize('two_files', [True, False])
def test_features_from_elsewhere(two_files, tmp_path):
  from sklearn import linear_model
  train_set = write_features(tmp_path / 'train.npz', 300, 0)
  test_set = write_features(tmp_path / 'test.npz', 200, 1)
  changes = dict(test_features=str(tmp_path / 'test.npz')) if two_files else {}
  evaluate.evaluate(features_job(tmp_path, **changes), tmp_path / 'out')
  linear = results(tmp_path / 'out', 'linear', 'features')
  assert linear['controls']['random_init'] is None
  assert linear['digest'] is None and len(linear['features']['sha256']) >= 64
  counts = linear['num_examples']
  if two_files:
    reference = linear_model.LogisticRegression().fit(*train_set).score(*test_set)
    assert counts == {'train': 300, 'test': 200}
    assert abs(linear['metrics']['top1'] - reference) < 0.03
  else:
    assert counts['train'] + counts['test'] == 300 and 40 < counts['test'] < 80
  assert results(tmp_path / 'out', 'knn', 'features')['metrics']['top1'] > 0.9
  assert results(tmp_path / 'out', 'health', 'features')['metrics']['spread_h'] > 0.5


@pytest.mark.parametrize('arrays, told', [
    (dict(labels=np.zeros(3)), 'no array'),
    (dict(features=np.zeros((3, 2, 2), np.float32)), r'\(3, 2, 2\)'),
    (dict(features=np.zeros((3, 2), int)), 'int64'),
    (dict(features=np.zeros((3, 2)), labels=np.zeros(2, int)), '2 labels'),
    (dict(features=np.array([[{}]])), 'plain arrays')])
def test_a_features_file_that_does_not_fit_is_refused(arrays, told, tmp_path):
  np.savez(tmp_path / 'train.npz', **arrays)
  with pytest.raises(errors.ConfigError, match=told):
    evaluate.evaluate(features_job(tmp_path), tmp_path / 'out')
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('suffix', feature_store.FORMATS)
def test_features_on_disk_score_as_the_checkpoint_does(run, tmp_path, suffix):
  config = {
      **embed_config.get_config(f'format={suffix}').to_dict(), 'checkpoint': str(run)}
  embed.embed(config, tmp_path)
  train_file, test_file = (
      tmp_path / f'features/24/{name}.{suffix}' for name in ('train', 'test'))
  found = feature_store.load(test_file)
  assert found['class_names'].tolist() == list(CLASSES)
  about = json.loads(str(found['about']))
  assert about['step'] == 24 and about['digest'] == tiny_run.done(run)['digest']
  evaluate.evaluate(
      job('', features=str(train_file), test_features=str(test_file),
          evals=dict(knn=common.knn(k=5))), tmp_path)
  got, want = results(tmp_path, 'knn', 'features'), results(run, 'knn', 24)
  assert got['metrics'] == want['metrics']


@pytest.mark.parametrize('changes, told', [
    ({'format': 'parquet'}, 'There are: npz, zarr'), ({'sets': ('val',)}, "sets is"),
    ({'step': 'all'}, 'a number or last'), ({'step': 99}, 'config.step is 99'),
    ({'colour': 1}, 'unknown colour')])
def test_mistakes_in_an_embed_job(run, tmp_path, changes, told):
  config = {**embed_config.get_config().to_dict(), 'checkpoint': str(run), **changes}
  with pytest.raises(errors.ConfigError, match=told):
    embed.embed(config, tmp_path / 'out')
  assert not (tmp_path / 'out').exists()
