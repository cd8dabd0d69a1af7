"""Fine-tuning: an encoder trained on, together with a linear classifier on top.

What `finetune` and `semi_supervised` share. In shapes, n is the labelled examples, b
a minibatch with its padding, d the features' width, k the classes.
"""

import functools
import math
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import features
from jaxssl import hosts
from jaxssl import labelled
from jaxssl import optim
from jaxssl import paired
from jaxssl import parallel
from jaxssl import preemption
from jaxssl import probes
from jaxssl import scoring


class Settings(NamedTuple):
  """How encoder and classifier are trained; made by `check`."""
  num_classes: int
  rate: float       # Of the encoder.
  head_rate: float  # Of the classifier.
  decay: float
  epochs: int
  batch_size: int
  seed: int
  feature: str


def check(
    augment, *, num_classes, rate, head_rate, decay, epochs, batch_size, seed, feature):
  """The settings of a fine-tuning, once they are known to be in range.

  Args:
    augment: the `tune` of a method on random views (`features.with_random_view`).
    num_classes: how many classes there are.
    rate: the encoder's learning rate at the first step, per 256 examples.
    head_rate: the classifier's.
    decay: weight decay of kernels, the classifier's too; norms and biases have none.
    epochs: passes over the labelled examples.
    batch_size: of a minibatch over all devices, at most.
    seed: of the order.
    feature: what the classifier is put on: 'h'; 'z'; or a layer of the projector
      before its last, the first of which is 'z1'.

  Returns:
    `Settings`.

  Raises:
    ValueError: one is out of range, or there are no random views.
  """
  if not augment:
    raise ValueError(
        f'augment is {augment}; fine-tuning sees the training images through random '
        'views, such as crops and flips.')
  for name, value in (('rate', rate), ('head_rate', head_rate)):
    if not 0 < value < math.inf:
      raise ValueError(f'{name} is {value}; it must be a number above 0.')
  for name, value, least in (
      ('num_classes', num_classes, 2), ('decay', decay, 0), ('epochs', epochs, 1),
      # Of 2, an odd number would leave one image alone, which has no statistics.
      ('batch_size', batch_size, 3), ('seed', seed, 0)):
    if not least <= value < math.inf:
      raise ValueError(f'{name} is {value}; it must be {least} or more.')
  if not re.fullmatch(r'h|z\d*', feature):
    raise ValueError(
        f"feature is {feature!r}; it must be 'h', 'z' or a layer of the projector, "
        "such as 'z1'.")
  return Settings(
      num_classes, rate, head_rate, decay, epochs, batch_size, seed, feature)


def check_params(params):
  """Raises a ValueError where there are none to train, as with features."""
  if not jax.tree.leaves(params):
    raise ValueError(
        'There are no parameters to fine-tune: it takes the checkpoint of a network '
        'and images, not features.')


def evaluate(embed, augment, settings, params, extra, examples, test):
  """Fine-tunes on some examples and scores on all of `test`.

  Args:
    embed: see `features`; the test images are seen through it.
    augment: the `tune` of a method on random views, for training.
    settings: `Settings`.
    params: the encoder's, which stay as they are: copies are trained.
    extra: the method's other state, which stays as well.
    examples: {name: [n, ...]} as `labelled.gather` makes it, with labels.
    test: batches with labels.

  Returns:
    Dict of `top1` and, with more than 5 classes, `top5` on the test set;
    which examples were right (`paired.record`); `train_loss`, the mean cross-entropy
    of the last epoch; and `diverged`, 1 where that is no number: then nothing is
    right.
  """
  # Before the training, which takes long.
  ids, truth = labelled.ids_and_labels(test, settings.num_classes, what='The test set')
  params, extra, head, loss = fit(augment, settings, params, extra, examples)
  diverged = not math.isfinite(loss)
  if diverged:
    ranks = np.full(len(truth), settings.num_classes)
  else:
    # By an iterator, which is not remembered: nobody asks for these features again.
    x, _ = features.extract(embed, params, extra, iter(test), settings.feature)
    ranks = probes.score(head, x, truth)[0][:, 0]
  return {
      **scoring.accuracies(ranks, settings.num_classes),
      **paired.record(ranks == 0, ids, truth), 'train_loss': loss,
      'diverged': int(diverged)}


