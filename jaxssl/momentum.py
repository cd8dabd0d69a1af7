"""What methods with a momentum encoder share: the slow copy and the queue of its keys.

In shapes, b is the images on this device, r the queue's keys and d the width.
"""

import jax
import jax.numpy as jnp
import optax

from jaxssl import losses
from jaxssl import methods
from jaxssl import parallel
from jaxssl.layers import heads
from jaxssl.layers import norm


def update(target, params, momentum):
  """Moves the slow parameters towards the trained ones (MoCo, Equation 2).

  Args:
    target: pytree of the slow parameters.
    params: of the trained ones.
    momentum: share of the slow ones that stays; a number or an array [].

  Returns:
    Pytree like `target`; no gradient goes through it.
  """
  return jax.lax.stop_gradient(
      optax.incremental_update(params, target, 1 - momentum))


def push(queue, keys):
  """Puts new keys in front of a first-in-first-out queue; the oldest drop out.

  The keys move on instead of a pointer, so any batch fits any queue, and the queue
  does not depend on how many devices the batch lay on.

  Args:
    queue: [r, d], the newest first.
    keys: [n, d] of all devices.

  Returns:
    [r, d].
  """
  return jnp.concatenate([keys, queue])[:len(queue)]


def make_contrast(
    model, *, temperature, momentum, queue_size, num_splits, symmetric, batch_size):
  """The contrast of MoCo (https://arxiv.org/abs/1911.05722, Algorithm 1).

  Args:
    model: see `jaxssl.methods`; it has a projector.
    temperature: of InfoNCE.
    momentum: of the momentum encoder: 0.999 for ImageNet.
    queue_size: r, keys to contrast with.
    num_splits: groups that batch norm keeps apart, the keys dealt out at random; see
      `norm.split_groups`. The reference has as many as GPUs, eight.
    symmetric: let each view be the query once and the key once, as in the authors'
      demo on CIFAR-10; they add the losses of the two, so a mean over all rows, as
      `methods.moco` takes, is half of theirs.
    batch_size: images of a step on all devices.

  Returns:
    init: (rng, views) -> params, extra. `extra` has the momentum encoder's parameters
      and statistics in 'target', and 'queue' [r, d].
    contrast: (params, extra, batch) -> queries [b, d], logits [b, 1 + r] with the
      positive first, and the new extra; 2b rows if symmetric.

  Raises:
    ValueError: a number is out of its range, or, from `init`, the views are not two
      or the model has no projector.
  """
  if not temperature > 0:
    raise ValueError(f'temperature is {temperature}; it must be above 0.')
  if not 0 <= momentum < 1:
    raise ValueError(f'momentum is {momentum}; it must be at least 0 and below 1.')
  for name, value in (('queue_size', queue_size), ('num_splits', num_splits)):
    if not isinstance(value, int) or value < 1:
      raise ValueError(f'{name} is {value!r}; it must be a whole number above 0.')
  if batch_size % num_splits:
    raise ValueError(
        f'num_splits is {num_splits}, which does not divide a batch of {batch_size}.')
  apply_train, _ = methods.model_functions(model)

  def init(rng, views):
    if len(views) != 2:
      raise ValueError(f'MoCo and PCL need two views; there are {sorted(views)}.')
    images = next(iter(views.values()))
    variables = model.init(rng, images)
    if 'projector' not in variables['params']:
      raise ValueError(
          'MoCo and PCL need a projector; config.model.projector is None.')
    d = jax.eval_shape(lambda: model.apply(variables, images))['z'].shape[1]
    queue = jax.random.normal(jax.random.fold_in(rng, 1), (queue_size, d))
    # A copy: the step donates both.
    target = jax.tree.map(
        jnp.copy, {k: variables[k] for k in ('params', 'batch_stats')})
    return variables['params'], {
        'batch_stats': variables['batch_stats'], 'target': target,
        'queue': heads.unit_length(queue)}

  def contrast(params, extra, batch):
    a, b = (batch['views'][name] for name in sorted(batch['views']))
    directions = ((a, b), (b, a)) if symmetric else ((a, b),)
    target = extra['target']
    target = {**target, 'params': update(target['params'], params, momentum)}
    queries, keys = [], []
    for i, (view_q, view_k) in enumerate(directions):
      shuffle = jax.random.fold_in(batch['rng'], i)
      out, target = apply_train(
          target['params'], target, view_k,
          norm.split_groups(num_splits, len(view_k), shuffle))
      keys.append(out['z'])
      out, extra = apply_train(
          params, extra, view_q, norm.split_groups(num_splits, len(view_q)))
      queries.append(out['z'])

    queries = jnp.concatenate(queries)
    logits = losses.queue_similarities(
        queries, jnp.concatenate(keys), extra['queue'], temperature=temperature)
    queue = extra['queue']
    for k in keys:
      queue = push(queue, jax.lax.all_gather(k, parallel.AXIS, tiled=True))
    new = jax.lax.stop_gradient({'target': target, 'queue': queue})
    return queries, logits, {**extra, **new}

  return init, contrast
