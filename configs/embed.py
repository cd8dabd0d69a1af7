r"""Writes the features of a checkpoint to files, for any tool and for our protocols.

  python -m jaxssl.main --config=configs/embed.py \
      --config.checkpoint=runs/quickstart

writes runs/quickstart/features/<step>/train.npz and test.npz: `features` [n, d], `z`
[n, d] where there is a projector, `labels` [n], `ids` [n], `class_names`, and what they
were made from. `:format=zarr` writes folders of chunks instead, for sets that a single
file does not suit. To score them:

  python -m jaxssl.main --config=configs/evaluate/standard.py --workdir=runs/scores \
      --config.features=train.npz --config.test_features=test.npz

`eval_data` names other images than the run's own, by the keys of config.data that
differ, such as --config.eval_data.train.root=/other/images.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(arg, format='npz')
  c = ConfigDict()
  c.job = 'embed'
  c.checkpoint = ''  # The workdir of a run.
  c.step = 'last'    # Or a number.
  c.sets = ('train', 'test')
  c.eval_data = {}   # Empty: what the run itself evaluates on.
  c.data_root = ''   # Empty: the images are where they were.
  c.format = arg.format
  return c
