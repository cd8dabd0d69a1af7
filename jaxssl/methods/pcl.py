"""Prototypical contrastive learning, PCL (https://arxiv.org/abs/2005.04966).

MoCo with a second term: before each epoch (the E-step, `refresh`) the images' momentum
features are clustered at several granularities; in the M-step an embedding is drawn to
the prototypes of its clusters as well as to its key. In shapes, b is the images on this
device, n all training images, d the width and k the prototypes of a clustering.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import clusters
from jaxssl import kmeans
from jaxssl import losses
from jaxssl import methods
from jaxssl import momentum as momentum_lib
from jaxssl import parallel

CONCENTRATIONS = ('estimated', 'constant')


def make(
    model, *, temperature, momentum, queue_size, num_splits, num_clusters,
    num_negatives, layout, concentration, alpha, warmup_epochs, kmeans_iters,
    kmeans_restarts, num_examples, batch_size):
  """PCL on a model with a projector.

  Args:
    model: see `jaxssl.methods`.
    temperature: of InfoNCE, and the mean of the prototypes' concentrations.
    momentum, queue_size, num_splits: see `momentum.make_contrast`.
    num_clusters: k of each granularity: (25000, 50000, 100000) for ImageNet.
    num_negatives, layout: see `losses.proto_nce`.
    concentration: 'estimated' from the clusters (Section 3.3), or 'constant', the
      temperature for all.
    alpha: smooths the concentration of small clusters.
    warmup_epochs: epochs of InfoNCE alone.
    kmeans_iters, kmeans_restarts: of each clustering.
    num_examples, batch_size: n, and images of a step; `train` knows them.

  Raises:
    ValueError: a number is out of its range, or a granularity is there twice.
  """
  ks = tuple(num_clusters) if isinstance(num_clusters, (list, tuple)) else ()
  if not ks or len(set(ks)) < len(ks) or not all(
      isinstance(k, int) and 1 < k <= num_examples for k in ks):
    raise ValueError(
        f'num_clusters is {num_clusters!r}; they must be different whole numbers from '
        f'2 to {num_examples}, the training images.')
  if layout not in losses.LAYOUTS:
    raise ValueError(
        f'No layout {layout!r}. There are: {", ".join(losses.LAYOUTS)}.')
  if concentration not in CONCENTRATIONS:
    raise ValueError(
        f'No concentration {concentration!r}. There are: {", ".join(CONCENTRATIONS)}.')
  for name, value, low in (
      ('num_negatives', num_negatives, 0), ('warmup_epochs', warmup_epochs, 0),
      ('kmeans_iters', kmeans_iters, 1), ('kmeans_restarts', kmeans_restarts, 1)):
    if not isinstance(value, int) or value < low:
      raise ValueError(
          f'{name} is {value!r}; it must be a whole number from {low} up.')
  if not alpha >= 0:
    raise ValueError(f'alpha is {alpha}; it must be at least 0.')
  needed = num_negatives + (batch_size if layout == 'reference' else 1)
  if needed > min(ks):
    raise ValueError(
        f'num_negatives is {num_negatives}; layout {layout!r} then needs {needed} '
        f'clusters, and num_clusters has {min(ks)}.')
  apply_train, embed = methods.model_functions(model)
  init_contrast, contrast = momentum_lib.make_contrast(
      model, temperature=temperature, momentum=momentum, queue_size=queue_size,
      num_splits=num_splits, symmetric=False, batch_size=batch_size)
  logits_of = functools.partial(
      losses.prototype_logits, num_negatives=num_negatives, layout=layout,
      axis_name=parallel.AXIS)

  def init(rng, views):
    params, extra = init_contrast(rng, views)
    d = extra['queue'].shape[1]
    return params, {**extra, 'has_prototypes': jnp.zeros(()), 'clusters': {
        f'k{k}': {
            'prototypes': jnp.zeros((k, d)), 'concentration': jnp.ones(k),
            'assignments': jnp.zeros(num_examples, jnp.int32),
            'inertia': jnp.zeros(()), 'num_empty': jnp.zeros((), jnp.int32)}
        for k in ks}}

  def loss(params, extra, batch):
    z, logits, extra = contrast(params, extra, batch)
    own = jnp.zeros(len(z), jnp.int32)
    info_nce, contrast_top1 = scores(logits, own)
    each, chance = [], []
    for i, found in enumerate(extra['clusters'].values()):
      logits, own = logits_of(
          z, found['prototypes'], found['assignments'][batch['index']],
          found['concentration'], rng=jax.random.fold_in(batch['rng'], 2 + i))
      each.append(scores(logits, own))
      # Of the columns, the one that `prototype_logits` hides does not count.
      hidden = num_negatives > 0 and layout == 'paper'
      chance.append(math.log(logits.shape[1] - hidden))
    proto_nce, proto_top1 = (jnp.mean(jnp.stack(x)) for x in zip(*each))
    on = extra['has_prototypes']
    metrics = {
        'loss': info_nce + on * proto_nce,
        'chance': math.log(1 + queue_size) + on * sum(chance) / len(chance),
        'info_nce': info_nce, 'contrast_top1': contrast_top1,
        'proto_nce': on * proto_nce, 'proto_top1': on * proto_top1}
    return metrics['loss'], (extra, metrics)

  def refresh(rng, params, extra, embed_train):
    del params  # The momentum encoder's features are what is clustered.
    z = embed_train(extra['target']['params'], extra['target'])['z']
    found = {
        f'k{k}': clustered(jax.random.fold_in(rng, i), z, k)
        for i, k in enumerate(ks)}
    # Exactly the types of before, or the step would compile again.
    found = jax.tree.map(
        lambda new, old: np.asarray(new, old.dtype), found, extra['clusters'])
    return {**extra, 'has_prototypes': np.float32(1), 'clusters': found}

  def clustered(rng, z, k):
    found = kmeans.fit(
        rng, z, k, num_iters=kmeans_iters, num_restarts=kmeans_restarts,
        temperature=temperature, alpha=alpha)
    constant = np.full(k, temperature, np.float32)
    return {
        'prototypes': found.prototypes,
        'concentration': (
            found.concentration if concentration == 'estimated' else constant),
        'assignments': found.assignments, 'inertia': found.inertia,
        'num_empty': found.num_empty}

  return methods.Method(
      init, loss, embed, apply_train, refresh, warmup_epochs=warmup_epochs,
      summarize=clusters.summary)


def scores(logits, own):
  """The mean cross entropy, and how often the own column is above all others."""
  entropy = optax.softmax_cross_entropy_with_integer_labels(logits, own)
  rows = jnp.arange(len(own))
  others = logits.at[rows, own].set(-jnp.inf).max(1)
  # Not argmax: a collapsed network's logits are equal, and the own may come first.
  return entropy.mean(), (logits[rows, own] > others).mean()
