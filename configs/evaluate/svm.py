r"""Linear SVMs on frozen features: mAP on VOC07 and its like, top-1 on one label each.

  python -m jaxssl.main --config=configs/evaluate/svm.py \
      --config.checkpoint=runs/quickstart --config.step=last

  python -m jaxssl.main --config=configs/evaluate/svm.py \
      --config.features=trainval.npz --config.test_features=test.npz --workdir=runs/voc

With `labels` [n, classes] of 1, 0 and -1 the features are scored by mean average
precision, as in PCL (https://arxiv.org/abs/2005.04966, Section 4), which trains on
VOC07's trainval and tests on its test set: 82.3 for PCL and 85.4 for PCL v2, from the
2048 features of a ResNet-50 on a centre crop. `map` is the area form that its code
computes, `map_11` VOC07's own.

The settings are those of PCL's code since August 2020: one cost, where before the
best of three by test mAP was kept. Departures: a fixed seed for the solver; PCL's has
none. The low-shot protocol is `low_shot.py`.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  common.parse_arg(arg)
  c = standard.get_config()
  c.evals = dict(svm=dict(
      name='svm', every_epochs=0.0, every_steps=0, train='train', test='test',
      cost=0.5, positive_weight=2.0, tol=1e-4, max_iter=2000, difficult='negative',
      full=True, shots=(), num_draws=5, seed=0, feature='h'))
  return c
