r"""PCL with ResNet-18 on CIFAR-10 (https://arxiv.org/abs/2005.04966).

  python -m jaxssl.main --config=configs/pcl_cifar10.py \
      --config.data.root=/data/cifar10 --workdir=runs/pcl_cifar10

`moco_cifar10` and prototypes. The authors advise to start from good MoCo settings, and
guess that between 100 and 1000 clusters suit ten classes. All prototypes are negatives,
so there are no false ones to draw. Arguments are those of `simclr_cifar10`.

Published, linear top-1: 82.8 by a user of the authors' code who called it a failure
(their issue 7); nothing by the authors.
Ours: not yet run in full; `tiny` has kNN 45.1 and linear 48.5, and before its first
step 30.0 and 37.3.
"""

from configs import common
from configs import moco_cifar10


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=200.0, tfds=False, tiny=False, smoke=False)
  c = moco_cifar10.get_config(
      f'epochs={arg.epochs},tfds={arg.tfds},tiny={arg.tiny}')
  c.method = common.pcl(
      temperature=0.1, momentum=0.99, queue_size=4096, num_clusters=(250, 500, 1000),
      num_negatives=0, warmup_epochs=20)
  if arg.tiny:
    c.method.update(queue_size=2048, num_clusters=(50, 100, 200), warmup_epochs=6)
  return common.smoke(c) if arg.smoke else c
