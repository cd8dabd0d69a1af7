r"""What are the prototypes? Images of fine clusters inside coarse ones.

  python -m jaxssl.main --config=configs/studies/pcl_gallery.py:smoke
  python -m jaxssl.main --config=configs/studies/pcl_gallery.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_gallery.py:root=/data,plan

PCL's figure of prototypes (https://arxiv.org/abs/2005.04966, Section 5): the images
nearest to fine prototypes whose images lie in one coarse cluster, beside images drawn
from that cluster. Clusters are drawn at random, none by hand. `pcl_parts.py` has the
data.

Published: a picture, in which the fine prototypes are more specific. Ours: see
docs/studies.md.
"""

from configs.evaluate import prototypes
from configs.studies import parts
from configs.studies import pcl_parts


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Prototypes, from coarse to fine',
      question='What do prototypes of different granularity stand for?')
  settings = prototypes.get_config('num_coarse=4').evals.prototypes.to_dict()
  for seed in range(arg.seeds):
    run = pcl_parts.pretrain(c, arg, 'pcl', seed)
    c.cells[run] = parts.cell(
        run, eval_data=parts.data_of(arg, pcl_parts.source(arg)),
        evals=dict(prototypes=settings), axes=dict(seed=seed))
  c.figures = dict(pcl_gallery=dict(
      name='gallery', published='', title='Fine prototypes inside coarse clusters'))
  return c
