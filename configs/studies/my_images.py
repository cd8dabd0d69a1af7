r"""How much data do I need, and will it work on my images?

  python -m jaxssl.main --config=configs/studies/my_images.py:root=/path/to/images
  python -m jaxssl.main --config=configs/studies/my_images.py:root=/path,tiny,epochs=20
  python -m jaxssl.main --config=configs/studies/my_images.py:smoke

A folder as for `configs/simclr_folder.py`, of which some images have labels: class
folders, or a file labels.csv (docs/data.md). SimCLR learns from all of your images, a
quarter and a sixteenth of them, and from as many images of other kinds; a linear
classifier of your labels says how good each is, with all labels and with a quarter.
Beside them: the network before its first step, and training from scratch on the labels
alone. One page shows the curve, the comparison and every run.

  others=/a+/b    folders of other images; else those that the package draws
  size=224        pixels of a view, and depth=50 of the ResNet
  tiny            a small network at 64 px, for two CPU cores
  seeds=3         repeats everything, which makes the intervals honest

After Cole et al. 2022 (https://arxiv.org/abs/2105.05837). Published: nothing, the
images are yours. Departures: images of other kinds that the package draws are simpler
than photographs. Ours: see docs/studies.md.
"""

from configs import common
from configs import simclr_folder
from configs.studies import parts
from configs.studies import protocols
from jaxssl.data import building

PARTS = (1, 4, 16)  # Pretraining on one in so many of the images.


