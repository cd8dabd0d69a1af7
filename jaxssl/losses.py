"""Contrastive losses: pure functions of L2-normalised embeddings.

Each returns one loss per anchor and leaves the mean to the caller. In shapes, b is
the images on this device, n the rows on all devices, r those of a queue, k the
prototypes and d the width.
"""

import jax
import jax.numpy as jnp
import optax

LAYOUTS = ('paper', 'reference')  # Of the columns of `proto_nce`.


def nt_xent(za, zb, *, temperature, axis_name=None):
  """NT-Xent (SimCLR, Section 2.1, https://arxiv.org/abs/2002.05709).

  Rows i of `za` and `zb` are two views of one image: each is the other's positive,
  and every other row on every device is a negative. The mean over the anchors is the
  paper's loss; the authors' code adds the two directions and reports twice that.

  Args:
    za: [b, d] embeddings of the first views.
    zb: [b, d] embeddings of the second views.
    temperature: divides the cosine similarities.
    axis_name: mapped axis to gather the candidates over, or None for one device.

  Returns:
    [2b] loss of each anchor: the rows of `za`, then the rows of `zb`.

  Raises:
    ValueError: the views differ in shape, or the temperature is not positive.
  """
  logits, _ = similarities(za, zb, temperature=temperature, axis_name=axis_name)
  return nt_xent_of(logits, za, zb, temperature=temperature)


def nt_xent_of(logits, za, zb, *, temperature):
  """NT-Xent from its `similarities`: [2b] loss of each anchor.

  The positives come from the rows: taking them out of the logits, and writing their
  gradients back, would keep two more arrays of the logits' size.
  """
  positive = jnp.tile(jnp.sum(za * zb, 1), 2) / temperature           # [2b]
  return jax.nn.logsumexp(logits, axis=1) - positive


def similarities(za, zb, *, temperature, axis_name=None):
  """The logits of NT-Xent and where each anchor's positive is; see `nt_xent`.

  Returns:
    [2b, n] similarities over the temperature, -inf where a row meets itself, and [2b]
    the column of each anchor's other view.
  """
  if za.shape != zb.shape:
    raise ValueError(f'The views have shapes {za.shape} and {zb.shape}.')
  if not temperature > 0:
    raise ValueError(f'The temperature is {temperature}; it must be above 0.')
  b = len(za)
  anchors = candidates = jnp.concatenate([za, zb])                # [2b, d]
  own = jnp.arange(2 * b)  # The column that holds each anchor itself.
  if axis_name is not None:
    candidates = jax.lax.all_gather(anchors, axis_name, tiled=True)  # [n, d]
    own += 2 * b * jax.lax.axis_index(axis_name)

  # The default precision of an accelerator rounds a similarity to 8 bits, which a
  # temperature of 0.1 makes an error of 0.04 in a logit.
  logits = jnp.matmul(
      anchors, candidates.T, precision=jax.lax.Precision.HIGHEST) / temperature
  # A comparison fuses with what comes after; a scatter copies all logits.
  itself = own[:, None] == jnp.arange(len(candidates))
  logits = jnp.where(itself, -jnp.inf, logits)                    # [2b, n]
  positive = jnp.roll(own, b)  # An anchor's other view is b rows away.
  return logits, positive


def info_nce(queries, keys, queue, *, temperature):
  """InfoNCE against a queue of negatives (MoCo, https://arxiv.org/abs/1911.05722,
  Equation 1): each query's positive is the key in the same row.

  Args:
    queries: [b, d] embeddings.
    keys: [b, d] embeddings of the images' other views; no gradient goes to them.
    queue: [r, d] keys of earlier batches.
    temperature: divides the cosine similarities.

  Returns:
    [b] loss of each query.

  Raises:
    ValueError: queries and keys differ in shape, or the temperature is not positive.
  """
  logits = queue_similarities(queries, keys, queue, temperature=temperature)
  return optax.softmax_cross_entropy_with_integer_labels(
      logits, jnp.zeros(len(logits), jnp.int32))


def queue_similarities(queries, keys, queue, *, temperature):
  """The logits of `info_nce`, [b, 1 + r]: the positive comes first."""
  if queries.shape != keys.shape:
    raise ValueError(f'Queries have shape {queries.shape} and keys {keys.shape}.')
  if not temperature > 0:
    raise ValueError(f'The temperature is {temperature}; it must be above 0.')
  keys, queue = jax.lax.stop_gradient((keys, queue))
  positive = jnp.sum(queries * keys, 1, keepdims=True)              # [b, 1]
  negative = jnp.matmul(
      queries, queue.T, precision=jax.lax.Precision.HIGHEST)        # [b, r]
  return jnp.concatenate([positive, negative], 1) / temperature


