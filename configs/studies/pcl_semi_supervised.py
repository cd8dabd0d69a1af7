r"""Few labels, fine-tuned: 1 % and 10 % of those of the pretraining images.

  python -m jaxssl.main --config=configs/studies/pcl_semi_supervised.py:smoke
  python -m jaxssl.main \
      --config=configs/studies/pcl_semi_supervised.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_semi_supervised.py:root=/data,plan

The semi-supervised table of PCL (https://arxiv.org/abs/2005.04966, Section 4.2): top-5
on ImageNet of networks pretrained by each method without labels and fine-tuned on a
part of them. In the smaller sizes 10 % and 50 %. The random row is the same
fine-tuning of the network before its first step; `pcl_parts.py` has the data.

Published (from memory), top-5 with 1 and 10 %: PCL 75.3 and 85.6, SimCLR at 200 epochs
56.5 and 82.7. Departures: see `configs/evaluate/semi_supervised.py`. Ours: see
docs/studies.md.
"""

from configs.studies import parts
from configs.studies import pcl_parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Semi-supervised learning',
      question='How far do a few labels go after pretraining?')
  percents = (1, 10) if parts.size(arg) == 'full' else (10, 50)
  domain = pcl_parts.source(arg)
  for seed in range(arg.seeds):
    for method in pcl_parts.methods(arg):
      if method == 'supervised':
        continue  # Its pretraining has seen all labels.
      run = pcl_parts.pretrain(c, arg, method, seed)
      for percent in percents:
        c.cells[f'{run}_{percent}'] = parts.cell(
            run, eval_data=parts.data_of(arg, domain),
            evals=dict(semi_supervised=protocols.semi_supervised(arg, percent)),
            axes=dict(
                method=parts.CALLED[method], fraction=percent / 100, seed=seed))
  c.figures = dict(pcl_semi_supervised=dict(
      name='bars', published=pcl_parts.published(arg, 'pcl2021_semi_supervised'),
      title='Fine-tuned on a few labels', x='fraction', hue='method',
      y='semi_supervised/top5 or semi_supervised/top1', control='Random',
      order=pcl_parts.ORDER, names=dict(fraction='share of the labels')))
  return c
