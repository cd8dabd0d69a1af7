r"""How much features, clusters and prototypes tell of the classes, in nats.

  python -m jaxssl.main --config=configs/evaluate/mutual_information.py \
      --config.checkpoint=runs/pcl --config.step=all

`step=all` (or follow) gives the numbers over training, as PCL's figure has them
(https://arxiv.org/abs/2005.04966): keep enough checkpoints, as `--config.save.keep`
of the training says. The authors name no estimator in their code. Ours are in
the metrics' names: `mi_features_ross` (Ross 2014, nearest neighbours of a continuous
and a discrete variable, on the first `dims` principal components, as it fails in many
dimensions) and, for k-means and for prototypes, the plug-in estimate with the
Miller-Madow correction beside it. `entropy_labels` is the most there is to be told.

  python -m jaxssl.main --config=configs/evaluate/mutual_information.py \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/scores

scores features that any framework made.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, dims=8, num_neighbors=3, num_clusters=0)
  c = standard.get_config()
  c.evals = dict(mutual_information=dict(
      name='mutual_information', every_epochs=0.0, every_steps=0, test='test',
      dims=arg.dims, num_neighbors=arg.num_neighbors, num_clusters=arg.num_clusters,
      metric='spherical', num_iters=20, num_restarts=5, seed=0, feature='h'))
  return c
