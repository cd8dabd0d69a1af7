r"""What the prototypes of a checkpoint hold, and images for a gallery of them.

  python -m jaxssl.main --config=configs/evaluate/prototypes.py \
      --config.checkpoint=runs/pcl --config.step=last

For each granularity how full and, where there are labels, how pure the prototypes
are; and, as in PCL's figure (https://arxiv.org/abs/2005.04966), the ids of the images
nearest to fine prototypes within a coarse cluster, beside ids of images drawn from that
cluster. Coarse clusters are drawn at random and none is picked by hand: another `seed`
shows others.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, num_coarse=8, num_fine=4, num_images=5, seed=0)
  c = standard.get_config()
  c.evals = dict(prototypes=dict(
      name='prototypes', every_epochs=0.0, every_steps=0, test='test', **arg))
  return c
