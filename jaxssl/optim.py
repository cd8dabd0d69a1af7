"""Optimisers with SimCLR's schedule: linear warm-up, then a cosine to zero.

Every optimiser is a function of the keys of `config.optim` and of three numbers of
the training; it returns an optax transformation and the schedule of its rate. Norm
parameters and biases, which have one axis, never decay.
"""

import math

import jax
import optax

from jaxssl import plugins

SCALINGS = {  # The peak rate from base_lr and the global batch size.
    'linear': lambda base_lr, batch_size: base_lr * batch_size / 256,
    'sqrt': lambda base_lr, batch_size: base_lr * math.sqrt(batch_size),
    'none': lambda base_lr, batch_size: base_lr,
}


def make(*, name, total_steps, steps_per_epoch, batch_size, **settings):
  """Makes the optimiser that a config names.

  Args:
    name: a key of `OPTIMISERS`.
    total_steps: of the training.
    steps_per_epoch: of the training.
    batch_size: images in a batch over all devices.
    **settings: the other keywords of the optimiser's function below.

  Returns:
    The optax transformation, and the schedule: step -> learning rate.

  Raises:
    ValueError: a name or key is unknown, or a number is out of its range.
  """
  if name not in OPTIMISERS:
    raise ValueError(f'No optimiser {name!r}. There are: {", ".join(OPTIMISERS)}.')
  optimiser = OPTIMISERS[name]
  return optimiser(**plugins.arguments(
      optimiser, settings, what='config.optim', total_steps=total_steps,
      steps_per_epoch=steps_per_epoch, batch_size=batch_size))


def lars(
    *, base_lr, scaling, warmup_epochs, weight_decay, momentum, total_steps,
    steps_per_epoch, batch_size):
  """LARS as in SimCLR's reference code (https://arxiv.org/abs/1708.03888).

  The rate multiplies the gradient before it enters the momentum. Arrays of one axis
  and whatever is below a 'classifier' have neither decay nor a trust ratio; the
  reference's loss adds a decay of the classifier, this does not.
  """
  check_at_least_zero(weight_decay=weight_decay)
  check_fractions(momentum=momentum)
  schedule = warmup_cosine(
      base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size)
  tx = optax.lars(
      schedule, weight_decay, weight_decay_mask=adapts, trust_coefficient=0.001,
      trust_ratio_mask=adapts, momentum=momentum)
  return tx, schedule


def sgd(
    *, base_lr, scaling, warmup_epochs, weight_decay, momentum, nesterov,
    total_steps, steps_per_epoch, batch_size):
  """SGD with momentum; the decay is added to the gradient."""
  check_at_least_zero(weight_decay=weight_decay)
  check_fractions(momentum=momentum)
  schedule = warmup_cosine(
      base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size)
  tx = optax.chain(
      optax.add_decayed_weights(weight_decay, mask=decays),
      optax.sgd(schedule, momentum, nesterov=nesterov))
  return tx, schedule


def adamw(
    *, base_lr, scaling, warmup_epochs, weight_decay, b1, b2, eps, total_steps,
    steps_per_epoch, batch_size):
  """AdamW (https://arxiv.org/abs/1711.05101); the rate multiplies the decay too."""
  check_at_least_zero(weight_decay=weight_decay, eps=eps)
  check_fractions(b1=b1, b2=b2)
  schedule = warmup_cosine(
      base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size)
  tx = optax.adamw(schedule, b1, b2, eps, weight_decay=weight_decay, mask=decays)
  return tx, schedule


OPTIMISERS = {'lars': lars, 'sgd': sgd, 'adamw': adamw}


def warmup_cosine(
    base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size):
  """The learning rate of SimCLR (Appendix B.6, https://arxiv.org/abs/2002.05709).

  Args:
    base_lr: the peak before scaling.
    scaling: 'linear' (base_lr * batch_size / 256), 'sqrt' (base_lr *
      sqrt(batch_size)) or 'none'.
    warmup_epochs: over which the rate grows in line from 0; need not be whole.
    total_steps: after which a cosine brings the rate to 0.
    steps_per_epoch: turns epochs to steps.
    batch_size: over all devices.

  Returns:
    Function from a step, as a number or an array, to the rate.
  """
  if not 0 < base_lr < math.inf:
    raise ValueError(f'base_lr is {base_lr}; it must be a number above 0.')
  if scaling not in SCALINGS:
    raise ValueError(
        f'No scaling {scaling!r} of the rate. There are: {", ".join(SCALINGS)}.')
  check_at_least_zero(warmup_epochs=warmup_epochs)
  warmup_steps = round(warmup_epochs * steps_per_epoch)
  if warmup_steps >= total_steps:
    raise ValueError(
        f'The warm-up of {warmup_epochs} epochs is {warmup_steps} steps, and the '
        f'training {total_steps}: warm-up must be the shorter.')
  return optax.warmup_cosine_decay_schedule(
      0., SCALINGS[scaling](base_lr, batch_size), warmup_steps, total_steps)


def decays(params):
  """Which parameters decay: kernels do; norm parameters and biases do not."""
  return jax.tree.map(lambda p: p.ndim > 1, params)


def adapts(params):
  """Which parameters LARS adapts: those that decay, but for a supervised head's."""
  return jax.tree_util.tree_map_with_path(
      lambda path, p: p.ndim > 1 and 'classifier' not in [
          getattr(key, 'key', None) for key in path], params)


def check_at_least_zero(**numbers):
  for name, value in numbers.items():
    if not 0 <= value < math.inf:
      raise ValueError(f'{name} is {value}; it must be a number of at least 0.')


def check_fractions(**numbers):
  for name, value in numbers.items():
    if not 0 <= value < 1:
      raise ValueError(f'{name} is {value}; it must be at least 0 and below 1.')
