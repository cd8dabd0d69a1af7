"""Corruptions: what may be wrong with the images that a network learns from.

Pure functions of a key and one image [h, w, 3] in [0, 1], float32 or bfloat16, for
callers to vmap; the result has the image's type. `valid` is the part of a canvas
that holds pixels; the rest stays as it is and has no influence. Those of Cole et
al. (https://arxiv.org/abs/2105.05837, Figure 4) are here and in `jpeg`, those with
a severity in `imagenet_c`.

`make` puts them in front of the views of a run: once for each image, the same in
every epoch. In shapes, h and w are the height and width of an image or canvas.
"""

import collections.abc
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import fixed_point
from jaxssl import imagenet_c
from jaxssl import jpeg as jpeg_lib
from jaxssl import plugins
from jaxssl import regions
from jaxssl import resample

jpeg = jpeg_lib.jpeg
gaussian_noise = imagenet_c.gaussian_noise
gaussian_blur = imagenet_c.gaussian_blur
pixelate = imagenet_c.pixelate
contrast = imagenet_c.contrast
brightness = imagenet_c.brightness


def salt_and_pepper(rng, image, *, p, valid=None):
  """Makes each pixel black or white with probability `p`, half of them each.

  Args:
    rng: key.
    image: [h, w, 3].
    p: probability for a pixel, all its channels together; Cole et al. take 0.01.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner; None for all of it.

  Returns:
    [h, w, 3].
  """
  if not isinstance(p, int | float) or not 0 <= p <= 1:
    raise ValueError(f'p is {p!r}; it must be from 0 to 1.')
  u = regions.draw(jax.random.uniform, rng, image.shape[:2])[..., None]
  new = jnp.where(u < p, u < p / 2, image)
  return regions.replace(image, new, regions.of(image, valid))


def resize(rng, image, *, size, valid=None):
  """Shrinks an image so that its shorter side is `size`; never enlarges.

  As Pillow's antialiased bilinear resize.

  Args:
    rng: not used.
    image: [h, w, 3].
    size: pixels of the shorter side; Cole et al. take 256.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner; None for all of it.

  Returns:
    Without `valid` the smaller image. With it the canvas [h, w, 3], the smaller
    image in its corner and zeros where the larger one was, and [2] the height and
    width of the smaller one.
  """
  _check_whole('size', size)
  if valid is None:
    shape = np.array(image.shape[:2])
    height, width = _shrunk(shape, size)
    return resize(rng, image, size=size, valid=shape)[0][:height, :width]
  old = regions.of(image, valid)
  new = _shrunk(old, size)
  resized = _resized(image, old, new, shape=image.shape)
  return regions.replace(image, resized, old), new


def downsample(rng, image, *, factor, size=None, valid=None):
  """Shrinks an image by `factor` and enlarges it again, so that details are lost.

  Both ways bilinear, shrinking antialiased; the paper names no filter.

  Args:
    rng: not used.
    image: [h, w, 3].
    factor: whole; Cole et al. take 2 and 4.
    size: of a `resize` before it, which Cole et al. do, to 256; None for none.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner; None for all of it.

  Returns:
    As `resize`: with `valid` the canvas and the valid part, else the image.
  """
  _check_whole('factor', factor)
  if size is not None and valid is None:
    image = resize(rng, image, size=size)
  elif size is not None:
    image, valid = resize(rng, image, size=size, valid=valid)
  region = regions.of(image, valid)
  small = jnp.maximum((2 * region + factor) // (2 * factor), 1)  # Rounded half up.
  shape = [side // factor + 1 for side in image.shape[:2]]  # `small` fits.
  new = _resized(image.astype(jnp.float32), region, small, shape=shape)
  new = _resized(new, small, region, shape=image.shape)
  image = regions.replace(image, new, region)
  return image if valid is None else (image, region)


BY_NAME = {
    'salt_and_pepper': salt_and_pepper, 'jpeg': jpeg, 'resize': resize,
    'downsample': downsample, 'gaussian_noise': gaussian_noise,
    'gaussian_blur': gaussian_blur, 'pixelate': pixelate, 'contrast': contrast,
    'brightness': brightness}


def make(settings, *, seed):
  """Makes the function that corrupts the images of a run, before any view.

  Args:
    settings: None for no corruption; a dict of `name`, one of `BY_NAME`, and the
      keyword arguments of that function; or several such dicts, applied in order.
    seed: of the run.

  Returns:
    A function of image [h, w, 3], valid [2] and the example's id that returns image
    and valid. What it draws depends on the seed and the id alone, so that an image
    is the same in every epoch.

  Raises:
    ValueError: a name or key is unknown, or a value is out of range.
  """
  several = settings if isinstance(settings, list | tuple) else (settings,)
  steps = [_step(one) for one in several if one is not None]

  def corrupt(image, valid, index):
    # 0 to 3 are taken: see `state`.
    rng = jax.random.fold_in(jax.random.PRNGKey(seed), 4)
    rng = jax.random.fold_in(rng, index)
    for position, step in enumerate(steps):
      image = step(jax.random.fold_in(rng, position), image, valid=valid)
      if isinstance(image, tuple):
        image, valid = image
    return image, valid

  return corrupt


def _step(settings):
  """A function of rng, image and valid from a dict of a name and its keywords."""
  if not isinstance(settings, collections.abc.Mapping):
    raise ValueError(
        f'config.corruption is {settings!r}; it must be None, dict(name=...) or a '
        'tuple of such dicts.')
  name = settings.get('name')
  if name not in tuple(BY_NAME):
    raise ValueError(
        f'No corruption {name!r}. There are: {", ".join(sorted(BY_NAME))}.')
  what = f'config.corruption ({name})'
  settings = plugins.arguments(BY_NAME[name], settings, what=what)
  if 'valid' in settings:
    raise ValueError(f'{what} has unknown valid; the canvas tells it.')
  step = functools.partial(BY_NAME[name], **settings)
  # Shapes only: functions check their settings when they are traced.
  jax.eval_shape(step, jax.random.PRNGKey(0), jnp.zeros((8, 8, 3)))
  return step


def _check_whole(name, value):
  if not isinstance(value, int) or value < 1:
    raise ValueError(
        f'{name} is {value!r}; it must be a whole number of at least 1.')


def _shrunk(sides, size):
  """[2] height and width once the shorter is at most `size`, rounded half up."""
  shortest = sides.min()
  return (2 * sides * shortest.clip(max=size) + shortest) // (2 * shortest)


def _resized(image, old, new, *, shape):
  """Resizes the `old` region of an image to the `new` one of a canvas of zeros."""
  def weights(axis):
    scale = old[axis] / new[axis]
    i, j = jnp.arange(shape[axis])[:, None], jnp.arange(image.shape[axis])
    distance = jnp.abs(j + 0.5 - (i + 0.5) * scale) / jnp.maximum(scale, 1)
    taps = resample.KERNELS['bilinear'](distance)
    taps = jnp.where((i < new[axis]) & (j < old[axis]), taps, 0)
    total = len(j) * fixed_point.mean(taps)[:, None]
    return taps / jnp.where(i < new[axis], total, 1)

  return resample.apply_weights(image, weights(0), weights(1))
