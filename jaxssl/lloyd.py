"""What of k-means runs on devices: Lloyd's step, assignment and k-means++.

The rows are split over the devices and the centroids are on each. Distances are
made in blocks, so that no [n, k] array exists. In shapes, n is the rows of all
devices, q those of one, m of them a block; k is the clusters, j of them a block; d
the width.
"""

import functools
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import parallel

HOST_ROWS = 2**14     # Made ready at a time.
EPSILON = 1 / 1024    # How far apart the halves of a split cluster start.


class Plan(NamedTuple):
  """How one kind of device does the work."""
  rows: int        # At most so many a block, and
  centroids: int   # so many of these: their products should stay in fast memory.
  scatter: bool    # Sums by scattered additions, or by a matrix product.


# A CPU's block fits the L2 cache of a core. An accelerator scatters slowly or in no
# fixed order, so that sums would differ from run to run; its block is 128 MB.
CPU = Plan(rows=256, centroids=1024, scatter=True)
ACCELERATOR = Plan(rows=4096, centroids=8192, scatter=False)


class Functions(NamedTuple):
  """Mapped over the devices; `n` says how many rows of all are not padding."""
  step: Callable[..., Any]       # (x, n, centroids) -> centroids, num_split, same
  assign: Callable[..., Any]     # (x, n, centroids) -> assignments, distances
  plus_plus: Callable[..., Any]  # (x, n, first, uniform) -> centroids


def functions(metric):
  """Compiled once for each shape, metric and set of devices."""
  return _functions(metric, plan(), tuple(parallel.devices()))


def plan():
  return CPU if parallel.devices()[0].platform == 'cpu' else ACCELERATOR


