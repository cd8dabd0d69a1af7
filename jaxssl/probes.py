"""Linear classifiers on frozen features, many trained side by side by SGD.

`lbfgs` has those trained by L-BFGS, `linear_probe` the choice among them. In shapes,
n is the examples, b a minibatch, d the features' width, g the heads, k the classes.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import preemption
from jaxssl import scoring

CHUNK_BYTES = 2**27   # Of features on the device at a time while training.
LOGITS = 2**26        # Floats at a time while scoring.
OPTIMIZERS = {
    'nesterov': optax.trace(decay=0.9, nesterov=True),
    'momentum': optax.trace(decay=0.9)}


def _cosine(step, total_steps):
  return (1 + jnp.cos(jnp.pi * step / total_steps)) / 2


def _steps(step, total_steps):
  # In whole numbers: 0.6 is no float.
  fifths = 5 * step
  return jnp.where(
      fifths < 3 * total_steps, 1.0, jnp.where(fifths < 4 * total_steps, 0.1, 0.01))


SCHEDULES = {'cosine': _cosine, 'steps': _steps}  # The rate, as a share of the first.


class Heads(NamedTuple):
  weights: jax.Array  # [d, g, k]
  biases: jax.Array   # [g, k]


class Cells(NamedTuple):
  """What each head is trained with."""
  rate: np.ndarray    # [g] at the start; per step, not per 256 examples.
  decay: np.ndarray   # [g] of the weights; the biases have none.
  on_all: np.ndarray  # [g] bool: whether it sees the held-out examples too.


def fit(
    features_of, labels, held_out, cells, *, num_classes, epochs, batch_size, seed,
    center, scale, optimizer='nesterov', schedule='cosine'):
  """Trains a linear classifier for each cell, all on the same minibatches.

  SGD with momentum 0.9 from zero, by the cross-entropy plus half the decay times
  the squared weights. An epoch is ceil(n / batch_size) minibatches whose sizes
  differ by at most one. A head that leaves out the held-out examples has the same
  minibatches without them: as many steps as on all of the examples.

  Args:
    features_of: epoch -> float32 [n, d] features on the host, in one order always.
    labels: int32 [n] classes.
    held_out: bool [n].
    cells: the `Cells`.
    num_classes: how many classes there are.
    epochs: passes over the examples.
    batch_size: of a minibatch, at most.
    seed: of the order of the examples, which is a function of it and the epoch.
    center: [d] subtracted from the features.
    scale: [d] multiplied then. Both are folded into the heads.
    optimizer: 'nesterov' or 'momentum', the kind of momentum.
    schedule: 'cosine', the rate falls to zero as half a cosine, step by step; or
      'steps', to a tenth after 60 % of the run and to a hundredth after 80 %.

  Returns:
    `Heads` for features as they are, neither centered nor scaled.
  """
  n, d, g = len(labels), len(center), len(cells.rate)
  num_steps = -(-n // batch_size)
  heads = Heads(jnp.zeros((d, g, num_classes)), jnp.zeros((g, num_classes)))
  state = heads, OPTIMIZERS[optimizer].init(heads)
  for epoch in range(epochs):
    # No name holds the features, or two epochs' would be in memory at once.
    state = _fit_epoch(
        state, features_of(epoch), labels, held_out, cells, center, scale,
        _minibatches(order(n, seed=seed, stream=epoch + 1), num_steps),
        first_step=epoch * num_steps, total_steps=epochs * num_steps,
        optimizer=optimizer, schedule=schedule)
  return folded(state[0], center, scale)


def folded(heads, center, scale):
  """The heads for features x that do to them what these do to (x - center) * scale."""
  weights = heads.weights * scale[:, None, None]
  shift = jnp.einsum('d,dgk->gk', center, weights, precision='highest')
  return Heads(weights, heads.biases - shift)


def score(heads, x, labels):
  """How each head does on each example.

  Args:
    heads: `Heads`.
    x: float32 [n, d] features, on the host.
    labels: int32 [n] classes.

  Returns:
    int32 [n, g] ranks of the right class (0 is a hit; see `scoring.ranks`), and
    float32 [n, g] cross-entropies.
  """
  g, num_classes = heads.biases.shape
  ranks = np.empty((len(x), g), np.int32)
  losses = np.empty((len(x), g), np.float32)
  most = min(8192, max(1, LOGITS // (g * num_classes)))
  for place in scoring.blocks(len(x), most):
    ranks[place], losses[place] = _score(heads, x[place], labels[place])
  return ranks, losses


def pick(heads, start, stop):
  """Some of the heads."""
  return Heads(heads.weights[:, start:stop], heads.biases[start:stop])


def order(n, *, seed, stream):
  """A permutation of range(n), the same on every machine and in every version.

  Sorted raw bits of Philox: NumPy keeps a bit generator's stream, but not what its
  `permutation` makes of it.
  """
  bits = np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(n)
  return np.argsort(bits, kind='stable')


def standardization(x, *, standardize):
  """[d] center and scale that give features mean 0 and variance 1, or 0s and 1s.

  A feature that does not vary is centered only.
  """
  d = x.shape[1]
  if not standardize:
    return np.zeros(d, np.float32), np.ones(d, np.float32)
  mean = x.mean(0, dtype=np.float64)
  # In blocks: the deviations in double precision are twice as large as all of x.
  squares = sum(
      ((x[i:i + 8192] - mean) ** 2).sum(0) for i in range(0, len(x), 8192))
  deviation = np.sqrt(squares / len(x))
  varies = deviation > 1e-6 * np.abs(mean)  # By more than float32 rounds.
  scale = 1 / np.where(varies, deviation, 1)
  return mean.astype(np.float32), scale.astype(np.float32)


def _minibatches(order, num_steps):
  """[n] order -> [num_steps, b] rows; -1 at the end of the shorter ones."""
  b = -(-len(order) // num_steps)
  padded = np.pad(order, (0, num_steps * b - len(order)), constant_values=-1)
  return padded.reshape(b, num_steps).T


def _fit_epoch(
    state, x, labels, held_out, cells, center, scale, minibatches, *, first_step,
    total_steps, **how):
  num_steps, b = minibatches.shape
  most = max(1, CHUNK_BYTES // (4 * b * x.shape[1]))
  for start in range(0, num_steps, most):
    rows = minibatches[start:start + most]                        # [steps, b]
    steps = first_step + start + np.arange(len(rows), dtype=np.float32)
    chunk = x[rows], labels[rows], held_out[rows], rows >= 0, steps
    preemption.heed()
    # The device trains on one chunk while this one is gathered, and no more wait.
    jax.block_until_ready(state)
    state = _fit_chunk(
        state, chunk, cells, center, scale, np.float32(total_steps), **how)
  return state


@functools.partial(jax.jit, static_argnames=('optimizer', 'schedule'))
def _fit_chunk(state, chunk, cells, center, scale, total_steps, *, optimizer, schedule):

  def step(state, batch):
    heads, trace = state
    x, labels, held_out, there, number = batch
    x = (x - center) * scale
    counts = there[:, None] & (cells.on_all | ~held_out[:, None])  # [b, g]

    share = counts / jnp.maximum(counts.sum(0), 1)                # [b, g]
    truth = jax.nn.one_hot(labels, heads.biases.shape[1])         # [b, k]
    # Written out: for many heads faster than what `jax.grad` makes of the loss.
    error = share[..., None] * (
        jax.nn.softmax(_logits(heads, x)) - truth[:, None])       # [b, g, k]
    weights = jnp.einsum('bd,bgk->dgk', x, error, precision='highest')
    weights = weights + cells.decay[:, None] * heads.weights
    updates, trace = OPTIMIZERS[optimizer].update(Heads(weights, error.sum(0)), trace)
    rate = cells.rate * SCHEDULES[schedule](number, total_steps)
    heads = jax.tree.map(lambda w, u: w - rate[:, None] * u, heads, updates)
    return (heads, trace), None

  return jax.lax.scan(step, state, chunk)[0]


@jax.jit
def _score(heads, x, labels):
  logits = _logits(heads, x)                                      # [b, g, k]
  return scoring.ranks(logits, labels[:, None]), _cross_entropy(logits, labels)


def _logits(heads, x):
  """[b, d] features -> [b, g, k]; in full precision on every device."""
  logits = jnp.einsum('bd,dgk->bgk', x, heads.weights, precision='highest')
  return logits + heads.biases


def _cross_entropy(logits, labels):
  labels = jnp.broadcast_to(labels[:, None], logits.shape[:2])
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
