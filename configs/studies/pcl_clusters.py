r"""What does the concentration do? Sizes of clusters with it and without.

  python -m jaxssl.main --config=configs/studies/pcl_clusters.py:smoke
  python -m jaxssl.main --config=configs/studies/pcl_clusters.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_clusters.py:root=/data,plan

Figure (a) of PCL's analysis (https://arxiv.org/abs/2005.04966, Section 5): PCL trained
with a concentration estimated for each prototype, and with one and the same for all;
how many images the clusters of each have. `pcl_parts.py` has the data.

Published: with the estimated concentration clusters are more alike in size (a
histogram, no numbers). Ours: see docs/studies.md.
"""

from configs.evaluate import clustering
from configs.studies import parts
from configs.studies import pcl_parts


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Concentration and cluster sizes',
      question='Does the estimated concentration make clusters more alike in size?')
  domain = pcl_parts.source(arg)
  settings = clustering.get_config('num_runs=1').evals.clustering.to_dict()
  settings['test'] = 'train'  # The prototypes are of the training images.
  for seed in range(arg.seeds):
    for concentration in ('estimated', 'constant'):
      run = pcl_parts.pretrain(c, arg, 'pcl', seed, concentration=concentration)
      c.cells[run] = parts.cell(
          run, eval_data=dict(
              train=parts.images(arg, domain), test=parts.images(arg, domain, 'test')),
          evals=dict(clustering=settings),
          axes=dict(concentration=concentration, seed=seed))
  c.figures = dict(pcl_clusters=dict(
      name='histogram', published='', title='Sizes of clusters',
      y='clustering/sizes_k{k}', hue='concentration', panel='k',
      order=('estimated', 'constant')))
  return c
