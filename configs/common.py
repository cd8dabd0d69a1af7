"""What the recipes share: typed arguments, the paper's views, the smoke settings."""

import ml_collections

# Of config.data: how images are read, whatever they are.
PIPELINE = (
    'batch_size', 'input', 'short_side', 'canvas', 'interpolation', 'cache_dir',
    'window')


def parse_arg(arg, **defaults):
  """Parses the part of `--config=file.py:epochs=100,smoke` behind the colon.

  Args:
    arg: the string, perhaps empty.
    **defaults: the arguments there are; a default's type is the argument's type. A
      bare name sets a bool to True.

  Returns:
    ConfigDict of the defaults with what `arg` sets.

  Raises:
    ValueError: an unknown argument, or a value that is not of its type.
  """
  out = dict(defaults)
  for item in filter(None, arg.split(',')):
    name, has_value, text = item.partition('=')
    if name not in defaults:
      raise ValueError(
          f'The config takes no argument {name!r}. It takes: {", ".join(defaults)}.')
    kind = type(defaults[name])
    try:
      if kind is bool:
        out[name] = {'': True, 'true': True, 'false': False}[text.lower()]
      elif not has_value:
        raise KeyError
      else:
        out[name] = kind(text)
    except (KeyError, ValueError):
      raise ValueError(
          f'The config argument {name} is {text!r}; it must be of type '
          f'{kind.__name__}, as in {name}={defaults[name]}.') from None
  return ml_collections.ConfigDict(out)


def simclr_view(size, *, strength, blur):
  """SimCLR's random view (Appendix A of the paper); always a new dict.

  Args:
    size: side of the view in pixels.
    strength: of the colour jitter: 1.0 on ImageNet, 0.5 on CIFAR.
    blur: probability of the Gaussian blur: 0.5 on ImageNet, 0 on CIFAR.
  """
  return dict(
      size=size, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
      jitter=0.8, brightness=0.8 * strength, contrast=0.8 * strength,
      saturation=0.8 * strength, hue=0.2 * strength, grayscale=0.2, blur=blur,
      solarize=0.0, normalize='none')


def byol_view(size, *, blur, solarize):
  """BYOL's random view (Appendix B of the paper); always a new dict.

  The values stay in [0, 1], as those that evaluations see: the code's normalisation by
  ImageNet's mean and deviation is left to the first batch norm.

  Args:
    size: side of the view in pixels.
    blur: probability of the Gaussian blur: 1.0 in the first view, 0.1 in the second.
    solarize: probability of solarising: 0.0 in the first view, 0.2 in the second.
  """
  return dict(
      size=size, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
      jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1,
      grayscale=0.2, blur=blur, solarize=solarize, normalize='none')


def moco_v2_view(size, *, blur):
  """The random view of MoCo v2 (Section 3), PCL v2 and SimSiam; always a new dict.

  The values stay in [0, 1]; see `byol_view`.

  Args:
    size: side of the view in pixels.
    blur: probability of the Gaussian blur: 0.5 on ImageNet, 0 on CIFAR.
  """
  return dict(
      size=size, min_area=0.2, max_area=1.0, interpolation='bilinear', flip=0.5,
      jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1,
      grayscale=0.2, blur=blur, solarize=0.0, normalize='none')


def moco_v1_view(size):
  """The random view of MoCo v1 (Section 3.3) and PCL v1; always a new dict.

  That of v2 is `moco_v2_view`. The values stay in [0, 1]; see `byol_view`. The code
  takes the colours away before it jitters them, here it is after.
  """
  return dict(
      size=size, min_area=0.2, max_area=1.0, interpolation='bilinear', flip=0.5,
      jitter=1.0, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4,
      grayscale=0.2, blur=0.0, solarize=0.0, normalize='none')


def crop_flip_view(size):
  """The view of supervised training and of the linear probe that augments."""
  return dict(
      size=size, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
      jitter=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
      grayscale=0.0, blur=0.0, solarize=0.0, normalize='none')


def pcl(
    *, temperature, momentum, queue_size, num_clusters, num_negatives, warmup_epochs):
  """PCL with what its authors' code always has (Sections 3 and 4.1 of the paper)."""
  return dict(
      name='pcl', temperature=temperature, momentum=momentum, queue_size=queue_size,
      num_splits=8, num_clusters=num_clusters, num_negatives=num_negatives,
      layout='paper', concentration='estimated', alpha=10.0,
      warmup_epochs=warmup_epochs, kmeans_iters=20, kmeans_restarts=5)


def smoke(c):
  """Turns a recipe into its smoke twin: the same code path in about a minute on CPU.

  Float32, 24 steps, a log line for each, a checkpoint every 8, and every evaluation
  of the recipe at the end, with its controls.
  """
  c.total_epochs, c.total_steps = 0.0, 24
  c.data.batch_size = 8
  c.data.short_side = min(c.data.short_side, 32)
  c.data.canvas = min(c.data.canvas, 40)
  for view in c.views.values():
    view.size = min(view.size, 32)
  c.eval_view.size = min(c.eval_view.size, 32)
  for data in c.eval_data.values():
    data.max_examples = 64
  c.model.update(depth=10, width=0.125, stem='cifar', dtype='float32')
  if c.model.projector:
    c.model.projector.hidden = min(c.model.projector.hidden, 128)
    c.model.projector.out = min(c.model.projector.out, 128)
  if 'predictor_hidden' in c.method:
    c.method.predictor_hidden = 32
  if 'queue_size' in c.method:
    c.method.update(queue_size=64, num_splits=2)
  if 'num_clusters' in c.method:  # Three epochs, with prototypes from the second on.
    c.data.max_examples = 64
    c.method.update(num_clusters=(3, 6), num_negatives=0, warmup_epochs=1)
  if 'tile_size' in c.method:
    c.views.a.size, c.method.tile_size = 30, 8
    c.method.update(num_permutations=24, hidden=32)
  if 'warmup_epochs' in c.optim:
    c.optim.warmup_epochs = 0.0
  c.log.every_steps = 1
  c.save.update(every_epochs=0.0, every_steps=8)
  for evaluation in c.evals.values():
    evaluation.update(every_epochs=0.0, every_steps=0)
    if evaluation.name == 'knn':
      evaluation.k = 5
    if evaluation.name == 'linear':
      evaluation.update(epochs=5, batch_size=min(evaluation.batch_size, 8))
  return c


def knn(*, every_epochs=0.0, train='train', k=200):
  """Weighted kNN of Wu et al. 2018, with the field's usual settings."""
  return dict(
      name='knn', every_epochs=every_epochs, every_steps=0, train=train, test='test',
      k=k, temperature=0.1, feature='h')


def health(*, every_epochs=0.0):
  """Spread, rank, alignment and uniformity: they need no labels."""
  return dict(
      name='health', every_epochs=every_epochs, every_steps=0, test='test')


def linear(*, epochs, batch_size, decays, rates=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
           optimizer='nesterov', schedule='cosine', augment=None):
  """The linear probe: SimCLR's settings, over a grid of rates and decays."""
  return dict(
      name='linear', every_epochs=0.0, every_steps=0, train='train', test='test',
      optimizer=optimizer, schedule=schedule, rates=rates, decays=decays,
      epochs=epochs, batch_size=batch_size, seed=0, standardize=False, feature='h',
      augment=augment)
