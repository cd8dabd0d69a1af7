"""Linear classifiers by L-BFGS, one for each of several decays, side by side.

In shapes, n is the examples, b a block of them, d the features' width, g the heads,
k the classes. A single head has weights [d, k] and biases [k].
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxssl import preemption
from jaxssl import probes
from jaxssl import scoring

FLAT = 1e-6  # A head is done once its gradient has shrunk to this share of its norm.
SOLVER = optax.lbfgs(
    memory_size=10,
    # From the full step down: near the optimum that is the one, and costs one pass.
    linesearch=optax.scale_by_backtracking_linesearch(
        max_backtracking_steps=30, decrease_factor=0.5, increase_factor=math.inf))


def fit(
    x, labels, held_out, decays, on_all, *, num_classes, iterations, center, scale):
  """Trains a linear classifier for each decay, by all examples at each iteration.

  The objective is that of `probes.fit`, the mean cross-entropy plus half the decay
  times the squared weights, from zero. It is convex: what is found does not depend
  on rates or an order of the examples. A head stops when its gradient is nearly
  zero, or when float32 shows no more progress: features whose scales differ by orders
  of magnitude stop early, unless `center` and `scale` make them alike.

  The features lie on the first device as a whole, and pass through the heads in
  blocks; the memory of L-BFGS is 20 times the heads.

  Args:
    x: float32 [n, d] features, on the host.
    labels: int32 [n] classes.
    held_out: bool [n].
    decays: [g] of the weights; the biases have none.
    on_all: bool [g], whether each head sees the held-out examples too.
    num_classes: how many classes there are.
    iterations: at most; one is a gradient and a line search.
    center: [d] subtracted from the features.
    scale: [d] multiplied then. Both are folded into the heads.

  Returns:
    `probes.Heads` for features as they are, and bool [g], which of them stopped by
    themselves.
  """
  g = len(decays)
  heads = probes.Heads(
      jnp.zeros((g, x.shape[1], num_classes)), jnp.zeros((g, num_classes)))
  state = heads, jax.vmap(SOLVER.init)(heads), jnp.zeros(g), jnp.ones(g, bool)
  # Weakly typed, as some of the solver's are, they would make it compile twice.
  state = jax.tree.map(lambda s: s.astype(s.dtype), state)
  blocks = scoring.blocks(len(x), max(1, probes.LOGITS // (g * num_classes)))
  starts = np.array([block.start for block in blocks], np.int32)
  data = jax.device_put((x, labels, held_out, center, scale))
  decays = np.asarray(decays, np.float32)
  for _ in range(iterations):
    preemption.heed()
    state = _iterate(
        state, decays, np.asarray(on_all), data, starts,
        length=blocks[0].stop - blocks[0].start)
    if not state[-1].any():
      break
  (weights, biases), _, _, running = state
  heads = probes.Heads(jnp.moveaxis(weights, 0, 1), biases)
  return probes.folded(heads, center, scale), ~np.asarray(running)


@functools.partial(jax.jit, static_argnames='length', donate_argnums=0)
def _iterate(state, decays, on_all, data, starts, *, length):
  """One iteration of every head that still runs."""
  x, labels, held_out, center, scale = data
  seen = length * np.arange(len(starts), dtype=np.int32)

  def block_loss(head, start, seen, on_all):
    """The summed cross-entropy of the rows from `seen` on of a block."""
    xb, labels_b, held_out_b = (
        jax.lax.dynamic_slice_in_dim(part, start, length)
        for part in (x, labels, held_out))
    counts = (start + jnp.arange(length) >= seen) & (on_all | ~held_out_b)  # [b]
    xb = (xb - center) * scale
    logits = jnp.matmul(xb, head.weights, precision='highest') + head.biases
    each = optax.softmax_cross_entropy_with_integer_labels(logits, labels_b)
    return (each * counts).sum()

  def total(function, head, on_all):
    """The sum of a function of blocks, which come one after the other."""
    shapes = jax.eval_shape(function, head, starts[0], seen[0], on_all)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def add(so_far, block):
      return jax.tree.map(jnp.add, so_far, function(head, *block, on_all)), None
    return jax.lax.scan(add, zeros, (starts, seen))[0]

  def iterate_one(state, decay, on_all):
    head, solver, steepest, running = state
    count = (on_all | ~held_out).sum()

    def objective(head):
      loss = total(block_loss, head, on_all) / count
      return loss + decay * (head.weights ** 2).sum() / 2

    # The gradient within each block: through the sum it would keep all logits.
    value, grad = total(jax.value_and_grad(block_loss), head, on_all)
    value = value / count + decay * (head.weights ** 2).sum() / 2
    grad = probes.Heads(
        grad.weights / count + decay * head.weights, grad.biases / count)
    updates, new_solver = SOLVER.update(
        grad, solver, head, value=value, grad=grad, value_fn=objective)
    norm = optax.tree.norm(grad)
    steepest = jnp.maximum(steepest, norm)
    lower = optax.tree.get(new_solver, 'value') < value
    running = running & (norm > FLAT * steepest) & lower
    new = optax.apply_updates(head, updates), new_solver
    head, solver = jax.tree.map(
        lambda n, old: jnp.where(running, n, old), new, (head, solver))
    return head, solver, steepest, running

  return jax.vmap(iterate_one)(state, decays, on_all)
