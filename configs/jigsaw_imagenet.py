r"""Jigsaw with ResNet-50 on ImageNet (https://arxiv.org/abs/1603.09246).

  python -m jaxssl.main --config=configs/jigsaw_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/jigsaw_imagenet

The settings of Goyal et al. 2019 (https://arxiv.org/abs/1905.01235) as in their code,
VISSL: 2000 permutations, cells of 85 and tiles of 64 pixels, two views of three without
colours, the rate cut to a tenth after 30, 60, 90 and 100 of 105 epochs. Theirs has a
warm-up of five epochs, no decay of batch norm, and crops that keep the aspect; ours has
the crops of its PIRL. `data.root` is that of `simclr_imagenet`.

Published, linear top-1, in VISSL's model zoo: 46.6 (Goyal et al.'s network) and 46.7
(VISSL's; with 100 permutations 48.6). Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=105.0, batch_size=256, smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(
      a={**common.crop_flip_view(255), 'min_area': 0.6, 'grayscale': 0.66})
  c.model.zero_init_residual = False
  c.model.projector = None
  c.method = dict(
      name='jigsaw', grid=3, tile_size=64, num_permutations=2000, hidden=1000, seed=0)
  c.optim = dict(
      name='moco_sgd', base_lr=0.1, scaling='linear',
      milestones=tuple(epoch / 105 for epoch in (30, 60, 90, 100)),
      weight_decay=1e-4, momentum=0.9)
  return common.smoke(c) if arg.smoke else c
