r"""All labels, frozen features: linear classifiers on three data sets.

  python -m jaxssl.main --config=configs/studies/pcl_linear.py:smoke
  python -m jaxssl.main --config=configs/studies/pcl_linear.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pcl_linear.py:root=/data,plan

The linear table of PCL (https://arxiv.org/abs/2005.04966, Section 4.3): networks
pretrained on ImageNet by each method, SVMs on VOC07 (mAP), linear classifiers on
Places205 and ImageNet (top-1). The random row is the network before its first step.
`pcl_parts.py` has the data and what stands for them in the smaller sizes.

Published: PCL 82.3 on VOC07 and 61.5 on ImageNet, PCL v2 85.4 and 67.6; the other rows
are from memory. Departures: SimCLR and Jigsaw for as many epochs as MoCo. Ours: see
docs/studies.md.
"""

from configs.evaluate import linear
from configs.evaluate import svm
from configs.studies import parts
from configs.studies import pcl_parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Linear classification',
      question='How good are frozen features when there are many labels?')
  full = parts.size(arg) == 'full'
  probe = linear.get_config('source=pcl').evals.linear.to_dict() if full else (
      protocols.linear(arg))
  machine = svm.get_config().evals.svm.to_dict()
  for seed in range(arg.seeds):
    for method in pcl_parts.methods(arg):
      run = pcl_parts.pretrain(c, arg, method, seed)
      sets = pcl_parts.targets(arg) | {
          'ImageNet': parts.data_of(arg, pcl_parts.source(arg))}
      for dataset, eval_data in sets.items():
        c.cells[f'{run}_{dataset}'] = parts.cell(
            run, eval_data=eval_data,
            evals=dict(svm=machine) if dataset == 'VOC07' else dict(linear=probe),
            axes=dict(
                method=parts.CALLED[method], seed=seed,
                dataset=pcl_parts.called(arg, dataset)[0]))
  c.figures = dict(pcl_linear=dict(
      name='bars', published=pcl_parts.published(arg, 'pcl2021_linear'),
      title='Frozen features, all labels', x='dataset', hue='method',
      y='linear/top1 or svm/map or svm/top1', control='Random',
      order=(
          *pcl_parts.called(arg, 'ImageNet', 'VOC07', 'Places205'), *pcl_parts.ORDER),
      names=dict(y='top-1, or mAP on VOC07' if full else 'top-1 accuracy')))
  return c
