r"""MoCo v1 with ResNet-50 on ImageNet (https://arxiv.org/abs/1911.05722).

  python -m jaxssl.main --config=configs/moco_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/moco_imagenet

The settings of the authors' code: a linear head, batch 256, the rate cut to a tenth
after 60 and 80 % of the epochs. Batch norm has eight groups, as on their eight GPUs,
however many devices there are. `data.root` is that of `simclr_imagenet`.

Published, linear top-1: 60.6 at 200 epochs (the paper), 60.8 +- 0.2 over five runs (the
authors' repository). Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, batch_size=256, smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(a=common.moco_v1_view(224), b=common.moco_v1_view(224))
  c.model.zero_init_residual = False
  c.model.projector = dict(name='moco', hidden=0, out=128, num_layers=1)
  c.method = dict(
      name='moco', temperature=0.07, momentum=0.999, queue_size=65536, num_splits=8,
      symmetric=False)
  c.optim = dict(
      name='moco_sgd', base_lr=0.03, scaling='linear', milestones=(0.6, 0.8),
      weight_decay=1e-4, momentum=0.9)
  c.evals.linear = common.linear(
      epochs=100, batch_size=256, decays=(0.0,), rates=(1.0, 3.0, 10.0, 30.0))
  return common.smoke(c) if arg.smoke else c
