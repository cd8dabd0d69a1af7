r"""PCL on a folder of your own images; no labels needed.

  python -m jaxssl.main --config=configs/pcl_folder.py \
      --config.data.root=/path/to/images --workdir=runs/my_clusters

As `simclr_folder`, with its arguments, and one more:

  clusters=100  prototypes of the middle granularity; there are half as many coarse
                ones and twice as many fine ones. Each wants ten images or more.

Beside features you get the images' clusters: `clusters/<epoch>/summary.json` describes
them, the last checkpoint holds them.

Published: nothing, the images are yours. Ours: see the README.
"""

from configs import common
from configs import simclr_folder


def get_config(arg=''):
  arg = common.parse_arg(
      arg, size=224, epochs=200.0, depth=50, batch_size=256, clusters=100, tiny=False,
      smoke=False)
  c = simclr_folder.get_config(
      f'size={arg.size},epochs={arg.epochs},depth={arg.depth},'
      f'batch_size={arg.batch_size},tiny={arg.tiny}')
  size = c.eval_view.size
  c.views = dict(
      a=common.moco_v2_view(size, blur=0.5), b=common.moco_v2_view(size, blur=0.5))
  c.model.zero_init_residual = False
  c.model.projector = dict(name='moco', hidden=0, out=128, num_layers=2)
  c.method = common.pcl(
      temperature=0.2, momentum=0.99, queue_size=2048,
      num_clusters=(arg.clusters // 2, arg.clusters, 2 * arg.clusters),
      num_negatives=0, warmup_epochs=int(arg.epochs / 5))
  if not arg.tiny:  # There the optimiser stays the same.
    c.optim = dict(
        name='moco_sgd', base_lr=0.03, scaling='linear', milestones=(),
        weight_decay=1e-4, momentum=0.9)
  return common.smoke(c) if arg.smoke else c
