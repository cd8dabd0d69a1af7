r"""Accuracy at every level of a taxonomy: how fine a distinction features still make.

  python -m jaxssl.main --config=configs/evaluate/granularity.py \
      --config.checkpoint=runs/simclr_inat --config.step=last

  python -m jaxssl.main --config=configs/evaluate/granularity.py:taxonomy=tree.json \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/levels

Figure 5 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): a linear classifier is
trained on the finest labels, and predictions and truth are mapped to their ancestors.
The taxonomy comes with the data (iNat21, shapes) or from a JSON file: an object with,
for each level from coarse to fine, a list with the name of every class's ancestor.

Added to the paper: a classifier trained at each level (`per_level`), the chance of
each level, and the height of the lowest common ancestor over mistakes. Departures: the
grid of `linear` is chosen from, once for each classifier.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=100, batch_size=512, taxonomy='')
  c = standard.get_config()
  c.evals = dict(granularity=dict(
      name='granularity', every_epochs=0.0, every_steps=0, train='train',
      test='test', per_level=True, feature='h',
      by=dict(
          name='linear', optimizer='nesterov', schedule='cosine',
          rates=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0), decays=(0.0, 1e-6),
          epochs=arg.epochs, batch_size=arg.batch_size, seed=0, standardize=False)))
  if arg.taxonomy:  # Else it is that of the data.
    c.evals.granularity.taxonomy = arg.taxonomy
  return c
