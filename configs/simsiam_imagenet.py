r"""SimSiam with ResNet-50 on ImageNet (https://arxiv.org/abs/2011.10566).

  python -m jaxssl.main --config=configs/simsiam_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/simsiam_imagenet

The settings of the authors' code: batch 512, SGD, a constant rate for the predictor.
Data and evaluations are those of `simclr_imagenet`.

Published, linear top-1: 68.1 at 100 epochs, 70.0 at 200, 70.8 at 400, 71.3 at 800
(Table 4). Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=100.0, batch_size=512, smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(
      a=common.moco_v2_view(224, blur=0.5), b=common.moco_v2_view(224, blur=0.5))
  c.model.projector = dict(name='simsiam', hidden=2048, out=2048, num_layers=3)
  c.method = dict(name='simsiam', predictor_hidden=512)
  c.optim = dict(
      name='simsiam_sgd', base_lr=0.05, scaling='linear', weight_decay=1e-4,
      momentum=0.9)
  return common.smoke(c) if arg.smoke else c
