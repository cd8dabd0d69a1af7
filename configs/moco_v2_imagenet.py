r"""MoCo v2 with ResNet-50 on ImageNet (https://arxiv.org/abs/2003.04297).

  python -m jaxssl.main --config=configs/moco_v2_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/moco_v2_imagenet

`moco_imagenet` with a head of two layers, blur and less jitter in the views, a higher
temperature and a cosine.

Published, linear top-1: 67.7 at 200 epochs, 71.1 at 800 (the authors' repository).
Ours: not yet run.
"""

from configs import common
from configs import moco_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, batch_size=256, smoke=False)
  c = moco_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(
      a=common.moco_v2_view(224, blur=0.5), b=common.moco_v2_view(224, blur=0.5))
  c.model.projector.num_layers = 2
  c.method.temperature = 0.2
  c.optim.milestones = ()
  return common.smoke(c) if arg.smoke else c
