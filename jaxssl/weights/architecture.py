"""Which ResNet a state holds: its depth, width, stem and head, by names and shapes."""

import re

import numpy as np

from jaxssl import plugins

# What other networks have in their names, and what to call it.
UNSUPPORTED = (
    (r'main_conv|mixing_conv', 'selective kernels (SimCLR v2, sk1)'),
    (r'(^|\.)conv1\.\d|(^|/)net\.0\.[3-9]\.', 'a stem of three convolutions'),
    (r'downsample\.2\.', 'shortcuts with average pooling (ResNet-D)'),
    (r'\.se\.|\.se_module\.|\.fc1\.', 'squeeze and excitation'),
    (r'cls_token|patch_embed|\.attn\.', 'a vision transformer'),
    (r'^model/(resnet_model|optimizer)/', "the object graph of SimCLR's TF2 code"))


def refuse(names):
  """Names what other network these names belong to.

  Raises:
    ValueError: they do belong to one.
  """
  found = [
      what for pattern, what in UNSUPPORTED
      if any(re.search(pattern, name) for name in names)]
  if found:
    raise ValueError(
        f'These weights have {" and ".join(found)}; supported are the plain ResNets '
        'of torchvision and of the papers.')


def infer(state, *, head, padding, version):
  """The settings of the network that a state is of.

  Args:
    state: {name: array} in torchvision's names; see `names`.
    head: whose design the projector is, see `layers.heads`; '' if it is dropped.
    padding: see `models.resnet.make`; names and shapes do not tell.
    version: likewise.

  Returns:
    Keyword arguments of `models.resnet.make`.

  Raises:
    ValueError: there is no such ResNet.
  """
  depths = plugins.load('models', 'resnet').DEPTHS
  if 'conv1.weight' not in state:
    raise ValueError('There is no conv1.weight, which every ResNet begins with.')
  shape = state['conv1.weight'].shape
  if len(shape) != 4 or shape[1:] not in ((3, 7, 7), (3, 3, 3)):
    raise ValueError(
        f'conv1.weight is {shape}; a stem has 7x7 kernels, or 3x3 for small images, '
        'and three channels come in.')
  blocks = {
      match.groups() for match in (
          re.match(r'layer(\d+)\.(\d+)\.', name) for name in state) if match}
  counts = tuple(sum(stage == str(s) for stage, _ in blocks) for s in (1, 2, 3, 4))
  kind = 'bottleneck' if 'layer1.0.conv3.weight' in state else 'basic'
  known = {value: depth for depth, value in depths.items()}
  if (kind, counts) not in known:
    raise ValueError(
        f'There is no ResNet with {counts} {kind} blocks; there are '
        + ', '.join(f'{d} {c}' for (k, c), d in known.items() if k == kind) + '.')
  return dict(
      depth=known[kind, counts], width=shape[0] / 64,
      stem='imagenet' if shape[2] == 7 else 'cifar', zero_init_residual=False,
      dtype='float32', version=version, padding=padding,
      projector=projector(state, head))


def projector(state, head):
  """The settings of the head in a state; None where there is none."""
  widths = []
  while f'projector.dense{len(widths) + 1}.weight' in state:
    weight = state[f'projector.dense{len(widths) + 1}.weight']
    widths.append(len(np.atleast_1d(weight)))
  if not widths:
    return None
  return dict(
      name=head, hidden=widths[0] if len(widths) > 1 else 0, out=widths[-1],
      num_layers=len(widths))


def ordered(convolutions):
  """torchvision's names of the convolutions of SimCLR's TensorFlow code, in order.

  There they are numbered as they were made: in the first block of a stage the
  shortcut comes before the others. Their number tells the depth.

  Args:
    convolutions: shapes [k, k, c, d] of the kernels, in the order of their numbers.

  Returns:
    Names without '.weight', such as 'layer1.0.downsample.0'.

  Raises:
    ValueError: there is no such ResNet.
  """
  sizes = [shape[0] for shape in convolutions]
  if sizes[:3] == [3, 3, 3] and 2 * convolutions[0][3] == convolutions[2][3]:
    raise ValueError(
        'These weights have a stem of three convolutions (ResNet-D) and selective '
        'kernels (SimCLR v2, sk1); supported are those of sk0.')
  for kind, counts in plugins.load('models', 'resnet').DEPTHS.values():
    names = ['conv1']
    for stage, count in enumerate(counts, 1):
      for block in range(count):
        prefix = f'layer{stage}.{block}'
        names += [f'{prefix}.downsample.0'] * (block == 0)
        names += [
            f'{prefix}.conv{i}' for i in range(1, 4 if kind == 'bottleneck' else 3)]
    # Of a bottleneck the second alone is 3x3, of a basic block both.
    expected = [
        1 if 'downsample' in name or (kind == 'bottleneck' and name[-1] != '2') else 3
        for name in names[1:]]
    if sizes[1:] == expected:
      return names
  raise ValueError(
      f'{len(convolutions)} convolutions of sizes {sizes[:6]}, ... are no ResNet of '
      'these papers.')
