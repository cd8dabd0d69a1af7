r"""PCL v1 with ResNet-50 on ImageNet (https://arxiv.org/abs/2005.04966).

  python -m jaxssl.main --config=configs/pcl_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/pcl_imagenet

The settings of the authors' code, on top of `moco_imagenet`. Its own draw of negative
prototypes is `--config.method.layout=reference`; see `losses.proto_nce`. `data.root`
is that of `simclr_imagenet`.

Published, at 200 epochs: linear top-1 61.5, VOC07 classification 82.3 mAP, low-shot
with 1, 2, 4, 8, 16 images a class 46.9, 56.4, 62.8, 70.2, 74.3 (the authors'
repository). Ours: not yet run.
"""

from configs import common
from configs import moco_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, batch_size=256, smoke=False)
  c = moco_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.method = common.pcl(
      temperature=0.2, momentum=0.999, queue_size=16384,
      num_clusters=(25_000, 50_000, 100_000), num_negatives=16384, warmup_epochs=20)
  return common.smoke(c) if arg.smoke else c
