r"""How many clusters? Each number of prototypes alone, and all together.

  python -m jaxssl.main --config=configs/studies/pcl_num_clusters.py:smoke
  python -m jaxssl.main \
      --config=configs/studies/pcl_num_clusters.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_num_clusters.py:root=/data,plan

An ablation of PCL (https://arxiv.org/abs/2005.04966): clustering at one granularity or
at several at once, by linear and kNN accuracy and by the clusters' agreement with the
classes. `pcl_parts.py` has the data.

Published: several together are better than one (no numbers at hand). Ours: see
docs/studies.md.
"""

from configs.evaluate import clustering
from configs.studies import parts
from configs.studies import pcl_parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Number of clusters',
      question='Do prototypes of several granularities do more than those of one?')
  every = (25_000, 50_000, 100_000) if parts.size(arg) == 'full' else (16, 32, 64)
  domain = pcl_parts.source(arg)
  evals = dict(
      linear=protocols.linear(arg), knn=protocols.knn(arg),
      clustering=clustering.get_config('num_runs=1').evals.clustering.to_dict())
  for seed in range(arg.seeds):
    for chosen in (*((k,) for k in every), every):
      run = pcl_parts.pretrain(c, arg, 'pcl', seed, num_clusters=chosen)
      called = 'all' if len(chosen) > 1 else parts.amount(chosen[0])
      c.cells[run] = parts.cell(
          run, eval_data=parts.data_of(arg, domain), evals=evals,
          axes=dict(num_clusters=called, seed=seed))
  c.figures = dict(pcl_num_clusters=dict(
      name='bars', published='', title='Numbers of prototypes, alone and together',
      x='measure', hue='num_clusters', y=dict(measure={
          'linear top-1': 'linear/top1', 'kNN top-1': 'knn/top1',
          'clusters, AMI': 'clustering/ami'}),
      order=(*map(parts.amount, every), 'all'),
      names=dict(num_clusters='prototypes', y='accuracy or AMI')))
  return c
