r"""Supervised ResNet-50 on ImageNet: the upper line beside `simclr_imagenet`.

  python -m jaxssl.main --config=configs/supervised_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/supervised_imagenet

The same data, network and loop; one view with crop and flip, and the labels. SGD with
base rate 0.1, decay 1e-4 and a cosine, as SimCLR's authors trained theirs; the batch,
the epochs and the warm-up are those of their other recipes.

Published: 74.1 top-1 (Cole et al. 2022, Table 1, https://arxiv.org/abs/2105.05837).
Ours: not yet run.
"""

from configs import common
from configs import simclr_imagenet


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=90.0, batch_size=4096, smoke=False)
  c = simclr_imagenet.get_config(f'epochs={arg.epochs},batch_size={arg.batch_size}')
  c.views = dict(a=common.crop_flip_view(224))
  c.model.projector = None
  c.method = dict(name='supervised', label_smoothing=0.0)
  c.optim = dict(
      name='sgd', base_lr=0.1, scaling='linear', warmup_epochs=10.0,
      weight_decay=1e-4, momentum=0.9, nesterov=True)
  return common.smoke(c) if arg.smoke else c
