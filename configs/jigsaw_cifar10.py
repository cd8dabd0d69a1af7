r"""Jigsaw with ResNet-18 on CIFAR-10 (https://arxiv.org/abs/1603.09246).

  python -m jaxssl.main --config=configs/jigsaw_cifar10.py \
      --config.data.root=/data/cifar10 --workdir=runs/jigsaw_cifar10

Images are enlarged to 48 pixels: cells of 16, tiles of 12. Data, evaluations and
arguments are those of `simclr_cifar10`, the optimiser that of `supervised_cifar10`.

Published: nothing that we know of.
Ours: not yet run in full; `tiny` has kNN 34.0 and linear 40.8, and before its first
step 23.4 and 27.7.
"""

from configs import common
from configs import simclr_cifar10


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, tfds=False, tiny=False, smoke=False)
  c = simclr_cifar10.get_config(
      f'epochs={arg.epochs},tfds={arg.tfds},tiny={arg.tiny}')
  c.views = dict(
      a={**common.crop_flip_view(48), 'min_area': 0.6, 'grayscale': 0.66})
  c.eval_view.size = 48  # So that objects are as large as in the tiles.
  c.model.projector = None
  c.method = dict(
      name='jigsaw', grid=3, tile_size=12, num_permutations=100, hidden=256, seed=0)
  if arg.tiny:  # There the optimiser stays the same.
    c.method.update(num_permutations=24, hidden=64)
  else:
    c.optim = dict(
        name='sgd', base_lr=0.1, scaling='linear', warmup_epochs=5.0,
        weight_decay=5e-4, momentum=0.9, nesterov=True)
  return common.smoke(c) if arg.smoke else c
