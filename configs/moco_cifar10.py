r"""MoCo with ResNet-18 on CIFAR-10 (https://arxiv.org/abs/1911.05722).

  python -m jaxssl.main --config=configs/moco_cifar10.py \
      --config.data.root=/data/cifar10 --workdir=runs/moco_cifar10

The settings of the authors' demo, which adds the losses of both directions where
`--config.method.symmetric=True`; here they are averaged, so double the rate then. Data,
evaluations and arguments are those of `simclr_cifar10`.

Published, kNN top-1 on the head's output (the demo) at 200, 400 and 800 epochs: 82.6,
86.3 and 88.7, symmetric 85.3, 88.5 and 89.7; on features 83.8 to 84.7 at 200 (lightly's
benchmark, the best of all epochs on the test set).
Ours: not yet run in full; `tiny` has kNN 45.2 and linear 47.5, and before its first
step 30.0 and 37.3.
"""

from configs import common
from configs import simclr_cifar10


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, tfds=False, tiny=False, smoke=False)
  c = simclr_cifar10.get_config(
      f'epochs={arg.epochs},tfds={arg.tfds},tiny={arg.tiny}')

  def view():  # That of v2, with crops as small as SimCLR's.
    return {**common.moco_v2_view(32, blur=0.0), 'min_area': 0.08}
  c.views = dict(a=view(), b=view())
  c.model.zero_init_residual = False
  c.model.projector = dict(name='moco', hidden=0, out=128, num_layers=1)
  c.method = dict(
      name='moco', temperature=0.1, momentum=0.99, queue_size=4096, num_splits=8,
      symmetric=False)
  if arg.tiny:  # There the optimiser stays the same.
    c.total_epochs = 16.0
    c.method.queue_size = 2048
  else:
    c.optim = dict(
        name='moco_sgd', base_lr=0.06, scaling='none', milestones=(),
        weight_decay=5e-4, momentum=0.9)
  c.evals.linear = common.linear(
      epochs=100, batch_size=256, decays=(0.0,),
      rates=(0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
  return common.smoke(c) if arg.smoke else c
