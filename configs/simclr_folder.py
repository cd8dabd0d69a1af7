r"""SimCLR on a folder of your own images; no labels needed.

  python -m jaxssl.main --config=configs/simclr_folder.py \
      --config.data.root=/path/to/images --workdir=runs/my_images

Every JPEG, PNG and WebP below `data.root` is used, however it is nested. If each lies
in a folder named after its class, kNN and a linear classifier are scored too.
Arguments:

  size=224      pixels of a view; 96 or 128 trains several times faster
  epochs=200    passes over the images; small sets need more
  depth=50      of the ResNet
  tiny          a small network at 64 px, for a look on two CPU cores; with epochs=10
                a few thousand images take minutes

The small-batch settings of SimCLR's authors: square-root scaling of the rate,
temperature 0.2. Published: nothing, the images are yours. Ours: see the README.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(
      arg, size=224, epochs=200.0, depth=50, batch_size=256, tiny=False, smoke=False)
  if arg.tiny:
    arg.size = min(arg.size, 64)
  c = ConfigDict()
  c.job = 'pretrain'
  c.seed = 0
  c.parallel = 'pmap'
  c.total_epochs = arg.epochs
  c.total_steps = 0

  c.data = dict(
      name='folder', root='', split='', batch_size=arg.batch_size, input='auto',
      short_side=arg.size * 8 // 7, canvas=arg.size * 12 // 7,
      interpolation='bilinear', cache_dir='', window=0)
  c.views = dict(
      a=common.simclr_view(arg.size, strength=1.0, blur=0.5),
      b=common.simclr_view(arg.size, strength=1.0, blur=0.5))
  c.eval_view = dict(size=arg.size, fraction=0.875, interpolation='bicubic')
  c.eval_data = dict(
      train=dict(split='train', max_examples=0),
      test=dict(split='test', max_examples=0))

  c.model = dict(
      name='resnet', depth=arg.depth, width=1.0, stem='imagenet',
      zero_init_residual=True, dtype='bfloat16',
      projector=dict(name='simclr', hidden=2048, out=128, num_layers=3))
  c.method = dict(name='simclr', temperature=0.2)
  c.optim = dict(
      name='lars', base_lr=0.075, scaling='sqrt', warmup_epochs=10.0,
      weight_decay=1e-4, momentum=0.9)

  c.log = dict(every_steps=20, tensorboard=True)
  c.save = dict(every_epochs=5.0, every_steps=0, keep=3)
  c.evals = dict(
      health=common.health(every_epochs=10.0),
      knn=common.knn(every_epochs=10.0, k=20),
      linear=common.linear(epochs=100, batch_size=256, decays=(0.0, 1e-4)))

  if arg.tiny:  # The quickstart's network and optimiser.
    c.data.batch_size = min(arg.batch_size, 128)
    c.model.update(depth=10, width=0.25, dtype='float32')
    c.model.projector.update(hidden=128, out=64, num_layers=2)
    c.optim = dict(
        name='adamw', base_lr=2e-3, scaling='none', warmup_epochs=1.0,
        weight_decay=1e-4, b1=0.9, b2=0.999, eps=1e-8)
  return common.smoke(c) if arg.smoke else c
