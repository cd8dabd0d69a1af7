r"""Accuracy of each class and each taxon, with intervals: who is recognised, who not.

  python -m jaxssl.main --config=configs/evaluate/per_class.py \
      --config.checkpoint=runs/simclr_inat --config.step=last

  python -m jaxssl.main --config=configs/evaluate/per_class.py:knn \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/classes

The breakdown by class of Cole et al. 2022 (https://arxiv.org/abs/2105.05837), by a
linear classifier or, with `knn`, by the nearest neighbours. The result also says of
each test example whether it was right, so that two results can be compared in pairs.

Ours: Wilson intervals, and the best and worst classes by name. With ten test images a
class, as on iNat21, an interval is some 50 points wide: differences between classes
need more images, or groups of classes.
"""

from configs import common
from configs.evaluate import granularity


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=100, batch_size=512, knn=False, k=200, taxonomy='')
  c = granularity.get_config(
      f'epochs={arg.epochs},batch_size={arg.batch_size},taxonomy={arg.taxonomy}')
  by = c.evals.granularity.by.to_dict()
  if arg.knn:
    by = dict(name='knn', k=arg.k, temperature=0.1)
  c.evals = dict(per_class=dict(
      name='per_class', every_epochs=0.0, every_steps=0, train='train', test='test',
      by=by, num_listed=10, feature='h'))
  if arg.taxonomy:
    c.evals.per_class.taxonomy = arg.taxonomy
  return c
