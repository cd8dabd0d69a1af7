r"""PCL v2 with ResNet-50 on ImageNet (https://arxiv.org/abs/2005.04966).

  python -m jaxssl.main --config=configs/pcl_v2_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/pcl_v2_imagenet

`pcl_imagenet` with MoCo v2's head, views and schedule.

Published, at 200 epochs: linear top-1 67.6, VOC07 classification 85.4 mAP, low-shot
with 1, 2, 4, 8, 16 images a class 47.9, 59.6, 66.2, 74.5, 78.3 (the authors'
repository). Ours: not yet run.
"""

from configs import common
from configs import moco_v2_imagenet
from configs import pcl_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, batch_size=256, smoke=False)
  given = f'epochs={arg.epochs},batch_size={arg.batch_size}'
  c = moco_v2_imagenet.get_config(given)
  c.method = pcl_imagenet.get_config(given).method
  return common.smoke(c) if arg.smoke else c
