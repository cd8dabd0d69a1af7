r"""Jigsaw with ResNet-50 on iNat21 (https://arxiv.org/abs/1603.09246).

  python -m jaxssl.main --config=configs/jigsaw_inat.py \
      --config.data.root=/data/inat2021 --workdir=runs/jigsaw_inat

`jigsaw_imagenet` on other images. `data.root` is that of `simclr_inat`.

Published: nothing that we know of. Ours: not yet run.
"""

from configs import common
from configs import jigsaw_imagenet


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=105.0, batch_size=256, split='train', smoke=False)
  c = jigsaw_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'inat21'
  c.data.split = c.eval_data.train.split = arg.split
  return common.smoke(c) if arg.smoke else c
