"""Augmentations that move pixels: crops, resizing, flips and blurs.

Every function takes one image [h, w, 3] in [0, 1], float32 or bfloat16; callers
vmap it. Strengths and probabilities are Python numbers, known when it is traced.

Resizing and blurring treat rows and columns alike, so each is two small matrix
products: [s, h] from the left, [t, w] from the right. The matrices are computed on
the device, as every image has its own crop or sigma, and products are what
accelerators are best at. Inside, channels come first, [3, h, w]: last, they would
make the products three wide.
"""

import jax
import jax.numpy as jnp

from jaxssl import fixed_point

ATTEMPTS = 10  # Crops to try before falling back to a centre crop, as torchvision.


def _bilinear(x):
  return jnp.maximum(1 - x, 0)


def _bicubic(x):
  near = (1.5 * x - 2.5) * x * x + 1
  far = ((-0.5 * x + 2.5) * x - 4) * x + 2
  return jnp.where(x < 1, near, jnp.where(x < 2, far, 0))


# Weight of a pixel by its distance: a triangle, and Keys' cubic with a = -0.5.
KERNELS = {'bilinear': _bilinear, 'bicubic': _bicubic}


def resize_weights(start, length, *, canvas, size, interpolation):
  """Weights that resize the interval [start, start + length) of an axis to `size`.

  As Pillow resizes a crop: when it shrinks, the kernel is stretched by the same
  factor (antialiasing), and pixels outside of the interval do not count.

  Args:
    start: first pixel of the interval.
    length: its number of pixels, at least 1.
    canvas: number of pixels of the axis.
    size: number of pixels wanted.
    interpolation: 'bilinear' or 'bicubic'.

  Returns:
    [size, canvas] float32; each row sums to 1.
  """
  scale = length / size
  pixel = jnp.arange(canvas)
  centre = start + (jnp.arange(size)[:, None] + 0.5) * scale    # [size, 1]
  distance = jnp.abs(pixel + 0.5 - centre) / jnp.maximum(scale, 1)
  weights = KERNELS[interpolation](distance)                    # [size, canvas]
  weights = jnp.where((pixel >= start) & (pixel < start + length), weights, 0)
  return weights / (canvas * fixed_point.mean(weights)[:, None])


def blur_weights(sigma, *, size, kernel_size):
  """Weights that blur an axis with a Gaussian, reflected at the ends.

  Args:
    sigma: standard deviation in pixels.
    size: number of pixels of the axis.
    kernel_size: taps of the kernel; odd.

  Returns:
    [size, size] float32; each row sums to 1.
  """
  radius, steepness = kernel_size // 2, -0.5 / sigma**2
  i, j = jnp.arange(size)[:, None], jnp.arange(size)

  def tap(offset):
    gaussian = jnp.exp(steepness * offset**2)
    return jnp.where(jnp.abs(offset) <= radius, gaussian, 0)

  # Pixel j is met three times at most: itself, and its images in the two ends.
  weights = (
      tap(i - j)
      + jnp.where(j > 0, tap(i + j), 0)
      + jnp.where(j < size - 1, tap(2 * (size - 1) - i - j), 0))      # [size, size]
  return weights / (2 * size * fixed_point.mean(weights / 2)[:, None])


def apply_weights(image, rows, columns):
  """Mixes the pixels of every row and of every column.

  Args:
    image: [h, w, 3].
    rows: [s, h] weights of the rows.
    columns: [t, w] weights of the columns.

  Returns:
    [s, t, 3] in the type of `image`, clipped to [0, 1]: bicubic can overshoot.
  """
  planes = jnp.moveaxis(image, -1, 0).astype(jnp.float32)
  # 'high': bfloat16 products, the default of a TPU, would show as bands.
  planes = jnp.einsum('chw,tw->cht', planes, columns, precision='high')
  planes = jnp.einsum('sh,cht->cst', rows, planes, precision='high')
  return jnp.moveaxis(jnp.clip(planes, 0, 1), 0, -1).astype(image.dtype)


def resize_box(image, top, left, height, width, *, size, interpolation):
  """Resizes a box of an image to a square, as Pillow resizes `image.crop(box)`."""
  canvas_height, canvas_width, _ = image.shape
  rows = resize_weights(
      top, height, canvas=canvas_height, size=size, interpolation=interpolation)
  columns = resize_weights(
      left, width, canvas=canvas_width, size=size, interpolation=interpolation)
  return apply_weights(image, rows, columns)


