import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxssl import errors
from jaxssl import features
from jaxssl import finetuning
from jaxssl import methods
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import preemption
from jaxssl import probes
from jaxssl.layers import heads
from jaxssl.models import resnet
from tests import tiny_method

SETTINGS = dict(
    num_classes=3, rate=2.0, head_rate=5.0, decay=0.1, epochs=3, batch_size=4, seed=7,
    feature='h')


def augment(params, extra, batch, groups):
  """Another view in each epoch, by a factor; extra shifts, as statistics do."""
  del groups
  x = batch['image'] * (1.0 + batch['epoch'][:, None])
  return {'h': x @ params['w'] + params['b'] - extra['mean']}, extra


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
    new, _, head, loss = finetuning.fit(
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


class Plain(nn.Module):
  """What `tiny_method.Network` is, with flax's own batch norm."""

  @nn.compact
  def __call__(self, x):
    x = nn.Dense(6, name='dense')(x)
    return nn.relu(nn.BatchNorm(
        use_running_average=False, momentum=0.9, epsilon=1e-5, name='bn')(x))


def by_flax(variables, examples, s):
  """Plain Nesterov with flax's batch norm on the minibatches alone, unpadded."""
  variables = {**variables, 'head': {
      'kernel': jnp.zeros((6, 3)), 'bias': jnp.zeros(3)}}
  stats = variables.pop('batch_stats')
  velocity = jax.tree.map(jnp.zeros_like, variables)

  @jax.jit
  def gradient(variables, stats, x, label):
    def loss_fn(variables):
      h, new = Plain().apply(
          {'params': variables['params'], 'batch_stats': stats}, x,
          mutable=['batch_stats'])
      logits = h @ variables['head']['kernel'] + variables['head']['bias']
      logits = jax.nn.log_softmax(logits)
      return -logits[jnp.arange(len(x)), label].mean(), new['batch_stats']
    return jax.grad(loss_fn, has_aux=True)(variables)

  for step in range(3 * s['epochs']):
    order = probes.order(10, seed=s['seed'], stream=step // 3)
    rows = (order[:4], order[4:7], order[7:])[step % 3]
    grads, stats = gradient(
        variables, stats, examples['image'][rows], examples['label'][rows])
    grads = jax.tree_util.tree_map_with_path(
        lambda path, g, w: g + s['decay'] * w if 'kernel' in str(path) else g,
        grads, variables)
    velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, grads)
    share = s['batch_size'] / 256 * (1 + np.cos(np.pi * step / (3 * s['epochs']))) / 2
    rates = {'params': share * s['rate'], 'head': share * s['head_rate']}
    steps = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, grads)
    steps = {
        part: optax.tree.scale(rate, steps[part]) for part, rate in rates.items()}
    variables = optax.tree.sub(variables, steps)
  return variables, stats


@pytest.mark.parametrize('num_devices', [1, 4])
def test_batch_norm_sees_each_minibatch_and_its_kept_statistics_move(num_devices):
  """Flax's on 4, 3 and 3 examples: on four devices there is padding beside them."""
  network = tiny_method.Network(6, 0)
  tune, _ = methods.model_functions(network)
  _, _, examples = problem()
  start = jax.device_get(network.init(jax.random.PRNGKey(0), examples['image']))
  extra = {'batch_stats': start['batch_stats'], 'queue': np.arange(3)}
  with tiny_method.on(num_devices):
    new, moved, head, _ = finetuning.fit(
        lambda params, extra, batch, groups: tune(
            params, extra, batch['image'], groups),
        finetuning.check(tune, **SETTINGS), start['params'], extra, examples)
    new, moved = jax.device_get((new, moved))
  want, stats = by_flax(start, examples, SETTINGS)
  near = dict(rtol=2e-3, atol=2e-4)
  chex.assert_trees_all_close(new, want['params'], **near)
  chex.assert_trees_all_close(moved['batch_stats'], stats, **near)
  np.testing.assert_allclose(head.weights[:, 0], want['head']['kernel'], **near)
  np.testing.assert_array_equal(moved['queue'], np.arange(3))
  np.testing.assert_array_equal(extra['batch_stats']['bn']['mean'], np.zeros(6))
  assert abs(moved['batch_stats']['bn']['mean']).max() > 0.1
  assert abs(new['dense']['kernel'] - start['params']['dense']['kernel']).max() > 0.01


