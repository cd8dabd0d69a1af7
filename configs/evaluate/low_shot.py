r"""Linear SVMs on features of 1, 2, 4, 8 and 16 images of each class, five draws each.

  python -m jaxssl.main --config=configs/evaluate/low_shot.py \
      --config.checkpoint=runs/quickstart --config.step=last

  python -m jaxssl.main --config=configs/evaluate/low_shot.py \
      --config.features=trainval.npz --config.test_features=test.npz --workdir=runs/voc

The low-shot transfer of PCL (https://arxiv.org/abs/2005.04966, Section 4) to VOC07,
with `labels` [n, 20] and mAP, and to Places205, with `labels` [n] and top-1. For each
k the mean and the standard deviation over draws; the paper reports the mean, on VOC07
46.9, 56.4, 62.8, 70.2 and 74.3 for PCL and 47.9, 59.6, 66.2, 74.5 and 78.3 for PCL v2.

The settings are those of PCL's code. Departures: the images of a lower k are among
those of a higher, so that numbers of different k differ by less chance.
"""

from configs.evaluate import svm


def get_config(arg=''):
  c = svm.get_config(arg)
  c.evals = dict(low_shot={
      **c.evals.svm.to_dict(), 'full': False, 'shots': (1, 2, 4, 8, 16)})
  return c
