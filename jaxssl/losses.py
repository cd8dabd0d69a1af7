"""Contrastive losses: pure functions of L2-normalised embeddings.

Each returns one loss per anchor and leaves the mean to the caller. In shapes, b is
the images on this device, n the rows on all devices and d the width.
"""

import jax
import jax.numpy as jnp
import optax


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
  logits, positive = similarities(
      za, zb, temperature=temperature, axis_name=axis_name)
  return optax.softmax_cross_entropy_with_integer_labels(logits, positive)


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
  logits = logits.at[jnp.arange(2 * b), own].set(-jnp.inf)        # [2b, n]
  positive = jnp.roll(own, b)  # An anchor's other view is b rows away.
  return logits, positive
