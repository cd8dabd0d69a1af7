"""Writes a ResNet-18 at random, named as torchvision names its weights.

  python launch/colab/random_weights.py --out=random.safetensors

It needs neither torch nor a download, so that a test, and a first look at how
weights are imported, do without both. It has learned nothing.
"""

import argparse

import numpy as np
from safetensors import numpy as safetensors

WIDTHS = 64, 128, 256, 512  # Channels of the four stages, of two blocks each.


def state_dict(rng):
  """{name: array} with torchvision's names and layout, [out, in, height, width]."""
  found = {}

  def conv(name, num_in, num_out, side):
    scale = np.sqrt(2 / (num_out * side**2))  # He et al., fan out.
    found[f'{name}.weight'] = rng.normal(0, scale, (num_out, num_in, side, side))

  def norm(name, width):
    for part, value in (
        ('weight', 1), ('bias', 0), ('running_mean', 0), ('running_var', 1)):
      found[f'{name}.{part}'] = np.full(width, value)

  conv('conv1', 3, WIDTHS[0], 7)
  norm('bn1', WIDTHS[0])
  num_in = WIDTHS[0]
  for stage, width in enumerate(WIDTHS, start=1):
    for block in range(2):
      name = f'layer{stage}.{block}'
      conv(f'{name}.conv1', num_in, width, 3)
      norm(f'{name}.bn1', width)
      conv(f'{name}.conv2', width, width, 3)
      norm(f'{name}.bn2', width)
      if num_in != width:
        conv(f'{name}.downsample.0', num_in, width, 1)
        norm(f'{name}.downsample.1', width)
      num_in = width
  found['fc.weight'] = rng.normal(0, 0.01, (1000, num_in))
  found['fc.bias'] = np.zeros(1000)
  return {name: value.astype(np.float32) for name, value in found.items()}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--out', required=True)
  safetensors.save_file(
      state_dict(np.random.default_rng(0)), parser.parse_args().out)
