"""A program: torchvision's features of some images, with weights that it is given.

  python in_torchvision.py FOLDER

reads FOLDER/given.npz and FOLDER/model.json, and writes FOLDER/features.npy. It runs in
a process of its own and imports nothing of ours: torchvision ends a process in which
TensorFlow was loaded before it (both bring an LLVM).
"""

import collections
import json
import pathlib
import sys

import numpy as np
import torch
from torchvision.models import resnet


def network(*, depth, kind, counts, channels, large, own):
  """torchvision's ResNet, or one of its blocks where it has none of this size.

  Args:
    depth: of torchvision's own.
    kind: 'basic' or 'bottleneck'.
    counts: blocks of each stage.
    channels: of the stem.
    large: whether the stem is that for large images.
    own: whether torchvision has such a network; its classifier is taken off.
  """
  if own:
    network = getattr(resnet, f'resnet{depth}')(weights=None)
    network.fc = torch.nn.Identity()
    return network
  block = resnet.BasicBlock if kind == 'basic' else resnet.Bottleneck
  size, stride = (7, 2) if large else (3, 1)
  layers = {
      'conv1': torch.nn.Conv2d(
          3, channels, size, stride, padding=size // 2, bias=False),
      'bn1': torch.nn.BatchNorm2d(channels), 'relu': torch.nn.ReLU()}
  if large:
    layers['maxpool'] = torch.nn.MaxPool2d(3, 2, padding=1)
  inside = channels
  for stage, count in enumerate(counts):
    blocks = []
    for i in range(count):
      stride, planes = 2 if stage and not i else 1, channels * 2**stage
      out = planes * block.expansion
      downsample = None if (stride, inside) == (1, out) else torch.nn.Sequential(
          torch.nn.Conv2d(inside, out, 1, stride, bias=False),
          torch.nn.BatchNorm2d(out))
      blocks.append(block(inside, planes, stride, downsample))
      inside = out
    layers[f'layer{stage + 1}'] = torch.nn.Sequential(*blocks)
  layers |= {'avgpool': torch.nn.AdaptiveAvgPool2d(1), 'flatten': torch.nn.Flatten()}
  return torch.nn.Sequential(collections.OrderedDict(layers))


def main(folder):
  """Reads what is given and writes the features."""
  made = network(**json.loads((folder / 'model.json').read_text()))
  with np.load(folder / 'given.npz') as given:
    state = {name: torch.tensor(given[name]) for name in given.files}
  images = state.pop('images').permute(0, 3, 1, 2).float()
  made.load_state_dict(state)
  with torch.no_grad():
    np.save(folder / 'features.npy', made.eval()(images).numpy())


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
