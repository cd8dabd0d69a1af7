"""BYOL (https://arxiv.org/abs/2006.07733)."""

import math

import jax
import jax.numpy as jnp

from jaxssl import losses
from jaxssl import methods
from jaxssl import momentum as momentum_lib
from jaxssl.layers import heads


def make(model, *, momentum, predictor_hidden, total_steps):
  """BYOL on a model with a projector.

  The online network predicts, from one view, what a slow copy of it, the target, makes
  of the other. As in the authors' code the target begins with random weights of its
  own, normalises by the batch and keeps statistics of its own, and its weights move
  after each step of the optimiser, towards the new ones. A loss sees the weights before
  a step only, so it begins with the move that ends the step before: the same.

  Args:
    model: see `jaxssl.methods`.
    momentum: of the target at the start, 0.99 for 300 epochs of ImageNet; it grows to
      1 by a cosine.
    predictor_hidden: width of the predictor's hidden layer.
    total_steps: of the training; `train` knows it.

  Raises:
    ValueError: a number is out of its range, or, from `init`, the views are not two
      or the model has no projector.
  """
  if not 0 <= momentum <= 1:
    raise ValueError(f'momentum is {momentum}; it must be from 0 to 1.')
  online = model.clone(
      predictor=heads.predictor(name='byol', hidden=predictor_hidden))
  apply_online, _ = methods.model_functions(online)
  apply_train, embed = methods.model_functions(model)

  def init(rng, views):
    if len(views) != 2:
      raise ValueError(f'BYOL needs two views; there are {sorted(views)}.')
    images = next(iter(views.values()))
    variables = online.init(rng, images)
    if 'projector' not in variables['params']:
      raise ValueError('BYOL needs a projector; config.model.projector is None.')
    target = model.init(jax.random.fold_in(rng, 1), images)
    return variables['params'], {
        'batch_stats': variables['batch_stats'],
        'target': {k: target[k] for k in ('params', 'batch_stats')}}

  def move(target, params, step):
    """The target's weights after `step` steps, of which the last gave `params`."""
    followed = {name: params[name] for name in target}  # All but the predictor.
    decay = momentum_at(step - 1, start=momentum, total_steps=total_steps)
    return momentum_lib.update(target, followed, jnp.where(step > 0, decay, 1.0))

  def loss(params, extra, batch):
    step = batch['step']
    target = extra['target']
    target = {**target, 'params': move(target['params'], params, step)}
    predictions, targets = [], []
    for name in sorted(batch['views']):  # One at a time: each has its own statistics.
      view = batch['views'][name]
      out, extra = apply_online(params, extra, view)
      predictions.append(out['p'])
      out, target = apply_train(target['params'], target, view)
      targets.append(out['z'])

    distance = sum(                                               # [b]
        2 + 2 * losses.negative_cosine(p, z)
        for p, z in zip(predictions, reversed(targets))).mean()
    metrics = {
        'loss': distance,
        'chance': 4.0,  # Of random directions: 2 for each of the two.
        'z_std': heads.spread(targets[0]),
        'momentum': momentum_at(step, start=momentum, total_steps=total_steps)}
    return distance, ({**extra, 'target': target}, metrics)

  return methods.Method(init, loss, embed, apply_train)


def momentum_at(step, *, start, total_steps):
  """The target's momentum at the end of a step (Section 3.3); 1 after the last."""
  return 1 - (1 - start) * (1 + jnp.cos(math.pi * step / total_steps)) / 2
