"""Optimisers, each with the schedule of its rate.

Every optimiser is a function of the keys of `config.optim` and of three numbers of
the training; it returns an optax transformation and the schedule of its rate. Most
have SimCLR's schedule, a linear warm-up and then a cosine to zero, and no decay of
norm parameters and biases, which have one axis. Those of MoCo and SimSiam are as in
their PyTorch code: a rate that changes between epochs only, and decay of everything.
"""

import math
import operator

import jax
import jax.numpy as jnp
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


def byol_lars(
    *, base_lr, scaling, warmup_epochs, weight_decay, momentum, total_steps,
    steps_per_epoch, batch_size):
  """LARS as in BYOL's code (https://arxiv.org/abs/2006.07733, Section 3.3).

  As `lars`, but the rate multiplies what comes out of the momentum, so that a change
  of the rate acts on past gradients too.
  """
  check_at_least_zero(weight_decay=weight_decay)
  check_fractions(momentum=momentum)
  schedule = warmup_cosine(
      base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size)
  tx = optax.chain(
      optax.add_decayed_weights(weight_decay, mask=adapts),
      optax.masked(optax.scale_by_trust_ratio(trust_coefficient=0.001), adapts),
      optax.trace(momentum),
      optax.scale_by_learning_rate(schedule))
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


def moco_sgd(
    *, base_lr, scaling, milestones, weight_decay, momentum, total_steps,
    steps_per_epoch, batch_size):
  """SGD as in the code of MoCo (https://arxiv.org/abs/1911.05722, Section 4) and PCL.

  All parameters decay, those of norms as well.

  Args:
    base_lr: the rate of the first epoch before scaling.
    scaling: see `peak_rate`.
    milestones: shares of the training after which the rate drops to a tenth: (0.6,
      0.8) for epochs 120 and 160 of 200, as v1 has it; none, (), for v2's cosine,
      which is followed from epoch to epoch.
    weight_decay: added to the gradient, times the parameters.
    momentum: of SGD.
    total_steps, steps_per_epoch, batch_size: see `make`.
  """
  check_at_least_zero(weight_decay=weight_decay)
  check_fractions(momentum=momentum)
  peak = peak_rate(base_lr, scaling, batch_size)
  if milestones:
    schedule = stepped(peak, milestones, total_steps)
  else:
    schedule = epoch_cosine(peak, total_steps, steps_per_epoch)
  tx = optax.chain(
      optax.add_decayed_weights(weight_decay), optax.sgd(schedule, momentum))
  return tx, schedule


def simsiam_sgd(
    *, base_lr, scaling, weight_decay, momentum, total_steps, steps_per_epoch,
    batch_size):
  """SGD as in SimSiam's code (https://arxiv.org/abs/2011.10566, Section 3).

  The rate follows a cosine from epoch to epoch. Only that of the 'predictor', which
  has to keep up with the projections, stays at the peak (Section 4.2); the schedule
  that is returned is the others'. All parameters decay, those of norms as well.
  """
  check_at_least_zero(weight_decay=weight_decay)
  check_fractions(momentum=momentum)
  peak = peak_rate(base_lr, scaling, batch_size)
  schedule = epoch_cosine(peak, total_steps, steps_per_epoch)
  tx = optax.chain(
      optax.add_decayed_weights(weight_decay),
      optax.trace(momentum),
      optax.masked(optax.scale_by_learning_rate(peak), in_predictor),
      optax.masked(optax.scale_by_learning_rate(schedule), not_in_predictor))
  return tx, schedule


OPTIMISERS = {
    'lars': lars, 'sgd': sgd, 'adamw': adamw, 'byol_lars': byol_lars,
    'moco_sgd': moco_sgd, 'simsiam_sgd': simsiam_sgd}


def peak_rate(base_lr, scaling, batch_size):
  """The rate that a batch of this size takes.

  Args:
    base_lr: before scaling.
    scaling: 'linear' (base_lr * batch_size / 256), 'sqrt' (base_lr *
      sqrt(batch_size)) or 'none'.
    batch_size: over all devices.
  """
  if not 0 < base_lr < math.inf:
    raise ValueError(f'base_lr is {base_lr}; it must be a number above 0.')
  if scaling not in SCALINGS:
    raise ValueError(
        f'No scaling {scaling!r} of the rate. There are: {", ".join(SCALINGS)}.')
  return SCALINGS[scaling](base_lr, batch_size)


def warmup_cosine(
    base_lr, scaling, warmup_epochs, total_steps, steps_per_epoch, batch_size):
  """The learning rate of SimCLR (Appendix B.6, https://arxiv.org/abs/2002.05709).

  Args:
    base_lr: the peak before scaling.
    scaling: see `peak_rate`.
    warmup_epochs: over which the rate grows in line from 0; need not be whole.
    total_steps: after which a cosine brings the rate to 0.
    steps_per_epoch: turns epochs to steps.
    batch_size: over all devices.

  Returns:
    Function from a step, as a number or an array, to the rate.
  """
  peak = peak_rate(base_lr, scaling, batch_size)
  check_at_least_zero(warmup_epochs=warmup_epochs)
  warmup_steps = round(warmup_epochs * steps_per_epoch)
  if warmup_steps >= total_steps:
    raise ValueError(
        f'The warm-up of {warmup_epochs} epochs is {warmup_steps} steps, and the '
        f'training {total_steps}: warm-up must be the shorter.')
  return optax.warmup_cosine_decay_schedule(0., peak, warmup_steps, total_steps)


def epoch_cosine(peak, total_steps, steps_per_epoch):
  """A cosine from `peak` to 0 that is followed at the start of each epoch only."""
  def schedule(step):
    done = step // steps_per_epoch * steps_per_epoch / total_steps
    return peak / 2 * (1 + jnp.cos(math.pi * done))

  return schedule


def stepped(peak, milestones, total_steps):
  """A rate that drops to a tenth at each of `milestones`, shares of the training."""
  milestones = list(milestones)
  if milestones != sorted(set(milestones)) or not all(0 < m < 1 for m in milestones):
    raise ValueError(
        f'milestones are {milestones}; they must be shares of the training between 0 '
        'and 1, each above the one before.')

  def schedule(step):
    return peak * 0.1**sum(step >= round(m * total_steps) for m in milestones)

  return schedule


def decays(params):
  """Which parameters decay: kernels do; norm parameters and biases do not."""
  return jax.tree.map(lambda p: p.ndim > 1, params)


def adapts(params):
  """Which parameters LARS adapts: those that decay, but for a supervised head's."""
  return jax.tree_util.tree_map_with_path(
      lambda path, p: p.ndim > 1 and 'classifier' not in [
          getattr(key, 'key', None) for key in path], params)


def in_predictor(params):
  """Which parameters are those of a method's predictor."""
  return jax.tree_util.tree_map_with_path(
      lambda path, _: path[0].key == 'predictor', params)


def not_in_predictor(params):
  return jax.tree.map(operator.not_, in_predictor(params))


def check_at_least_zero(**numbers):
  for name, value in numbers.items():
    if not 0 <= value < math.inf:
      raise ValueError(f'{name} is {value}; it must be a number of at least 0.')


def check_fractions(**numbers):
  for name, value in numbers.items():
    if not 0 <= value < 1:
      raise ValueError(f'{name} is {value}; it must be at least 0 and below 1.')
