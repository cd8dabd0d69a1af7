r"""SimSiam with ResNet-50 on iNat21 (https://arxiv.org/abs/2011.10566).

  python -m jaxssl.main --config=configs/simsiam_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/simsiam_inat

`data.root` is that of `simclr_inat`.

Published: nothing that we know of; Cole et al. 2022 compare SimCLR, MoCo and BYOL.
Ours: not yet run.
"""

from configs import common
from configs import simsiam_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=100.0, batch_size=512, split='train', smoke=False)
  c = simsiam_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
