r"""SimSiam with ResNet-18 on CIFAR-10 (https://arxiv.org/abs/2011.10566, Appendix D).

  python -m jaxssl.main --config=configs/simsiam_cifar10.py \
      --config.data.root=/data/cifar10 --workdir=runs/simsiam_cifar10

Data, evaluations and arguments are those of `simclr_cifar10`.

Published: linear top-1 91.8 at 800 epochs (the paper); kNN 76.4 at 200 epochs and 90.4
at 800 (lightly's benchmark, the best of all epochs on the test set).
Ours: not yet run in full; `tiny` has kNN 34.9 and linear 40.5, and before its first
step 29.2 and 30.7.
"""

from configs import common
from configs import simclr_cifar10


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=800.0, tfds=False, tiny=False, smoke=False)
  c = simclr_cifar10.get_config(
      f'epochs={arg.epochs},tfds={arg.tfds},tiny={arg.tiny}')
  c.views = dict(
      a=common.moco_v2_view(32, blur=0.0), b=common.moco_v2_view(32, blur=0.0))
  c.model.projector = dict(name='simsiam', hidden=2048, out=2048, num_layers=2)
  c.method = dict(name='simsiam', predictor_hidden=512)
  c.optim = dict(
      name='simsiam_sgd', base_lr=0.03, scaling='linear', weight_decay=5e-4,
      momentum=0.9)
  if arg.tiny:
    c.model.projector.update(hidden=256, out=256)
    c.method.predictor_hidden = 64
    c.optim.base_lr = 0.2  # For so few steps.
  return common.smoke(c) if arg.smoke else c
