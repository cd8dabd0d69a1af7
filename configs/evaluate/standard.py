r"""Scores checkpoints or features: kNN, a linear classifier, health numbers.

  python -m jaxssl.main --config=configs/evaluate/standard.py \
      --config.checkpoint=runs/quickstart --config.step=last

`step` is a number, last, all, or follow: every checkpoint of a running job as it
appears, until the run is done. Results go to the run's eval/, or to --workdir. Several
runs, `--config.checkpoint=runs/a,runs/b`, are scored one after the other, or followed
all at once.

  python -m jaxssl.main --config=configs/evaluate/standard.py \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/scores

scores features that any framework made, such as a PyTorch model's.

`augmented` trains the linear classifier on random crops and flips, as the paper does;
the encoder then runs in every epoch, where otherwise it runs once.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=100, batch_size=512, k=200, size=224, augmented=False)
  c = ConfigDict()
  c.job = 'evaluate'
  c.checkpoint = ''     # The workdir of a run, or ...
  c.features = ''       # ... an .npz with `features` [n, d] and `labels` [n].
  c.test_features = ''  # Empty: a fixed fifth of them is the test set.
  c.step = 'last'
  c.eval_data = {}  # Empty: what the run itself evaluates on.
  c.data_root = ''  # Empty: the images are where they were.
  c.evals = dict(
      knn=common.knn(k=arg.k),
      health=common.health(),
      linear=common.linear(
          epochs=arg.epochs, batch_size=arg.batch_size, decays=(0.0, 1e-6)))
  if arg.augmented:
    view = common.crop_flip_view(arg.size)
    del c.evals['linear']
    c.evals.linear_augmented = common.linear(
        epochs=arg.epochs, batch_size=arg.batch_size, decays=(0.0, 1e-6), augment=view)
  return c
