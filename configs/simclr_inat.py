r"""SimCLR with ResNet-50 on iNat21 (Cole et al. 2022, https://arxiv.org/abs/2105.05837).

  python -m jaxssl.main --config=configs/simclr_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/simclr_inat

`data.root` holds the official folders: train/00000_Animalia_..._terrestris/*.jpg (or
train_mini/) and val/. The official validation images are the test set, as in the paper.

Published, linear top-1: 49.3 with 1M images, 50.6 with all 2.7M (Tables 1 and 3); the
supervised network has 79.1. Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=100.0, batch_size=4096, split='train', smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
