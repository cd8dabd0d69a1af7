r"""BYOL with ResNet-50 on ImageNet (https://arxiv.org/abs/2006.07733).

  python -m jaxssl.main --config=configs/byol_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/byol_imagenet

The settings of the authors' code: batch 4096, LARS whose rate comes after the momentum,
and the rate, decay and momentum of the target that go with the length of the training.
Data and evaluations are those of `simclr_imagenet`.

Published, linear top-1: 61.5 at 40 epochs and 74.4 at 1000 (the authors' repository);
66.5 at 100, 70.6 at 200, 73.2 at 400 (https://arxiv.org/abs/2011.10566, Table 4).
Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet

# Epochs: base_lr, weight_decay, momentum. Other lengths take those of the nearest.
SETTINGS = {
    40: (0.45, 1e-6, 0.97),
    100: (0.45, 1e-6, 0.99),
    300: (0.3, 1e-6, 0.99),
    1000: (0.2, 1.5e-6, 0.996),
}


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=300.0, batch_size=4096, smoke=False)
  nearest = min(SETTINGS, key=lambda epochs: abs(epochs - arg.epochs))
  base_lr, weight_decay, momentum = SETTINGS[nearest]
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(
      a=common.byol_view(224, blur=1.0, solarize=0.0),
      b=common.byol_view(224, blur=0.1, solarize=0.2))
  c.model.projector = dict(name='byol', hidden=4096, out=256, num_layers=2)
  c.method = dict(name='byol', momentum=momentum, predictor_hidden=4096)
  c.optim = dict(
      name='byol_lars', base_lr=base_lr, scaling='linear', warmup_epochs=10.0,
      weight_decay=weight_decay, momentum=0.9)
  return common.smoke(c) if arg.smoke else c
