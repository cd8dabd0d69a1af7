import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import parallel
from jaxssl import plugins
from jaxssl.layers import heads
from jaxssl.layers import norm
from jaxssl.models import resnet

SETTINGS = dict(
    depth=10, width=0.0625, stem='cifar', zero_init_residual=False, dtype='float32',
    projector=dict(name='simclr', hidden=6, out=5, num_layers=2))


def make(**changes):
  return plugins.load('models', 'resnet').make(**{**SETTINGS, **changes})


def normal(*shape, seed=0):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def randomised(variables, seed=0):
  """The same tree with random numbers, those of variances and scales above zero."""
  rng = np.random.default_rng(seed)

  def draw(path, x):
    if path[-1].key in ('var', 'scale'):
      return rng.uniform(0.5, 2, x.shape).astype(np.float32)
    return rng.normal(0, 0.5, x.shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(draw, variables)


def init(model, *args):
  """Random variables of any values, without running the model."""
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), *args))
  return randomised(shapes)


def on_one_device(function, in_axes=0):
  """Compiles what runs in the mapped axis for one; split arrays are [1, b, ...]."""
  return jax.jit(jax.vmap(function, in_axes=in_axes, axis_name=parallel.AXIS))


def numpy_conv(x, kernel, stride):
  """A convolution by its definition, one output position at a time."""
  k = len(kernel)
  p = k // 2
  x = np.pad(np.float64(x), ((0, 0), (p, p), (p, p), (0, 0)))
  return np.stack([
      np.stack([
          np.einsum('brsc,rscd->bd', x[:, i:i + k, j:j + k], kernel)
          for j in range(0, x.shape[2] - k + 1, stride)], axis=1)
      for i in range(0, x.shape[1] - k + 1, stride)], axis=1)


def numpy_norm(x, params, stats):
  return (x - stats['mean']) / np.sqrt(stats['var'] + 1e-5) * params['scale'] + (
      params['bias'])


@pytest.mark.parametrize('depth, count', [  # torchvision's, without the classifier.
    (18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160),
    (152, 58_143_808)])
def test_parameters_are_as_many_as_torchvision_has(depth, count):
  model = make(depth=depth, width=1.0, stem='imagenet', projector=None)
  shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
  assert sum(math.prod(x.shape) for x in jax.tree.leaves(shapes['params'])) == count


@pytest.mark.parametrize('stem, last', [('imagenet', 3), ('cifar', 12)])
@pytest.mark.parametrize('depth, width, e', [(18, 0.5, 256), (50, 2, 4096)])
def test_shapes(stem, last, depth, width, e):
  model = make(depth=depth, width=width, stem=stem)
  images = jnp.zeros((2, 96, 96, 3))

  def run():
    variables = model.init(jax.random.key(0), images)
    return model.apply(variables, images, capture_intermediates=True)

  out, kept = jax.eval_shape(run)
  blocks = kept['intermediates']['encoder']
  assert blocks['stage4_block1']['__call__'][0].shape == (2, last, last, e)
  assert blocks['stage1_block1']['__call__'][0].shape[1] == 8 * last
  assert {k: (v.shape, v.dtype) for k, v in out.items()} == {
      'h': ((2, e), jnp.float32), 'z': ((2, 5), jnp.float32),
      'z1': ((2, 6), jnp.float32)}


