import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxssl import optim

LENGTHS = dict(total_steps=8, steps_per_epoch=2, batch_size=512)
RATE = dict(base_lr=0.3, scaling='linear', warmup_epochs=1.5, weight_decay=0.01)
EPOCHS = dict(base_lr=0.3, scaling='linear', weight_decay=0.01)
SETTINGS = {
    'lars': dict(name='lars', momentum=0.9, **RATE),
    'sgd': dict(name='sgd', momentum=0.8, nesterov=False, **RATE),
    'nesterov': dict(name='sgd', momentum=0.8, nesterov=True, **RATE),
    'adamw': dict(name='adamw', b1=0.8, b2=0.95, eps=1e-6, **RATE),
    'byol_lars': dict(name='byol_lars', momentum=0.9, **RATE),
    'moco': dict(name='moco_sgd', milestones=(0.5, 0.75), momentum=0.8, **EPOCHS),
    'moco_v2': dict(name='moco_sgd', milestones=(), momentum=0.8, **EPOCHS),
    'simsiam': dict(name='simsiam_sgd', momentum=0.8, **EPOCHS),
}


def params_and_grads():
  rng = np.random.default_rng(0)
  params = {
      'encoder': {
          'conv1': {'kernel': rng.normal(size=(3, 3, 2, 4))},
          'bn1': {'scale': rng.normal(size=4), 'bias': rng.normal(size=4)}},
      'zeros': {'kernel': np.zeros((4, 3))},
      'classifier': {'kernel': rng.normal(size=(4, 3)), 'bias': rng.normal(size=3)},
      'predictor': {'dense': {'kernel': rng.normal(size=(3, 2))}}}
  params = jax.tree.map(np.float32, params)
  draw = lambda p: rng.normal(size=p.shape).astype(np.float32)
  grads = [jax.tree.map(draw, params) for _ in range(LENGTHS['total_steps'])]
  grads[2] = jax.tree.map(np.zeros_like, params)
  return params, grads


def numpy_rate(step, *, peak, warmup_steps, total_steps):
  if step < warmup_steps:
    return peak * step / warmup_steps
  return peak / 2 * (
      1 + math.cos(math.pi * (step - warmup_steps) / (total_steps - warmup_steps)))


# One parameter's w after all steps, from its gradients and the rates of the steps.


def numpy_lars(w, grads, rates, *, kernel, head):
  v = 0
  for g, rate in zip(grads, rates):
    trust = 1
    if kernel and not head:
      g = g + 0.01 * w
      if np.linalg.norm(w) > 0 and np.linalg.norm(g) > 0:
        trust = 0.001 * np.linalg.norm(w) / np.linalg.norm(g)
    v = 0.9 * v + rate * trust * g
    w = w - v
  return w


def numpy_byol_lars(w, grads, rates, *, kernel, head):
  v = 0
  for g, rate in zip(grads, rates):
    trust = 1
    if kernel and not head:
      g = g + 0.01 * w
      if np.linalg.norm(w) > 0 and np.linalg.norm(g) > 0:
        trust = 0.001 * np.linalg.norm(w) / np.linalg.norm(g)
    v = 0.9 * v + trust * g
    w = w - rate * v
  return w


def numpy_sgd(w, grads, rates, *, kernel, head, nesterov=False):
  v = 0
  for g, rate in zip(grads, rates):
    g = g + 0.01 * w * kernel
    v = 0.8 * v + g
    w = w - rate * (g + 0.8 * v if nesterov else v)
  return w


def numpy_nesterov(*args, **kwargs):
  return numpy_sgd(*args, **kwargs, nesterov=True)


def numpy_adamw(w, grads, rates, *, kernel, head):
  m = v = 0
  for t, (g, rate) in enumerate(zip(grads, rates), 1):
    m = 0.8 * m + 0.2 * g
    v = 0.95 * v + 0.05 * g**2
    adapted = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6)
    w = w - rate * (adapted + 0.01 * w * kernel)
  return w


def updated(tx, params, grads):
  """The parameters after a step for each of the gradients; compiled once."""
  compilations = []

  @jax.jit
  def step(params, opt_state, grads):
    compilations.append(1)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state

  got, opt_state = jax.tree.map(jnp.asarray, (params, tx.init(params)))
  for g in grads:
    got, opt_state = step(got, opt_state, g)
  assert len(compilations) == 1
  return got


def assert_close(got, want):
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('kind, reference', [
    ('lars', numpy_lars), ('byol_lars', numpy_byol_lars), ('sgd', numpy_sgd),
    ('nesterov', numpy_nesterov), ('adamw', numpy_adamw)])
def test_updates_are_those_of_the_definition(kind, reference):
  params, grads = params_and_grads()
  tx, _ = optim.make(**SETTINGS[kind], **LENGTHS)
  rates = [
      numpy_rate(s, peak=0.6, warmup_steps=3, total_steps=8) for s in range(8)]

  def want(path, w, *grads):
    names = [key.key for key in path]
    return reference(
        np.float64(w), np.float64(grads), rates, kernel=names[-1] == 'kernel',
        head='classifier' in names)

  assert_close(
      updated(tx, params, grads),
      jax.tree_util.tree_map_with_path(want, params, *grads))


