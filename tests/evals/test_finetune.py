import hashlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.evaluate import finetune as finetune_config
from configs.evaluate import semi_supervised as semi_supervised_config
from jaxssl import evaluations
from jaxssl import features
from jaxssl import finetuning
from jaxssl import labelled
from jaxssl import methods
from jaxssl import paired
from jaxssl import recipe
from jaxssl.evals import finetune
from jaxssl.evals import linear
from jaxssl.evals import semi_supervised
from jaxssl.layers import heads
from jaxssl.models import resnet
from tests import tiny_method

NETWORK = tiny_method.Network(8, 4)
SETTINGS = dict(
    num_classes=2, rate=1.0, head_rate=1.0, decay=0.0, epochs=8, batch_size=50, seed=0)


tune_network, network = methods.model_functions(NETWORK)


def noisy(rng, image, size):
  return image + 0.1 * jax.random.normal(rng, image.shape)


embed = features.with_view(network, lambda images, sizes: images / 255)
augment = features.with_random_view(tune_network, noisy, seed=5)


class Batches:
  """Canvases [n, 4, 4, 3] in batches of 64."""
  class_names = None

  def __init__(self, image, label, first=0):
    n = len(image)
    self.num_examples = n
    self.arrays = {
        'image': image, 'size': np.full((n, 2), 4, np.int32),
        'index': first + np.arange(n, dtype=np.int32)}
    self.arrays |= {} if label is None else {'label': label}

  def __iter__(self):
    for i in range(0, self.num_examples, 64):
      yield {name: x[i:i + 64] for name, x in self.arrays.items()}


def draw(n, seed):
  """Noise, but for the top left pixel: bright in one class, dark in the other."""
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (n, 4, 4, 3), np.uint8)
  label = rng.integers(0, 2, n).astype(np.int32)
  image[:, 0, 0] = np.where(label, 235, 20)[:, None]
  return image, label


def blind():
  """A network whose features see nothing of the pixel that matters."""
  extra = NETWORK.init(jax.random.PRNGKey(1), jnp.zeros((1, 4, 4, 3)))
  params = jax.tree.map(np.array, extra.pop('params'))
  params['dense']['kernel'][:3] = 0
  return params, jax.device_get(extra)


TRAIN, TEST = Batches(*draw(300, 0)), Batches(*draw(200, 1), first=300)
FEW = dict(fraction=0.1, list_file='')


def tune(protocol=finetune, *, train=TRAIN, test=TEST, augment=augment, **settings):
  params, extra = blind()
  return protocol.make(
      embed, train=train, test=test, augment=augment, **SETTINGS | settings)(
          params, extra)


def numbers(metrics):
  return {name: x for name, x in metrics.items() if np.ndim(x) == 0}


def test_it_learns_what_the_frozen_features_do_not_have():
  frozen = linear.make(
      embed, train=TRAIN, test=TEST, num_classes=2, optimizer='nesterov',
      schedule='cosine', rates=(1.0,), decays=(0.0,), epochs=20, batch_size=50, seed=0,
      standardize=True)(*blind())
  got = tune()
  assert frozen['top1'] < 0.65 and got['top1'] > 0.97
  assert 0 < got['train_loss'] < 0.2 and got['diverged'] == 0
  digest, correct = paired.recorded({'metrics': got, 'num_examples': {'test': 200}})
  assert correct.mean() == got['top1'] and digest == got['examples_sha256'][0]
  assert set(got) == {
      'top1', 'train_loss', 'diverged', 'correct_base64', 'examples_sha256'}


@pytest.mark.parametrize('protocol, more', [(finetune, {}), (semi_supervised, FEW)])
def test_any_number_of_devices_gives_the_same(protocol, more):
  on_four = tune(protocol, **more, epochs=3)
  with tiny_method.on(1):
    on_one = tune(protocol, **more, epochs=3)
  assert on_one.pop('train_loss') == pytest.approx(on_four.pop('train_loss'), rel=1e-4)
  np.testing.assert_equal(on_one, on_four)


def test_the_checkpoint_stays_as_it_is():
  params, extra = blind()
  run = finetune.make(
      embed, train=TRAIN, test=TEST, augment=augment, **SETTINGS | dict(epochs=1))
  with features.shared():
    before = features.outputs(embed, params, extra, TEST)
    first, second = run(params, extra), run(params, extra)
    assert features.outputs(embed, params, extra, TEST) is before
  assert numbers(first) == pytest.approx(numbers(second), rel=1e-4)
  jax.tree.map(np.testing.assert_array_equal, (params, extra), blind())


