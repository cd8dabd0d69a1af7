import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets
from sklearn import linear_model

from jaxssl import features
from jaxssl import parallel
from jaxssl import probes
from jaxssl import scoring
from jaxssl.evals import linear

SETTINGS = dict(
    num_classes=10, optimizer='nesterov', schedule='cosine', rates=(0.1, 1.0, 10.0),
    decays=(0.0, 1e-3), epochs=20, batch_size=128, seed=0, standardize=False)
LBFGS = dict(
    optimizer='lbfgs', schedule='none', rates=(), decays=(1e-3, 1e-1, 10.0), epochs=300,
    batch_size=0)


class Batches:
  """All of some arrays in batches of 100; counts how often it is read."""

  def __init__(self, x, labels=None, **more):
    self.arrays = {'image': x, 'index': np.arange(len(x), dtype=np.int32), **more}
    self.arrays |= {} if labels is None else {'label': labels}
    self.reads = 0

  def __iter__(self):
    self.reads += 1
    for i in range(0, len(self.arrays['index']), 100):
      yield {k: x[i:i + 100] for k, x in self.arrays.items()}


def embed(params, extra, x):
  return {'h': x}


def digits():
  x, labels = datasets.load_digits(return_X_y=True)
  x, labels = (x / 16).astype(np.float32), labels.astype(np.int32)
  return (x[:1200], labels[:1200]), (x[1200:], labels[1200:])


def score(train, test, **settings):
  run = linear.make(
      embed, train=Batches(*train), test=Batches(*test), **SETTINGS | settings)
  return run({}, {})


def test_digits_against_scikit_learn():
  train, test = digits()
  got = score(train, test)
  want = linear_model.LogisticRegression(max_iter=3000).fit(*train)
  assert got['top1'] == pytest.approx(want.score(*test), abs=0.015)
  assert got['train_top1'] == pytest.approx(want.score(*train), abs=0.015)
  assert got['top1'] < got['top5'] <= 1
  assert got['rate'] in SETTINGS['rates'] and got['decay'] in SETTINGS['decays']
  grid = got.pop('holdout_grid')
  assert grid.shape == (3, 2) and grid.max() == got['holdout_top1']
  for name in ('confidence', 'accuracy', 'num'):
    assert got.pop(f'reliability_{name}').shape == (scoring.RELIABILITY_BINS,)
  for name in ('correct_base64', 'examples_sha256'):
    assert got.pop(name).shape == (1,)
  assert all(type(x) in (float, int) for x in got.values())


def test_the_cell_is_chosen_on_held_out_examples_and_trained_again_on_all():
  train, test = digits()
  x, labels = train
  got = score(train, test)
  held_out = probes.order(1200, seed=0, stream=0) < 120
  settings = dict(
      num_classes=10, epochs=20, batch_size=128, seed=0,
      center=np.zeros(64, np.float32), scale=np.ones(64, np.float32))

  def train_one(rate, decay, on_all):
    heads = probes.fit(
        lambda epoch: x, labels, held_out,
        probes.Cells(
            np.float32([rate / 2]), np.float32([decay]), np.array([on_all])),
        **settings)
    return lambda x: (x @ heads.weights[:, 0] + heads.biases[0]).argmax(1)

  for i, rate in enumerate(SETTINGS['rates']):
    predict = train_one(rate, 1e-3, False)
    share = (predict(x[held_out]) == labels[held_out]).sum() / 120
    assert got['holdout_grid'][i, 1] == pytest.approx(float(share), abs=1 / 119)
  predict = train_one(got['rate'], got['decay'], True)
  hits = int((predict(test[0]) == test[1]).sum())
  assert got['top1'] == pytest.approx(hits / len(test[1]), abs=1 / 590)


