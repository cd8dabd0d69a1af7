"""The part of a canvas that holds pixels: a height and width from its top left.

What is computed inside must not see what lies outside. In shapes, h and w are the
canvas's height and width.
"""

import jax
import jax.numpy as jnp


def of(image, valid):
  """The region of an image [h, w, 3]: `valid`, or all of it where that is None."""
  return jnp.asarray(image.shape[:2] if valid is None else valid, jnp.int32)


def inside(image, region):
  """Which pixels of an image [h, w, 3] lie in a region: bool [h, w, 1]."""
  height, width, _ = image.shape
  rows = jnp.arange(height)[:, None, None] < region[0]
  return rows & (jnp.arange(width)[:, None] < region[1])


def replace(image, new, region):
  """`new` inside of the region and `image` outside, in the type of `image`."""
  return jnp.where(inside(image, region), new.astype(image.dtype), image)


def extend(x, length, *, axis):
  """Repeats entry `length - 1` of an axis up to the axis's end."""
  last = jax.lax.dynamic_slice_in_dim(x, length - 1, 1, axis)
  place = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
  return jnp.where(place < length, x, last)


def draw(distribution, rng, shape):
  """Draws [h, w, ...] numbers; those of a place are the same on any canvas.

  Args:
    distribution: such as `jax.random.uniform`.
    rng: key.
    shape: of the result.
  """
  rngs = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(shape[0]))
  return jax.vmap(lambda rng: distribution(rng, shape[1:]))(rngs)