def test_what_is_scored_is_what_was_trained():
  params, extra = blind()
  settings = finetuning.check(augment, **SETTINGS, feature='z')
  examples = labelled.gather(TRAIN, np.arange(300))
  new, moved, head, loss = finetuning.fit(augment, settings, params, extra, examples)
  images = TEST.arrays['image'] / np.float32(255)
  z = network(*jax.device_get((new, moved)), images)['z']
  answers = (z @ head.weights[:, 0] + head.biases[0]).argmax(1)
  got = tune(feature='z')
  want = float((answers == TEST.arrays['label']).mean())
  assert got['top1'] == pytest.approx(want, abs=1 / 199)
  assert got['train_loss'] == pytest.approx(loss, rel=1e-5)
  assert abs(moved['batch_stats']['bn']['mean']).max() > 0.1
  assert abs(new['projector']['kernel'] - params['projector']['kernel']).max() > 1e-3


def test_from_the_first_layer_of_the_projector():
  """As SimCLR v2 does: that layer is trained too, and those behind it are not there."""
  model = resnet.Network(
      resnet.Encoder(
          block=resnet.basic, num_blocks=(), channels=6, stem='cifar',
          zero_init_residual=False, dtype='float32'),
      heads.projector(name='simclr', hidden=5, out=4, num_layers=3, dtype='float32'))

  tune_layers, layers = methods.model_functions(model)
  extra = model.init(jax.random.PRNGKey(1), jnp.zeros((1, 4, 4, 3)))
  params = jax.tree.map(np.array, extra.pop('params'))
  params['projector']['dense1']['kernel'] *= 100  # As after some training.
  few = features.with_random_view(tune_layers, noisy, seed=5)
  settings = finetuning.check(few, **SETTINGS | dict(epochs=2), feature='z1')
  new, _, head, _ = finetuning.fit(
      few, settings, params, extra, labelled.gather(TRAIN, np.arange(60)))
  assert head.weights.shape == (5, 1, 2)
  moved = jax.tree.map(lambda a, b: abs(a - b).max(), new, params)
  assert moved['encoder']['stem_conv']['kernel'] > 1e-4
  trained = [
      bool(moved['projector'][n]['kernel'] > 1e-4)
      for n in ('dense1', 'dense2', 'dense3')]
  assert trained == [True, False, False]
  # What the layer gives: batch norm and ReLU on the first dense map.
  images = TEST.arrays['image'][:3] / np.float32(255)
  out = layers(params, extra, images)
  first, norm = params['projector']['dense1'], params['projector']['bn1']
  want = out['h'] @ first['kernel'] / np.sqrt(1 + 1e-5) * norm['scale'] + norm['bias']
  np.testing.assert_allclose(out['z1'], np.maximum(want, 0), rtol=1e-4, atol=1e-6)
  assert list(out) == ['h', 'z', 'z1', 'z2']


def test_semi_supervised_is_fine_tuning_on_the_labelled_part(tmp_path):
  ids = labelled.balanced(
      np.arange(300), TRAIN.arrays['label'], fraction=0.1, num_classes=2, seed=0)
  got = tune(semi_supervised, **FEW)
  image, label = TRAIN.arrays['image'], TRAIN.arrays['label'].copy()
  assert got.pop('num_labelled') == len(ids) == 30
  text = '\n'.join(map(str, ids)) + '\n'
  assert got.pop('labelled_sha256').tolist() == [
      hashlib.sha256(text.encode()).hexdigest()]
  part = Batches(image[ids], label[ids])
  part.arrays['index'] = ids.astype(np.int32)
  assert numbers(got) == pytest.approx(numbers(tune(train=part)), rel=1e-4)
  # Of the others, whatever their labels may be, nothing is used.
  others = np.setdiff1d(np.arange(300), ids)
  label[others] = 1 - label[others]
  path = tmp_path / 'ids.txt'
  path.write_text('\n'.join(map(str, ids[::-1])))
  listed = tune(
      semi_supervised, train=Batches(image, label), fraction=0.0, list_file=str(path))
  assert listed.pop('labelled_sha256').tolist() == [
      hashlib.sha256(text.encode()).hexdigest()]
  assert numbers(listed) == pytest.approx(
      {**numbers(got), 'num_labelled': 30}, rel=1e-4)