def test_names_in_checkpoints():
  shapes = jax.eval_shape(make().init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
  params = shapes['params']
  assert set(params) == {'encoder', 'projector'}
  assert set(params['encoder']) == {
      'stem_conv', 'stem_bn', *(f'stage{i}_block1' for i in (1, 2, 3, 4))}
  block = {'conv1', 'bn1', 'conv2', 'bn2'}
  assert set(params['encoder']['stage1_block1']) == block
  assert set(params['encoder']['stage2_block1']) == {
      *block, 'shortcut_conv', 'shortcut_bn'}
  assert jax.tree.map(lambda x: x.shape, params['projector']) == {
      'dense1': {'kernel': (32, 6)}, 'bn1': {'scale': (6,), 'bias': (6,)},
      'dense2': {'kernel': (6, 5)}, 'bn2': {'scale': (5,)}}
  assert set(shapes['batch_stats']['projector']['bn2']) == {'mean', 'var'}


@pytest.mark.parametrize('kind, strides', [
    (resnet.basic, (2, 1)),
    (functools.partial(resnet.bottleneck, version='v1.5'), (1, 2, 1)),
    (functools.partial(resnet.bottleneck, version='v1'), (2, 1, 1))])
def test_a_block_is_its_definition(kind, strides):
  block = resnet.Block(kind(3, 2), zero_init_residual=True, dtype='float32')
  x = normal(2, 7, 6, 5)
  variables = init(block, x, False)
  params, stats = variables['params'], variables['batch_stats']

  y = x
  for i, stride in enumerate(strides, 1):
    y = numpy_conv(y, params[f'conv{i}']['kernel'], stride)
    y = numpy_norm(y, params[f'bn{i}'], stats[f'bn{i}'])
    if i < len(strides):
      y = np.maximum(y, 0)
  shortcut = numpy_norm(
      numpy_conv(x, params['shortcut_conv']['kernel'], 2),
      params['shortcut_bn'], stats['shortcut_bn'])
  got = jax.jit(lambda x: block.apply(variables, x, False))(x)
  np.testing.assert_allclose(got, np.maximum(y + shortcut, 0), rtol=1e-4, atol=1e-5)


def test_the_imagenet_stem_is_its_definition():
  encoder = resnet.Encoder(
      block=resnet.basic, num_blocks=(), channels=4, stem='imagenet',
      zero_init_residual=False, dtype='float32')
  images = normal(2, 12, 9, 3)
  variables = init(encoder, images, False)
  params, stats = variables['params'], variables['batch_stats']
  x = numpy_norm(
      numpy_conv(images, params['stem_conv']['kernel'], 2),
      params['stem_bn'], stats['stem_bn'])                        # [2, 6, 5, 4]
  x = np.pad(np.maximum(x, 0), ((0, 0), (1, 1), (1, 1), (0, 0)))
  pooled = [
      x[:, i:i + 3, j:j + 3].max((1, 2)) for i in (0, 2, 4) for j in (0, 2, 4)]
  got = jax.jit(lambda x: encoder.apply(variables, x, False))(images)
  np.testing.assert_allclose(got, np.mean(pooled, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('zero', [True, False])
def test_zero_init_makes_a_block_pass_on_its_input(zero):
  block = resnet.Block(resnet.basic(8, 1), zero_init_residual=zero, dtype='float32')
  x = normal(2, 4, 4, 8)
  y, variables = jax.jit(
      lambda: block.init_with_output(jax.random.key(0), x, False))()
  assert np.array_equal(y, np.maximum(x, 0)) == zero
  scales = [float(variables['params'][f'bn{i}']['scale'][0]) for i in (1, 2)]
  assert scales == [1, 0 if zero else 1]


def one_block_network(dtype='float32'):
  encoder = resnet.Encoder(
      block=functools.partial(resnet.bottleneck, version='v1.5'), num_blocks=(1,),
      channels=4, stem='cifar', zero_init_residual=False, dtype=dtype)
  return resnet.Network(
      encoder, heads.projector(
          name='simclr', hidden=6, out=5, num_layers=2, dtype=dtype))


def step(model, variables, images, targets):
  """Output, new statistics and gradients of a loss over all devices."""
  def loss_fn(params):
    out, new = model.apply(
        {**variables, 'params': params}, images, train=True,
        mutable=['batch_stats'])
    loss = jnp.mean((out['z'] - targets)**2) + jnp.mean(out['h']**2)
    return parallel.mean(loss), (out, new['batch_stats'])

  grads, (out, stats) = jax.grad(loss_fn, has_aux=True)(variables['params'])
  return out, stats, parallel.mean(grads)


@pytest.mark.parametrize('way', parallel.WAYS)
def test_four_devices_are_one(way):
  model = one_block_network()
  # Batches of unequal means: statistics of one device would be far off.
  images = normal(8, 8, 8, 3) + np.arange(8, dtype=np.float32)[:, None, None, None]
  targets = normal(8, 5, seed=1)
  variables = init(model, images)
  body = functools.partial(step, model)
  want = on_one_device(body, (None, 0, 0))(variables, images[None], targets[None])
  want = jax.tree.map(lambda x: np.asarray(x[0]), want)
  split = parallel.split((images, targets), way)
  got = parallel.mapped(body, (None, 0, 0), (0, None, None), way=way)(
      variables, *split)
  got = parallel.join(got[0], way), *got[1:]
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_batch_norm_is_that_of_flax():
  x, dy = 2 * normal(16, 3, 3, 5) + 1, normal(16, 3, 3, 5, seed=1)
  ours = norm.BatchNorm('float32')
  theirs = nn.BatchNorm(momentum=0.9, epsilon=1e-5, axis_name=parallel.AXIS)
  variables = init(ours, x, False)

  def run(x):
    def results(apply):
      y, vjp, new = jax.vjp(apply, variables['params'], x, has_aux=True)
      return y, vjp(dy), new

    stats = {'batch_stats': variables['batch_stats']}
    return (
        results(lambda p, x: ours.apply(
            {'params': p, **stats}, x, True, mutable=['batch_stats'])),
        results(lambda p, x: theirs.apply(
            {'params': p, **stats}, x, False, mutable=['batch_stats'])),
        ours.apply(variables, x, False), theirs.apply(variables, x, True))

  *train, got, want = on_one_device(run)(x[None])
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
  got, want = train
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_z_has_unit_length_and_a_finite_gradient_at_zero():
  z = heads.unit_length(jnp.array([[3.0, 4.0], [0.0, 0.0], [3e-5, 4e-5]]))
  np.testing.assert_allclose(z, [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-5)
  grad = jax.grad(lambda x: heads.unit_length(x).sum())(jnp.zeros((1, 2)))
  assert np.isfinite(grad).all()


def test_bfloat16_computes_close_to_float32_and_keeps_float32_parameters():
  images = normal(8, 8, 8, 3)
  shapes = jax.eval_shape(
      one_block_network('bfloat16').init, jax.random.key(0), images)
  assert {x.dtype for x in jax.tree.leaves(shapes)} == {jnp.dtype('float32')}
  variables = randomised(shapes)

  def run(images):
    return [
        one_block_network(dtype).apply(
            variables, images, train=True, mutable=['batch_stats'])
        for dtype in ('float32', 'bfloat16')]

  want, got = on_one_device(run)(images[None])
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    assert a.dtype == jnp.float32
    assert np.linalg.norm(a - b) < 0.1 * np.linalg.norm(b)
  assert not np.array_equal(got[0]['h'], want[0]['h'])


@pytest.mark.parametrize('changes, told', [
    (dict(depth=20), 'depth 20. There are: 10, 18'),
    (dict(stem='stl'), "stem 'stl'. There are: imagenet, cifar"),
    (dict(dtype='float16'), "dtype 'float16'"),
    (dict(version='v2'), "version 'v2'. There are: v1.5, v1"),
    (dict(padding='valid'), "padding 'valid'. There are: symmetric, same_pool, same"),
    (dict(width=0.0), 'width of a ResNet is 0.0'),
    (dict(width=0.001), 'width of a ResNet is 0.001'),
    (dict(width=-1), 'width of a ResNet is -1'),
    (dict(width=float('nan')), 'width of a ResNet is nan'),
    (dict(width=100), 'width of a ResNet is 100'),
    (dict(projector=dict(name='simclr', hidden=8, out=4)),
     'model.projector lacks num_layers'),
    (dict(projector=dict(name='simclr', hidden=8, out=0, num_layers=2)),
     "projector's out is 0"),
    (dict(projector=dict(name='simclr', hidden=-1, out=4, num_layers=2)),
     "projector's hidden is"),
    (dict(projector=dict(name='simclr', hidden=8, out=4, num_layers=0)),
     'num_layers is 0'),
    (dict(projector=dict(name='simclr', hidden=8, out=4, num_layers=2.5)),
     'num_layers is 2.5')])
def test_mistakes_are_told_in_one_line(changes, told):
  with pytest.raises(ValueError) as e:
    make(**changes)
  assert told in str(e.value) and '\n' not in str(e.value)
