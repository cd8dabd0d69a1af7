r"""BYOL with ResNet-18 on CIFAR-10 (https://arxiv.org/abs/2006.07733).

  python -m jaxssl.main --config=configs/byol_cifar10.py \
      --config.data.root=/data/cifar10 --workdir=runs/byol_cifar10

The settings of lightly's benchmark, but that the target's momentum grows to 1, as in
the paper. Data, views, evaluations and arguments are those of `simclr_cifar10`.

Published, kNN top-1 (the best of all epochs on the test set, lightly's benchmark): 86.8
at 200 epochs, 91.0 at 800; linear 92.6 at 1000 (solo-learn, with LARS).
Ours: not yet run in full; `tiny` has kNN 34.8 and linear 40.1, and before its first
step 29.2 and 30.7.
"""

from configs import common
from configs import simclr_cifar10


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=800.0, tfds=False, tiny=False, smoke=False)
  c = simclr_cifar10.get_config(
      f'epochs={arg.epochs},tfds={arg.tfds},tiny={arg.tiny}')
  c.model.projector = dict(name='byol', hidden=1024, out=256, num_layers=2)
  c.method = dict(name='byol', momentum=0.99, predictor_hidden=1024)
  if arg.tiny:  # There the optimiser stays the same.
    c.model.projector.update(hidden=256, out=64)
    # At 0.99 the target would hardly leave its random start in so few steps.
    c.method.update(momentum=0.9, predictor_hidden=256)
  else:
    c.optim = dict(
        name='moco_sgd', base_lr=0.12, scaling='linear', milestones=(),
        weight_decay=5e-4, momentum=0.9)
  return common.smoke(c) if arg.smoke else c