def proto_nce(
    z, prototypes, assignments, concentration, *, num_negatives=0, rng=None,
    layout='paper', axis_name=None):
  """The prototype term of ProtoNCE, for one clustering (PCL, Equation 11,
  https://arxiv.org/abs/2005.04966).

  Cross entropy of z . c / phi, over an image's own prototype and others, each with
  its own concentration phi. The published code samples the others in a way that the
  paper does not ask for, and that hurts with few clusters; layout 'reference' is that
  code's, for comparison. It differs thus:

  - There the prototypes of the whole batch stand in front, so that an image of the
    same cluster brings one's own prototype back as a negative. Here a prototype is
    never its own negative.
  - There prototypes that the batch is assigned to are never sampled, so a batch
    hides much of a small clustering; and in old versions the last prototype never
    is. Here every other prototype is as likely as the next.
  - There one number r is both the queue's length and the number of negatives, and
    must stay below the clusters less the batch. Here they are apart, and with 0
    there is nothing to sample: all other prototypes are negatives.

  Args:
    z: [b, d] embeddings.
    prototypes: [k, d] of unit length; no gradient goes to them.
    assignments: int [b] the prototype of each image.
    concentration: [k] temperature of each prototype.
    num_negatives: how many to sample for each image, without replacement; 0 for all.
    rng: key of the sample, equal on all devices; only where there is one.
    layout: 'paper', or 'reference': columns [b of the batch, num_negatives].
    axis_name: mapped axis over which the reference's layout gathers the batch.

  Returns:
    [b] loss of each image.

  Raises:
    ValueError: there are not so many negatives, or no such layout.
  """
  logits, own = prototype_logits(
      z, prototypes, assignments, concentration, num_negatives=num_negatives, rng=rng,
      layout=layout, axis_name=axis_name)
  return optax.softmax_cross_entropy_with_integer_labels(logits, own)


def prototype_logits(
    z, prototypes, assignments, concentration, *, num_negatives=0, rng=None,
    layout='paper', axis_name=None):
  """The logits of `proto_nce`, [b, columns], and [b] each image's own column."""
  k, b = len(prototypes), len(z)
  if layout not in LAYOUTS:
    raise ValueError(f'No layout {layout!r}. There are: {", ".join(LAYOUTS)}.')
  prototypes, concentration = jax.lax.stop_gradient((prototypes, concentration))

  def similarities_to(columns):
    near = jnp.matmul(
        z, prototypes[columns].T, precision=jax.lax.Precision.HIGHEST)
    return near / concentration[columns]                            # [b, columns]

  if layout == 'reference':
    batch, own = assignments, jnp.arange(b)
    if axis_name is not None:
      batch = jax.lax.all_gather(assignments, axis_name, tiled=True)
      own += b * jax.lax.axis_index(axis_name)
    if len(batch) + num_negatives > k:
      raise ValueError(
          f'num_negatives is {num_negatives}; the reference draws them from {k} '
          f'prototypes less {len(batch)} of the batch.')
    if not num_negatives:
      return similarities_to(batch), own
    chances = jax.random.uniform(rng, (k,)).at[batch].set(-1.0)
    others = jax.lax.top_k(chances, num_negatives)[1]
    return similarities_to(jnp.concatenate([batch, others])), own

  if not num_negatives:
    return similarities_to(slice(None)), assignments
  if not 0 < num_negatives < k:
    raise ValueError(
        f'num_negatives is {num_negatives}; of {k} prototypes {k - 1} are others.')
  # One more than wanted. An image drops its own prototype from them or, if that is
  # not there, the last: what stays is uniform over the others.
  others = jax.random.choice(rng, k, (num_negatives + 1,), replace=False)
  drop = others == assignments[:, None]                             # [b, r + 1]
  drop = drop.at[:, -1].set(drop[:, -1] | ~drop.any(1))
  negative = jnp.where(drop, -jnp.inf, similarities_to(others))
  positive = jnp.sum(z * prototypes[assignments], 1) / concentration[assignments]
  logits = jnp.concatenate([positive[:, None], negative], 1)
  return logits, jnp.zeros(b, jnp.int32)


def negative_cosine(predictions, targets):
  """Minus the cosine of each prediction and its target; no gradient to the targets.

  Equation 1 of SimSiam (https://arxiv.org/abs/2011.10566). Twice it plus 2 is the
  squared distance of BYOL (https://arxiv.org/abs/2006.07733, Equation 2).

  Args:
    predictions: [b, d] embeddings.
    targets: [b, d] embeddings.

  Returns:
    [b], from -1 where they point the same way to 1.

  Raises:
    ValueError: predictions and targets differ in shape.
  """
  if predictions.shape != targets.shape:
    raise ValueError(
        f'Predictions have shape {predictions.shape} and targets {targets.shape}.')
  return -jnp.sum(predictions * jax.lax.stop_gradient(targets), 1)
