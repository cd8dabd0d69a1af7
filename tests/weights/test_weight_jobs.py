"""The jobs from the command line, at smoke size: in, scored, out, and in again."""

import hashlib
import json
import pathlib
import subprocess
import sys

import jax
import made_weights
import numpy as np
import pytest
import tiny_run

from configs import embed as embed_config
from configs import import_weights as import_config
from configs.evaluate import standard
from jaxssl import checkpoint
from jaxssl import embed
from jaxssl import errors
from jaxssl import evaluate
from jaxssl import main
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import train
from jaxssl import weights
from jaxssl import workdir as workdirs
from jaxssl.data import ledger
from jaxssl.weights import exporting
from jaxssl.weights import importing
from jaxssl.weights import parity

pytestmark = pytest.mark.unoptimized
ROOT = pathlib.Path(__file__).parents[2]


def import_settings(path, **changes):
  c = import_config.get_config('size=16')
  c.weights = str(path)
  c.data = dict(
      name='digits', split='train', size=16, max_examples=64, batch_size=16,
      input='resident', short_side=16, canvas=16, cache_dir='', window=0)
  c.eval_data = dict(
      train=dict(split='train', max_examples=64),
      test=dict(split='test', max_examples=64))
  c.update(changes)
  return c.to_dict()


def export_settings(run, **changes):
  return dict(
      job='export_weights', checkpoint=str(run), step='last', eval_data={},
      data_root='', platforms=('cpu',), licence='CC0', **changes)


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
  """A run's workdir of SwAV's file, and the weights that are in it."""
  folder = tmp_path_factory.mktemp('imported')
  made = made_weights.variables(made_weights.model(stem='cifar'))
  np.savez(folder / 'swav.npz', **made_weights.swav(made, 10))
  importing.import_weights(import_settings(folder / 'swav.npz'), folder / 'run')
  return folder / 'run', made


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The workdir of a run of ours, without the time that training takes."""
  run = tmp_path_factory.mktemp('trained') / 'run'
  recipe = recipes.build(tiny_run.config())
  with workdirs.open_run(
      run, recipe.config, free_keys=recipes.FREE, data_digest=recipe.source.digest):
    checkpoints = checkpoint.Checkpoints(run / 'checkpoints')
    digest = checkpoints.save(2, recipe.create_state(), train.info(recipe))
    checkpoints.close()
    workdirs.write_done(run, 2, digest)
  return run


@pytest.fixture(scope='module')
def exported(trained):
  exporting.export_weights(export_settings(trained), trained)
  return trained / 'export' / '2'


def read(path):
  return json.loads(path.read_text())


def test_an_import_is_a_runs_workdir(imported):
  run, _ = imported
  card = read(run / 'card.json')
  assert card['preprocessing'] == dict(
      size=16, fraction=0.875, interpolation='bilinear', mean=[0.485, 0.456, 0.406],
      std=[0.228, 0.224, 0.225])
  assert card['licence'] == 'not stated'
  assert read(run / 'DONE')['step'] == 0
  assert read(run / 'config.json')['method'] == dict(
      name='pretrained', weights=card['source']['sha256'],
      mean=[0.485, 0.456, 0.406], std=[0.228, 0.224, 0.225])
  found = read(run / 'parity.json')
  assert found == card['parity'] and found['largest_relative'] < 1e-5
  assert {(c['images'], c['against']) for c in found['comparisons']} >= {
      ('random', 'numpy'), ('real', 'numpy')}
  page = (run / 'README.md').read_text()
  assert 'the prototypes' in page and 'real images, numpy: 4 images' in page


@pytest.mark.parametrize('layout, configured, want, side', [
    ('torchvision', '', 'bilinear', 18), ('timm', '', 'bicubic', 17),
    ('timm', 'bilinear', 'bilinear', 17)])
def test_an_import_shrinks_images_as_its_weights_want_it(
    tmp_path, layout, configured, want, side):
  made = made_weights.variables(made_weights.model(stem='cifar'))
  np.savez(tmp_path / 'w.npz', **made_weights.torchvision(made, 10))
  c = import_settings(tmp_path / 'w.npz', layout=layout)
  c['data'].update(interpolation=configured, short_side=0, canvas=0)
  importing.import_weights(c, tmp_path / 'run')
  run = recipes.build(read(tmp_path / 'run' / 'config.json'), training=False)
  dataset = run.dataset(run.source, ledger.Ledger(run.source))
  assert dataset.interpolation == want
  # Of which the central 16 are seen: 0.875 of them, and with timm's weights 0.95.
  assert dataset.short_side == side and dataset.canvas == side * 3 // 2


def test_an_import_is_evaluated_beside_a_random_start_and_embedded(imported):
  run, made = imported
  c = standard.get_config('k=5').to_dict()
  c['evals'] = {'knn': c['evals']['knn']}
  c['checkpoint'] = str(run)
  evaluate.evaluate(c, run)
  result = read(run / 'eval' / 'knn' / '0.json')
  assert result['controls']['random_init'] and result['step'] == 0
  assert result['metrics'] != result['controls']['random_init']
  c = embed_config.get_config().to_dict()
  c['checkpoint'] = str(run)
  embed.embed(c, run)
  h = np.load(run / 'features' / '0' / 'test.npz')['features']
  card = read(run / 'card.json')
  images = parity.real_images(
      recipes.build(read(run / 'config.json'), training=False))
  want = np.asarray(jax.jit(weights.forward(card))(made, images))
  np.testing.assert_allclose(h[0], want[0], rtol=1e-4, atol=1e-5)


def test_the_same_import_again_is_done_and_another_is_refused(imported):
  run, _ = imported
  importing.import_weights(import_settings(run.parent / 'swav.npz'), run)
  made = made_weights.variables(made_weights.model(stem='cifar'), seed=1)
  np.savez(run.parent / 'other.npz', **made_weights.swav(made, 10))
  with pytest.raises(errors.ConfigError, match=r'another recipe: method\.weights'):
    importing.import_weights(import_settings(run.parent / 'other.npz'), run)


def test_imported_weights_are_not_trained(imported):
  recipe = recipes.build(read(imported[0] / 'config.json'))
  step = train.make_train_step(
      recipe.method, recipe.tx, recipe.views, steps_per_epoch=1)
  batch = parallel.split({
      'image': np.zeros((4, 16, 16, 3), np.uint8), 'size': np.full((4, 2), 16),
      'index': np.arange(4)})
  with pytest.raises(errors.ConfigError, match='not trained'):
    step(parallel.replicate(recipe.create_state()), batch)


def test_a_wrong_layout_is_found_and_nothing_is_made(tmp_path, monkeypatch):
  made = made_weights.variables(made_weights.model(stem='cifar'))
  np.savez(tmp_path / 'w.npz', **made_weights.swav(made, 10))
  monkeypatch.setattr(
      parity.reference, 'features',
      lambda state, images, **_: np.ones((len(images), 64)))
  with pytest.raises(errors.ConfigError, match='more than 0'):
    importing.import_weights(import_settings(tmp_path / 'w.npz'), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('changes, told', [
    (dict(weights='missing.pth'), "no file of weights 'missing.pth'"),
    (dict(layout='mocov3'), "No layout 'mocov3'"), (dict(version='v2'), "version 'v2'"),
    (dict(weights='notes.txt'), 'in no known format')])
def test_mistakes_in_an_import_are_one_line(imported, tmp_path, changes, told):
  (tmp_path / 'notes.txt').write_text('x')
  if changes.get('weights') == 'notes.txt':
    changes = {'weights': str(tmp_path / 'notes.txt')}
  with pytest.raises(errors.ConfigError) as e:
    importing.import_weights(
        import_settings(imported[0].parent / 'swav.npz', **changes), tmp_path / 'run')
  assert told in str(e.value) and '\n' not in str(e.value)
  assert not (tmp_path / 'run').exists()


def test_an_export_says_what_it_is(trained, exported):
  card = read(exported / 'card.json')
  assert card['training']['method'] == 'simclr' and card['training']['steps'] == 2
  assert card['training']['checkpoint'] == read(trained / 'DONE')['digest']
  assert card['training']['data'] == read(trained / 'run.json')['data_digest']
  assert card['licence'] == 'CC0'
  assert card['preprocessing'] == dict(
      size=16, fraction=1.0, interpolation='bicubic', mean=[0.0] * 3, std=[1.0] * 3)
  for name, file in card['files'].items():
    data = (exported / name).read_bytes()
    assert file == dict(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
  assert set(card['files']) == {
      'encoder.safetensors', 'encoder.npz', 'encoder.stablehlo'}
  rows = {
      (c['against'], c['images']): c.get('largest_relative')  # Not of what is missing.
      for c in read(exported / 'parity.json')['comparisons']}
  assert rows[('the run itself, in float32', 'random')] < 1e-6
  assert rows[('numpy', 'real')] < 1e-5
  page = (exported / 'README.md').read_text()
  assert 'torchvision, which has no ResNet-10, width 0.125, 3x3 stem' in page
  assert card['files']['encoder.npz']['sha256'] in page and '| licence | CC0 |' in page


def test_what_went_out_comes_in_to_the_bit(trained, exported, tmp_path):
  config = read(trained / 'config.json')
  _, _, params, extra = evaluate.restore(
      evaluate.open_checkpoints(trained),
      recipes.build(config, training=False), None)
  for name in ('encoder.npz', 'encoder.safetensors'):
    found, card = weights.load(exported / name)
    for part, want in (('params', params), ('batch_stats', extra['batch_stats'])):
      jax.tree.map(np.testing.assert_array_equal, found[part]['encoder'],
                   want['encoder'])
      if name == 'encoder.npz':
        jax.tree.map(np.testing.assert_array_equal, found[part], dict(want))
    assert card['preprocessing'] == read(exported / 'card.json')['preprocessing']
  importing.import_weights(
      import_settings(exported / 'encoder.npz'), tmp_path / 'run')
  assert read(tmp_path / 'run' / 'card.json')['model']['projector']['name'] == 'simclr'


def test_the_stablehlo_gives_the_same_features_in_a_process_of_its_own(
    exported, tmp_path):
  """Any number of images, without our package."""
  images = np.random.default_rng(0).random((5, 16, 16, 3)).astype(np.float32)
  np.save(tmp_path / 'images.npy', images)
  code = f'''
import sys
import numpy as np
from jax import export
data = open({str(exported / "encoder.stablehlo")!r}, 'rb').read()
f = export.deserialize(bytearray(data))
images = np.load({str(tmp_path / "images.npy")!r})
np.save({str(tmp_path / "h.npy")!r}, f.call(images))
assert f.call(images[:2]).shape[0] == 2 and 'jaxssl' not in sys.modules
'''
  subprocess.run([sys.executable, '-c', code], check=True, cwd=tmp_path)
  found, card = weights.load(exported / 'encoder.npz')
  want = jax.jit(weights.forward(card))(found, images)
  np.testing.assert_allclose(np.load(tmp_path / 'h.npy'), want, rtol=1e-4, atol=1e-6)


def test_stablehlo_is_for_every_platform():
  card = {'model': made_weights.model(stem='cifar'), 'preprocessing': dict(
      size=8, mean=[0.5] * 3, std=[0.2] * 3)}
  made = made_weights.variables(card['model'])
  data = weights.stablehlo(made, card)
  assert set(jax.export.deserialize(data).platforms) == {'cpu', 'cuda', 'tpu'}


def test_an_export_needs_no_images(trained, tmp_path):
  """As on another machine: the run's data are gone, its checkpoint is not."""
  config = read(trained / 'config.json')
  config['data'].update(name='folder', root='/no/such/folder', split='')
  for key in ('size', 'max_examples'):
    config['data'].pop(key)
  for name in ('checkpoints', 'DONE'):
    (tmp_path / name).symlink_to(trained / name)
  (tmp_path / 'config.json').write_text(json.dumps(config))
  exporting.export_weights(export_settings(tmp_path), tmp_path)
  rows = read(tmp_path / 'export' / '2' / 'parity.json')['comparisons']
  skipped, = (row['skipped'] for row in rows if row['images'] == 'real')
  assert skipped.startswith('not compared:') and '/no/such/folder' in skipped


