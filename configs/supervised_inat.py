r"""Supervised ResNet-50 on iNat21: the upper line beside `simclr_inat`.

  python -m jaxssl.main --config=configs/supervised_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/supervised_inat

`supervised_imagenet` on other images. `data.root` is that of `simclr_inat`.

Published: 79.1 top-1 with all images (Cole et al. 2022, Table 1,
https://arxiv.org/abs/2105.05837); 69.6 with 1M, 56.2 with 500k and 32.1 with 250k (read
off Figure 3). Ours: not yet run.
"""

from configs import common
from configs import supervised_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=90.0, batch_size=4096, split='train', smoke=False)
  c = supervised_imagenet.get_config(
      f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
