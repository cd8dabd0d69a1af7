"""What the studies of PCL share: its methods, and the data sets it is transferred to.

The paper (https://arxiv.org/abs/2005.04966) pretrains on ImageNet and transfers to
VOC07 and Places205. In the smaller sizes `objects` stands for ImageNet and VOC07, and
`scenes` for Places205. `parts.py` has the arguments.
"""

from configs.studies import parts

METHODS = ('supervised', 'jigsaw', 'moco', 'simclr', 'moco_v2', 'pcl', 'pcl_v2')
SMOKE_METHODS = ('supervised', 'moco', 'pcl')
ORDER = (
    'Random', 'Supervised', 'Jigsaw', 'MoCo', 'SimCLR', 'MoCo v2', 'PCL', 'PCL v2')


def published(arg, name):
  """The paper's numbers, where ours are of the same data."""
  return name if parts.size(arg) == 'full' else ''


def methods(arg):
  return SMOKE_METHODS if parts.size(arg) == 'smoke' else METHODS


def source(arg):
  """The domain to pretrain on."""
  return parts.domains(arg)[1]


def targets(arg):
  """{the paper's data set: the images to train and test on}."""
  if parts.size(arg) == 'full':
    root = arg.root or '/data'
    return {
        'VOC07': dict(
            train=dict(name='voc07', root=f'{root}/voc07', split='trainval'),
            test=dict(name='voc07', root=f'{root}/voc07', split='test')),
        'Places205': dict(
            train=dict(name='places205', root=f'{root}/places205', split='train'),
            test=dict(name='places205', root=f'{root}/places205', split='val'))}
  return {
      'VOC07': parts.data_of(arg, 'objects'),
      'Places205': parts.data_of(arg, 'scenes')}


def called(arg, *datasets):
  """What figures call the paper's data sets: 'objects as VOC07' in small sizes."""
  if parts.size(arg) == 'full':
    return datasets
  ours = {'ImageNet': source(arg), 'VOC07': 'objects', 'Places205': 'scenes'}
  return tuple(f'{ours[name]} as {name}' for name in datasets)


def pretrain(c, arg, method, seed, **changes):
  """Adds a pretraining; returns its name."""
  name = '_'.join([method, *map(str, changes.values()), str(seed)])
  run = parts.pretraining(arg, method, source(arg), seed=seed)
  if method in ('simclr', 'jigsaw') and parts.size(arg) == 'full' and not arg.epochs:
    run.total_epochs = 200.0  # As PCL and MoCo have, to be compared.
  run.method.update(changes)
  c.pretrain[parts.plain(name)] = run
  return parts.plain(name)
