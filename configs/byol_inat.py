r"""BYOL with ResNet-50 on iNat21 (Cole et al. 2022, https://arxiv.org/abs/2105.05837).

  python -m jaxssl.main --config=configs/byol_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/byol_inat

`data.root` is that of `simclr_inat`.

Published, linear top-1: 45.7 with 1M images, where SimCLR has 41.2 and MoCo 40.8 (read
off Figure 3). Ours: not yet run.
"""

from configs import byol_imagenet
from configs import common


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=300.0, batch_size=4096, split='train', smoke=False)
  c = byol_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
