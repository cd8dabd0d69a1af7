"""MoCo (v1 https://arxiv.org/abs/1911.05722, v2 https://arxiv.org/abs/2003.04297).

The versions differ in their recipe alone: the head, the views, the temperature, the
schedule.
"""

import jax.numpy as jnp
import optax

from jaxssl import methods
from jaxssl import momentum as momentum_lib


def make(
    model, *, temperature, momentum, queue_size, num_splits, symmetric, batch_size):
  """MoCo on a model with a projector; see `momentum.make_contrast`."""
  apply_train, embed = methods.model_functions(model)
  init, contrast = momentum_lib.make_contrast(
      model, temperature=temperature, momentum=momentum, queue_size=queue_size,
      num_splits=num_splits, symmetric=symmetric, batch_size=batch_size)

  def loss(params, extra, batch):
    _, logits, extra = contrast(params, extra, batch)
    info_nce = optax.softmax_cross_entropy_with_integer_labels(
        logits, jnp.zeros(len(logits), jnp.int32)).mean()
    metrics = {
        'loss': info_nce,
        'chance': jnp.log(1.0 + queue_size),
        # Not argmax: a collapsed network's logits are equal, and the positive first.
        'contrast_top1': (logits[:, 0] > logits[:, 1:].max(1)).mean()}
    return info_nce, (extra, metrics)

  return methods.Method(init, loss, embed, apply_train)
