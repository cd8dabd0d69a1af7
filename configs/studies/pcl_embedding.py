r"""What does the space look like? Maps of the features of PCL and of MoCo.

  python -m jaxssl.main --config=configs/studies/pcl_embedding.py:smoke
  python -m jaxssl.main --config=configs/studies/pcl_embedding.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_embedding.py:root=/data,plan

PCL's figure of t-SNE maps (https://arxiv.org/abs/2005.04966, Section 5), coloured by
class, with numbers that say how far each map can be trusted. `pcl_parts.py` has the
data.

Published: PCL's classes lie in tighter clusters (a picture). Ours: see docs/studies.md.
"""

from configs.evaluate import embedding
from configs.studies import parts
from configs.studies import pcl_parts


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Maps of the features',
      question='Do the classes lie further apart after PCL than after MoCo?')
  settings = embedding.get_config().evals.embedding.to_dict()
  for seed in range(arg.seeds):
    for method in ('moco', 'pcl'):
      run = pcl_parts.pretrain(c, arg, method, seed)
      c.cells[run] = parts.cell(
          run, eval_data=parts.data_of(arg, pcl_parts.source(arg)),
          evals=dict(embedding=settings),
          axes=dict(method=parts.CALLED[method], seed=seed))
  c.figures = dict(pcl_embedding=dict(
      name='scatter', published='', title='Maps of the features', panel='method',
      order=('MoCo', 'PCL')))
  return c
