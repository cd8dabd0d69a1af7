"""Augmentations that change the colours of an image and leave its pixels in place.

Every function takes one image [h, w, 3] in [0, 1], float32 or bfloat16, and returns
one of the same shape and type; callers vmap it. Strengths and probabilities are
Python numbers, known when the function is traced. The arithmetic is float32, on
planes [3, h, w]: with channels last a vector unit would fill only three lanes. The
transposes between two functions here cancel when they are compiled together.
"""

import functools

import jax
import jax.numpy as jnp

LUMA = (0.299, 0.587, 0.114)  # Grey from RGB (ITU-R BT.601), as everywhere.
MEAN = (0.485, 0.456, 0.406)  # Of the pixels of ImageNet, red, green and blue.
STD = (0.229, 0.224, 0.225)


def _on_planes(function):
  """Lets a function of float32 planes [3, h, w] take and return an image."""
  @functools.wraps(function)
  def wrapped(*args, **kwargs):
    *rng, image = args
    planes = jnp.moveaxis(image, -1, 0).astype(jnp.float32)
    planes = function(*rng, planes, **kwargs)
    return jnp.moveaxis(planes.astype(image.dtype), 0, -1)
  return wrapped
