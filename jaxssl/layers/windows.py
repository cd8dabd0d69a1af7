"""Windows of images: taken out along rows and columns, and put together again.

What follows is arithmetic on a list of arrays that have one pixel of every window
each, or of one tile. As one array of all of them XLA on a CPU fills it slowly.

In shapes, n is images, [h, w] their rows and columns, [i, j] rows and columns of
windows or tiles, c channels.
"""

import jax.numpy as jnp
from jax import lax


def cut(x, axis, *, size, stride):
  """The pixels of windows along an axis.

  Args:
    x: [n, h, w, c].
    axis: 1 or 2.
    size: pixels of a window.
    stride: pixels from one window to the next.

  Returns:
    List of `size` arrays; the k-th has pixel k of every window.
  """
  span = x.shape[axis] - size + 1
  return [lax.slice_in_dim(x, k, k + span, stride, axis) for k in range(size)]


def add(parts, axis, *, stride, padding):
  """Adds pixels of windows to the image that `cut` took them from, transposing it.

  Args:
    parts: list of arrays as `cut` gives.
    axis: 1 or 2.
    stride: as in `cut`.
    padding: zeros that were before the image.

  Returns:
    List of `stride` arrays; the k-th has pixels k, k + stride, ... of the image.
  """
  def shifted(part, by):
    return lax.pad(
        part, 0.0, [(by, -by, 0) if k == axis else (0, 0, 0) for k in range(4)])

  return [
      sum(shifted(part, (k - padding - first) // stride)
          for k, part in enumerate(parts) if (k - padding - first) % stride == 0)
      for first in range(stride)]


def interleave(grid, shape):
  """Puts tiles together.

  Args:
    grid: list of lists of arrays [n, i, j, c]; the l-th of the k-th list has the pixel
      in row k and column l of every tile.
    shape: begins with n, h and w; what the tiles have beyond is cut off.

  Returns:
    [n, h, w, c].
  """
  n, h, w = shape[:3]
  i, c = grid[0][0].shape[1::2]
  rows = [jnp.concatenate(row, -1).reshape(n, i, 1, -1, c) for row in grid]
  return jnp.concatenate(rows, 2).reshape(n, i * len(rows), -1, c)[:, :h, :w]
