r"""PCL on images that the package draws, for the notebook pcl_prototypes.

  python -m jaxssl.main --config=launch/colab/pcl_shapes.py --workdir=runs/pcl

The images, views and network of configs/quickstart.py, whose sixteen species lie in
eight genera, four families and two kingdoms. PCL begins as MoCo does, and clusters
from epoch `warmup` on. Arguments:

  clusters=16  prototypes of the middle size; a quarter as many are coarse and four
               times as many fine
  root=FOLDER  arrays of your own instead: FOLDER/train.npz and test.npz with
               `images` uint8 [n, h, w, 3] and perhaps `labels` (docs/data.md)

Published: nothing, the images are ours; the method is
https://arxiv.org/abs/2005.04966. Ours, top-1 on 1,024 test images: kNN 55.5 and
linear 68.1, before the first step 30.0 and 38.1.
"""

from configs import common
from configs import quickstart


def get_config(arg=''):
  arg = common.parse_arg(
      arg, epochs=25.0, warmup=5, clusters=16, root='', smoke=False)
  c = quickstart.get_config(f'epochs={arg.epochs}')
  if arg.root:
    pipeline = {k: c.data[k] for k in common.PIPELINE if k in c.data}
    c.data = dict(name='arrays', root=arg.root, split='train', **pipeline)
    c.eval_data = {
        name: dict(split=name, max_examples=0) for name in ('train', 'test')}
  c.model.zero_init_residual = False
  c.model.projector = dict(name='moco', hidden=0, out=64, num_layers=2)
  c.method = common.pcl(
      temperature=0.2, momentum=0.99, queue_size=2048,
      num_clusters=(arg.clusters // 4, arg.clusters, 4 * arg.clusters),
      num_negatives=0, warmup_epochs=arg.warmup)
  return common.smoke(c) if arg.smoke else c
