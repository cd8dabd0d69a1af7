r"""Does the domain of pretraining matter? Every domain's features on every domain.

  python -m jaxssl.main --config=configs/studies/domain.py:smoke
  python -m jaxssl.main --config=configs/studies/domain.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/domain.py:root=/data,plan

Table 1 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): SimCLR on a million
images of each of four domains, and a linear classifier on each. Beside it the paper's
two breakdowns: accuracy on iNat21 by taxonomic class, and which classes gain and lose
by pretraining in their own domain. `parts.py` has the arguments.

Published, linear top-1: 49.3 on iNat21, 64.4 on ImageNet, 50.1 on Places365 and 76.9 on
GLC20 in the own domain; pretrained on ImageNet 37.3, 48.6 and 71.6 on the other three.
Departures: the supervised networks' classifiers are trained again on frozen features.
Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Pretraining domain',
      question='Does it matter which images a network was pretrained on?')
  size = parts.size(arg)
  domains = parts.domains(arg)[:2 if size == 'smoke' else 4]
  num_examples = parts.MILLION if size == 'full' else 0
  taxon = dict(full='class', mini='tax_class', smoke='family')[size]
  for seed in range(arg.seeds):
    for domain in domains:
      c.pretrain[f'simclr_{domain}_{seed}'] = parts.pretraining(
          arg, 'simclr', domain, seed=seed, num_examples=num_examples)
      c.pretrain[f'supervised_{domain}_{seed}'] = parts.pretraining(
          arg, 'supervised', domain, seed=seed)
    for target in domains:
      evals = dict(linear=protocols.linear(arg))
      if target in (domains[0], domains[-2]):  # iNat21 and Places365.
        evals['per_class'] = protocols.per_class(arg)
      for domain in domains:
        c.cells[f'{domain}_to_{target}_{seed}'] = parts.cell(
            f'simclr_{domain}_{seed}', eval_data=parts.data_of(arg, target),
            axes=dict(pretraining=domain, target=target, seed=seed), evals=evals)
      c.cells[f'supervised_{target}_{seed}'] = parts.cell(
          f'supervised_{target}_{seed}', eval_data=parts.data_of(arg, target),
          axes=dict(pretraining='Supervised', target=target, seed=seed),
          evals=evals)
  inat, imagenet, places = domains[0], domains[1], domains[-2]
  c.figures = dict(
      domain=dict(
          name='matrix', published='cole2022_domain',
          title='Features of each domain on each domain', down='pretraining',
          across='target', y='linear/top1', apart=('Supervised',),
          order=(*domains, 'Supervised'), stands_for=parts.stands_for(domains),
          names=dict(pretraining='pretrained on', target='classified')),
      domain_taxa=dict(
          name='bars', published='', title=f'Accuracy on {inat} by {taxon}', x='item',
          hue='pretraining', y=f'per_class/accuracy_{taxon}', items=f'names_{taxon}',
          where=dict(target=inat), order=(*domains, 'Supervised'), chance='',
          names=dict(item=taxon)),
      domain_classes=dict(
          name='differences', published='cole2022_per_class',
          title=f'{inat}: from {imagenet} to its own images', taxon='kingdom',
          between=dict(pretraining=(imagenet, inat)), where=dict(target=inat)))
  if places not in (inat, imagenet):
    c.figures.domain_scenes = dict(
        name='differences', published='',
        title=f'{places}: from {imagenet} to its own images',
        between=dict(pretraining=(imagenet, places)), where=dict(target=places))
  c.claims = dict(in_domain_beats_cross_domain=dict(figure='domain'))
  if len(domains) > 2:
    c.claims.one_source_is_best_elsewhere = dict(figure='domain', source=imagenet)
  return c
