"""Supervised classification from scratch: the upper line of every comparison."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxssl import methods


def make(model, *, num_classes, label_smoothing):
  """Cross entropy on one view.

  Args:
    model: see `jaxssl.methods`; a linear classifier is put on its 'h'.
    num_classes: how many classes the labels have; `train` knows it.
    label_smoothing: share of the target that is spread over all classes.

  Raises:
    ValueError: there are no classes, the smoothing is not in [0, 1), or, from `init`,
      there is more than one view.
  """
  if num_classes < 2:
    raise ValueError(
        f'Supervised training needs labels; the data have {num_classes} classes.')
  if not 0 <= label_smoothing < 1:
    raise ValueError(f'label_smoothing is {label_smoothing}; it must be in [0, 1).')
  apply_train, embed = methods.model_functions(model)
  classifier = nn.Dense(num_classes, kernel_init=nn.initializers.zeros)

  def init(rng, views):
    if len(views) != 1:
      raise ValueError(
          f'Supervised training needs one view; there are {sorted(views)}.')
    images = next(iter(views.values()))
    variables = model.init(rng, images)
    h = jax.eval_shape(lambda: model.apply(variables, images))['h']
    head = classifier.init(rng, jnp.zeros(h.shape, h.dtype))['params']
    return (
        {**variables['params'], 'classifier': head},
        {'batch_stats': variables['batch_stats']})

  def loss(params, extra, batch):
    (images,) = batch['views'].values()
    out, extra = apply_train(params, extra, images)
    logits = classifier.apply({'params': params['classifier']}, out['h'])  # [b, c]
    target = optax.smooth_labels(
        jax.nn.one_hot(batch['label'], num_classes), label_smoothing)
    cross_entropy = optax.softmax_cross_entropy(logits, target).mean()
    metrics = {
        'loss': cross_entropy,
        'chance': jnp.log(float(num_classes)),
        'train_top1': (logits.argmax(1) == batch['label']).mean()}
    return cross_entropy, (extra, metrics)

  return methods.Method(init, loss, embed, apply_train)