def get_config(arg=''):
  arg = common.parse_arg(
      arg, root='', others='', size=224, depth=50, epochs=100.0, batch_size=256,
      seeds=1, tiny=False, smoke=False, plan=False, mini=False)
  if not arg.smoke and not arg.root:
    raise ValueError('root is missing: the folder of your images, as in :root=/images.')
  c = parts.study(
      arg, title='My images',
      question='How much data do I need, and does it work on my images?')
  if not arg.smoke:
    c.note = ''
  mine = dict(train=images(arg, 'train'), test=images(arg, 'test'))
  whole = building.source(mine['train'])
  num_images = whole.num_examples
  labelled = {k: {**v, **labels_only(arg)} for k, v in mine.items()}
  num_labels = number_labelled(whole, arg.root)
  small = 2 if arg.smoke else 3
  for seed in range(arg.seeds):
    sizes = [num_images // part for part in PARTS[:small]]
    for num_labelled in (num_labels, num_labels // 4):
      eval_data = dict(
          train=subset(labelled['train'], num_labelled, 'labels', seed),
          test=labelled['test'])
      for num in sizes:
        name = f'mine_{num}_{seed}'
        c.pretrain[name] = run(
            arg, 'simclr', subset(mine['train'], num, 'pretraining', seed), mine, seed)
        add(c, arg, name, 'my images', num, num_labelled, eval_data, seed)
      for other, source in others(arg, num_images).items():
        name = f'{parts.plain(other)}_{seed}'
        c.pretrain[name] = run(arg, 'simclr', source, mine, seed)
        add(c, arg, name, other, num_images, num_labelled, eval_data, seed)
      name = f'from_scratch_{num_labelled}_{seed}'
      c.pretrain[name] = run(arg, 'supervised', eval_data['train'], mine, seed)
      add(c, arg, name, 'from scratch', num_labelled, num_labelled, eval_data, seed)
  kinds = ('my images', *others(arg, num_images))
  c.figures = dict(
      my_images=dict(
          name='lines', published='', title='How much data, and which', x='images',
          hue='pretraining', panel='labels', log=True, y='linear/top1',
          control='before training', order=(*kinds, 'from scratch'),
          names={
              'images': 'images trained on', 'labels': 'labelled images',
              'pretraining': 'trained on', 'from scratch': 'the labels alone'}),
      other_images=dict(
          name='bars', published='', title='As many images of other kinds', x='labels',
          hue='pretraining', y='linear/top1', control='before training',
          where=dict(images=num_images, pretraining=kinds), order=kinds,
          names=dict(pretraining='trained on')))
  mine = dict(pretraining='my images', images=num_images)
  counts = (num_labels, num_labels // 4)
  c.claims = dict(
      more_images_help=beats(
          'More of your images help: all of them do better than a quarter.', [
              (f'{n:,} labels', dict(mine, labels=n),
               dict(mine, labels=n, images=num_images // 4)) for n in counts]),
      own_images_are_better=beats(
          'Your own images are better to pretrain on than as many others.', [
              (f'{n:,} labels, against {kind}', dict(mine, labels=n),
               dict(pretraining=kind, images=num_images, labels=n))
              for n in counts for kind in kinds[1:]]),
      pretraining_beats_labels_alone=beats(
          'Pretraining without labels, then a linear classifier, does better than '
          'training on the labels alone.', [
              (f'{n:,} labels', dict(mine, labels=n),
               dict(pretraining='from scratch', images=n, labels=n))
              for n in counts]))
  return c


def add(c, arg, run, pretraining, num_images, num_labels, eval_data, seed):
  c.cells[f'{run}_{num_labels}'] = parts.cell(
      run, eval_data=eval_data,
      evals=dict(linear=protocols.linear(arg), knn=common.knn(k=20)),
      axes=dict(
          pretraining=pretraining, images=num_images, labels=num_labels, seed=seed))


def beats(statement, comparisons):
  """A claim of the curve: in each comparison the first place is above the second."""
  return dict(
      name='beats', figure='my_images', statement=statement, comparisons=tuple(
          dict(called=called, first=first, second=second)
          for called, first, second in comparisons))


def images(arg, split):
  """All of the user's images of a split, with or without a label."""
  if arg.smoke:
    return parts.images(arg, 'species', split)
  return dict(name='folder', root=arg.root, split=split)


def labels_only(arg):
  return {} if arg.smoke else dict(labelled_only=True)


def number_labelled(source, root):
  if not source.num_classes:
    raise ValueError(
        f'None of the images in {root} has a label, so nothing says how good '
        'features are. Label some of them: by class folders, or in labels.csv '
        'with the columns file and label (docs/data.md). Without any labels, see '
        'configs/simclr_folder.py.')
  return int((source.labels >= 0).sum())


def subset(settings, num_examples, purpose, seed):
  return settings | dict(subset=dict(
      num_examples=num_examples, draw='uniform', purpose=purpose, seed=seed,
      manifest=''))


def others(arg, num_examples):
  """{name: as many images of another kind}."""
  folders = [path for path in arg.others.split('+') if path]
  if folders and not arg.smoke:
    return {
        path.rstrip('/').split('/')[-1]: dict(name='folder', root=path, split='')
        for path in folders}
  domains = ('objects',) if arg.smoke else ('objects', 'species', 'scenes')
  side = 32 if arg.smoke else min(arg.size, 96)
  return {
      f'drawn {domain}': dict(
          name='shapes', domain=domain, split='train', size=side, seed=1,
          num_examples=num_examples)
      for domain in domains}


def run(arg, method, source, mine, seed):
  """The config of a pretraining on some images."""
  if arg.smoke:
    c = parts.pretraining(
        parts.arguments('smoke'), method, 'species', seed=seed, source=source)
  else:
    c = simclr_folder.get_config(
        f'size={arg.size},epochs={arg.epochs},depth={arg.depth},'
        f'batch_size={arg.batch_size},tiny={arg.tiny}')
    c.seed = seed
    if method == 'supervised':
      side = c.views.a.size
      c.views = dict(a=common.crop_flip_view(side))
      c.model.projector = None
      c.method = dict(name='supervised', label_smoothing=0.0)
    pipeline = {k: c.data[k] for k in common.PIPELINE if k in c.data}
    c.data = {**source, **pipeline}
    c.save.update(every_epochs=10.0, keep=1)
  c.eval_data = dict(test=mine['test'])
  c.evals = dict(health=common.health())
  return c
