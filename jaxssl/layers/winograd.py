"""3x3 convolutions with 4/9 of the multiplications, for CPUs.

F(2x2, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
(2016): the output is cut into tiles of 2x2, each made of a window of 4x4 of the input
that overlaps with those of its neighbours. In another basis a tile is 16 numbers a
channel, each of which mixes with the same one of other channels: 16 products of
matrices, [tiles, c] by [c, d]. The changes of basis add, subtract and halve, so the
result is the plain convolution's but for the last bits: it is off by up to 6e-6 of its
standard deviation.

A batch goes in chunks, as the products read and write four times the input and the
output, which should stay in the cache.

In shapes, b is images, n those of a chunk, [h, w] rows and columns, [i, j] rows and
columns of tiles, c and d the channels before and after. A grid is 4 lists of 4 arrays,
each of which has one of the 16 numbers of every tile.
"""

import functools
import math
import operator

import jax
import jax.numpy as jnp
from jax import lax

from jaxssl import chunks
from jaxssl.layers import windows

# Changes of basis: of 4 numbers of the input, 3 of the kernel, 4 of the products.
INPUT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))

# Chunks that were fastest on two cores, with 1 MB of cache each and 32 MB for both.
FLOATS = 2**21  # Forward: of the input's grid.
TILES = 512     # Backward; as many as channels where there are more.


@jax.custom_vjp
def winograd_conv(x, kernel):
  """Convolves a batch with one row and column of zeros on every side.

  Args:
    x: [b, h, w, c] images.
    kernel: [3, 3, c, d].

  Returns:
    [b, h, w, d] in the type of `x`; the arithmetic is float32.
  """
  kernels = _kernel_grid(kernel)

  def convolve(x):
    products = _each(functools.partial(_product, axes=(1, 0)), _input_grid(x), kernels)
    shape = (x.shape[0], *_tiles(x.shape), kernel.shape[-1])
    products = _each(lambda part: part.reshape(shape), products)
    return windows.interleave(_change(OUTPUT, products), x.shape).astype(x.dtype)

  return chunks.mapped(convolve, x, limit=FLOATS // (4 * math.prod(x.shape[1:])))


def _forward(x, kernel):
  return winograd_conv(x, kernel), (x, kernel)


def _backward(saved, dy):
  """What `winograd_conv` does, transposed; both gradients need the grid of `dy`."""
  x, kernel = saved
  c, d = kernel.shape[2:]
  i, j = _tiles(x.shape)
  n = chunks.size(x.shape[0], max(TILES, d) // (i * j))
  kernels = _kernel_grid(kernel)

  def add_chunk(total, chunk):
    x, dy = chunk
    products = _output_grid(dy)
    total = _each(
        lambda total, tile, product: total + _product(tile, product, axes=(0, 0)),
        total, _input_grid(x), products)
    tiles = _each(
        lambda product, kernel: _product(product, kernel, axes=(1, 1))
        .reshape(n, i, j, c), products, kernels)
    pixels = _both(
        lambda parts, axis: windows.add(
            _mix(zip(*INPUT), parts), axis, stride=2, padding=1), tiles)
    return total, windows.interleave(pixels, x.shape).astype(x.dtype)

  total, dx = lax.scan(
      add_chunk, [[jnp.zeros((c, d))] * 4] * 4,
      (chunks.split(x, n), chunks.split(dy, n)))
  dkernel = jnp.stack([jnp.stack(row) for row in _change(tuple(zip(*KERNEL)), total)])
  return chunks.join(dx), dkernel.astype(kernel.dtype)


winograd_conv.defvjp(_forward, _backward)


def _tiles(shape):
  """Rows and columns of tiles of images [n, h, w, c]."""
  return (shape[1] + 1) // 2, (shape[2] + 1) // 2


def _mix(basis, parts):
  """Arrays to as many sums of them as the basis has rows of weights."""
  return [
      functools.reduce(operator.add, [w * part for w, part in zip(row, parts) if w])
      for row in basis]


def _both(function, grid):
  """Maps `function`, of a list and its axis in the images, over columns, then rows."""
  columns = [function(column, 1) for column in zip(*grid)]
  return [function(row, 2) for row in zip(*columns)]


def _change(basis, grid):
  return _both(lambda parts, _: _mix(basis, parts), grid)


def _each(function, *grids):
  return [[function(*parts) for parts in zip(*rows)] for rows in zip(*grids)]


def _product(x, y, axes):
  """A product over one axis of each, as of two matrices; of four axes it is slow."""
  x, y = (a.reshape(-1, a.shape[-1]) for a in (x, y))
  return lax.dot_general(x, y, (((axes[0],), (axes[1],)), ((), ())))


def _kernel_grid(kernel):
  """[3, 3, c, d] -> 4x4 of [c, d]."""
  return _change(KERNEL, [list(row) for row in kernel.astype(jnp.float32)])


def _input_grid(x):
  """[n, h, w, c] -> 4x4 of [n, i, j, c]."""
  _, h, w, _ = x.shape
  x = x.astype(jnp.float32)
  x = jnp.pad(x, ((0, 0), (1, 1 + h % 2), (1, 1 + w % 2), (0, 0)))

  def change(x, axis):
    return _mix(INPUT, windows.cut(x, axis, size=4, stride=2))

  return [change(row, 2) for row in change(x, 1)]


def _output_grid(y):
  """[n, h, w, d] -> 4x4 of [n, i, j, d]: the change of products' basis, transposed."""
  _, h, w, _ = y.shape
  # One row and column too many: so XLA takes the chunk out of the batch once, and not
  # anew for each of the 16 arrays.
  y = jnp.pad(y.astype(jnp.float32), ((0, 0), (0, 1 + h % 2), (0, 1 + w % 2), (0, 0)))

  def change(y, axis):
    return _mix(zip(*OUTPUT), windows.cut(y, axis, size=2, stride=2))

  return [change(row, 2) for row in change(y, 1)]