def test_top5_and_a_training_that_diverges():
  image, _ = draw(60, 2)
  sets = {'train': Batches(image, np.arange(60, dtype=np.int32) % 6), 'num_classes': 6,
          'epochs': 2}
  test = Batches(image[::-1], np.arange(60, dtype=np.int32) % 6)
  got = tune(test=test, **sets)
  assert got['top1'] < got['top5'] <= 1
  got = tune(test=test, **sets, rate=1e30)
  assert np.isnan(got.pop('train_loss'))
  assert numbers(got) == {'top1': 0.0, 'top5': 0.0, 'diverged': 1}


@pytest.mark.parametrize('protocol, more', [(finetune, {}), (semi_supervised, FEW)])
def test_features_have_nothing_to_train(protocol, more):
  run = protocol.make(
      embed, train=TRAIN, test=TEST, augment=augment, **SETTINGS, **more)
  with pytest.raises(ValueError, match='no parameters to fine-tune'):
    run({}, {})
  with pytest.raises(ValueError, match='augment is None'):
    protocol.make(embed, train=TRAIN, test=TEST, augment=None, **SETTINGS, **more)


@pytest.mark.parametrize('protocol, more', [(finetune, {}), (semi_supervised, FEW)])
@pytest.mark.parametrize('name, label, message', [
    ('train', None, 'The training set has no labels'),
    ('test', None, 'The test set has no labels'),
    ('test', np.full(8, 7), 'labels from 7 to 7')])
def test_labels_that_do_not_fit_are_refused(
    protocol, more, name, label, message, monkeypatch):
  monkeypatch.setattr(finetuning, 'fit', None)  # Before the training.
  with pytest.raises(ValueError, match=message):
    tune(protocol, **more, **{name: Batches(np.zeros((8, 4, 4, 3), np.uint8), label)})


@pytest.mark.parametrize('part, message', [
    (dict(fraction=0.0, list_file=''), 'give one of them'),
    (dict(fraction=0.1, list_file='ids.txt'), 'give one of them'),
    (dict(fraction=-0.1, list_file=''), 'fraction is -0.1'),
    (dict(fraction=1.5, list_file=''), 'fraction is 1.5'),
    (dict(fraction=0.1, list_file='', num_classes=4),
     '2 of 4 classes have no labelled example, the first is class 2')])
def test_a_part_that_is_none_is_refused(part, message):
  with pytest.raises(ValueError, match=message):
    tune(semi_supervised, **part)


@pytest.mark.parametrize('ids, message', [
    ('0\n300\n301', '2 of the 3 ids in .* are not in the training set, the first 300'),
    ('ONE CLASS', '1 of 2 classes have no labelled example, the first is class 0')])
def test_a_list_that_does_not_fit_the_data_is_refused(ids, message, tmp_path):
  if ids == 'ONE CLASS':
    ids = '\n'.join(map(str, np.flatnonzero(TRAIN.arrays['label'])))
  path = tmp_path / 'ids.txt'
  path.write_text(ids)
  with pytest.raises(ValueError, match=message):
    tune(semi_supervised, fraction=0.0, list_file=str(path))


@pytest.mark.parametrize('name, want', [
    ('finetune', 'tune'), ('semi_supervised', 'tune'), ('linear', 'embed')])
def test_only_what_trains_the_network_sees_it_in_training_mode(name, want):
  method = types.SimpleNamespace(tune='tune', embed='embed')
  runner = types.SimpleNamespace(
      recipe=types.SimpleNamespace(method=method),
      _random_view=lambda network, view, seed: (network, view, seed))
  got = evaluations.Evaluations._arguments(
      runner, dict(name=name, augment=dict(size=8), seed=3))
  assert got == dict(augment=(want, dict(size=8), 3), seed=3)


@pytest.mark.parametrize('config, arg, want', [
    (finetune_config, 'epochs=3', dict(epochs=3)),
    (semi_supervised_config, '', dict(fraction=0.01, epochs=60)),
    (semi_supervised_config, 'percent=10', dict(fraction=0.1, epochs=30)),
    (semi_supervised_config, 'percent=10,epochs=5', dict(fraction=0.1, epochs=5))])
def test_a_config_names_every_argument_and_no_other(config, arg, want):
  evals = config.get_config(arg).lock().to_dict()['evals']
  recipe.check_evals(evals, {'train': TRAIN, 'test': TEST})
  (settings,) = evals.values()
  assert settings.items() >= want.items()
