"""Weights that were trained elsewhere: an encoder to look at and to fine-tune."""

import math

from jaxssl import color
from jaxssl import errors
from jaxssl import methods


def make(model, *, weights, mean, std):
  """Frozen weights, with the preprocessing that belongs to them.

  Images come in [0, 1], as for every method, and are standardised here: so whatever
  view a protocol looks through is right for the weights.

  Args:
    model: see `jaxssl.methods`.
    weights: the SHA-256 of the file that they came from. It tells one recipe from
      another; nothing is read here.
    mean: three numbers, subtracted from the channels.
    std: three numbers, which they are then divided by.

  Raises:
    ValueError: a mean or a deviation is out of its range.
  """
  del weights
  for name, values, low in (('mean', mean, -math.inf), ('std', std, 0)):
    if len(values) != 3 or not all(low < x < math.inf for x in values):
      raise ValueError(
          f'{name} is {values}; it must be three numbers'
          f'{" above 0" if low == 0 else ""}.')
  apply_train, apply_frozen = methods.model_functions(model)

  def standardized(images):
    return color.normalize(images, mean=tuple(mean), std=tuple(std))

  def init(rng, views):
    variables = model.init(rng, next(iter(views.values())))
    return variables['params'], {'batch_stats': variables['batch_stats']}

  def loss(params, extra, batch):
    raise errors.ConfigError(
        "The method 'pretrained' holds weights that came from elsewhere: they can be "
        'evaluated, embedded, fine-tuned and exported, not trained.')

  def embed(params, extra, images):
    return apply_frozen(params, extra, standardized(images))

  def tune(params, extra, images, groups=None):
    return apply_train(params, extra, standardized(images), groups)

  return methods.Method(init, loss, embed, tune)
