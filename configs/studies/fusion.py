r"""Do two networks see different things? Their features side by side.

  python -m jaxssl.main --config=configs/studies/fusion.py:smoke
  python -m jaxssl.main --config=configs/studies/fusion.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/fusion.py:root=/data,plan

Table 3 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): a linear classifier on
the features of two networks, trained on ImageNet and on iNat21, self-supervised or with
labels. `parts.py` has the arguments.

Published (as quoted by others): adding iNat21's features changes ImageNet's 64.7 to
64.1, adding ImageNet's changes iNat21's 50.6 to 52.0. Added to the paper: the control
of equal width, one network's features widened by a random map; see
`configs/evaluate/fusion.py`. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Fused representations',
      question='Do the features of two networks together do more than the better one?')
  inat, imagenet = parts.domains(arg)[:2]
  stands_for = parts.stands_for((inat, imagenet))
  for seed in range(arg.seeds):
    for domain in (inat, imagenet):
      for method in ('simclr', 'supervised'):
        c.pretrain[f'{method}_{domain}_{seed}'] = parts.pretraining(
            arg, method, domain, seed=seed)
    for target, other in ((inat, imagenet), (imagenet, inat)):
      for method in ('simclr', 'supervised'):
        runs = (f'simclr_{target}_{seed}', f'{method}_{other}_{seed}')
        networks = (target, 'simclr'), (other, method)
        stands_for[called(networks)] = called(networks, stands_for)
        c.cells[f'{method}_{other}_added_to_{target}_{seed}'] = parts.cell(
            runs, eval_data=parts.data_of(arg, target),
            axes=dict(features=called(networks), target=target, seed=seed),
            evals=dict(fusion=protocols.fusion(arg)))
  c.figures = dict(fusion=dict(
      name='bars', published='cole2022_fusion', title='Two networks side by side',
      x='features', hue='part', panel='target', chance='', where=dict(metric='top1'),
      y=dict(part={
          'own domain': 'fusion/top1_h0', 'other': 'fusion/top1_h1',
          'own, widened': 'fusion/top1_h0_widened', 'together': 'fusion/top1'}),
      order=('own domain', 'other', 'own, widened', 'together'),
      stands_for=stands_for))
  c.claims = dict(
      fusing_helps=dict(name='fusing', target=inat, helps=True),
      fusing_hurts=dict(name='fusing', target=imagenet, helps=False))
  return c


def called(networks, names=None):
  """'ImageNet SimCLR + iNat21 supervised', as the paper's table has it."""
  names = sorted(
      f'{(names or {}).get(domain, domain)} '
      f'{"SimCLR" if method == "simclr" else method}' for domain, method in networks)
  ours = [n for n in names if 'SimCLR' in n]
  return ' + '.join(ours + [n for n in names if n not in ours])