def split(rows, n, d):
  """Puts rows on the devices, with zeros after the last to fill whole blocks.

  Args:
    rows: (start, stop) -> float32 [stop - start, d] on the host, called for some at
      a time so that they are never there twice.
    n: how many there are.
    d: their width.
  """
  num_devices = len(parallel.devices())
  q = -(-n // num_devices)
  m = min(plan().rows, q)
  q = -(-q // m) * m
  share = q * num_devices // jax.process_count()
  first = jax.process_index() * share
  # A CPU device takes an array that starts at a multiple of 64 bytes as it is, and
  # copies any other.
  x = np.zeros(share * d + 16, np.float32)
  x = x[-(x.ctypes.data // 4) % 16:][:share * d].reshape(share, d)
  for start in range(first, min(first + share, n), HOST_ROWS):
    stop = min(start + HOST_ROWS, first + share, n)
    x[start - first:stop - first] = rows(start, stop)
  return parallel.split(x)


@functools.cache
def _functions(metric, plan, devices):
  del devices  # `mapped` asks for them itself.
  return Functions(
      parallel.mapped(
          functools.partial(_step, plan, metric), (0, None, None),
          (None, None, None)),
      parallel.mapped(
          functools.partial(_assign, plan), (0, None, None), (None, None)),
      parallel.mapped(
          functools.partial(_plus_plus, plan), (0, None, None, None), None))


def _step(plan, metric, x, n, centroids):
  """One iteration of Lloyd's algorithm."""
  k, d = centroids.shape
  blocks = _centroid_blocks(plan, centroids)

  def visit(sums, block):
    rows, real = block
    index = _nearest(rows, blocks)
    # Padding is zeros, which change no sum, and is counted as a cluster k.
    return _add(plan, sums, rows, index), jnp.where(real, index, k)

  sums, index = jax.lax.scan(
      visit, jnp.zeros_like(blocks[0]), _row_blocks(plan, x, n))
  sums, sizes = jax.lax.psum(
      (sums.reshape(-1, d)[:k], jnp.bincount(index.ravel(), length=k + 1)[:k]),
      parallel.AXIS)
  new = jnp.where(
      sizes[:, None] > 0, sums / jnp.maximum(sizes, 1)[:, None], centroids)
  new, num_split = split_empty(new, sizes)
  if metric == 'spherical':
    length = jnp.linalg.norm(new, axis=1, keepdims=True)
    new = jnp.where(length > 0, new / jnp.where(length > 0, length, 1), centroids)
  return new, num_split, (new == centroids).all()


def split_empty(centroids, sizes):
  """Gives each empty cluster half of a large one, the largest first, as faiss does.

  Both go on from the same centroid, moved apart a little. A cluster is split once
  at most: where more are empty, the others wait, unmoved, for the next iteration.

  Args:
    centroids: [k, d].
    sizes: [k].

  Returns:
    [k, d] centroids, and how many were empty and are no more.
  """
  k, d = centroids.shape
  taker, giver = jnp.argsort(sizes > 0), jnp.argsort(-sizes)      # [k]
  possible = (sizes[taker] == 0) & (sizes[giver] > 1)
  shift = jnp.where(jnp.arange(d) % 2, -EPSILON, EPSILON)
  whole = centroids[giver]
  for half, place in ((1 + shift, taker), (1 - shift, giver)):
    place = jnp.where(possible, place, k)
    centroids = centroids.at[place].set(whole * half, mode='drop')
  return centroids, possible.sum()


def _assign(plan, x, n, centroids):
  """The nearest centroid of each row of all devices, and how far it is."""
  blocks = _centroid_blocks(plan, centroids)

  def visit(block):
    rows, _ = block
    index = _nearest(rows, blocks)
    # From the difference itself: the expanded square would cancel near 0.
    return index, jnp.linalg.norm(rows - centroids[index], axis=1)

  found = jax.lax.map(visit, _row_blocks(plan, x, n))
  return tuple(
      jax.lax.all_gather(f.ravel(), parallel.AXIS, tiled=True) for f in found)


def _plus_plus(plan, x, n, first, uniform):
  """From the first row on, draws rows by their squared distance to the nearest."""
  blocks, real = _row_blocks(plan, x, n)
  real = real.astype(x.dtype)                                     # [q / m, m]
  device = jax.lax.axis_index(parallel.AXIS)

  def find(weights, target):
    """Where the cumulative weights pass the target, and the rest of it there."""
    ends = jnp.cumsum(weights)
    # Not by rounding beyond the end, where rows have no weight.
    target = jnp.minimum(target, ends[-1] * (1 - 1e-6))
    place = jnp.argmax(ends > target)
    return place, target - jnp.where(place > 0, ends[place - 1], 0)

  def draw(i, state):
    squares, centroids = state
    # Where every row is a centroid already, one is as good as another.
    more = jax.lax.psum(squares.sum(), parallel.AXIS) > 0
    weights = jnp.where(more, squares, real)
    per_block = weights.sum(axis=1)
    totals = jax.lax.all_gather(per_block.sum(), parallel.AXIS)
    owner, rest = find(totals, uniform[i] * totals.sum())
    block, rest = find(per_block, rest)
    row = blocks[block, find(weights[block], rest)[0]]
    row = jax.lax.psum(jnp.where(device == owner, row, 0), parallel.AXIS)
    return jnp.minimum(squares, squares_to(row)), centroids.at[i].set(row)

  def squares_to(row):
    return real * jnp.square(blocks - row).sum(axis=2)

  centroids = jnp.zeros((len(uniform), len(first)), x.dtype).at[0].set(first)
  state = squares_to(first), centroids
  return jax.lax.fori_loop(1, len(uniform), draw, state)[1]


def _row_blocks(plan, x, n):
  """[q, d] -> [q / m, m, d], and which of them are not padding [q / m, m]."""
  m = min(plan.rows, len(x))
  row = jax.lax.axis_index(parallel.AXIS) * len(x) + jnp.arange(len(x))
  return x.reshape(-1, m, x.shape[1]), (row < n).reshape(-1, m)


def _centroid_blocks(plan, centroids):
  """[k, d] -> [k / j, j, d], half of the squared lengths, number of each first."""
  k, d = centroids.shape
  num_blocks = -(-k // plan.centroids)
  j = -(-k // num_blocks)  # Equal blocks, and few zeros at the end of the last.
  centroids = jnp.pad(centroids, ((0, num_blocks * j - k), (0, 0)))
  half = jnp.square(centroids).sum(axis=1) / 2
  half = jnp.where(jnp.arange(num_blocks * j) < k, half, jnp.inf)
  return (
      centroids.reshape(-1, j, d), half.reshape(-1, j, 1),
      jnp.arange(num_blocks, dtype=jnp.int32) * j)


def _nearest(rows, blocks):
  """[m, d] -> [m] numbers of the nearest centroids; of equal ones the first."""
  m, j = len(rows), blocks[0].shape[1]

  def search(best, block):
    centroids, half, first = block
    # Ordered as distances are: |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2).
    near = jnp.matmul(centroids, rows.T, precision='highest') - half  # [j, m]
    # Both uses below must see the same bits: no compiler may make it twice.
    near = jax.lax.optimization_barrier(near)
    most = near.max(axis=0)
    # Two plain reductions over the first axis: seven times as fast as an argmax on
    # a CPU.
    number = jnp.where(near == most, jnp.arange(j)[:, None], j - 1).min(axis=0)
    return (
        jnp.maximum(best[0], most),
        jnp.where(most > best[0], first + number, best[1])), None

  start = jnp.full(m, -jnp.inf), jnp.zeros(m, jnp.int32)
  return jax.lax.scan(search, start, blocks)[0][1]


def _add(plan, sums, rows, index):
  """Adds rows [m, d] to the sums [k / j, j, d] of their clusters."""
  num_blocks, j, d = sums.shape
  if plan.scatter:
    return sums.reshape(-1, d).at[index].add(rows).reshape(sums.shape)

  def add_block(_, block):
    sums, first = block
    ones = (first + jnp.arange(j)[:, None] == index).astype(rows.dtype)  # [j, m]
    return None, sums + jnp.matmul(ones, rows, precision='highest')

  return jax.lax.scan(add_block, None, (sums, jnp.arange(num_blocks) * j))[1]
