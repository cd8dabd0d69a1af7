"""What the studies share: arguments, domains and pretrainings, in three sizes.

  (nothing)  the paper's: ResNet-50 on up to a million images; `root` is a folder with
             inat21/, imagenet/, places365/ and glc20/ in their official layouts
  mini       a small network on folders; `root` holds species/, objects/, scenes/ and
             remote/, each with train/<class>/, test/<class>/ and taxonomy.csv
  smoke      the same grid, smaller, on images that the package draws: minutes on a CPU

Other arguments: `plan` shows what would be run, and stops; `seeds=3` repeats
everything with three seeds; `epochs` changes how long pretrainings are.
"""

import re

from ml_collections import ConfigDict

from configs import byol_imagenet
from configs import common
from configs import jigsaw_imagenet
from configs import moco_imagenet
from configs import moco_v2_imagenet
from configs import pcl_imagenet
from configs import pcl_v2_imagenet
from configs import simclr_imagenet
from configs import simsiam_imagenet
from configs import supervised_imagenet

RECIPES = {
    'simclr': simclr_imagenet, 'supervised': supervised_imagenet,
    'moco': moco_imagenet, 'moco_v2': moco_v2_imagenet, 'byol': byol_imagenet,
    'simsiam': simsiam_imagenet, 'jigsaw': jigsaw_imagenet, 'pcl': pcl_imagenet,
    'pcl_v2': pcl_v2_imagenet}

CALLED = {
    'simclr': 'SimCLR', 'supervised': 'Supervised', 'moco': 'MoCo',
    'moco_v2': 'MoCo v2', 'byol': 'BYOL', 'simsiam': 'SimSiam', 'jigsaw': 'Jigsaw',
    'pcl': 'PCL', 'pcl_v2': 'PCL v2'}

# The domains of the paper, and what stands for each in the smaller sizes.
DOMAINS = {
    'full': ('iNat21', 'ImageNet', 'Places365', 'GLC20'),
    'mini': ('species', 'objects', 'scenes', 'remote'),
    'smoke': ('species', 'objects', 'scenes', 'landcover')}
STANDS_FOR = dict(
    species='iNat21', objects='ImageNet', scenes='Places365', remote='GLC20',
    landcover='GLC20')
OFFICIAL = {
    'iNat21': dict(name='inat21', folder='inat21', test='val'),
    'ImageNet': dict(name='imagenet', folder='imagenet', test='val'),
    'Places365': dict(name='places365', folder='places365', test='val'),
    'GLC20': dict(name='glc20', folder='glc20', test='test')}

NOTES = dict(
    full='',
    mini='The images are not the paper\'s: species stand for iNat21, objects for '
         'ImageNet, scenes for Places365 and remote for GLC20, and the network is '
         'small. Compare what is above what, not the numbers.',
    smoke='The images are drawn by the package, few and small: this shows that '
          'everything runs, not what is true of photographs.')
SMOKE_IMAGES = 1024
MILLION = 1_000_000


def arguments(arg, **more):
  """Parses a study's arguments: those of every study, and its own."""
  arg = common.parse_arg(
      arg, root='', seeds=1, epochs=0.0, smoke=False, mini=False, plan=False, **more)
  if arg.seeds < 1:
    raise ValueError(f'The config argument seeds is {arg.seeds}; it must be 1 or more.')
  return arg


def size(arg):
  """'full', 'mini' or 'smoke'."""
  if arg.smoke and arg.mini:
    raise ValueError('smoke and mini are two sizes of a study; give one of them.')
  if arg.mini and not arg.root:
    raise ValueError(
        'mini needs root, the folder that holds species/, objects/, scenes/ and '
        'remote/, as in domain.py:mini,root=/data/four.')
  return 'smoke' if arg.smoke else 'mini' if arg.mini else 'full'


def domains(arg):
  return DOMAINS[size(arg)]


def stands_for(domains):
  """{domain: what the paper calls the one that it stands for}."""
  return {domain: STANDS_FOR.get(domain, domain) for domain in domains}


def study(arg, *, title, question):
  """A study without its grid and its figures."""
  c = ConfigDict()
  c.job = 'study'
  c.title = title
  c.question = question
  c.note = NOTES[size(arg)]
  c.pretrain = {}
  c.cells = {}
  c.figures = {}
  c.claims = {}
  c.shared = ''       # Empty: `pretrained` beside the workdir.
  c.engine = 'local'  # Or ray, or array with a number of the plan as index.
  c.index = -1
  c.ray = dict(address='', num_cpus=1.0, num_gpus=0.0, resources={})
  c.plan = arg.plan
  return c


def images(
    arg, domain, split='train', *, num_examples=0, draw='uniform',
    purpose='pretraining', seed=0):
  """The settings of a source of a domain's images, or of a part of them.

  Args:
    arg: the study's arguments.
    domain: one of `domains(arg)`.
    split: 'train' or 'test'.
    num_examples: of a nested random subset; 0 for all.
    draw: 'uniform' or 'balanced'.
    purpose: 'pretraining' or 'labels', whose subsets are drawn independently.
    seed: of the subset.
  """
  if size(arg) == 'smoke':
    found = dict(
        name='shapes', domain=domain, split=split, size=32, seed=0,
        num_examples=SMOKE_IMAGES if split == 'train' else 512)
  elif size(arg) == 'mini':
    found = dict(name='folder', root=f'{arg.root}/{domain}', split=split)
  else:
    official = OFFICIAL[domain]
    found = dict(
        name=official['name'], root=f'{arg.root or "/data"}/{official["folder"]}',
        split=official['test'] if split == 'test' else 'train')
  if num_examples:
    found['subset'] = dict(
        num_examples=num_examples, draw=draw, purpose=purpose, seed=seed, manifest='')
  return found


