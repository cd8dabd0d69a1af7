"""Random weights, and the files that others would make of them.

The names are spelled out here from the definition of each network, block by block, and
owe nothing to the code that reads them.
"""

import collections
import functools
import json
import pickle

import jax
import numpy as np

from jaxssl.weights import names

MODEL = dict(
    depth=10, width=0.125, stem='imagenet', zero_init_residual=False, dtype='float32',
    version='v1.5', padding='symmetric', projector=None)
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
ROOTS = {  # Of square roots of a fan in: features keep a size that says something.
    'kernel': lambda rng, x: rng.normal(0, np.prod(x.shape[:-1])**-0.5, x.shape),
    'scale': lambda rng, x: rng.uniform(0.5, 1.5, x.shape),
    'var': lambda rng, x: rng.uniform(0.5, 1.5, x.shape)}


def model(**changes):
  return {**MODEL, **changes}


def head(name, num_layers, hidden=6, out=5):
  return dict(
      name=name, hidden=hidden if num_layers > 1 else 0, out=out,
      num_layers=num_layers)


def variables(settings, seed=0):
  """Random variables of a network."""
  rng = np.random.default_rng(seed)

  def draw(path, x):
    of = ROOTS.get(path[-1].key, lambda rng, x: rng.normal(0, 0.3, x.shape))
    return of(rng, x).astype(np.float32)

  return jax.tree_util.tree_map_with_path(draw, shapes(json.dumps(settings)))


@functools.cache
def shapes(settings):
  return names.abstract(json.loads(settings))


def torch_order(x):
  return np.moveaxis(x, (3, 2), (0, 1)).copy() if x.ndim == 4 else x.T.copy()


def state_dict(made, depth):
  """{torchvision's name: array} of an encoder."""
  encoder, stats = made['params']['encoder'], made['batch_stats']['encoder']
  out = {}

  def conv(name, module):
    out[f'{name}.weight'] = torch_order(module['kernel'])

  def bn(name, params, kept):
    out[f'{name}.weight'], out[f'{name}.bias'] = params['scale'], params['bias']
    out[f'{name}.running_mean'] = kept['mean']
    out[f'{name}.running_var'] = kept['var']
    out[f'{name}.num_batches_tracked'] = np.int64(7)

  conv('conv1', encoder['stem_conv'])
  bn('bn1', encoder['stem_bn'], stats['stem_bn'])
  for stage, count in enumerate(BLOCKS[depth], 1):
    for number in range(count):
      ours, kept = (
          tree[f'stage{stage}_block{number + 1}'] for tree in (encoder, stats))
      prefix = f'layer{stage}.{number}'
      for i in range(1, 4 if depth >= 50 else 3):
        conv(f'{prefix}.conv{i}', ours[f'conv{i}'])
        bn(f'{prefix}.bn{i}', ours[f'bn{i}'], kept[f'bn{i}'])
      if 'shortcut_conv' in ours:
        conv(f'{prefix}.downsample.0', ours['shortcut_conv'])
        bn(f'{prefix}.downsample.1', ours['shortcut_bn'], kept['shortcut_bn'])
  return out


def dense(module):
  """A dense map as PyTorch has it."""
  return {
      'weight': module['kernel'].T.copy(),
      **({'bias': module['bias']} if 'bias' in module else {})}


def norm(params, kept):
  """A batch norm as PyTorch has it."""
  return {
      **({'weight': params['scale']} if 'scale' in params else {}),
      **({'bias': params['bias']} if 'bias' in params else {}),
      'running_mean': kept['mean'], 'running_var': kept['var'],
      'num_batches_tracked': np.int64(7)}


def prefixed(prefix, arrays):
  return {f'{prefix}{name}': x for name, x in arrays.items()}


def random_like(arrays, seed=9):
  rng = np.random.default_rng(seed)
  return {
      name: rng.normal(size=np.shape(x)).astype(np.float32)
      for name, x in arrays.items()}


def moco(made, depth, num_layers):
  """MoCo v1 or v2, PCL v1 or v2: both encoders, a queue, an optimiser."""
  projector = made['params']['projector']
  query = state_dict(made, depth) | (
      prefixed('fc.', dense(projector['dense1'])) if num_layers == 1 else {
          **prefixed('fc.0.', dense(projector['dense1'])),
          **prefixed('fc.2.', dense(projector['dense2']))})
  return {
      **prefixed('state_dict/module.encoder_q.', query),
      **prefixed('state_dict/module.encoder_k.', random_like(query)),
      'state_dict/module.queue': np.zeros((5, 8), np.float32),
      'state_dict/module.queue_ptr': np.zeros(1, np.int64),
      'optimizer/state/0/momentum_buffer': np.zeros(3, np.float32)}


