r"""Is it only SimCLR? Other methods on the same images, beside supervised training.

  python -m jaxssl.main --config=configs/studies/methods.py:smoke
  python -m jaxssl.main --config=configs/studies/methods.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/methods.py:root=/data,plan

Figure 3 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): SimCLR, MoCo and BYOL
on a million images of iNat21, and linear classifiers on random subsets of the labels;
beside them supervised training from scratch on those labels. `parts.py` has the
arguments.

Published, with a million labels: SimCLR 41.2, MoCo 40.8, BYOL 45.7, with labels 69.6.
Departures: the paper's settings of MoCo and BYOL are not known to us: MoCo v2's and
BYOL's own here, at the epochs of each recipe. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

LABELS = dict(
    full=(10_000, 50_000, 125_000, 250_000, 500_000, 1_000_000),
    mini=(360, 1_450, 5_800), smoke=(64, 1024))


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Methods',
      question='Do other self-supervised methods need as much, and give as much?')
  size, domain = parts.size(arg), parts.domains(arg)[0]
  methods = ('simclr', 'moco_v2', 'byol')
  num_examples = parts.MILLION if size == 'full' else 0
  evals = dict(linear=protocols.linear(arg))
  for seed in range(arg.seeds):
    for method in methods:
      c.pretrain[f'{method}_{seed}'] = parts.pretraining(
          arg, method, domain, seed=seed, num_examples=num_examples)
    for labels in LABELS[size]:
      eval_data = parts.data_of(arg, domain, num_examples=labels, seed=seed)
      name = f'supervised_{labels}_{seed}'
      c.pretrain[name] = parts.pretraining(
          arg, 'supervised', domain, seed=seed, source=eval_data['train'])
      c.cells[name] = parts.cell(
          name, eval_data=eval_data, evals=evals,
          axes=dict(method='Supervised', labels=labels, seed=seed))
      for method in methods:
        called = 'MoCo' if method == 'moco_v2' else parts.CALLED[method]
        c.cells[f'{method}_{labels}_{seed}'] = parts.cell(
            f'{method}_{seed}', eval_data=eval_data, evals=evals,
            axes=dict(method=called, labels=labels, seed=seed))
  c.figures = dict(methods=dict(
      name='lines', published='cole2022_methods', title='Other methods', x='labels',
      hue='method', y='linear/top1', log=True, dashed=('Supervised',),
      order=('SimCLR', 'MoCo', 'BYOL', 'Supervised'),
      names=dict(labels='labelled images')))
  return c
