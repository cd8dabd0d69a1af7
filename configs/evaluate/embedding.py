r"""A map of the features on a plane (t-SNE or UMAP), and how far it can be trusted.

  python -m jaxssl.main --config=configs/evaluate/embedding.py \
      --config.checkpoint=runs/pcl --config.step=last

  python -m jaxssl.main --config=configs/evaluate/embedding.py:method=umap \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/map

PCL (https://arxiv.org/abs/2005.04966) shows t-SNE of its features beside MoCo's, and
says neither perplexity nor how many images. Ours: 2000 test images drawn by the seed,
features of unit length, perplexity 30, from the first two principal components, so
that the same seed gives the same map. Trustworthiness, continuity and kNN accuracy on
the map and off it say how much of what one sees is really there. The run's page shows
the map, with each image on pointing at it.

UMAP is an extra: `pip install umap-learn`.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(
      arg, method='tsne', num_points=2000, perplexity=30.0, seed=0)
  by = {
      'tsne': dict(perplexity=arg.perplexity, num_iters=500),
      'umap': dict(num_neighbors=15, min_dist=0.1, num_iters=200)}
  if arg.method not in by:
    raise ValueError(f'method is {arg.method!r}; it can be {" or ".join(by)}.')
  c = standard.get_config()
  c.evals = dict(embedding=dict(
      name='embedding', every_epochs=0.0, every_steps=0, test='test',
      by=dict(name=arg.method, seed=arg.seed, **by[arg.method]),
      num_points=arg.num_points, k=15, seed=arg.seed, feature='h'))
  return c