def simsiam(made, depth):
  """Its head is the encoder's fc; the last map has a bias that batch norm undoes."""
  projector = made['params']['projector']
  kept = made['batch_stats']['projector']
  bias = np.arange(len(kept['bn3']['mean']), dtype=np.float32)
  last = norm({}, kept['bn3'])
  last['running_mean'] = last['running_mean'] + bias
  parts = {
      '': state_dict(made, depth),
      'fc.0.': dense(projector['dense1']),
      'fc.1.': norm(projector['bn1'], kept['bn1']),
      'fc.3.': dense(projector['dense2']),
      'fc.4.': norm(projector['bn2'], kept['bn2']),
      'fc.6.': {**dense(projector['dense3']), 'bias': bias}, 'fc.7.': last}
  return {
      **{f'state_dict/module.encoder.{k}{name}': x
         for k, part in parts.items() for name, x in part.items()},
      'state_dict/module.predictor.0.weight': np.zeros((3, 5), np.float32)}


def swav(made, depth):
  return {
      **prefixed('module.', state_dict(made, depth)),
      'module.projection_head.0.weight': np.zeros((6, 64), np.float32),
      'module.projection_head.0.bias': np.zeros(6, np.float32),
      'module.projection_head.1.running_mean': np.zeros(6, np.float32),
      'module.projection_head.3.weight': np.zeros((5, 6), np.float32),
      'module.prototypes.weight': np.zeros((9, 5), np.float32)}


def dino(made, depth):
  teacher = state_dict(made, depth)
  return {
      **prefixed('teacher/module.backbone.', teacher),
      **prefixed('student/module.backbone.', random_like(teacher)),
      'teacher/module.head.mlp.0.weight': np.zeros((4, 64), np.float32),
      'teacher/module.head.last_layer.weight_g': np.zeros((4, 1), np.float32),
      'dino_loss/center': np.zeros((1, 4), np.float32)}


def torchvision(made, depth):
  return {
      **state_dict(made, depth), 'fc.weight': np.zeros((1000, 64), np.float32),
      'fc.bias': np.zeros(1000, np.float32)}


def simclr_v2_pytorch(made, depth):
  """The names of Separius/SimCLRv2-Pytorch."""
  arrays = state_dict(made, depth)
  places = {'conv1': 'net.0.0', 'bn1': 'net.0.1.0'}
  for stage, count in enumerate(BLOCKS[depth], 1):
    for number in range(count):
      ours, theirs = f'layer{stage}.{number}', f'net.{stage}.blocks.{number}'
      places[f'{ours}.downsample.0'] = f'{theirs}.projection.shortcut'
      places[f'{ours}.downsample.1'] = f'{theirs}.projection.bn.0'
      for i in range(3):
        places[f'{ours}.conv{i + 1}'] = f'{theirs}.net.{2 * i}'
        places[f'{ours}.bn{i + 1}'] = f'{theirs}.net.{2 * i + 1}.0'
  projector = made['params']['projector']
  kept = made['batch_stats']['projector']
  out = {
      f'resnet/{places[module]}.{leaf}': x for module, leaf, x in (
          (*name.rsplit('.', 1), x) for name, x in arrays.items())}
  for i in range(3):
    out |= prefixed(f'head/layers.{3 * i}.', dense(projector[f'dense{i + 1}']))
    out |= prefixed(
        f'head/layers.{3 * i + 1}.', norm(projector[f'bn{i + 1}'], kept[f'bn{i + 1}']))
  out['head/layers.7.bias'] = np.zeros(5, np.float32)
  return out | {'resnet/fc.weight': np.zeros((1000, 64), np.float32)}


