import jax
import numpy as np
import pytest

from jaxssl import errors
from jaxssl import features
from jaxssl import finetuning
from jaxssl import parallel
from jaxssl import preemption
from jaxssl import probes
from tests import tiny_method

SETTINGS = dict(
    num_classes=3, rate=2.0, head_rate=5.0, decay=0.1, epochs=3, batch_size=4, seed=7,
    feature='h')


def augment(params, extra, batch):
  """Another view in each epoch, by a factor; extra shifts, as statistics do."""
  x = batch['image'] * (1.0 + batch['epoch'][:, None])
  return {'h': x @ params['w'] + params['b'] - extra['mean']}


def problem():
  rng = np.random.default_rng(0)
  params = {
      'w': rng.standard_normal((5, 2)).astype(np.float32),
      'b': rng.standard_normal(2).astype(np.float32),
      'projector': np.ones((2, 2), np.float32)}
  extra = {'mean': np.float32([0.5, -0.5])}
  examples = {
      'image': rng.standard_normal((10, 5)).astype(np.float32),
      'index': np.arange(10), 'label': np.arange(10, dtype=np.int32) % 3}
  return params, extra, examples


def by_hand(params, extra, examples, s):
  """Nesterov's SGD on minibatches of 4, 3 and 3 of ten examples, in float64."""
  x, labels = np.float64(examples['image']), examples['label']
  weights = {
      'w': np.float64(params['w']), 'b': np.float64(params['b']),
      'kernel': np.zeros((2, 3)), 'bias': np.zeros(3)}
  velocity = dict.fromkeys(weights, 0.0)
  step, losses = 0, []
  for epoch in range(s['epochs']):
    order = probes.order(10, seed=s['seed'], stream=epoch)
    for rows in (order[:4], order[4:7], order[7:]):
      views, truth = x[rows] * (1 + epoch), np.eye(3)[labels[rows]]
      h = views @ weights['w'] + weights['b'] - extra['mean']
      p = np.exp(h @ weights['kernel'] + weights['bias'])
      p /= p.sum(1, keepdims=True)
      losses.append(-np.log((p * truth).sum(1)))
      error = (p - truth) / len(rows)
      back = error @ weights['kernel'].T
      gradient = {
          'w': views.T @ back + s['decay'] * weights['w'], 'b': back.sum(0),
          'kernel': h.T @ error + s['decay'] * weights['kernel'], 'bias': error.sum(0)}
      share = (1 + np.cos(np.pi * step / (3 * s['epochs']))) / 2
      for name, g in gradient.items():
        rate = s['rate'] if name in ('w', 'b') else s['head_rate']
        velocity[name] = 0.9 * velocity[name] + g
        weights[name] = weights[name] - rate * s['batch_size'] / 256 * share * (
            0.9 * velocity[name] + g)
      step += 1
  return weights, np.concatenate(losses[-3:]).mean()


@pytest.mark.parametrize('num_devices', [1, 4])
def test_the_training_is_that_of_the_formula_on_any_number_of_devices(num_devices):
  params, extra, examples = problem()
  with tiny_method.on(num_devices):
    new, head, loss = finetuning.fit(
        augment, finetuning.check(augment, **SETTINGS), params, extra, examples)
    new = jax.device_get(new)
  want, want_loss = by_hand(params, extra, examples, SETTINGS)
  near = dict(rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(new['w'], want['w'], **near)
  np.testing.assert_allclose(new['b'], want['b'], **near)
  np.testing.assert_allclose(head.weights[:, 0], want['kernel'], **near)
  np.testing.assert_allclose(head.biases[0], want['bias'], **near)
  assert loss == pytest.approx(want_loss, rel=1e-4)
  assert abs(new['w'] - params['w']).max() > 0.05


def test_the_callers_parameters_stay():
  params, extra, examples = problem()
  mine = parallel.replicate((params, extra))
  finetuning.fit(
      augment, finetuning.check(augment, **SETTINGS), *mine, examples)
  jax.tree.map(np.testing.assert_array_equal, jax.device_get(mine), (params, extra))


def test_the_second_checkpoint_does_not_compile_again():
  params, extra, examples = problem()
  settings, traced = finetuning.check(augment, **SETTINGS), []

  def counted(params, extra, batch):
    traced.append(batch['image'].shape)
    return augment(params, extra, batch)
  finetuning.fit(counted, settings, params, extra, examples)
  first = len(traced)
  params = {**params, 'w': 2 * params['w']}
  finetuning.fit(counted, settings, params, extra, examples)
  assert len(traced) <= first + 1  # Once more for the width alone.


def test_random_views_are_of_the_epoch_and_the_example():
  params, extra, examples = problem()
  examples['size'] = np.ones((10, 2), np.int32)
  examples['image'] = np.arange(50, dtype=np.uint8).reshape(10, 5)
  seen = []

  def view(rng, image, size):
    return image + jax.random.uniform(rng, image.shape)

  def embed(params, extra, images):
    jax.debug.callback(lambda x: seen.append(np.asarray(x)), images)
    return {'h': images @ params['w'] + params['b']}
  with tiny_method.on(1):
    finetuning.fit(
        features.with_random_view(embed, view, seed=3),
        finetuning.check(embed, **SETTINGS | dict(batch_size=10)), params, extra,
        examples)
    jax.effects_barrier()
  for epoch in range(3):
    rng = jax.random.fold_in(jax.random.PRNGKey(3), epoch)
    order = probes.order(10, seed=7, stream=epoch)
    want = [
        examples['image'][i] / np.float32(255)
        + jax.random.uniform(jax.random.fold_in(rng, i), (5,)) for i in order]
    assert any(np.allclose(x, want, atol=1e-6) for x in seen)


def test_a_loss_that_is_no_number_ends_the_training():
  params, extra, examples = problem()
  settings = finetuning.check(augment, **SETTINGS | dict(rate=1e30, epochs=50))
  assert np.isnan(finetuning.fit(augment, settings, params, extra, examples)[2])


def test_a_signal_ends_it_between_two_steps():
  params, extra, examples = problem()
  settings = finetuning.check(augment, **SETTINGS)
  with preemption.listening() as notice:
    notice.requested = True
    with pytest.raises(errors.Preempted):
      finetuning.fit(augment, settings, params, extra, examples)


def test_a_feature_that_the_model_lacks():
  params, extra, examples = problem()
  settings = finetuning.check(augment, **SETTINGS | dict(feature='z'))
  with pytest.raises(ValueError, match=r"no feature 'z'.* gives: h"):
    finetuning.fit(augment, settings, params, extra, examples)


@pytest.mark.parametrize('setting, message', [
    (dict(rate=0.0), 'rate is 0.0'), (dict(head_rate=np.inf), 'head_rate is inf'),
    (dict(decay=-1.0), 'decay is -1.0'), (dict(epochs=0), 'epochs is 0'),
    (dict(batch_size=0), 'batch_size is 0'), (dict(seed=-1), 'seed is -1'),
    (dict(num_classes=1), 'num_classes is 1'), (dict(feature='x'), "feature is 'x'"),
    (dict(feature='z1h'), "feature is 'z1h'")])
def test_a_setting_out_of_range_is_refused(setting, message):
  with pytest.raises(ValueError, match=message):
    finetuning.check(augment, **SETTINGS | setting)


def test_random_views_are_needed():
  with pytest.raises(ValueError, match='augment is None'):
    finetuning.check(None, **SETTINGS)
