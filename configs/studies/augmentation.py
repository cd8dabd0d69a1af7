r"""Does colour jitter cost fine-grained classes? Views by the level of a taxonomy.

  python -m jaxssl.main --config=configs/studies/augmentation.py:smoke
  python -m jaxssl.main --config=configs/studies/augmentation.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/augmentation.py:root=/data,plan

A hypothesis of Cole et al. 2022 (https://arxiv.org/abs/2105.05837, Section 4.4): views
made for ImageNet destroy what tells fine classes apart. SimCLR with all of its views,
without colour jitter, without grey, without both, and with crops and flips alone; the
accuracy of each at every level of the taxonomy. `parts.py` has the arguments.

Published: nothing, the paper leaves it open. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

CHANGES = {
    'all': {}, 'no jitter': dict(jitter=0.0), 'no grey': dict(grayscale=0.0),
    'no colour': dict(jitter=0.0, grayscale=0.0),
    'crop and flip': dict(jitter=0.0, grayscale=0.0, blur=0.0)}


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Views and granularity',
      question='Do views that change colours cost the finest classes most?')
  domain = parts.domains(arg)[0]
  # Without blur there, the last two are the same; and a smoke test has three.
  left_out = {
      'full': (), 'mini': ('crop and flip',), 'smoke': ('no grey', 'crop and flip')}
  for seed in range(arg.seeds):
    for called, changes in CHANGES.items():
      if called in left_out[parts.size(arg)]:
        continue
      name = f'simclr_{parts.plain(called)}_{seed}'
      run = parts.pretraining(arg, 'simclr', domain, seed=seed)
      for view in run.views.values():
        view.update(changes)
      c.pretrain[name] = run
      c.cells[name] = parts.cell(
          name, eval_data=parts.data_of(arg, domain),
          axes=dict(views=called, seed=seed),
          evals=dict(granularity=protocols.granularity(arg)))
  c.figures = dict(augmentation=dict(
      name='lines', published='', title='Views and the level of the taxonomy',
      x='level', hue='views', y='granularity/top1_{level}',
      counts='granularity/num_classes_{level}', order=tuple(CHANGES),
      names=dict(level='level, and its classes')))
  return c
