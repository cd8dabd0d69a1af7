"""Random pictures, and operations on one of them under many keys."""

import functools

import jax
import numpy as np
from PIL import Image

RESAMPLING = {'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC}
JITTER = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
SIMCLR = dict(
    size=24, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
    jitter=0.8, **JITTER, grayscale=0.2, blur=0.5, solarize=0.2, normalize='none')
CROP = dict(
    SIMCLR, jitter=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
    grayscale=0.0, blur=0.0, solarize=0.0, flip=0.0)


def pixels(*shape, seed=0):
  return np.random.default_rng(seed).random(shape, dtype=np.float32)


def pillow_resize(image, top, left, height, width, size, interpolation):
  """Pillow's resize of a crop, in its float mode, a channel at a time."""
  box = (left, top, left + width, top + height)
  channels = [
      Image.fromarray(c).crop(box).resize((size, size), RESAMPLING[interpolation])
      for c in np.moveaxis(image, -1, 0)]
  return np.stack(channels, -1)


@jax.jit
def keys(ids):
  return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), ids)


def over_keys(function, n, image, **settings):
  """The outcomes of one operation on one image for n keys: [n, ...]."""
  function = jax.jit(jax.vmap(functools.partial(function, **settings), (0, None)))
  return np.asarray(function(keys(np.arange(n)), image))
