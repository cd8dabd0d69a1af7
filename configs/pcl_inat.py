r"""PCL v2 with ResNet-50 on iNat21 (https://arxiv.org/abs/2005.04966).

  python -m jaxssl.main --config=configs/pcl_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/pcl_inat

`pcl_v2_imagenet` on other images; 10,000 species, so the same numbers of clusters.
`data.root` is that of `simclr_inat`.

Published: nothing. Beside it, linear top-1 of SimCLR, MoCo and BYOL with 1M images is
41.2, 40.8 and 45.7 (Cole et al. 2022, read off Figure 3). Ours: not yet run.
"""

from configs import common
from configs import pcl_v2_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=200.0, batch_size=256, split='train', smoke=False)
  c = pcl_v2_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
