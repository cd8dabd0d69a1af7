r"""Few labelled images: linear SVMs on 1 to 16 images of each class.

  python -m jaxssl.main --config=configs/studies/pcl_low_shot.py:smoke
  python -m jaxssl.main --config=configs/studies/pcl_low_shot.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_low_shot.py:root=/data,plan

The low-shot table of PCL (https://arxiv.org/abs/2005.04966, Section 4.1): ResNet-50s
pretrained on ImageNet by each method, SVMs on VOC07 (mAP) and Places205 (top-1), five
draws. The random row is the network before its first step. `pcl_parts.py` has the data
and what stands for them in the smaller sizes.

Published, VOC07 with 1, 2, 4, 8, 16 images: PCL 46.9, 56.4, 62.8, 70.2, 74.3; PCL v2
47.9, 59.6, 66.2, 74.5, 78.3; the other rows are from memory. Departures: see
`configs/evaluate/low_shot.py`; SimCLR and Jigsaw for as many epochs as MoCo. Ours: see
docs/studies.md.
"""

from configs.studies import parts
from configs.studies import pcl_parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Low-shot classification',
      question='How good are the features when a class has only a few labelled images?')
  for seed in range(arg.seeds):
    for method in pcl_parts.methods(arg):
      run = pcl_parts.pretrain(c, arg, method, seed)
      for dataset, eval_data in pcl_parts.targets(arg).items():
        c.cells[f'{run}_{dataset}'] = parts.cell(
            run, eval_data=eval_data, evals=dict(low_shot=protocols.low_shot(arg)),
            axes=dict(
                method=parts.CALLED[method], seed=seed,
                dataset=pcl_parts.called(arg, dataset)[0]))
  c.figures = dict(pcl_low_shot=dict(
      name='lines', published=pcl_parts.published(arg, 'pcl2021_low_shot'),
      title='Few labelled images of a class', x='k', hue='method', panel='dataset',
      log=True, y='low_shot/map_k{k}_mean or low_shot/top1_k{k}_mean',
      control='Random', order=(
          *pcl_parts.called(arg, 'VOC07', 'Places205'), *pcl_parts.ORDER[::-1]),
      names=dict(k='labelled images of each class', y='mAP or top-1')))
  return c
