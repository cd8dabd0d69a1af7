r"""Nearest-neighbour accuracy for several k and temperatures, after one search.

  python -m jaxssl.main --config=configs/evaluate/knn.py \
      --config.checkpoint=runs/simclr_inat --config.step=last

  python -m jaxssl.main --config=configs/evaluate/knn.py \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/knn

`top1` is that of the field's convention, k=200 and temperature 0.1 (Wu et al. 2018,
https://arxiv.org/abs/1805.01978, Section 3.4); the others are named after their k and
temperature. Temperature 0 is plain majority. No k may be above the number of training
examples: `:max_k=50` leaves out what is larger.
"""

from configs import common
from configs.evaluate import standard

KS = 200, 1, 5, 10, 20, 50, 100


def get_config(arg=''):
  arg = common.parse_arg(arg, max_k=200)
  c = standard.get_config()
  knn = common.knn()
  knn.update(k=tuple(k for k in KS if k <= arg.max_k), temperature=(0.1, 0.07, 0.0))
  c.evals = dict(knn=knn)
  return c
