r"""SimCLR with ResNet-50 on Places365 (Cole et al. 2022, Section 3).

  python -m jaxssl.main --config=configs/simclr_places.py \
      --config.data.root=/data/places365 --workdir=runs/simclr_places

Published, linear top-1: 50.1 with 1M images (Table 1); the supervised network has 53.9.
Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=100.0, batch_size=4096, smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.data.name = 'places365'
  return common.smoke(c) if arg.smoke else c
