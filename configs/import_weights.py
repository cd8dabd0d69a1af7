r"""Makes a run's workdir of weights that were trained elsewhere, to evaluate and embed.

  python -m jaxssl.main --config=configs/import_weights.py:root=/path/to/images \
      --config.weights=moco_v2_800ep_pretrain.pth.tar --workdir=runs/moco_v2
  python -m jaxssl.main --config=configs/evaluate/standard.py \
      --config.checkpoint=runs/moco_v2

`root` is a folder of images to evaluate on, without it they are drawn; `eval_data` of
an evaluation names others. `layout` is needed where names do not tell: see
docs/weights.md for the files that can be read and for what comes along. Images are
seen at the weights' own size, crop and standardisation; `size` sees them at another.

Published: nothing, it trains nothing; `parity.json` says how far the features are from
those of the framework that the weights belong to.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  arg = common.parse_arg(arg, root='', size=0)
  c = ConfigDict()
  c.job = 'import_weights'
  c.weights = ''
  c.layout = 'auto'
  c.version = 'v1.5'  # Or v1, of older weights: strides in the first 1x1 convolution.
  c.licence = ''
  c.seed = 0          # Of the random start that evaluations put beside the weights.
  c.parallel = 'pmap'
  c.total_epochs, c.total_steps = 0.0, 1

  # 0 and '': what the weights say.
  images = dict(name='folder', root=arg.root, split='') if arg.root else dict(
      name='shapes', domain='species', split='train', num_examples=1024, size=64,
      seed=0)
  c.data = dict(
      **images, batch_size=64, input='auto', short_side=0, canvas=0,
      interpolation='', cache_dir='', window=0)
  c.views = dict(
      a=common.simclr_view(arg.size, strength=1.0, blur=0.5),
      b=common.simclr_view(arg.size, strength=1.0, blur=0.5))
  c.eval_view = dict(size=arg.size, fraction=0.0, interpolation='')
  test = {} if arg.root else dict(num_examples=256)
  c.eval_data = dict(
      train=dict(split='train', max_examples=0),
      test=dict(split='test', max_examples=0, **test))

  c.optim = dict(
      name='sgd', base_lr=0.1, scaling='none', warmup_epochs=0.0, weight_decay=0.0,
      momentum=0.9, nesterov=False)
  c.log = dict(every_steps=1, tensorboard=False)
  c.save = dict(every_epochs=0.0, every_steps=0, keep=1)
  c.evals = {}
  return c
