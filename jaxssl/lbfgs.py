"""Linear classifiers by L-BFGS, one for each of several decays, side by side.

In shapes, n is the examples, b a block of them, d the features' width, g the heads,
k the classes.
"""

import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import preemption
from jaxssl import probes
from jaxssl import scoring

FLAT = 1e-5           # A head is done once its gradient has shrunk to this share,
SHORTEST = 2 ** -15   # or where a step of this share of the full one gains nothing.
ROUNDING = 1e-6       # By what share float32 may misjudge an objective.
SOLVER = optax.scale_by_lbfgs(memory_size=10)


class State(NamedTuple):
  """Where the heads are, in the coordinates of a `Basis`; g comes first."""
  at: probes.Heads         # [g, d, k] and [g, k], the best so far.
  value: jax.Array         # [g] the objective there,
  norm: jax.Array          # [g] the length of its gradient, and
  steepest: jax.Array      # [g] the most that this has been.
  direction: probes.Heads  # In which the next step goes,
  slope: jax.Array         # [g] the objective's along it, and
  step: jax.Array          # [g] which share of it is taken.
  solver: Any              # What L-BFGS remembers.
  running: jax.Array       # [g] bool.


class Basis(NamedTuple):
  """Coordinates in which the objective curves about alike in all directions."""
  axes: np.ndarray     # [d, d] the principal axes of the features, in columns.
  weights: np.ndarray  # [g, d] the unit along each of them, and
  biases: np.ndarray   # [] that of the biases.

  def heads(self, at):
    """[g, d, k] and [g, k] coordinates -> `probes.Heads`."""
    weights = jnp.einsum(
        'de,gek->dgk', self.axes, self.weights[:, :, None] * at.weights,
        precision='highest')
    return probes.Heads(weights, self.biases * at.biases)

  def gradient(self, of_heads):
    """The gradient by coordinates from that by `probes.Heads`."""
    weights = jnp.einsum(
        'de,dgk->gek', self.axes, of_heads.weights, precision='highest')
    return probes.Heads(
        self.weights[:, :, None] * weights, self.biases * of_heads.biases)


def fit(x, labels, held_out, decays, on_all, *, num_classes, iterations, scale):
  """Trains a linear classifier for each decay, by all examples at each iteration.

  The objective is that of `probes.fit`, the mean cross-entropy plus half the decay
  times the squared weights, from zero. It is convex: what is found does not depend
  on rates or an order of the examples. The search goes along the principal axes of
  the features, each in a unit by which the objective curves alike at the start; few
  iterations are then enough, however different the scales of features. A head stops
  when its gradient is nearly zero, or when float32 shows no more progress.

  The features lie on the first device as a whole, and pass through the heads in
  blocks; the memory of L-BFGS is 20 times the heads.

  Args:
    x: float32 [n, d] features, on the host.
    labels: int32 [n] classes.
    held_out: bool [n].
    decays: [g] of the weights; the biases have none.
    on_all: bool [g], whether each head sees the held-out examples too.
    num_classes: how many classes there are.
    iterations: at most; one is a pass over the examples.
    scale: [d] multiplied with the features, and folded into the heads. Biases
      without decay make a center of no account.

  Returns:
    `probes.Heads` for features as they are, and bool [g], which of them stopped by
    themselves.

  Raises:
    ValueError: the features' squares are not finite.
  """
  g, d = len(decays), x.shape[1]
  center = x.mean(0, dtype=np.float64).astype(np.float32)
  decays = np.asarray(decays, np.float32)
  blocks = scoring.blocks(len(x), _rows(g * num_classes))
  starts = np.array([block.start for block in blocks], np.int32)
  length = blocks[0].stop - blocks[0].start
  data = jax.device_put((x, labels, held_out, np.asarray(on_all), center, scale))
  covariance = _covariance(data, starts, length=length)
  basis = jax.device_put(_basis(np.asarray(covariance), decays, num_classes))
  start = probes.Heads(jnp.zeros((g, d, num_classes)), jnp.zeros((g, num_classes)))
  state = State(
      start, jnp.full(g, jnp.inf), jnp.full(g, jnp.inf), jnp.zeros(g),
      jax.tree.map(jnp.zeros_like, start), jnp.zeros(g), jnp.ones(g),
      jax.vmap(SOLVER.init)(start), jnp.ones(g, bool))
  # Weakly typed, as some of the solver's are, they would make it compile twice.
  state = jax.tree.map(lambda s: s.astype(s.dtype), state)
  for _ in range(iterations):
    preemption.heed()
    state = _iterate(state, decays, basis, data, starts, length=length)
    if not state.running.any():
      break
  heads = probes.folded(basis.heads(state.at), center, scale)
  return heads, ~np.asarray(state.running)


