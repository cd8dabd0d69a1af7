"""Views: random augmentations of images, on the device.

The operations are pure functions, one image in and one out, for callers to vmap:
those of `resample` move pixels, those of `color` change them in place. `view` is
SimCLR's sequence of them, and `make_views` the random views of a batch, keyed by
example: all that is drawn for an image depends on its id alone, never on its place
in a batch or on the number of devices (which may change the rounding of pixels).
Before its views an image may be corrupted, in the same way in every epoch.
"""

import functools
import math

import jax

from jaxssl import chunks
from jaxssl import color
from jaxssl import corruptions
from jaxssl import plugins
from jaxssl import resample

random_resized_crop = resample.random_resized_crop
center_view = resample.center_view
flip = resample.flip
gaussian_blur = resample.gaussian_blur
color_jitter = color.color_jitter
grayscale = color.grayscale
solarize = color.solarize
normalize = color.normalize

NORMALIZATIONS = {
    'none': None, 'imagenet': dict(mean=color.MEAN, std=color.STD)}

# Of one view of all images of a chunk, on a CPU: fastest on two cores, which had 1 MB
# of cache each.
FLOATS = 5 * 2**17

_FRACTION = (lambda x: 0 < x <= 1, 'above 0 and at most 1')
_PROBABILITY = (lambda x: 0 <= x <= 1, 'from 0 to 1')
_STRENGTH = (lambda x: 0 <= x < math.inf, '0 or more')
_NUMBERS = {
    'size': (lambda x: x >= 1 and x == int(x), 'a whole number of pixels'),
    'min_area': _FRACTION, 'max_area': _FRACTION, 'fraction': _FRACTION,
    'flip': _PROBABILITY, 'jitter': _PROBABILITY, 'grayscale': _PROBABILITY,
    'blur': _PROBABILITY, 'solarize': _PROBABILITY,
    'brightness': _STRENGTH, 'contrast': _STRENGTH, 'saturation': _STRENGTH,
    'hue': (lambda x: 0 <= x <= 0.5, 'from 0 to 0.5')}
_CHOICES = {
    'interpolation': tuple(resample.KERNELS), 'normalize': tuple(NORMALIZATIONS)}


def view(
    rng, image, valid, *, size, min_area, max_area, interpolation, flip, jitter,
    brightness, contrast, saturation, hue, grayscale, blur, solarize, normalize):
  """A random view of an image (SimCLR, Appendix A; solarise from BYOL, Appendix B).

  In this order: crop and resize, flip, colour jitter, grey, blur, solarise,
  normalise. What has probability 0 costs nothing.

  Args:
    rng: key.
    image: [h, w, 3] in [0, 1], float32 or bfloat16.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner.
    size: height and width of the view.
    min_area: smallest fraction of the valid area that a crop may have.
    max_area: largest.
    interpolation: 'bilinear' or 'bicubic', both antialiased.
    flip: probability of mirroring left and right.
    jitter: probability of `color_jitter`.
    brightness: strength, 0 or more, as those of contrast and saturation.
    contrast: strength.
    saturation: strength.
    hue: largest shift in turns, at most 0.5.
    grayscale: probability of losing the colours.
    blur: probability of a Gaussian of 0.1 to 2 pixels, cut off at a tenth of the
      view; below 20 pixels nothing is left of it.
    solarize: probability of inverting the values from 0.5 up.
    normalize: 'none', which leaves values in [0, 1], or 'imagenet'.

  Returns:
    [size, size, 3] in the type of `image`.
  """
  rngs = jax.random.split(rng, 6)
  image = resample.random_resized_crop(
      rngs[0], image, size=size, min_area=min_area, max_area=max_area,
      interpolation=interpolation, valid=valid)
  if flip:
    image = resample.flip(rngs[1], image, p=flip)
  if jitter:
    image = color.color_jitter(
        rngs[2], image, p=jitter, brightness=brightness, contrast=contrast,
        saturation=saturation, hue=hue)
  if grayscale:
    image = color.grayscale(rngs[3], image, p=grayscale)
  kernel_size = size // 10 // 2 * 2 + 1
  if blur and kernel_size > 1:
    image = resample.gaussian_blur(
        rngs[4], image, p=blur, min_sigma=0.1, max_sigma=2.0,
        kernel_size=kernel_size)
  if solarize:
    image = color.solarize(rngs[5], image, p=solarize, threshold=0.5)
  if NORMALIZATIONS[normalize]:
    image = color.normalize(image, **NORMALIZATIONS[normalize])
  return image