def fit(augment, settings, params, extra, examples):
  """Trains encoder and classifier by the cross-entropy of random views.

  SGD with Nesterov momentum 0.9; each rate falls to zero as half a cosine, step by
  step, without warm-up. The classifier starts from zero. An epoch is
  ceil(n / batch_size) minibatches whose sizes differ by at most one.

  All parameters that the feature depends on are trained, and others at most decay.
  Batch norms use the statistics of each minibatch over all devices, and the kept ones
  of `extra`, with which the test set is seen, move on from those of pretraining.

  With several processes each takes its share of every minibatch, and has the result.

  Args:
    augment, settings, params, extra, examples: see `evaluate`.

  Returns:
    The new params and extra, the classifier as `probes.Heads` of one, and the mean
    loss of the last epoch; where a loss is not finite the training ends, and this is
    NaN.

  Raises:
    ValueError: the model does not give the feature.
  """
  num_steps = -(-len(examples['label']) // settings.batch_size)
  init, step = _mapped_step(augment, settings, num_steps, tuple(parallel.devices()))
  first = next(_minibatches(examples, num_steps, seed=settings.seed, epoch=0))
  width = _width(augment, params, extra, first, settings.feature)
  params = {'encoder': params, 'head': {
      'kernel': np.zeros((width, settings.num_classes), np.float32),
      'bias': np.zeros(settings.num_classes, np.float32)}}
  state = parallel.replicate((params, extra, init(params)))
  for epoch in range(settings.epochs):
    losses, counts = [], []
    for batch in _minibatches(examples, num_steps, seed=settings.seed, epoch=epoch):
      preemption.heed()
      # The devices train on one minibatch while this one is gathered, and no more wait.
      jax.block_until_ready(state)
      mine = jax.tree.map(lambda x: x[hosts.share(len(x))], batch)
      state, loss = step(state, parallel.split(mine))
      losses.append(loss)
      counts.append(np.count_nonzero(batch['weight']))
    loss = float(np.average(jax.device_get(losses), weights=counts))
    if not math.isfinite(loss):
      loss = math.nan
      break
  params, extra, _ = state
  head = jax.device_get(params['head'])
  head = probes.Heads(head['kernel'][:, None], head['bias'][None])
  return params['encoder'], extra, head, loss


def _minibatches(examples, num_steps, *, seed, epoch):
  """Yields the batches of an epoch, padded to one size that divides over devices.

  `weight` makes a mean over all rows one over the examples, in the loss and in batch
  norms: the padding has none.
  """
  n = len(examples['label'])
  b = -(-n // num_steps)
  b += -b % len(parallel.devices())
  for rows in np.array_split(probes.order(n, seed=seed, stream=epoch), num_steps):
    weight = np.zeros(b, np.float32)
    weight[:len(rows)] = b / len(rows)
    # Repeats the last row: a canvas of size zero would have no view.
    rows = np.pad(rows, (0, b - len(rows)), mode='edge')
    yield {
        **{name: x[rows] for name, x in examples.items()}, 'weight': weight,
        'epoch': np.full(b, epoch, np.int32)}


def _width(augment, params, extra, batch, feature):
  # Of a device with all of the batch: in training mode it needs the axis.
  one_device = jax.vmap(
      lambda batch: augment(params, extra, batch, None)[0], axis_name=parallel.AXIS)
  found = jax.eval_shape(one_device, jax.tree.map(lambda x: x[None], batch))
  if feature not in found:
    raise ValueError(
        f'The model gives no feature {feature!r}. '
        f'It gives: {", ".join(sorted(found))}.')
  return found[feature].shape[-1]


@functools.lru_cache(maxsize=8)  # One compilation for all checkpoints and controls.
def _mapped_step(augment, settings, steps_per_epoch, devices):
  """The optimiser's init, and the mapped (state, batch) -> state, loss."""
  del devices  # Part of what the cache goes by.
  rates = {'encoder': settings.rate, 'head': settings.head_rate}
  tx = optax.multi_transform({
      part: optim.sgd(
          base_lr=rate, scaling='linear', warmup_epochs=0.0,
          weight_decay=settings.decay, momentum=0.9, nesterov=True,
          total_steps=settings.epochs * steps_per_epoch,
          steps_per_epoch=steps_per_epoch, batch_size=settings.batch_size)[0]
      for part, rate in rates.items()}, {part: part for part in rates})

  def step(state, batch):
    params, extra, opt_state = state

    def loss_fn(params):
      found, new = augment(
          params['encoder'], extra, batch, batch['weight'][None])
      logits = jnp.matmul(
          found[settings.feature].astype(jnp.float32), params['head']['kernel'],
          precision='highest') + params['head']['bias']            # [b, k]
      each = optax.softmax_cross_entropy_with_integer_labels(logits, batch['label'])
      # Averaged here and the gradient again below: right under pmap and shard_map.
      return parallel.mean((batch['weight'] * each).mean()), new

    (loss, extra), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    updates, opt_state = tx.update(parallel.mean(grads), opt_state, params)
    return (optax.apply_updates(params, updates), extra, opt_state), loss

  # The state is not donated: the first one's parameters are the caller's.
  return tx.init, parallel.mapped(step, (None, 0), (None, None))