METHODS = dict(
    simclr=dict(temperature=0.1), byol=dict(
        momentum=0.9, predictor_hidden=5, total_steps=9),
    moco=dict(
        temperature=0.1, momentum=0.9, queue_size=8, num_splits=2, symmetric=False,
        batch_size=4),
    pcl=dict(
        temperature=0.1, momentum=0.9, queue_size=8, num_splits=2, batch_size=4,
        num_examples=8, num_clusters=(3,), num_negatives=0, layout='paper',
        concentration='constant', alpha=10.0, warmup_epochs=1, kmeans_iters=1,
        kmeans_restarts=1),
    simsiam=dict(predictor_hidden=5), supervised=dict(
        num_classes=3, label_smoothing=0.0),
    jigsaw=dict(grid=2, tile_size=3, num_permutations=4, hidden=5, seed=0),
    pretrained=dict(weights='', mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)))


def test_no_method_is_left_out():
  assert sorted(METHODS) == plugins.names('methods')


@pytest.mark.parametrize('name', METHODS)
def test_every_method_has_a_training_mode_whose_statistics_its_embed_reads(name):
  """On one batch again and again the kept statistics come to be the batch's."""
  model = resnet.Network(
      resnet.Encoder(
          block=resnet.basic, num_blocks=(), channels=4, stem='cifar',
          zero_init_residual=False, dtype='float32'),
      heads.projector(name='simclr', hidden=5, out=4, num_layers=2, dtype='float32'))
  method = plugins.load('methods', name).make(model, **METHODS[name])
  images = np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32)
  views = 'a' if name in ('jigsaw', 'supervised') else 'ab'
  params, extra = method.init(
      jax.random.PRNGKey(0), {view: images for view in views})

  def settled(images):
    settled = jax.lax.fori_loop(
        0, 300, lambda _, e: method.tune(params, e, images)[1], extra)
    return method.tune(params, settled, images)

  found, extra = jax.tree.map(lambda x: x[0], jax.jit(
      jax.vmap(settled, axis_name=parallel.AXIS))(images[None]))
  want = method.embed(params, extra, images)
  assert {'h', 'z', 'z1'} == want.keys() == found.keys()
  chex.assert_trees_all_close(found, want, rtol=1e-3, atol=1e-4)


def test_the_callers_parameters_stay():
  params, extra, examples = problem()
  mine = parallel.replicate((params, extra))
  finetuning.fit(
      augment, finetuning.check(augment, **SETTINGS), *mine, examples)
  jax.tree.map(np.testing.assert_array_equal, jax.device_get(mine), (params, extra))


def test_the_second_checkpoint_does_not_compile_again():
  params, extra, examples = problem()
  settings, traced = finetuning.check(augment, **SETTINGS), []

  def counted(params, extra, batch, groups):
    traced.append(batch['image'].shape)
    return augment(params, extra, batch, groups)
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

  def tune(params, extra, images, groups):
    jax.debug.callback(lambda x: seen.append(np.asarray(x)), images)
    return {'h': images @ params['w'] + params['b']}, extra
  with tiny_method.on(1):
    finetuning.fit(
        features.with_random_view(tune, view, seed=3),
        finetuning.check(tune, **SETTINGS | dict(batch_size=10)), params, extra,
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
  assert np.isnan(finetuning.fit(augment, settings, params, extra, examples)[3])


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
    (dict(batch_size=2), 'batch_size is 2'), (dict(seed=-1), 'seed is -1'),
    (dict(num_classes=1), 'num_classes is 1'), (dict(feature='x'), "feature is 'x'"),
    (dict(feature='z1h'), "feature is 'z1h'")])
def test_a_setting_out_of_range_is_refused(setting, message):
  with pytest.raises(ValueError, match=message):
    finetuning.check(augment, **SETTINGS | setting)


def test_random_views_are_needed():
  with pytest.raises(ValueError, match='augment is None'):
    finetuning.check(None, **SETTINGS)
