r"""How fine a distinction do the features make? Accuracy at every level of a taxonomy.

  python -m jaxssl.main --config=configs/studies/granularity.py:smoke
  python -m jaxssl.main --config=configs/studies/granularity.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/granularity.py:root=/data,plan

Figure 5 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): classifiers of the
finest labels, whose predictions and truths are mapped to their ancestors at each level,
for SimCLR beside supervised training, on three domains. `parts.py` has the arguments.

Published: on iNat21 SimCLR is 1.4 points below at the level of kingdoms and 29.6 at
that of species; on ImageNet about 10 at the finest, on Places365 3. Departures: the
supervised networks' classifiers are trained again on frozen features. Added to the
paper: MoCo, PCL with `pcl`. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

LEVELS = ('Kingdom', 'Phylum', 'Class', 'Order', 'Family', 'Genus', 'Species')


def get_config(arg=''):
  arg = parts.arguments(arg, pcl=False)
  c = parts.study(
      arg, title='Label granularity',
      question='How fine a distinction do self-supervised features still make?')
  domains = parts.domains(arg)[:1 if parts.size(arg) == 'smoke' else 3]
  methods = ('simclr', 'supervised') + (('pcl',) if arg.pcl else ())
  for seed in range(arg.seeds):
    for domain in domains:
      for method in methods:
        name = f'{method}_{domain}_{seed}'
        c.pretrain[name] = parts.pretraining(arg, method, domain, seed=seed)
        c.cells[name] = parts.cell(
            name, eval_data=parts.data_of(arg, domain),
            axes=dict(domain=domain, method=parts.CALLED[method], seed=seed),
            evals=dict(granularity=protocols.granularity(arg)))
  c.figures = dict(granularity=dict(
      name='lines', published='cole2022_granularity', title='How fine a distinction',
      x='level', hue='method', panel='domain', y='granularity/top1_{level}',
      counts='granularity/num_classes_{level}',
      order=(*domains, 'Supervised', 'SimCLR', 'PCL'),
      stands_for=parts.stands_for(domains) | {
          level.lower(): level for level in LEVELS if parts.size(arg) == 'full'},
      names=dict(level='level, and its classes', top1='top-1 accuracy')))
  c.claims = dict(gap_grows_with_granularity={})
  return c
