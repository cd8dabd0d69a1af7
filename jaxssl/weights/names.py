"""One correspondence: the leaves of our encoder and the names of torchvision's ResNet.

  params/encoder/stem_conv/kernel             conv1.weight
  params/encoder/stem_bn/scale, bias          bn1.weight, bn1.bias
  batch_stats/encoder/stem_bn/mean, var       bn1.running_mean, bn1.running_var
  params/encoder/stage2_block1/conv3/kernel   layer2.0.conv3.weight
  .../shortcut_conv, shortcut_bn              layer2.0.downsample.0, downsample.1
  params/projector/dense1, bn1                projector.dense1, projector.bn1

A *state* is a dict of such names, as a PyTorch state dict is: {name: float32 array},
kernels [d, c, k, k] and matrices [d, c], c channels before and d after. Variables are
ours: kernels [k, k, c, d] and matrices [c, d].
"""

import re

import jax
import numpy as np
from flax import traverse_util

from jaxssl import plugins

LEAVES = {
    'kernel': 'weight', 'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean',
    'var': 'running_var'}
SHOWN = 8  # Names in a message.


def torch_name(path):
  """The name of a leaf, such as ('params', 'encoder', 'stem_conv', 'kernel')."""
  _, part, *modules, leaf = path
  if part == 'encoder':
    modules = [torch_module(m) for m in modules]
  else:
    modules = [part, *modules]
  return '.'.join([*modules, LEAVES[leaf]])


def torch_module(name):
  """'stage2_block1' -> 'layer2.0', 'stem_bn' -> 'bn1', ..."""
  block = re.fullmatch(r'stage(\d+)_block(\d+)', name)
  if block:
    return f'layer{block[1]}.{int(block[2]) - 1}'
  return {
      'stem_conv': 'conv1', 'stem_bn': 'bn1', 'shortcut_conv': 'downsample.0',
      'shortcut_bn': 'downsample.1'}.get(name, name)


def to_torch(x):
  """A leaf in PyTorch's order of axes."""
  return np.ascontiguousarray(x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T)


def from_torch(x):
  """A leaf in our order of axes."""
  return np.ascontiguousarray(x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T)


def to_state(variables):
  """Our variables as a state, with the head if there is one.

  Args:
    variables: {'params': {'encoder': ..., 'projector': ...}, 'batch_stats': ...}.

  Raises:
    ValueError: they are not those of a ResNet of ours.
  """
  flat = traverse_util.flatten_dict(jax.device_get(variables))
  wrong = [
      '/'.join(path) for path in flat
      if path[1] not in ('encoder', 'projector') or path[-1] not in LEAVES]
  if wrong:
    raise ValueError(f'These are not leaves of a ResNet: {listed(wrong)}.')
  return {
      torch_name(path): to_torch(np.asarray(x, np.float32))
      for path, x in flat.items()}


def to_variables(state, model):
  """A state as the variables of our network.

  Args:
    state: see above.
    model: the network's settings, as `architecture.infer` finds them.

  Returns:
    {'params', 'batch_stats'} of nested dicts of float32 NumPy arrays.

  Raises:
    ValueError: names are missing or unknown, or an array is of another shape, is not
      finite, or is a variance below zero; the message lists them.
  """
  wanted = {
      torch_name(path): (path, leaf.shape)
      for path, leaf in traverse_util.flatten_dict(abstract(model)).items()}
  missing, unknown = (
      sorted(a.keys() - b.keys()) for a, b in ((wanted, state), (state, wanted)))
  if missing or unknown:
    raise ValueError(
        f'These are not the weights of a ResNet-{model["depth"]}: '
        + '; '.join(
            f'{what} are {listed(names)}' for what, names in (
                ('missing', missing), ('unknown', unknown)) if names) + '.')
  flat, wrong = {}, []
  for name, (path, shape) in wanted.items():
    x = from_torch(np.asarray(state[name], np.float32))
    if x.shape != shape:
      wrong.append(f'{name} is {state[name].shape} and not {to_torch_shape(shape)}')
    elif not np.isfinite(x).all() or (path[-1] == 'var' and x.min() < 0):
      wrong.append(f'{name} has values that no weights have')
    flat[path] = x
  if wrong:
    raise ValueError(
        f'These do not fit a ResNet-{model["depth"]} of width {model["width"]:g} '
        '(grouped convolutions and wide bottlenecks are not supported): '
        f'{listed(wrong)}.')
  return traverse_util.unflatten_dict(flat)


def to_torch_shape(shape):
  return (*shape[:-3:-1], *shape[:-2]) if len(shape) == 4 else shape[::-1]


def abstract(model):
  """Shapes and types of a network's variables."""
  network = make(model)
  return jax.eval_shape(
      network.init, jax.random.PRNGKey(0),
      jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32))


def make(model):
  """The flax network of some settings; see `models.resnet.make`."""
  make = plugins.load('models', 'resnet').make
  return make(**plugins.arguments(make, model, what='model'))


def listed(names):
  """Names for a message; of very many, the first. Files may have any names."""
  shown = [''.join(c if c.isprintable() else '?' for c in n) for n in names[:SHOWN]]
  more = f'; and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
  return ', '.join(shown) + more