def pretraining(arg, method, domain, *, seed=0, source=None, **subset):
  """The config of a pretraining in the study's size.

  Args:
    arg: the study's arguments.
    method: of `RECIPES`.
    domain: whose images it trains on, and on which its health is looked at.
    seed: of the run.
    source: settings of a source in place of the domain's images.
    **subset: see `images`.
  """
  c = RECIPES[method].get_config() if size(arg) == 'full' else _small(arg, method)
  c.seed = seed
  if arg.epochs:
    c.total_epochs, c.total_steps = arg.epochs, 0
  pipeline = {k: c.data[k] for k in common.PIPELINE if k in c.data}
  c.data = {**(source or images(arg, domain, **subset)), **pipeline}
  c.eval_data = dict(test=images(arg, domain, 'test'))
  c.evals = dict(health=common.health())
  return c


def side_of(arg):
  """The pixels of a view."""
  return dict(full=224, mini=48, smoke=32)[size(arg)]


def _small(arg, method):
  """A small ResNet that two CPU cores train.

  Residual branches that begin at zero would need more steps than it has.
  """
  smoke = size(arg) == 'smoke'
  side = side_of(arg)
  c = simclr_imagenet.get_config()
  c.total_epochs = 10.0 if smoke else 8.0
  c.data.update(
      batch_size=64 if smoke else 128, short_side=32 if smoke else 64,
      canvas=32 if smoke else 96)
  c.views = dict(
      a=common.simclr_view(side, strength=0.5, blur=0.0),
      b=common.simclr_view(side, strength=0.5, blur=0.0))
  c.eval_view = dict(size=side, fraction=1.0, interpolation='bicubic')
  c.model = dict(
      name='resnet', depth=10, width=0.25, stem='imagenet', zero_init_residual=False,
      dtype='float32',
      projector=dict(name='simclr', hidden=128, out=64, num_layers=2))
  c.method = dict(name='simclr', temperature=0.2)
  c.optim = dict(
      name='adamw', base_lr=2e-3, scaling='none', warmup_epochs=1.0,
      weight_decay=1e-4, b1=0.9, b2=0.999, eps=1e-8)
  c.log = dict(every_steps=20, tensorboard=False)
  c.save = dict(every_epochs=0.0, every_steps=0, keep=1)
  _CHANGES[method](c, side)
  return c


def _simclr(c, side):
  pass


def _supervised(c, side):
  c.views = dict(a=common.crop_flip_view(side))
  c.model.projector = None
  c.method = dict(name='supervised', label_smoothing=0.0)


def _moco(c, side):
  c.model.projector = dict(name='moco', hidden=0, out=64, num_layers=1)
  c.method = dict(
      name='moco', temperature=0.1, momentum=0.99, queue_size=512, num_splits=4,
      symmetric=False)


def _moco_v2(c, side):
  _moco(c, side)
  c.model.projector.update(hidden=128, num_layers=2)
  c.method.temperature = 0.2


def _pcl(c, side):
  _moco(c, side)
  c.method = dict(
      common.pcl(
          temperature=0.1, momentum=0.99, queue_size=512, num_clusters=(16, 32, 64),
          num_negatives=0, warmup_epochs=2),
      num_splits=4)


def _pcl_v2(c, side):
  _pcl(c, side)
  c.model.projector.update(hidden=128, num_layers=2)
  c.method.temperature = 0.2


def _byol(c, side):
  c.model.projector = dict(name='byol', hidden=128, out=64, num_layers=2)
  c.method = dict(name='byol', momentum=0.9, predictor_hidden=128)


def _simsiam(c, side):
  c.model.projector = dict(name='simsiam', hidden=128, out=128, num_layers=2)
  c.method = dict(name='simsiam', predictor_hidden=32)
  c.optim = dict(
      name='simsiam_sgd', base_lr=0.2, scaling='linear', weight_decay=5e-4,
      momentum=0.9)


def _jigsaw(c, side):
  tile = side // 3 * 3 // 4
  c.views = dict(
      a={**common.crop_flip_view(side // 3 * 3), 'min_area': 0.6, 'grayscale': 0.66})
  c.model.projector = None
  c.method = dict(
      name='jigsaw', grid=3, tile_size=tile, num_permutations=24, hidden=64, seed=0)


_CHANGES = {
    'simclr': _simclr, 'supervised': _supervised, 'moco': _moco, 'moco_v2': _moco_v2,
    'pcl': _pcl, 'pcl_v2': _pcl_v2, 'byol': _byol, 'simsiam': _simsiam,
    'jigsaw': _jigsaw}


def data_of(arg, domain, **subset):
  """The images that an evaluation on a domain trains and tests its classifier on."""
  return dict(
      train=images(arg, domain, purpose='labels', **subset),
      test=images(arg, domain, 'test'))


def amount(number):
  """250k, 1M: a number of images as the paper's tables have it."""
  for unit, letter in ((1_000_000, 'M'), (1_000, 'k')):
    if number >= unit and number % unit == 0:
      return f'{number // unit}{letter}'
  return str(number)


def plain(text):
  """A name for a run: letters and digits."""
  return '_'.join(re.findall('[a-z0-9]+', text.lower()))


def cell(run, *, axes, eval_data, evals, step='last'):
  """A place in the grid; see `planning.make`."""
  return dict(run=run, axes=axes, eval_data=eval_data, evals=evals, step=step)