def check(function, settings, *, what):
  """Checks the keyword arguments of `view` or `center_view` before any tracing.

  Args:
    function: `view` or `center_view`.
    settings: dict of its keyword arguments.
    what: how messages call it, such as 'config.views.a'.

  Returns:
    dict of the keyword arguments.

  Raises:
    ValueError: a key is missing or unknown, or a value is out of range.
  """
  settings = plugins.arguments(function, settings, what=what)
  for key, value in settings.items():
    if key in _CHOICES:
      right, wanted = value in _CHOICES[key], f'one of {", ".join(_CHOICES[key])}'
    else:
      in_range, wanted = _NUMBERS[key]
      right = isinstance(value, int | float) and in_range(value)
    if not right:
      raise ValueError(f'{what}.{key} is {value!r}; it must be {wanted}.')
  if settings.get('min_area', 0) > settings.get('max_area', 1):
    raise ValueError(
        f'{what}.min_area is {settings["min_area"]}, above max_area, which is '
        f'{settings["max_area"]}.')
  return settings


def make_views(views, *, dtype, corruption=None, seed=0):
  """Makes the function that augments a batch.

  Args:
    views: dict of any names, each with the keyword arguments of `view`.
    dtype: 'float32' or 'bfloat16', of the views; resampling is always float32.
    corruption: of the images before their views; see `corruptions.make`.
    seed: of the run; all that a corruption draws depends on it and on the example's
      id, not on `rng`.

  Returns:
    A function of
      rng: key of the seed and the epoch,
      images: uint8 [b, c, c, 3] canvases,
      sizes: [b, 2] heights and widths of the images in them,
      index: [b] ids of the examples,
    that returns {name: [b, size, size, 3]}. A view's key is `rng` folded with the
    example's id and with the place of the view's name among the sorted names.

  Raises:
    ValueError: there are no views, or an argument is wrong; before any tracing.
  """
  if not views:
    raise ValueError('config.views is empty; it must name at least one view.')
  views = {
      name: check(view, views[name], what=f'config.views.{name}')
      for name in sorted(views)}
  corrupt = corruptions.make(corruption, seed=seed)

  def views_of_one(rng, image, size, index):
    image, size = corrupt(image, size, index)
    image = image.astype(dtype)
    rng = jax.random.fold_in(rng, index)
    return {
        name: view(jax.random.fold_in(rng, position), image, size, **settings)
        for position, (name, settings) in enumerate(views.items())}

  def views_of_chunk(rng, images, sizes, index):
    # A corruption sees each grey level as it is, which bfloat16 rounds.
    images = images.astype('float32' if corruption else dtype) / 255
    return jax.vmap(views_of_one, (None, 0, 0, 0))(rng, images, sizes, index)

  def views_of_batch(rng, images, sizes, index):
    if jax.default_backend() != 'cpu':
      return views_of_chunk(rng, images, sizes, index)
    largest = max(settings['size'] for settings in views.values())
    return chunks.mapped(
        functools.partial(views_of_chunk, rng), images, sizes, index,
        limit=FLOATS // (3 * largest**2))

  return views_of_batch


def make_eval_view(settings, *, dtype):
  """Makes the function that prepares a batch for evaluation.

  Args:
    settings: dict of the keyword arguments of `center_view`.
    dtype: 'float32' or 'bfloat16'.

  Returns:
    A function of images uint8 [b, c, c, 3] and sizes [b, 2] that returns
    [b, size, size, 3].

  Raises:
    ValueError: an argument is wrong; before any tracing.
  """
  settings = check(center_view, settings, what='config.eval_view')

  def eval_views_of_batch(images, sizes):
    images = images.astype(dtype) / 255
    return jax.vmap(lambda i, s: center_view(i, s, **settings))(images, sizes)

  return eval_views_of_batch