def torch_rate(epoch, kind):
  """What `adjust_learning_rate` of the PyTorch code gives an epoch of four."""
  if kind == 'moco':
    return 0.6 * (0.1 if epoch >= 2 else 1) * (0.1 if epoch >= 3 else 1)
  return 0.6 * 0.5 * (1 + math.cos(math.pi * epoch / 4))


@pytest.mark.parametrize('kind', ['moco', 'moco_v2', 'simsiam'])
def test_updates_are_those_of_torch(kind):
  """torch.optim.SGD decays all parameters; the rate changes between epochs."""
  params, grads = params_and_grads()
  tx, schedule = optim.make(**SETTINGS[kind], **LENGTHS)
  rates = [torch_rate(step // 2, kind) for step in range(8)]
  np.testing.assert_allclose([schedule(s) for s in range(8)], rates, rtol=1e-5)

  def want(path, w, *grads):
    constant = kind == 'simsiam' and path[0].key == 'predictor'
    return numpy_sgd(
        np.float64(w), np.float64(grads), [0.6] * 8 if constant else rates,
        kernel=True, head=False)

  assert_close(
      updated(tx, params, grads),
      jax.tree_util.tree_map_with_path(want, params, *grads))


def test_the_rate_of_byol_multiplies_past_gradients_too():
  """A warm-up from 0 forgets the first gradient in `lars`, and delays it in this."""
  w, g = np.float32([3.0, 4.0]), np.float32([0.5, -1.0])
  moved = {}
  for name in ('lars', 'byol_lars'):
    settings = {**SETTINGS[name], 'warmup_epochs': 0.5}  # Rates 0 and 0.6.
    tx, _ = optim.make(**settings, **LENGTHS)
    moved[name] = w - updated(tx, {'bias': w}, [{'bias': g}, {'bias': 0 * g}])['bias']
  np.testing.assert_allclose(moved['lars'], 0 * g, atol=1e-6)
  np.testing.assert_allclose(moved['byol_lars'], 0.6 * 0.9 * g, rtol=1e-5)


@pytest.mark.parametrize('scaling, peak', [
    ('linear', 0.3 * 512 / 256), ('sqrt', 0.3 * 512**0.5), ('none', 0.3)])
@pytest.mark.parametrize('warmup_epochs, warmup_steps', [
    (0.0, 0), (0.25, 5), (2, 40)])
def test_schedule(scaling, peak, warmup_epochs, warmup_steps):
  _, schedule = optim.make(
      **{**SETTINGS['lars'], 'scaling': scaling, 'warmup_epochs': warmup_epochs},
      total_steps=100, steps_per_epoch=20, batch_size=512)
  steps = np.arange(101)
  want = [
      numpy_rate(s, peak=peak, warmup_steps=warmup_steps, total_steps=100)
      for s in steps]
  got = jax.jit(jax.vmap(schedule))(steps)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * peak)
  assert float(schedule(7)) == pytest.approx(want[7], rel=1e-5)


@pytest.mark.parametrize('kind, changes, told', [
    ('lars', dict(name='lion'), "optimiser 'lion'. There are: lars, sgd, adamw"),
    ('lars', dict(scaling='cubic'), "'cubic' of the rate. There are: linear, sqrt"),
    ('lars', dict(base_lr=0.0), 'base_lr is 0.0'),
    ('sgd', dict(base_lr=float('nan')), 'base_lr is nan'),
    ('adamw', dict(base_lr=float('inf')), 'base_lr is inf'),
    ('lars', dict(warmup_epochs=-1.0), 'warmup_epochs is -1.0'),
    ('lars', dict(warmup_epochs=4.0), 'warm-up of 4.0 epochs is 8 steps'),
    ('lars', dict(weight_decay=-1e-4), 'weight_decay is -0.0001'),
    ('sgd', dict(weight_decay=float('nan')), 'weight_decay is nan'),
    ('lars', dict(momentum=1.0), 'momentum is 1.0'),
    ('sgd', dict(momentum=-0.1), 'momentum is -0.1'),
    ('adamw', dict(b2=1.0), 'b2 is 1.0'),
    ('adamw', dict(eps=-1e-8), 'eps is -1e-08'),
    ('moco', dict(milestones=(0.8, 0.6)), 'milestones are [0.8, 0.6]'),
    ('moco', dict(milestones=(120, 160)), 'milestones are [120, 160]'),
    ('moco', dict(scaling='cubic'), "'cubic' of the rate"),
    ('simsiam', dict(base_lr=-1.0), 'base_lr is -1.0'),
    ('byol_lars', dict(momentum=1.5), 'momentum is 1.5'),
    ('simsiam', dict(warmup_epochs=1.0), 'config.optim has unknown warmup_epochs'),
    ('adamw', dict(momentum=0.9), 'config.optim has unknown momentum'),
    ('lars', dict(lr=0.9), 'config.optim has unknown lr; its keys are base_lr')])
def test_mistakes_are_told_in_one_line(kind, changes, told):
  with pytest.raises(ValueError) as e:
    optim.make(**{**SETTINGS[kind], **changes}, **LENGTHS)
  assert told in str(e.value) and '\n' not in str(e.value)


def test_a_missing_key_is_told():
  settings = {k: v for k, v in SETTINGS['sgd'].items() if k != 'nesterov'}
  with pytest.raises(ValueError, match='lacks nesterov; its keys are'):
    optim.make(**settings, **LENGTHS)