def crop_box(rng, valid, *, min_area, max_area, min_aspect, max_aspect):
  """Draws the box of a random resized crop, as torchvision does.

  Whole pixels. The first of ten attempts that fits inside the image counts; when
  none does, it is the centre crop with the aspect nearest to the image's own.

  Args:
    rng: key.
    valid: [2] height and width of the image.
    min_area: smallest fraction of the image's area.
    max_area: largest.
    min_aspect: smallest width / height; aspects are uniform in their logarithm.
    max_aspect: largest.

  Returns:
    top, left, height, width: float32 whole numbers.
  """
  image_height, image_width = valid.astype(jnp.float32)
  u, v = jax.random.uniform(rng, (1 + ATTEMPTS, 2)).T
  area = min_area + u[1:] * (max_area - min_area)
  area *= image_height * image_width
  aspect = min_aspect * (max_aspect / min_aspect) ** v[1:]
  height = jnp.round(jnp.sqrt(area / aspect))                         # [attempts]
  width = jnp.round(jnp.sqrt(area * aspect))
  fits = (height >= 1) & (height <= image_height)
  fits &= (width >= 1) & (width <= image_width)
  first, found = jnp.argmax(fits), fits.any()

  height = jnp.where(
      found, height[first],
      jnp.minimum(image_height, jnp.round(image_width / min_aspect)))
  width = jnp.where(
      found, width[first],
      jnp.minimum(image_width, jnp.round(image_height * max_aspect)))
  rows, columns = image_height - height, image_width - width  # To spare.
  top = jnp.floor(jnp.where(found, u[0] * (rows + 1), rows / 2))
  left = jnp.floor(jnp.where(found, v[0] * (columns + 1), columns / 2))
  return top, left, height, width


def random_resized_crop(
    rng, image, *, size, min_area, max_area, min_aspect=3 / 4, max_aspect=4 / 3,
    interpolation, valid=None):
  """Crops a random box and resizes it to a square (SimCLR, Appendix A).

  Args:
    rng: key.
    image: [h, w, 3].
    size: height and width wanted.
    min_area: smallest fraction of the valid region's area that a crop may have.
    max_area: largest.
    min_aspect: smallest width / height of a crop.
    max_aspect: largest.
    interpolation: 'bilinear' or 'bicubic', both antialiased.
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner; None for all of it.

  Returns:
    [size, size, 3].
  """
  valid = jnp.asarray(image.shape[:2] if valid is None else valid)
  box = crop_box(
      rng, valid, min_area=min_area, max_area=max_area, min_aspect=min_aspect,
      max_aspect=max_aspect)
  return resize_box(image, *box, size=size, interpolation=interpolation)


def center_view(image, valid, *, size, fraction, interpolation):
  """Cuts the central square of an image and resizes it, for evaluation.

  Args:
    image: [h, w, 3].
    valid: [2] height and width of the part of `image` that holds pixels, in its top
      left corner.
    size: height and width wanted.
    fraction: side of the square as a fraction of the shorter side; SimCLR takes
      0.875.
    interpolation: 'bilinear' or 'bicubic', both antialiased.

  Returns:
    [size, size, 3].
  """
  valid = jnp.asarray(valid)
  side = jnp.maximum(jnp.round(fraction * valid.min()), 1)
  top, left = (valid - side + 1) // 2
  return resize_box(
      image, top, left, side, side, size=size, interpolation=interpolation)


def flip(rng, image, *, p):
  """Mirrors an image [h, w, 3] left and right with probability `p`."""
  return jnp.where(jax.random.uniform(rng) < p, image[:, ::-1], image)


def gaussian_blur(rng, image, *, p, min_sigma, max_sigma, kernel_size):
  """Blurs with a Gaussian of random width (SimCLR, Appendix A).

  The image is reflected at its borders, as torchvision does; SimCLR's code pads
  with zeros, which darkens them. SimCLR's code also draws one sigma for a batch;
  here every image has its own, as in BYOL.

  Args:
    rng: key.
    image: [h, w, 3].
    p: probability.
    min_sigma: smallest standard deviation, in pixels.
    max_sigma: largest.
    kernel_size: taps of the kernel, odd; SimCLR takes a tenth of the image's side.

  Returns:
    [h, w, 3].

  Raises:
    ValueError: the kernel is even, or too wide to be reflected.
  """
  height, width, _ = image.shape
  if kernel_size % 2 == 0 or kernel_size // 2 >= min(height, width):
    raise ValueError(
        f'kernel_size is {kernel_size}; it must be odd and below twice the '
        f'shorter side, of {min(height, width)} pixels.')
  u, v = jax.random.uniform(rng, (2,))
  sigma = min_sigma + v * (max_sigma - min_sigma)
  blurred = apply_weights(
      image,
      blur_weights(sigma, size=height, kernel_size=kernel_size),
      blur_weights(sigma, size=width, kernel_size=kernel_size))
  return jnp.where(u < p, blurred, image)