def test_lbfgs_against_scikit_learn():
  train, test = digits()
  got = score(train, test, **LBFGS)
  held_out = probes.order(1200, seed=0, stream=0) < 120

  def classifier(decay, rows):
    x, labels = (part[rows] for part in train)
    return linear_model.LogisticRegression(
        C=1 / (decay * len(x)), max_iter=2000).fit(x, labels)
  want = [
      classifier(decay, ~held_out).score(train[0][held_out], train[1][held_out])
      for decay in LBFGS['decays']]
  np.testing.assert_allclose(got['holdout_grid'], [want], atol=1 / 119)
  best = classifier(got['decay'], slice(None))
  assert got['top1'] == pytest.approx(best.score(*test), abs=2 / 597)
  assert got['train_top1'] == pytest.approx(best.score(*train), abs=2 / 1200)
  assert got['converged'] == 1 and 'rate' not in got
  sure, right = best.predict_proba(test[0]).max(1), best.predict(test[0]) == test[1]
  want = scoring.reliability(sure, right)
  assert got['ece'] == pytest.approx(want['ece'], abs=0.005)
  np.testing.assert_allclose(
      got['reliability_num'], want['reliability_num'], atol=4)
  assert got['reliability_num'].sum() == 597
  hits = np.nansum(got['reliability_num'] * got['reliability_accuracy'])
  assert hits / 597 == pytest.approx(got['top1'])
  assert got['holdout_top1'] == got['holdout_grid'].max()


def test_the_schedule_and_the_momentum_are_those_asked_for():
  """With one minibatch an epoch SGD is a few lines."""
  (x, labels), test = digits()
  settings = dict(rates=(0.5,), decays=(0.0,), epochs=5, batch_size=1200)
  got = {
      how: score((x, labels), test, **settings, optimizer=how[0], schedule=how[1])
      for how in (('momentum', 'steps'), ('momentum', 'cosine'), ('nesterov', 'steps'))}
  for (optimizer, schedule), result in got.items():
    w, v = np.zeros((65, 10)), 0.
    ones = np.concatenate([x, np.ones((1200, 1))], axis=1)
    for epoch in range(5):
      p = np.exp(ones @ w)
      gradient = ones.T @ (p / p.sum(1, keepdims=True) - np.eye(10)[labels]) / 1200
      v = 0.9 * v + gradient
      share = {'steps': (1, 1, 1, 0.1, 0.01)[epoch],
               'cosine': (1 + np.cos(np.pi * epoch / 5)) / 2}[schedule]
      lr = 0.5 * 1200 / 256 * share
      w = w - lr * (v if optimizer == 'momentum' else 0.9 * v + gradient)
    hits = ((ones @ w).argmax(1) == labels).mean()
    assert result['train_top1'] == pytest.approx(hits, abs=1 / 1199)
  assert len({result['train_top1'] for result in got.values()}) == 3


def test_one_cell_is_not_on_an_edge():
  train, test = digits()
  got = score(train, test, rates=(1.0,), decays=(0.0,), epochs=3)
  assert (got['rate'], got['decay'], got['on_edge']) == (1.0, 0.0, 0)
  assert got['holdout_grid'].shape == (1, 1)


@pytest.mark.parametrize('rates, decays, on_edge', [
    ((1e-6, 1.0, 1e4), (0.0, 10.0), 0),  # No decay at all is no edge.
    ((1e-6, 1.0, 1e4), (1e-5, 10.0), 1),
    ((1.0, 1e4, 2e4), (0.0, 10.0), 1),
    ((1e-7, 1e-6, 1.0), (0.0, 10.0), 1)])
def test_a_best_cell_on_the_edge_of_the_grid_is_reported(rates, decays, on_edge):
  train, test = digits()
  got = score(train, test, rates=rates, decays=decays, epochs=6)
  assert got['rate'] == 1.0 and got['on_edge'] == on_edge


def test_cells_that_diverge_are_counted_and_never_chosen():
  train, test = digits()
  got = score(
      (train[0] * 1e3, train[1]), (test[0] * 1e3, test[1]), rates=(1e-7, 1e33),
      decays=(0.0,), epochs=5)
  assert got['diverged'] == 1 and got['rate'] == 1e-7
  assert got['holdout_grid'][1, 0] == 0 and got['top1'] > 0.5


def test_features_are_extracted_once():
  train, test = (Batches(*part) for part in digits())
  with features.shared():
    for epochs in (1, 2):
      settings = SETTINGS | dict(epochs=epochs)
      linear.make(embed, train=train, test=test, **settings)({}, {})
  assert (train.reads, test.reads) == (1, 1)


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, monkeypatch):
  train, test = digits()
  on_four = score(train, test, epochs=3)
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  np.testing.assert_equal(score(train, test, epochs=3), on_four)


