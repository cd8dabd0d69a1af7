r"""Supervised ResNet-18 on CIFAR-10: the upper line beside `simclr_cifar10`.

  python -m jaxssl.main --config=configs/supervised_cifar10.py \
      --config.data.root=/data/cifar10

The same data, network and loop; one view with crop and flip, and the labels. Takes the
arguments of `simclr_cifar10`.

Published: about 95 top-1 is usual for ResNet-18.
Ours: not yet run in full; `tiny` has kNN 51.5 and linear 53.4, and before its first
step 29.2 and 30.7.
"""

from configs import common
from configs import simclr_cifar10


def get_config(arg=''):
  parsed = common.parse_arg(arg, epochs=100.0, tfds=False, tiny=False, smoke=False)
  given = f'epochs={parsed.epochs},tfds={parsed.tfds},tiny={parsed.tiny}'
  c = simclr_cifar10.get_config(given)
  c.views = dict(a=common.crop_flip_view(32))
  c.model.projector = None
  c.method = dict(name='supervised', label_smoothing=0.0)
  if not parsed.tiny:  # There the optimiser stays the same.
    c.optim = dict(
        name='sgd', base_lr=0.1, scaling='linear', warmup_epochs=5.0,
        weight_decay=5e-4, momentum=0.9, nesterov=True)
  return common.smoke(c) if parsed.smoke else c
