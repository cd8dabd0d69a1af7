r"""The nearest neighbours of some test images: which, and how many of their class.

  python -m jaxssl.main --config=configs/evaluate/neighbors.py \
      --config.checkpoint=runs/simclr_inat --config.step=last

  python -m jaxssl.main --config=configs/evaluate/neighbors.py \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/near

The retrieval figure of Cole et al. 2022 (https://arxiv.org/abs/2105.05837, in the
slides): among the 10 nearest neighbours of one bird, supervised features of iNat21
find 3 of its species and SimCLR's none. Added to the figure: the share over many
queries (`precision_at_10`), at each level of a taxonomy, beside that of neighbours at
random. The run's page shows the first few queries, which are drawn at random.

`:among=test` searches in the other test images instead of the training images. It
needs no labels.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, among='train', num_queries=1000, seed=0, taxonomy='')
  c = standard.get_config()
  if arg.among not in ('train', 'test'):
    raise ValueError(f'among is {arg.among!r}; it can be train or test.')
  c.evals = dict(neighbors=dict(
      name='neighbors', every_epochs=0.0, every_steps=0, test='test', k=(1, 5, 10),
      num_queries=arg.num_queries, seed=arg.seed, feature='h'))
  if arg.among == 'train':
    c.evals.neighbors.train = 'train'
  if arg.taxonomy:  # Else it is that of the data.
    c.evals.neighbors.taxonomy = arg.taxonomy
  return c