def test_images_that_a_run_standardises_one_by_one(tmp_path):
  """Jigsaw's: the export does it, and an import says that it cannot."""
  model = made_weights.model(stem='cifar')
  made = made_weights.variables(model)
  card = weights.save(tmp_path, made, {'model': model, 'preprocessing': dict(
      size=16, fraction=1.0, interpolation='bicubic', each_image=True)},
      platforms=('cpu',))
  images = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
  standardize = plugins.load('methods', 'jigsaw').standardize
  np.testing.assert_allclose(
      parity.standardized(images, card), standardize(images), rtol=1e-3, atol=1e-4)
  assert 'each image by its own mean' in (tmp_path / 'README.md').read_text()
  with pytest.raises(errors.ConfigError, match='standardised one by one'):
    importing.import_weights(
        import_settings(tmp_path / 'encoder.npz'), tmp_path / 'run')


def test_weights_of_another_network_are_not_saved(tmp_path):
  made = made_weights.variables(made_weights.model(stem='cifar'))
  card = {'model': made_weights.model(depth=18), 'preprocessing': {}}
  with pytest.raises(ValueError, match='not the weights of a ResNet-18: missing'):
    weights.save(tmp_path / 'out', made, card)
  made['params']['encoder'] = {'dense1': {'weights': np.zeros(3)}}
  with pytest.raises(ValueError, match='not leaves of a ResNet: params/encoder/dense1'):
    weights.save(tmp_path / 'out', made, card)
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('changes, told', [
    (dict(step='all'), "config.step is 'all'"), (dict(step=7), 'config.step is 7'),
    (dict(checkpoint='/no/such'), 'must be the workdir of a run')])
