r"""How well clusters agree with the classes: AMI, NMI, ARI and accuracy.

  python -m jaxssl.main --config=configs/evaluate/clustering.py \
      --config.checkpoint=runs/pcl --config.step=last

k-means on the features of the test images, and the checkpoint's own prototypes where
it has any (PCL, https://arxiv.org/abs/2005.04966); and how large the clusters are, by
the cosine and with each prototype's concentration. `num_clusters=0` is as many as
there are classes. k-means is of unit-length features, from three seeds.

  python -m jaxssl.main --config=configs/evaluate/clustering.py:num_clusters=25000 \
      --config.checkpoint=runs/pcl --config.evals.clustering.test=train

is the paper's number of clusters, on the training images. As we recall the paper, AMI
on ImageNet is 0.410 for PCL, 0.285 for MoCo and 0.281 for DeepCluster.

  python -m jaxssl.main --config=configs/evaluate/clustering.py \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/scores

scores features that any framework made.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, num_clusters=0, metric='spherical', num_runs=3)
  c = standard.get_config()
  c.evals = dict(clustering=dict(
      name='clustering', every_epochs=0.0, every_steps=0, test='test',
      num_clusters=arg.num_clusters, metric=arg.metric, num_iters=20, num_restarts=5,
      num_runs=arg.num_runs, seed=0, feature='h'))
  return c
