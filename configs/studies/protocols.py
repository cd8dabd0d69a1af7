"""How the studies evaluate: the settings of each protocol in the three sizes."""

from configs import common
from configs.evaluate import finetune as finetune_config
from configs.evaluate import fusion as fusion_config
from configs.evaluate import low_shot as low_shot_config
from configs.evaluate import semi_supervised as semi_supervised_config
from configs.studies import parts


def linear(arg):
  """The linear classifier: the papers' SGD in full, L-BFGS in the smaller sizes."""
  if parts.size(arg) == 'full':
    return common.linear(epochs=90, batch_size=4096, decays=(0.0, 1e-6))
  return common.linear(
      epochs=200, batch_size=0, decays=(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1), rates=(),
      optimizer='lbfgs', schedule='none')


def by_linear(arg):
  """The same, for protocols that classify by another: `per_class`, `granularity`."""
  found = linear(arg)
  return {
      k: v for k, v in found.items()
      if k not in ('every_epochs', 'every_steps', 'train', 'test', 'feature',
                   'augment')}


def per_class(arg):
  """Accuracy of each class and taxon, by the linear classifier."""
  return dict(
      name='per_class', every_epochs=0.0, every_steps=0, train='train', test='test',
      by=by_linear(arg), num_listed=10, feature='h')


def knn(arg):
  """Weighted kNN."""
  return common.knn(k=200 if parts.size(arg) == 'full' else 20)


def granularity(arg):
  """The linear classifier of the finest labels at every level."""
  return dict(
      name='granularity', every_epochs=0.0, every_steps=0, train='train', test='test',
      per_level=parts.size(arg) != 'smoke', feature='h', by=by_linear(arg))


def fusion(arg):
  """Features side by side, each alone, and each widened."""
  found = fusion_config.get_config().evals.fusion.to_dict()
  if parts.size(arg) == 'smoke':
    found.update(decays=(1e-6, 1e-4, 1e-2), epochs=100)
  return found


def few_labels(arg):
  """How the smaller sizes fine-tune: batch norm needs some dozens of steps."""
  return dict(
      rate=0.4, head_rate=0.4, batch_size=16 if parts.size(arg) == 'smoke' else 64)


def finetune(arg):
  """Fine-tuning of all weights."""
  if parts.size(arg) == 'full':
    return finetune_config.get_config().evals.finetune.to_dict()
  found = finetune_config.get_config(
      f'size={parts.side_of(arg)}').evals.finetune.to_dict()
  return found | few_labels(arg) | dict(
      epochs=10 if parts.size(arg) == 'smoke' else 8)


def semi_supervised(arg, percent):
  """Fine-tuning on a few of the labels."""
  found = semi_supervised_config.get_config(
      f'size={parts.side_of(arg)},percent={percent}').evals.semi_supervised.to_dict()
  if parts.size(arg) != 'full':
    found.update(few_labels(arg), epochs=20)
  return found


def low_shot(arg):
  """SVMs on few images of each class."""
  found = low_shot_config.get_config().evals.low_shot.to_dict()
  if parts.size(arg) == 'smoke':
    found.update(shots=(1, 4, 16), num_draws=3)
  return found
