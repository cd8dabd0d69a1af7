r"""How much data does it take? More images to pretrain on, and more labels.

  python -m jaxssl.main --config=configs/studies/data_quantity.py:smoke
  python -m jaxssl.main --config=configs/studies/data_quantity.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/data_quantity.py:root=/data,plan

Figure 2 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): SimCLR pretrained on
nested random subsets, from a million images down to 50 thousand, for the same number of
epochs each; then a linear classifier, or fine-tuning, on random subsets of the labels,
drawn independently; and beside them supervised training from scratch on those labels.
`parts.py` has the arguments.

Published: 500k images are one or two points below a million, 50k often over ten below
250k; fine-tuning beats training from scratch with 10k and 50k labels and meets it with
a million. Departures: the supervised networks' classifiers are trained again on frozen
features. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

SIZES = dict(
    full=(1_000_000, 500_000, 250_000, 125_000, 50_000), mini=(5_800, 1_450, 360),
    smoke=(1024, 128))
LABELS = dict(
    full=(10_000, 50_000, 125_000, 250_000, 500_000, 1_000_000),
    mini=(360, 1_450, 5_800), smoke=(64, 1024))
DOMAINS = dict(full=3, mini=2, smoke=1)  # The first so many.


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Data quantity',
      question='How many images, and how many labels, does it take?')
  size = parts.size(arg)
  domains = parts.domains(arg)[:DOMAINS[size]]
  evals = dict(linear=protocols.linear(arg), finetune=protocols.finetune(arg))
  for seed in range(arg.seeds):
    for domain in domains:
      add(c, arg, domain, seed, SIZES[size], LABELS[size], evals)
  c.figures = dict(data_quantity=dict(
      name='lines', published='cole2022_data_quantity',
      title='More images to pretrain on, more labels', x='labels', hue='size',
      panel='domain', row='protocol', log=True, dashed=('Supervised',),
      y=dict(protocol=dict(
          linear='linear/top1', finetune='finetune/top1 or linear/top1')),
      order=('linear', 'finetune', *domains), stands_for=parts.stands_for(domains),
      names=dict(
          labels='labelled images', size='pretraining images',
          linear='linear classifier', finetune='fine-tuned',
          Supervised='labels only')))
  c.claims = dict(finetuning_beats_scratch={}, more_data_gains_little={})
  return c


def add(c, arg, domain, seed, sizes, numbers, evals):
  """Adds a domain's pretrainings and its cells."""
  for labels in numbers:
    eval_data = parts.data_of(arg, domain, num_examples=labels, seed=seed)
    name = f'supervised_{domain}_{labels}_{seed}'
    c.pretrain[name] = parts.pretraining(
        arg, 'supervised', domain, seed=seed, source=eval_data['train'])
    c.cells[name] = parts.cell(
        name, eval_data=eval_data, evals=dict(linear=protocols.linear(arg)),
        axes=dict(domain=domain, size='Supervised', labels=labels, seed=seed))
  for num_examples in sizes:
    name = f'simclr_{domain}_{num_examples}_{seed}'
    c.pretrain[name] = parts.pretraining(
        arg, 'simclr', domain, seed=seed, num_examples=num_examples)
    for labels in numbers:
      c.cells[f'{name}_{labels}'] = parts.cell(
          name, evals=evals,
          eval_data=parts.data_of(arg, domain, num_examples=labels, seed=seed),
          axes=dict(domain=domain, size=num_examples, labels=labels, seed=seed))
