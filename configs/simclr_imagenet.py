r"""SimCLR with ResNet-50 on ImageNet (https://arxiv.org/abs/2002.05709).

  python -m jaxssl.main --config=configs/simclr_imagenet.py \
      --config.data.root=/data/imagenet --workdir=runs/simclr_imagenet

The settings of the authors' code for TPU: batch 4096, LARS, 3-layer head, temperature
0.1. `data.root` holds train/<wnid>/*.JPEG and val/<wnid>/*.JPEG.

Published, linear top-1: 64.5 at 100 epochs (the authors' repository), 69.3 at 1000
(the paper); 64.7 in Cole et al. 2022, Table 3. Ours: not yet run.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=100.0, batch_size=4096, smoke=False)
  c = ConfigDict()
  c.job = 'pretrain'
  c.seed = 0
  c.parallel = 'pmap'
  c.total_epochs = arg.epochs
  c.total_steps = 0  # Or this many steps, whatever the data.

  # A shorter side of 256 is what the quality study calls "Resize"; 384 on a canvas of
  # 512 keeps nearly all the detail of ImageNet.
  c.data = dict(
      name='imagenet', root='', split='train', batch_size=arg.batch_size,
      input='auto', short_side=256, canvas=384, interpolation='bilinear', cache_dir='',
      window=0)
  c.views = dict(
      a=common.simclr_view(224, strength=1.0, blur=0.5),
      b=common.simclr_view(224, strength=1.0, blur=0.5))
  c.eval_view = dict(size=224, fraction=0.875, interpolation='bicubic')
  c.eval_data = dict(
      train=dict(split='train', max_examples=0),
      train_100k=dict(split='train', max_examples=100_000),
      test=dict(split='val', max_examples=0))

  c.model = dict(
      name='resnet', depth=50, width=1.0, stem='imagenet', zero_init_residual=True,
      dtype='bfloat16',
      projector=dict(name='simclr', hidden=2048, out=128, num_layers=3))
  c.method = dict(name='simclr', temperature=0.1)
  c.optim = dict(
      name='lars', base_lr=0.3, scaling='linear', warmup_epochs=10.0,
      weight_decay=1e-4, momentum=0.9)

  c.log = dict(every_steps=50, tensorboard=True)
  c.save = dict(every_epochs=5.0, every_steps=0, keep=3)
  c.evals = dict(
      knn=common.knn(every_epochs=10.0, train='train_100k'),
      health=common.health(every_epochs=10.0),
      linear=common.linear(epochs=90, batch_size=4096, decays=(0.0, 1e-6)))
  return common.smoke(c) if arg.smoke else c