def simclr_tensorflow(made, depth):
  """The checkpoints of SimCLR's TF1 code: layers numbered as they were made."""
  out, number = {}, 0

  def layer(conv, params, kept):
    nonlocal number
    suffix = f'_{number}' if number else ''
    out[f'base_model/conv2d{suffix}/kernel'] = conv['kernel']
    prefix = f'base_model/batch_normalization{suffix}'
    out[f'{prefix}/gamma'], out[f'{prefix}/beta'] = params['scale'], params['bias']
    out[f'{prefix}/moving_mean'] = kept['mean']
    out[f'{prefix}/moving_variance'] = kept['var']
    out[f'{prefix}/beta/Momentum'] = np.zeros_like(params['bias'])
    number += 1

  encoder, stats = made['params']['encoder'], made['batch_stats']['encoder']
  layer(encoder['stem_conv'], encoder['stem_bn'], stats['stem_bn'])
  for stage, count in enumerate(BLOCKS[depth], 1):
    for block in range(1, count + 1):
      ours, kept = (tree[f'stage{stage}_block{block}'] for tree in (encoder, stats))
      if block == 1:
        layer(ours['shortcut_conv'], ours['shortcut_bn'], kept['shortcut_bn'])
      for i in (1, 2, 3):
        layer(ours[f'conv{i}'], ours[f'bn{i}'], kept[f'bn{i}'])
  projector = made['params']['projector']
  kept = made['batch_stats']['projector']
  for i in range(len(kept)):
    params, prefix = projector[f'bn{i + 1}'], f'head_contrastive/nl_{i}'
    out[f'{prefix}/dense/kernel'] = projector[f'dense{i + 1}']['kernel']
    out[f'{prefix}/batch_normalization/gamma'] = params['scale']
    if 'bias' in params:
      out[f'{prefix}/batch_normalization/beta'] = params['bias']
    out[f'{prefix}/batch_normalization/moving_mean'] = kept[f'bn{i + 1}']['mean']
    out[f'{prefix}/batch_normalization/moving_variance'] = kept[f'bn{i + 1}']['var']
  return out | {
      'global_step': np.int64(12),
      'head_supervised/linear_layer/dense/kernel': np.zeros((64, 9), np.float32),
      'ema_model/base_model/conv2d/kernel': np.zeros((7, 7, 3, 4), np.float32)}


def haiku(made, depth):
  """BYOL's online network: two dicts of modules, as Haiku has them."""
  params, state = {}, {}

  def conv(path, module):
    params[path] = {'w': module['kernel']}

  def bn(path, ours, kept, shape):
    params[path] = {
        'scale': ours['scale'].reshape(shape), 'offset': ours['bias'].reshape(shape)}
    for name in ('mean', 'var'):
      average = kept[name].reshape(shape)
      state[f'{path}/~/{name}_ema'] = {
          'counter': np.int32(3), 'hidden': average, 'average': average}

  image = (1, 1, 1, -1)
  encoder, stats = made['params']['encoder'], made['batch_stats']['encoder']
  root = f'res_net{depth}/~'
  conv(f'{root}/initial_conv', encoder['stem_conv'])
  bn(f'{root}/initial_batchnorm', encoder['stem_bn'], stats['stem_bn'], image)
  for stage, count in enumerate(BLOCKS[depth]):
    for block in range(count):
      path = f'{root}/block_group_{stage}/~/block_{block}/~'
      ours, kept = (
          tree[f'stage{stage + 1}_block{block + 1}'] for tree in (encoder, stats))
      for i in range(3):
        conv(f'{path}/conv_{i}', ours[f'conv{i + 1}'])
        bn(f'{path}/batchnorm_{i}', ours[f'bn{i + 1}'], kept[f'bn{i + 1}'], image)
      if block == 0:
        conv(f'{path}/shortcut_conv', ours['shortcut_conv'])
        bn(f'{path}/shortcut_batchnorm', ours['shortcut_bn'], kept['shortcut_bn'],
           image)
  projector = made['params']['projector']
  params['projector/linear'] = {
      'w': projector['dense1']['kernel'], 'b': projector['dense1']['bias']}
  params['projector/linear_1'] = {'w': projector['dense2']['kernel']}
  bn('projector/batch_norm', projector['bn1'],
     made['batch_stats']['projector']['bn1'], (1, -1))
  params['predictor/linear'] = {'w': np.zeros((5, 4), np.float32)}
  params['classifier'] = {'w': np.zeros((8, 9), np.float32)}
  return params, state


class FlatMapping:
  """As Haiku's: made of a dict."""

  def __init__(self, mapping):
    self.mapping = mapping

  def __reduce__(self):
    return type(self), (self.mapping,)


_ByolExperimentState = collections.namedtuple(
    '_ByolExperimentState',
    'online_params target_params online_state target_state opt_state')


def byol_pickle(params, state, **more):
  """The bytes of a checkpoint as BYOL's code writes it."""
  nested = [
      FlatMapping({k: FlatMapping(v) for k, v in tree.items()})
      for tree in (params, state)]
  return pickle.dumps({
      'experiment_state': _ByolExperimentState(
          nested[0], FlatMapping({}), nested[1], FlatMapping({}), None),
      'step': 300, 'rng': np.zeros(2, np.uint32), **more}, protocol=2)
