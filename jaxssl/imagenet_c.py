"""Corruptions in five severities, after ImageNet-C.

Hendrycks and Dietterich 2019 (https://arxiv.org/abs/1903.12261), Section 3, with
the strengths of their code. These suit photographs of some 224 pixels; images whose
shorter side has fewer than `SMALL` pixels take those of their CIFAR-10-C.

Every function takes
  rng: key; only noise uses it,
  image: [h, w, 3] in [0, 1], float32 or bfloat16,
  severity: 1 to 5, or 0, which changes nothing,
  valid: [2] height and width of the part of `image` that holds pixels, in its top
    left corner; None for all of it,
and returns [h, w, 3] in [0, 1], in the type of `image`.
"""

import jax
import jax.numpy as jnp

from jaxssl import fixed_point
from jaxssl import regions
from jaxssl import resample

SMALL = 64


def gaussian_noise(rng, image, *, severity, valid=None):
  """Adds Gaussian noise to every channel of every pixel."""
  def noisy(image, strength, region):
    del region
    return image + strength * regions.draw(jax.random.normal, rng, image.shape)
  return _with_severity(
      noisy, image, valid, severity, small=(0.04, 0.06, 0.08, 0.09, 0.10),
      large=(0.08, 0.12, 0.18, 0.26, 0.38))


def gaussian_blur(rng, image, *, severity, valid=None):
  """Blurs with a Gaussian, beyond whose four deviations nothing counts.

  What lies beyond a border is the pixel at the border.
  """
  small, large = (0.4, 0.6, 0.7, 0.8, 1.0), (1.0, 2.0, 3.0, 4.0, 6.0)

  def blurred(image, sigma, region):
    radius = round(4 * large[severity - 1])

    def weights(size):
      i, j = jnp.arange(size)[:, None], jnp.arange(size + 2 * radius)
      offset = j - radius - i
      taps = jnp.exp(-0.5 * (offset / sigma) ** 2)
      taps = jnp.where(jnp.abs(offset) <= jnp.floor(4 * sigma + 0.5), taps, 0)
      return taps / (len(j) * fixed_point.mean(taps)[:, None])

    padded = jnp.pad(image, [(radius, radius), (radius, radius), (0, 0)], 'edge')
    for axis in (0, 1):
      padded = regions.extend(padded, region[axis] + radius, axis=axis)
    height, width, _ = image.shape
    return resample.apply_weights(padded, weights(height), weights(width))

  return _with_severity(
      blurred, image, valid, severity, small=small, large=large)


def pixelate(rng, image, *, severity, valid=None):
  """Shows an image in fewer, larger pixels: means of boxes."""
  def boxes(image, percent, region):
    def weights(axis):
      length = region[axis]
      small = jnp.maximum(length * percent // 100, 1)
      pixel = jnp.arange(image.shape[axis])
      box = (2 * pixel + 1) * small // (2 * length)  # That its centre lies in.
      member = (box[:, None] == box) & (pixel < length)
      return member / jnp.maximum(member.sum(1, keepdims=True), 1)
    return resample.apply_weights(image, weights(0), weights(1))

  return _with_severity(
      boxes, image, valid, severity, small=(95, 90, 85, 75, 65),
      large=(60, 50, 40, 30, 25))


def contrast(rng, image, *, severity, valid=None):
  """Brings every pixel closer to the mean of its channel."""
  def flat(image, rest, region):
    masked = jnp.where(regions.inside(image, region), image, 0)
    planes = jnp.moveaxis(masked, -1, 0)
    mean = fixed_point.mean(fixed_point.mean(planes))
    mean *= planes[0].size / region.prod()
    return mean + rest * (image - mean)

  return _with_severity(
      flat, image, valid, severity, small=(0.75, 0.5, 0.4, 0.3, 0.15),
      large=(0.4, 0.3, 0.2, 0.1, 0.05))


def brightness(rng, image, *, severity, valid=None):
  """Adds to the value of every pixel in HSV, keeping hue and saturation."""
  def bright(image, more, region):
    del region
    value = image.max(-1, keepdims=True)
    brighter = jnp.minimum(value + more, 1)
    return jnp.where(
        value > 0, image * (brighter / jnp.where(value > 0, value, 1)), brighter)

  return _with_severity(
      bright, image, valid, severity, small=(0.05, 0.1, 0.15, 0.2, 0.3),
      large=(0.1, 0.2, 0.3, 0.4, 0.5))


def _with_severity(function, image, valid, severity, *, small, large):
  """Applies a function of float32 image, strength and region; severity 0 is none.

  The strength is of `small` where the shorter side is below `SMALL` pixels.
  """
  if not isinstance(severity, int) or severity not in range(6):
    raise ValueError(
        f'severity is {severity!r}; it must be a whole number from 0 to 5.')
  if severity == 0:
    return image
  region = regions.of(image, valid)
  strength = jnp.where(
      region.min() < SMALL, small[severity - 1], large[severity - 1])
  new = function(image.astype(jnp.float32), strength, region)
  return regions.replace(image, jnp.clip(new, 0, 1), region)
