r"""Looks at images before anything is trained on them.

  python -m jaxssl.main --config=configs/check.py \
      --config.data.root=/path/to/images --workdir=runs/check

counts images and classes, decodes every image, takes digests, finds duplicates within
and across splits, and writes runs/check/check.json and a picture of each split. A bad
image is listed, never fatal. Arguments, after the colon:

  name=folder   the source: config.data is its name and root
  recipe=NAME   config.data is that of configs/NAME.py, for sources with other settings

  python -m jaxssl.main --config=configs/check.py:recipe=simclr_inat \
      --config.data.root=/data/inat21 --config.max_images=10000 --workdir=runs/check
"""

import importlib

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(arg, name='folder', recipe='')
  c = ConfigDict()
  c.job = 'check'
  c.data = dict(name=arg.name, root='')
  if arg.recipe:
    c.data = importlib.import_module(f'configs.{arg.recipe}').get_config().data
  c.splits = ('train', 'test')  # (): the data as they are, whatever their split.
  c.max_images = 0              # 0 decodes every image.
  c.few_images = 10             # Classes with fewer are listed.
  c.grid = 8                    # Images a side of the picture.
  c.tile = 96                   # Pixels a side of each.
  return c
