"""Every head against its layers in NumPy, and what it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_network
import pytest

from jaxssl import parallel
from jaxssl.layers import heads

SCALE_BIAS, BIAS = {'scale', 'bias'}, {'kernel', 'bias'}
MADE_OF = {  # What dense1, bn1, ... hold.
    'simclr': [{'kernel'}, SCALE_BIAS, {'kernel'}, SCALE_BIAS, {'kernel'}, {'scale'}],
    'moco': [BIAS, None, BIAS, None, BIAS, None],
    'byol': [BIAS, SCALE_BIAS, BIAS, SCALE_BIAS, {'kernel'}, None],
    'simsiam': [{'kernel'}, SCALE_BIAS, {'kernel'}, SCALE_BIAS, {'kernel'}, None]}


def projector(**changes):
  return heads.projector(**{
      'name': 'simclr', 'hidden': 7, 'out': 4, 'num_layers': 3, 'dtype': 'float32',
      **changes})


def draw(rng, x):
  return rng.uniform(0.5, 1.5, x.shape).astype(np.float32)


def some_variables(head, width=5):
  """Random parameters and statistics, so that no scale or bias goes unnoticed."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
      lambda: head.init(jax.random.key(0), jnp.zeros((2, width)), False))
  params = jax.tree.map(
      lambda x: draw(rng, x) * rng.choice([-1, 1], x.shape), shapes['params'])
  stats = jax.tree.map(lambda x: draw(rng, x), shapes.get('batch_stats', {}))
  return {'params': jax.device_get(params), 'batch_stats': stats}


def trained(head, variables, x, groups=None):
  """The head on a batch in training, on one device: output and statistics."""
  def run(x, groups):
    return head.apply(variables, x, True, groups, mutable=['batch_stats'])

  axes = (0, None)
  got, new = jax.jit(jax.vmap(run, axes, axis_name=parallel.AXIS))(x[None], groups)
  return np.asarray(got[0]), jax.tree.map(lambda s: s[0], dict(new))


def features(b=16, width=5):
  return np.random.default_rng(1).normal(size=(b, width)).astype(np.float32)


@pytest.mark.parametrize('head', [
    *(projector(name=name) for name in MADE_OF),
    *(projector(name=name, num_layers=1) for name in MADE_OF),
    heads.predictor(name='byol', hidden=7),
    heads.predictor(name='simsiam', hidden=7)],
    ids=lambda head: f'{head.num_layers}-{head.out}')
def test_a_head_computes_its_layers(head):
  variables, x = some_variables(head), features()
  got, new = trained(head, variables, x)
  want, stats = numpy_network.layers(
      variables['params'], variables['batch_stats'], x)
  np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
  assert jax.tree.structure(new.get('batch_stats', {})) == jax.tree.structure(stats)
  for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(stats)):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', MADE_OF)
def test_a_projector_has_the_layers_of_its_paper(name):
  variables = some_variables(projector(name=name))
  names = [f'{kind}{i}' for i in (1, 2, 3) for kind in ('dense', 'bn')]
  want = {n: held for n, held in zip(names, MADE_OF[name]) if held}
  assert {n: set(held) for n, held in variables['params'].items()} == want
  kernels = [variables['params'][f'dense{i}']['kernel'].shape for i in (1, 2, 3)]
  assert kernels == [(5, 7), (7, 7), (7, 4)]
  norms = {'simclr': 3, 'moco': 0, 'byol': 2, 'simsiam': 3}[name]
  assert len(variables['batch_stats']) == norms


@pytest.mark.parametrize('name, last', [('byol', {'kernel'}), ('simsiam', BIAS)])
def test_a_predictor_has_two_layers_and_keeps_the_width(name, last):
  head = heads.predictor(name=name, hidden=7)
  params = some_variables(head)['params']
  assert set(params) == {'dense1', 'bn1', 'dense2'} and set(params['dense2']) == last
  assert set(params['dense1']) == (BIAS if name == 'byol' else {'kernel'})
  assert params['dense1']['kernel'].shape == (5, 7)
  assert params['dense2']['kernel'].shape == (7, 5)


def test_hidden_0_is_the_width_of_the_encoder():
  params = some_variables(projector(hidden=0))['params']
  assert params['dense2']['kernel'].shape == (5, 5)


@pytest.mark.parametrize('name, std', [
    ('simclr', 0.01), ('byol', 100**-0.5), ('moco', 300**-0.5),
    ('simsiam', 300**-0.5)])
def test_kernels_begin_as_in_the_code_of_the_paper(name, std):
  head = projector(name=name, hidden=500)
  params = head.init(jax.random.key(0), jnp.zeros((2, 100)), False)['params']
  kernel = params['dense1']['kernel']
  assert float(kernel.std()) == pytest.approx(std, rel=0.02)
  if name in ('moco', 'simsiam'):  # torch.nn.Linear: uniform up to 1 / sqrt(fan in).
    assert 0.099 < float(abs(kernel).max()) <= 0.1


@pytest.mark.parametrize('name', ['simclr', 'byol'])
def test_groups_are_normalised_apart(name):
  head, x = projector(name=name), features(b=8)
  variables = some_variables(head)
  groups = np.repeat(np.eye(2, dtype=np.float32), 4, axis=1)        # [2, 8]
  got, _ = trained(head, variables, x, groups)
  want = [
      numpy_network.layers(variables['params'], variables['batch_stats'], half)[0]
      for half in (x[:4], x[4:])]
  np.testing.assert_allclose(got, np.concatenate(want), rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize('name', MADE_OF)
def test_bfloat16_is_for_the_arithmetic_alone(name):
  head = projector(name=name, dtype='bfloat16')
  variables, x = some_variables(head), features()
  got, _ = trained(head, variables, x)
  want, _ = numpy_network.layers(variables['params'], variables['batch_stats'], x)
  assert got.dtype == np.float32
  error = np.linalg.norm(got - want) / np.linalg.norm(want)
  assert 1e-4 < error < 0.1


def test_spread():
  z = np.random.default_rng(0).normal(size=(4000, 16))
  z /= np.linalg.norm(z, axis=1, keepdims=True)
  spread = jax.jit(jax.vmap(heads.spread, axis_name=parallel.AXIS))
  got = spread(jnp.float32(z.reshape(4, 1000, 16)))  # As on four devices.
  np.testing.assert_allclose(got, z.std(0).mean(), rtol=1e-4)
  np.testing.assert_allclose(got, 0.25, rtol=0.01)  # 1 / sqrt(16)
  np.testing.assert_allclose(spread(jnp.tile(z[:1], (4, 10, 1))), 0, atol=1e-3)


@pytest.mark.parametrize('changes, told', [
    (dict(name='vicreg'), "No projector 'vicreg'. There are: simclr, moco, byol, sims"),
    (dict(out=0), "projector's out is 0"),
    (dict(hidden=-1), "projector's hidden is -1"),
    (dict(num_layers=2.5), 'num_layers is 2.5')])
def test_mistakes_are_told_in_one_line(changes, told):
  with pytest.raises(ValueError) as e:
    projector(**changes)
  assert told in str(e.value) and '\n' not in str(e.value)


@pytest.mark.parametrize('settings, told', [
    (dict(name='moco', hidden=8), "No predictor 'moco'. There are: byol, simsiam."),
    (dict(name='byol', hidden='8'), "predictor's hidden is '8'")])
def test_mistakes_in_a_predictor_too(settings, told):
  with pytest.raises(ValueError) as e:
    heads.predictor(**settings)
  assert told in str(e.value) and '\n' not in str(e.value)
