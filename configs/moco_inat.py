r"""MoCo with ResNet-50 on iNat21 (Cole et al. 2022, https://arxiv.org/abs/2105.05837).

  python -m jaxssl.main --config=configs/moco_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/moco_inat

`moco_v2_imagenet` on other images; the paper's own settings are not known to us.
`data.root` is that of `simclr_inat`.

Published, linear top-1: 40.8 with 1M images, where SimCLR has 41.2 and BYOL 45.7 (read
off Figure 3). Ours: not yet run.
"""

from configs import common
from configs import moco_v2_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=200.0, batch_size=256, split='train', smoke=False)
  c = moco_v2_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