def test_standardized_features_may_be_of_any_scale():
  (x, labels), (x_test, truth) = digits()
  scales = np.geomspace(1e-3, 1e3, 64).astype(np.float32)
  want = score((x, labels), (x_test, truth), standardize=True)
  got = score(
      (x * scales + 5 * scales, labels), (x_test * scales + 5 * scales, truth),
      standardize=True)
  assert got['top1'] == pytest.approx(want['top1'], abs=0.01)
  assert got['top1'] > 0.9


def noisy(rng, image, size):
  return image + 0.3 * jax.random.normal(rng, image.shape)


def test_augmented_features_are_new_in_each_epoch_and_scored_without():
  (x, labels), (x_test, truth) = digits()

  x, x_test = (np.round(255 * part).astype(np.uint8) for part in (x, x_test))
  train, test = (
      Batches(*part, size=np.ones((len(part[0]), 2)))
      for part in ((x, labels), (x_test, truth)))
  center = features.with_view(embed, lambda images, sizes: images / 255)
  augment = features.with_random_view(embed, noisy, seed=3)
  got = linear.make(
      center, train=train, test=test, augment=augment, **SETTINGS | dict(epochs=4))(
          {}, {})
  assert train.reads == 1 + 4 and test.reads == 1

  @jax.jit
  def view(epoch):
    rng = jax.random.fold_in(jax.random.PRNGKey(3), epoch)
    rngs = jax.vmap(lambda i: jax.random.fold_in(rng, i))(jnp.arange(1200))
    return jax.vmap(noisy, (0, 0, None))(rngs, x / np.float32(255), None)
  held_out = probes.order(1200, seed=0, stream=0) < 120
  head = probes.fit(
      lambda epoch: np.asarray(view(epoch)), labels, held_out,
      probes.Cells(
          np.float32([got['rate'] / 2]), np.float32([got['decay']]),
          np.ones(1, bool)),
      num_classes=10, epochs=4, batch_size=128, seed=0,
      center=np.zeros(64, np.float32), scale=np.ones(64, np.float32))
  for name, (images, classes) in {
      'top1': (x_test, truth), 'train_top1': (x, labels)}.items():
    ranks, _ = probes.score(head, images / np.float32(255), classes)
    hits = (ranks == 0).mean()
    assert got[name] == pytest.approx(hits, abs=2 / len(classes))
  assert got['holdout_grid'].shape == (3, 2)


@pytest.mark.parametrize('train, test, message', [
    ((np.eye(3), None), (np.eye(3), np.arange(3)), 'training set has no labels'),
    ((np.eye(3), np.arange(3)), (np.eye(3), None), 'test set has no labels'),
    ((np.eye(3), np.arange(9, 12)), (np.eye(3), np.arange(3)), 'from 9 to 11'),
    ((np.eye(3), np.arange(3)), (np.eye(3)[:, :2], np.arange(3)), '3 wide.* 2')])
def test_what_cannot_be_scored_is_an_error(train, test, message):
  with pytest.raises(ValueError, match=message):
    score(train, test)


@pytest.mark.parametrize('setting, message', [
    (dict(optimizer='adam'), 'nesterov, momentum, lbfgs'),
    (dict(schedule='none'), 'cosine, steps'),
    (LBFGS | dict(rates=(0.1,)), 'L-BFGS has no rates'),
    (LBFGS | dict(schedule='cosine'), "schedule 'cosine'"),
    (LBFGS | dict(batch_size=64), 'batch_size 64'),
    (LBFGS | dict(decays=()), 'at least one of each'),
    (LBFGS | dict(augment=embed), 'augment is for SGD'),
    (dict(rates=()), 'at least one of each'),
    (dict(rates=(0.0, 1.0)), 'rates above 0'),
    (dict(rates=(float('nan'),)), 'rates above 0'),
    (dict(decays=()), 'at least one of each'),
    (dict(decays=(-1.0,)), 'decays of 0'),
    (dict(epochs=0), 'epochs is 0'), (dict(batch_size=0), 'batch_size is 0'),
    (dict(num_classes=1), 'num_classes is 1'), (dict(seed=-1), 'seed is -1')])
def test_settings_out_of_range_are_errors(setting, message):
  with pytest.raises(ValueError, match=message):
    linear.make(embed, train=[], test=[], **SETTINGS | setting)
