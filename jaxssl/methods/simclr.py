"""SimCLR (https://arxiv.org/abs/2002.05709)."""

import jax.numpy as jnp

from jaxssl import losses
from jaxssl import methods
from jaxssl import parallel


def make(model, *, temperature):
  """SimCLR on a model with a projector.

  Args:
    model: see `jaxssl.methods`.
    temperature: of NT-Xent.

  Raises:
    ValueError: the temperature is not positive, or, from `init`, the views are not
      two or the model has no projector.
  """
  if not temperature > 0:
    raise ValueError(f'temperature is {temperature}; it must be above 0.')
  apply_train, embed = methods.model_functions(model)

  def init(rng, views):
    if len(views) != 2:
      raise ValueError(f'SimCLR needs two views; there are {sorted(views)}.')
    variables = model.init(rng, next(iter(views.values())))
    if 'projector' not in variables['params']:
      raise ValueError('SimCLR needs a projector; config.model.projector is None.')
    return variables['params'], {'batch_stats': variables['batch_stats']}

  def loss(params, extra, batch):
    # Both views in one pass, so that batch norm sees them together.
    images = jnp.concatenate([batch['views'][v] for v in sorted(batch['views'])])
    out, extra = apply_train(params, extra, images)
    za, zb = jnp.split(out['z'], 2)                               # [b, d] each
    logits, positive = losses.similarities(
        za, zb, temperature=temperature, axis_name=parallel.AXIS)
    nt_xent = losses.nt_xent_of(logits, za, zb, temperature=temperature).mean()
    metrics = {
        'loss': nt_xent,
        'chance': jnp.log(logits.shape[1] - 1.0),
        'contrast_top1': (logits.argmax(1) == positive).mean()}
    return nt_xent, (extra, metrics)

  return methods.Method(init, loss, embed, apply_train)
