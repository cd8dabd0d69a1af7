r"""What do features and prototypes tell of the classes, over training?

  python -m jaxssl.main --config=configs/studies/pcl_mutual_information.py:smoke
  python -m jaxssl.main \
      --config=configs/studies/pcl_mutual_information.py:mini,root=/data/four
  python -m jaxssl.main \
      --config=configs/studies/pcl_mutual_information.py:root=/data,plan

Figure (b) of PCL's analysis (https://arxiv.org/abs/2005.04966, Section 5): estimates of
the mutual information between classes and features, and between classes and prototypes,
for networks trained with InfoNCE (MoCo, whose prototypes are k-means of its features)
and with ProtoNCE. `pcl_parts.py` has the data.

Published: prototypes tell more than features, and ProtoNCE's more than InfoNCE's (a
figure, no numbers). Departures: see `configs/evaluate/mutual_information.py`. Ours: see
docs/studies.md.
"""

from configs.evaluate import mutual_information
from configs.studies import parts
from configs.studies import pcl_parts


def get_config(arg=''):
  arg = parts.arguments(arg)
  c = parts.study(
      arg, title='Mutual information with the classes',
      question='Do prototypes tell more of the classes than the features themselves?')
  domain = pcl_parts.source(arg)
  # Of MoCo's features there are as many clusters as PCL has prototypes.
  num_clusters = 100_000 if parts.size(arg) == 'full' else 64
  settings = mutual_information.get_config(
      f'num_clusters={num_clusters}').evals.mutual_information.to_dict()
  for seed in range(arg.seeds):
    for method, loss in (('moco', 'InfoNCE'), ('pcl', 'ProtoNCE')):
      run = pcl_parts.pretrain(c, arg, method, seed)
      every = c.pretrain[run].total_epochs / (10 if parts.size(arg) == 'full' else 3)
      c.pretrain[run].save.update(keep=20, every_epochs=every)
      c.cells[run] = parts.cell(
          run, step='all', eval_data=parts.data_of(arg, domain),
          evals=dict(mutual_information=settings), axes=dict(loss=loss, seed=seed))
  mi = 'mutual_information/mi'
  c.figures = dict(pcl_mutual_information=dict(
      name='lines', published='', title='What is told of the classes', x='epoch',
      hue='loss', panel='of', percent=False, chance='', y=dict(of=dict(
          features=f'{mi}_features_ross',
          prototypes=f'{mi}_prototypes_k{num_clusters}_miller_madow or '
                     f'{mi}_kmeans_miller_madow')),
      names=dict(y='mutual information (nats)')))
  return c