def test_mistakes_in_an_export(trained, changes, told):
  with pytest.raises(errors.ConfigError) as e:
    exporting.export_weights(export_settings(trained) | changes, trained)
  assert told in str(e.value)


def test_both_jobs_from_the_command_line(trained, exported, tmp_path):
  out = tmp_path / 'out'
  assert main.main([
      'main', f'--config={ROOT}/configs/export_weights.py',
      f'--config.checkpoint={trained}', f'--workdir={out}']) == 0
  assert (out / 'export' / '2' / 'encoder.stablehlo').exists()
  assert main.main([
      'main', f'--config={ROOT}/configs/import_weights.py',
      f'--config.weights={out}/export/2/encoder.safetensors',
      '--config.data.num_examples=64', '--config.eval_data.test.num_examples=16',
      f'--workdir={tmp_path / "run"}']) == 0
  assert read(tmp_path / 'run' / 'config.json')['eval_view']['size'] == 16


def test_a_method_of_weights_checks_its_numbers():
  make = plugins.load('methods', 'pretrained').make
  with pytest.raises(ValueError, match='above 0'):
    make(None, weights='', mean=(0, 0, 0), std=(1, 0, 1))
  with pytest.raises(ValueError, match='mean is'):
    make(None, weights='', mean=(0, 0), std=(1, 1, 1))
