"""How each layout's names become torchvision's: functions from one to the other.

`patterns(...)`, `tensorflow`, `haiku` and `ours` take {name: array} and return the
function that gives a name's new name, or None for one that the layout has not.
`plain`, `transposed` and `from_haiku` bring an array into PyTorch's order of axes.
"""

import re

import numpy as np

from jaxssl.weights import architecture
from jaxssl.weights import names

NORM = {
    'gamma': 'weight', 'beta': 'bias', 'moving_mean': 'running_mean',
    'moving_variance': 'running_var'}
HAIKU = {'w': 'weight', 'b': 'bias', 'scale': 'weight', 'offset': 'bias'}
HAIKU_HEAD = {
    'projector/linear': 'projector.dense1', 'projector/linear_1': 'projector.dense2',
    'projector/batch_norm': 'projector.bn1'}


def patterns(*pairs):
  """Renames by (pattern, replacement): the first pattern that a name matches."""
  def of(arrays):
    del arrays

    def rename(name):
      for pattern, new in pairs:
        if re.fullmatch(pattern, name):
          return re.sub(pattern, new, name)
      return None
    return rename
  return of


def tensorflow(arrays):
  """SimCLR's: layers are numbered, and what each is shows in their order."""
  shapes = {}
  for name, x in arrays.items():
    match = re.fullmatch(r'base_model/conv2d(?:_(\d+))?/kernel', name)
    if match and x.ndim == 4:
      shapes[int(match[1] or 0)] = x.shape
  numbers = sorted(shapes)
  modules = dict(zip(
      numbers, architecture.ordered([shapes[i] for i in numbers]), strict=True))

  def rename(name):
    match = re.fullmatch(
        r'base_model/(conv2d|batch_normalization)(?:_(\d+))?/(\w+)', name)
    if match and int(match[2] or 0) in modules:
      module = modules[int(match[2] or 0)]
      if match[1] == 'conv2d':
        return f'{module}.weight'
      return f'{norm_of(module)}.{NORM.get(match[3], match[3])}'
    match = re.fullmatch(
        r'head_contrastive/nl_(\d)/(dense|batch_normalization)/(\w+)', name)
    if match:
      module = 'dense' if match[2] == 'dense' else 'bn'
      leaf = {'kernel': 'weight', **NORM}.get(match[3], match[3])
      return f'projector.{module}{int(match[1]) + 1}.{leaf}'
    return None
  return rename


def norm_of(module):
  """The batch norm behind a convolution: 'layer1.0.conv2' -> 'layer1.0.bn2'."""
  if module.endswith('downsample.0'):
    return f'{module[:-1]}1'
  return module.replace('conv', 'bn')


def haiku(arrays):
  """BYOL's: modules by their path, the averages of batch norms in a state beside."""
  del arrays

  def rename(name):
    match = re.fullmatch(r'online_\w+/(.*?)/(?:(\w+)|~/(mean|var)_ema/average)', name)
    if not match or (match[2] and match[2] not in HAIKU):
      return None
    leaf = HAIKU[match[2]] if match[2] else f'running_{match[3]}'
    module = haiku_module(match[1])
    return module and f'{module}.{leaf}'
  return rename


def haiku_module(path):
  """'res_net50/~/block_group_1/~/block_0/~/conv_2' -> 'layer2.0.conv3'; or None."""
  block = re.fullmatch(
      r'.*block_group_(\d)/~/block_(\d+)/~/(shortcut_)?(conv|batchnorm)(?:_(\d))?',
      path)
  if block:
    stage, number, shortcut, kind, i = block.groups()
    prefix = f'layer{int(stage) + 1}.{number}'
    if shortcut:
      return f'{prefix}.downsample.{int(kind == "batchnorm")}'
    return i and f'{prefix}.{"conv" if kind == "conv" else "bn"}{int(i) + 1}'
  stem = re.fullmatch(r'.*/initial_(conv|batchnorm)(_1)?', path)
  if stem:
    return 'conv1' if stem[1] == 'conv' else 'bn1'
  return HAIKU_HEAD.get(path)


def ours(arrays):
  """Ours: the paths of the variables."""
  del arrays

  def rename(name):
    path = name.split('/')
    known = len(path) > 3 and path[1] in ('encoder', 'projector')
    return names.torch_name(path) if known and path[-1] in names.LEAVES else None
  return rename


def plain(x):
  return x


def transposed(x):
  """An array of TensorFlow or ours."""
  return names.to_torch(x)


def from_haiku(x):
  """An array of Haiku, whose batch norms keep axes of length 1."""
  if x.size == max(x.shape, default=1):
    return x.reshape(-1)
  return names.to_torch(x)


def fold_bias(state):
  """SimSiam's last map has a bias before a batch norm, which takes it away again."""
  state = dict(state)
  bias = state.pop('projector.dense3.bias', None)
  if bias is not None and 'projector.bn3.running_mean' in state:
    mean = state['projector.bn3.running_mean']
    state['projector.bn3.running_mean'] = mean - bias
  return state


def drop_zero_offset(state):
  """The converted head of SimCLR v2 has an offset where SimCLR's has none: zero."""
  state = dict(state)
  offset = state.pop('projector.bn3.bias', None)
  if offset is not None and np.any(offset):
    raise ValueError('The last batch norm of the head has an offset; SimCLR has none.')
  return state
