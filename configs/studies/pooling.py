r"""Is it better to pool domains? Images of several together, beside those of one.

  python -m jaxssl.main --config=configs/studies/pooling.py:smoke
  python -m jaxssl.main --config=configs/studies/pooling.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/pooling.py:root=/data,plan

Table 2 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): SimCLR on 250 thousand
images of each of two domains, or of four, and a linear classifier on each of three;
beside it as many images, and fewer, of the classifier's own domain. `parts.py` has the
arguments.

Published: 500k pooled images are below 500k of the own domain everywhere, and a million
of four domains below 250k of the own. Ours: see docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

SHARES = dict(full=250_000, mini=1_400, smoke=256)  # Images of each domain in a pool.


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Pooled pretraining sets',
      question='Do images of other domains help a network, when they are added?')
  domains, share = parts.domains(arg), SHARES[parts.size(arg)]
  targets = domains[:2] if parts.size(arg) == 'smoke' else domains[:3]
  pairs = [(a, b) for i, a in enumerate(targets) for b in targets[i + 1:]]
  pools = {f'{a} + {b}': (a, b) for a, b in pairs}
  stands_for = parts.stands_for(targets)
  stands_for |= {
      f'{a} + {b}': f'{stands_for[a]} + {stands_for[b]}' for a, b in pairs}
  pools['all four'] = domains
  for seed in range(arg.seeds):
    for called, members in pools.items():
      name = f'simclr_{"_".join(members)}_{seed}'
      c.pretrain[name] = parts.pretraining(
          arg, 'simclr', members[0], seed=seed, source=dict(
              name='pooled', parts=tuple(
                  parts.images(arg, m, num_examples=share) for m in members)))
      for target in targets:
        c.cells[f'{name}_{target}'] = cell(
            arg, name, called, share * len(members), target, seed)
    for times in (1, 2, 4):
      for target in targets:
        name = f'simclr_{target}_{share * times}_{seed}'
        c.pretrain[name] = parts.pretraining(
            arg, 'simclr', target, seed=seed, num_examples=share * times)
        called = f'in-domain {parts.amount(share * times)}'
        c.cells[name] = cell(arg, name, called, share * times, target, seed)
  by_size = {n: f'in-domain {parts.amount(share * n)}' for n in (1, 2, 4)}
  c.figures = dict(pooling=dict(
      name='bars', published='cole2022_pooling', title='Pooled pretraining sets',
      x='target', hue='pretraining', y='linear/top1',
      order=(*targets, *(by_size[n] for n in (4, 2, 1)), *pools),
      stands_for=stands_for,
      names=dict(target='classified', pretraining='pretrained on')))
  c.claims = dict(pooled_is_below_in_domain=dict(pairs={
      called: by_size[len(members)] for called, members in pools.items()}))
  return c


def cell(arg, run, pretraining, num_examples, target, seed):
  return parts.cell(
      run, eval_data=parts.data_of(arg, target),
      evals=dict(linear=protocols.linear(arg)),
      axes=dict(
          pretraining=pretraining, size=num_examples, target=target, seed=seed))
