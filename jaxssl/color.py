"""Augmentations that change the colours of an image and leave its pixels in place.

Every function takes one image [h, w, 3] in [0, 1], float32 or bfloat16, and returns
one of the same shape and type; callers vmap it. Strengths and probabilities are
Python numbers, known when the function is traced. Arithmetic is float32, and where
there is much of it, on planes [3, h, w]: channels last would fill three lanes of a
vector unit. The transposes between two functions cancel when compiled together.
"""

import jax
import jax.numpy as jnp

from jaxssl import fixed_point

LUMA = (0.299, 0.587, 0.114)  # Grey from RGB (ITU-R BT.601).
MEAN = (0.485, 0.456, 0.406)  # Of ImageNet's pixels.
STD = (0.229, 0.224, 0.225)


def _gray(planes):
  """[3, h, w] -> [h, w], so that it broadcasts over the planes."""
  return LUMA[0] * planes[0] + LUMA[1] * planes[1] + LUMA[2] * planes[2]


def _shift_hue(planes, sixths):
  """Turns the hue of planes [3, h, w] by so many sixths: to HSV and back."""
  r, g, b = planes
  high, low = planes.max(0), planes.min(0)
  chroma = high - low
  inverse = 1 / jnp.where(chroma > 0, chroma, 1)
  hue = jnp.where(
      high == r, (g - b) * inverse,
      jnp.where(high == g, (b - r) * inverse + 2, (r - g) * inverse + 4))
  # The way back is one curve, shifted for each channel.
  hue += sixths + jnp.array([5.0, 3.0, 1.0])[:, None, None]        # [3, h, w]
  hue -= 6 * jnp.floor(hue / 6)
  return high - chroma * jnp.clip(jnp.minimum(hue, 4 - hue), 0, 1)


def color_jitter(rng, image, *, p, brightness, contrast, saturation, hue):
  """Changes brightness, contrast, saturation and hue in random order.

  SimCLR (Appendix A), with torchvision's definitions: brightness scales the image,
  contrast blends it with the mean of its grey, saturation blends it with its grey,
  each with a factor from U(max(0, 1 - x), 1 + x) for strength x; hue is shifted by
  U(-hue, hue) turns in HSV. The result of each is clipped to [0, 1].

  Under vmap a switch on the order would compute every operation in every place. But
  all except hue are one formula,

    x <- clip(scale * x + own * gray(x) + mean * mean(gray(x))),

  so a change of order is a change of coefficients. Three such steps run before the
  hue and three after it; a step that belongs to the other side of the hue has the
  coefficients of the identity there, which change no bit.

  Args:
    rng: key.
    image: [h, w, 3].
    p: probability that the image is changed at all.
    brightness: strength, 0 or more.
    contrast: strength.
    saturation: strength.
    hue: largest shift in turns, at most 0.5.

  Returns:
    [h, w, 3].
  """
  # The operations act in the order of their times.
  u, times, (v, hue_time, w) = jax.random.uniform(rng, (3, 3))
  apply = w < p
  strengths = jnp.array([brightness, contrast, saturation])
  weakest = jnp.maximum(1 - strengths, 0)
  factors = jnp.where(apply, weakest + u * (1 + strengths - weakest), 1)
  # Few bits in each factor: the product is exact, so it does not matter whether the
  # compiler rounds it before it is added to something.
  sixths = (jnp.floor(4096 * v) / 2048 - 1) * (round(6 * hue * 2048) / 2048)

  order = jnp.argsort(times)
  rests = (1 - factors)[:, None] * jnp.array([[0, 0], [0, 1], [1, 0]])
  steps = jnp.concatenate([factors[:, None], rests], 1)[order]        # [3, 3]
  identity = jnp.array([1.0, 0.0, 0.0])
  early = (times < hue_time)[order, None]                             # [3, 1]

  def step(planes, coefficients):
    scale, own, mean = coefficients
    gray = _gray(planes)
    whole = fixed_point.mean(fixed_point.mean(gray))
    planes = scale * planes + (own * gray + mean * whole)
    return jnp.clip(planes, 0, 1), None

  def run(planes, steps):
    # A loop, as XLA would otherwise fuse the steps and compute the first ones anew
    # for each use of their results.
    return jax.lax.scan(step, planes, steps)[0]

  planes = jnp.moveaxis(image, -1, 0).astype(jnp.float32)
  if hue:
    planes = run(planes, jnp.where(early, steps, identity))
    planes = jnp.where(apply, _shift_hue(planes, sixths), planes)
    planes = run(planes, jnp.where(early, identity, steps))
  else:
    planes = run(planes, steps)
  return jnp.moveaxis(planes, 0, -1).astype(image.dtype)


def grayscale(rng, image, *, p):
  """Replaces the colours of [h, w, 3] by their grey with probability `p`."""
  gray = _gray(jnp.moveaxis(image, -1, 0).astype(jnp.float32))[..., None]
  return jnp.where(jax.random.uniform(rng) < p, gray.astype(image.dtype), image)


def solarize(rng, image, *, p, threshold):
  """Inverts values from `threshold` up with probability `p` (BYOL, Appendix B)."""
  apply = (jax.random.uniform(rng) < p) & (image >= threshold)
  return jnp.where(apply, 1 - image, image)


def normalize(image, *, mean, std):
  """Subtracts `mean` and divides by `std`, each one number for every channel."""
  shifted = image.astype(jnp.float32) - jnp.array(mean)
  return (shifted / jnp.array(std)).astype(image.dtype)
