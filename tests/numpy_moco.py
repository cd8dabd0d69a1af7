"""The paper's Algorithm 1 of MoCo in float64 NumPy, on the network of `tiny_method`."""

import jax
import numpy as np

EPSILON, KEPT = 1e-5, 0.9  # Of batch norm.


def encode(params, stats, images, groups=None):
  """The tiny network: unit embeddings, and the statistics that are kept.

  Args:
    groups: [n] the group of each image, for batch norm; None for the evaluation
      mode, which normalises by the kept statistics.
  """
  p = jax.tree.map(np.float64, params)
  x = np.float64(images).reshape(len(images), -1)
  x = x @ p['dense']['kernel'] + p['dense']['bias']
  if groups is None:
    x = (x - stats['bn']['mean']) / np.sqrt(stats['bn']['var'] + EPSILON)
  else:
    numbers = range(groups.max() + 1)
    means = np.stack([x[groups == g].mean(0) for g in numbers])
    variances = np.stack([x[groups == g].var(0) for g in numbers])
    x = (x - means[groups]) / np.sqrt(variances[groups] + EPSILON)
    stats = {'bn': {
        'mean': KEPT * stats['bn']['mean'] + (1 - KEPT) * means.mean(0),
        'var': KEPT * stats['bn']['var'] + (1 - KEPT) * variances.mean(0)}}
  h = np.maximum(x * p['bn']['scale'] + p['bn']['bias'], 0)
  z = h @ p['projector']['kernel'] + p['projector']['bias']
  return z / np.linalg.norm(z, axis=1, keepdims=True), stats


def algorithm_1(
    params, extra, views, rng, *, temperature, momentum, num_splits, symmetric=False,
    target=None):
  """One iteration of Algorithm 1, but for the optimiser's step.

  Args:
    params, extra: of the method before it.
    views: 'a' and 'b', each [n, ...].
    rng: the step's key, for the shuffle of the keys.
    target: parameters of the slow encoder, if not those that the iteration makes.

  Returns:
    [n, d] queries, the loss of each, and the new extra; 2n if symmetric.
  """
  n = len(views['a'])
  neighbours = np.arange(n) // (n // num_splits)
  target = target or jax.tree.map(
      lambda t, p: momentum * np.float64(t) + (1 - momentum) * p,
      extra['target']['params'], params)
  stats, target_stats = extra['batch_stats'], extra['target']['batch_stats']
  queue = np.float64(extra['queue'])
  losses, all_queries, all_keys = [], [], []
  pairs = [('a', 'b'), ('b', 'a')] if symmetric else [('a', 'b')]
  for i, (of_query, of_key) in enumerate(pairs):
    shuffled = np.asarray(jax.random.permutation(jax.random.fold_in(rng, i), n))
    keys, target_stats = encode(
        target, target_stats, views[of_key], shuffled // (n // num_splits))
    queries, stats = encode(params, stats, views[of_query], neighbours)
    for query, key in zip(queries, keys):
      logits = np.array([query @ key, *(query @ old for old in queue)]) / temperature
      losses.append(-np.log(np.exp(logits[0]) / np.exp(logits).sum()))
    all_queries.append(queries)
    all_keys.append(keys)
  for keys in all_keys:
    queue = np.concatenate([keys, queue])[:len(queue)]
  return np.concatenate(all_queries), np.array(losses), {
      **extra, 'batch_stats': stats, 'queue': queue,
      'target': {'params': target, 'batch_stats': target_stats}}


def assert_is_gradient(grads, loss_at, params, places=6):
  """Compares with central differences, at some places of each leaf."""
  leaves, tree = jax.tree.flatten(jax.tree.map(np.float64, params))
  for leaf, grad in zip(leaves, jax.tree.leaves(grads)):
    for place in list(np.ndindex(leaf.shape))[:places]:
      loss = []
      for sign in (1, -1):
        leaf[place] += sign * 1e-5
        loss.append(loss_at(tree.unflatten(leaves)))
        leaf[place] -= sign * 1e-5
      np.testing.assert_allclose(
          grad[place], (loss[0] - loss[1]) / 2e-5, rtol=2e-3, atol=2e-5)
