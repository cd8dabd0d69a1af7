"""Exact nearest neighbours by cosine, in chunks of any size of bank.

In shapes, q is the queries, n the bank, d the width, k the neighbours, c the classes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import hosts
from jaxssl import preemption
from jaxssl import scoring

BANK_ROWS = 16_384   # On the device at a time, with as many columns of similarities
QUERY_ROWS = 1024    # for so many queries: 64 MB.
CPU_PARTS = 32       # Of these, side by side: on a CPU `top_k` itself uses one core.


def nearest(queries, bank, *, k):
  """The k rows of the bank most similar to each query.

  The bank stays in host memory and passes through the device once; the queries and
  their k best so far stay on the device. Of equally similar rows the earlier wins.
  A row of zeros has similarity 0 to all. Several processes, which all call this,
  search for a share of the queries each, and have all of the result.

  Args:
    queries: float32 [q, d], of any length.
    bank: float32 [n, d], of any length.
    k: how many neighbours.

  Returns:
    float32 [q, k] cosine similarities from the highest down, and int32 [q, k] rows
    of the bank, on the host.

  Raises:
    ValueError: k is below 1 or above n, or the widths differ.
  """
  if not 1 <= k <= len(bank):
    raise ValueError(
        f'k is {k}; with {len(bank)} examples to search it must be from 1 to '
        f'{len(bank)}.')
  if queries.shape[1] != bank.shape[1]:
    raise ValueError(
        f'The features differ in width: {queries.shape[1]} of the queries, '
        f'{bank.shape[1]} of the bank.')
  found = _nearest(queries[hosts.share(len(queries))], bank, k)
  return tuple(map(hosts.gather, found))


def _nearest(queries, bank, k):
  places = scoring.blocks(len(queries), QUERY_ROWS)
  blocks = [_unit(queries[place]) for place in places]
  best = [
      (jnp.full((len(b), k), -jnp.inf), jnp.zeros((len(b), k), jnp.int32))
      for b in blocks]
  seen = 0
  for place in scoring.blocks(len(bank), BANK_ROWS):
    preemption.heed()
    rows = _unit(bank[place])
    # One chunk is on its way while another is searched, and no more are.
    jax.block_until_ready(best)
    best = [
        _merge(*found, block, rows, place.start, seen)
        for found, block in zip(best, blocks)]
    seen = place.stop
  similarity = np.empty((len(queries), k), np.float32)
  index = np.empty((len(queries), k), np.int32)
  for place, (s, i) in zip(places, best):
    similarity[place], index[place] = s, i
  return similarity, index


def votes(similarity, classes, *, temperature, num_classes):
  """The weight of each class among the neighbours (Wu et al. 2018, Section 3.4,
  https://arxiv.org/abs/1805.01978).

  Args:
    similarity: [q, k] cosine similarities, the highest first.
    classes: int [q, k], of the neighbours.
    temperature: a vote weighs exp(similarity / temperature); at 0 all weigh the same.
    num_classes: c.

  Returns:
    float64 [q, c], of each query relative to its nearest neighbour's vote.
  """
  # Relative, so that no temperature overflows.
  behind = (similarity - similarity[:, :1]).astype(np.float64)
  weights = np.exp(behind / temperature) if temperature else np.ones_like(behind)
  q = len(classes)
  cells = np.arange(q)[:, None] * num_classes + classes           # [q, k]
  return np.bincount(
      cells.ravel(), weights.ravel(), minlength=q * num_classes).reshape(q, -1)


@jax.jit
def _unit(x):
  return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


@functools.partial(jax.jit, donate_argnums=(0, 1))
def _merge(similarity, index, queries, rows, start, seen):
  """The best [q, k] so far, and a chunk [m, d] of the bank -> the best [q, k]."""
  k = similarity.shape[1]
  column = start + jnp.arange(len(rows), dtype=jnp.int32)
  # In full precision: a TF32 or bfloat16 product would change who is near.
  new = jnp.matmul(queries, rows.T, precision='highest')          # [q, m]
  new = jnp.where(column >= seen, new, -jnp.inf)  # Overlaps are in already.

  def merge_part(similarity, index, new):
    # The best so far come first: where equal they win, and as few after them are
    # better, a CPU is faster than with the new ones alone.
    similarity, place = jax.lax.top_k(
        jnp.concatenate([similarity, new], axis=1), k)
    known = jnp.take_along_axis(index, jnp.minimum(place, k - 1), axis=1)
    return similarity, jnp.where(place < k, known, start + place - k)

  on_cpu = jax.default_backend() == 'cpu'
  num_parts = min(CPU_PARTS, len(queries)) if on_cpu else 1
  parts = zip(*(jnp.array_split(x, num_parts) for x in (similarity, index, new)))
  merged = [merge_part(*part) for part in parts]
  return tuple(jnp.concatenate(found) for found in zip(*merged))