def _rows(columns):
  """Rows of a block: products that stay in a CPU's cache, yet fill an accelerator."""
  return max(1, min(probes.LOGITS // columns, max(1024, 2**21 // columns)))


def _basis(covariance, decays, num_classes):
  if not np.isfinite(covariance).all():
    raise ValueError('The features are too large: in float32 their squares overflow.')
  eigenvalues, axes = np.linalg.eigh(covariance.astype(np.float64))
  # Of the objective at the start, where all classes are as likely.
  curvature = np.maximum(eigenvalues, 0) / num_classes + decays[:, None]  # [g, d]
  # Flatter ones are no more than rounding.
  curvature = np.maximum(curvature, 1e-6 * curvature.max(1, keepdims=True))
  unit = 1 / np.sqrt(np.where(curvature > 0, curvature, 1))
  return Basis(
      axes.astype(np.float32), unit.astype(np.float32),
      np.float32(np.sqrt(num_classes)))


def _sum_over_blocks(function, data, starts, length):
  """The sum of function(x [b, d], labels [b], held_out [b], counts [b]) of blocks.

  They come one after the other. `counts` is false in rows that the block before has
  too.
  """
  *parts, center, scale = data

  def of_block(start, seen):
    x, labels, held_out = (
        jax.lax.dynamic_slice_in_dim(part, start, length) for part in parts)
    counts = start + jnp.arange(length) >= seen
    return function((x - center) * scale, labels, held_out, counts)

  def add(so_far, block):
    return jax.tree.map(jnp.add, so_far, of_block(*block)), None

  shapes = jax.eval_shape(of_block, starts[0], starts[0])
  zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
  seen = length * jnp.arange(len(starts), dtype=jnp.int32)
  return jax.lax.scan(add, zeros, (starts, seen))[0]


@functools.partial(jax.jit, static_argnames='length')
def _covariance(data, starts, *, length):
  x, labels, held_out, _, center, scale = data

  def squares(x, labels, held_out, counts):
    return jnp.matmul(x.T, x * counts[:, None], precision='highest')

  parts = x, labels, held_out, center, scale
  return _sum_over_blocks(squares, parts, starts, length) / len(x)


@functools.partial(jax.jit, static_argnames='length', donate_argnums=0)
def _iterate(state, decays, basis, data, starts, *, length):
  """Tries a step of each head; where it gains nothing the next is half as long.

  Each head is at its own point of its line search: none waits for another.
  """
  trial = jax.tree.map(
      lambda at, direction: at + _each(state.step, at) * direction,
      state.at, state.direction)
  value, grad = _objective(trial, decays, basis, data, starts, length)
  # Enough gained (Armijo); or, where rounding hides a gain, less steep than before.
  gained = value <= state.value + 1e-4 * state.step * state.slope
  equal = value <= state.value + ROUNDING * jnp.abs(state.value)
  slope_there = jax.vmap(optax.tree.vdot)(grad, state.direction)
  flatter = jnp.abs(slope_there) <= 0.9 * jnp.abs(state.slope)
  better = state.running & (gained | (equal & flatter))

  norm = jax.vmap(optax.tree.norm)(grad)
  steepest = jnp.maximum(state.steepest, norm)
  uphill, solver = jax.vmap(SOLVER.update)(grad, state.solver, trial)
  direction = jax.tree.map(jnp.negative, uphill)
  slope = jax.vmap(optax.tree.vdot)(grad, direction)
  progress = (value < state.value) | (norm < state.norm)
  accepted = State(
      trial, value, norm, steepest, direction, slope, jnp.ones_like(value), solver,
      state.running & progress & (norm > FLAT * steepest) & (slope < 0))
  refused = state._replace(
      step=state.step / 2, running=state.running & (state.step > SHORTEST))
  return jax.tree.map(
      lambda new, old: jnp.where(_each(better, new), new, old), accepted, refused)


def _each(of_heads, like):
  """[g] -> [g, 1, ...], to go with an array of so many axes."""
  return of_heads.reshape(-1, *[1] * (like.ndim - 1))


def _objective(at, decays, basis, data, starts, length):
  """[g] values of the objective, and their gradients, both by the coordinates."""
  x, labels, held_out, on_all, center, scale = data
  heads = basis.heads(at)

  def loss(heads, x, labels, counts):
    logits = jnp.einsum('bd,dgk->bgk', x, heads.weights, precision='highest')
    logits = logits + heads.biases
    each = optax.softmax_cross_entropy_with_integer_labels(
        logits, jnp.broadcast_to(labels[:, None], logits.shape[:2]))
    of_heads = (each * counts).sum(0)                             # [g]
    # Heads share no parameters: the sum has the gradient of each.
    return of_heads.sum(), of_heads

  def block(x, labels, held_out, counts):
    counts = counts[:, None] & (on_all | ~held_out[:, None])      # [b, g]
    (_, value), grad = jax.value_and_grad(loss, has_aux=True)(heads, x, labels, counts)
    return value, grad

  # The gradient within each block: through the sum it would keep all logits.
  value, grad = _sum_over_blocks(
      block, (x, labels, held_out, center, scale), starts, length)
  count = jnp.where(on_all, len(x), (~held_out).sum())            # [g]
  value = value / count + decays * (heads.weights ** 2).sum((0, 2)) / 2
  grad = probes.Heads(
      grad.weights / count[:, None] + decays[:, None] * heads.weights,
      grad.biases / count[:, None])
  return value, basis.gradient(grad)
