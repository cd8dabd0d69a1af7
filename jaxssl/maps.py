"""Maps of features: points on a plane, where what is alike lies close.

n is the points, d the width of the features.
"""

import numpy as np

from jaxssl import partitions
from jaxssl import plugins

SAME = 1e-6  # Unit rows closer than this differ by rounding only.


def make(by):
  """The way to draw a map that a config's sub-dict describes.

  Args:
    by: dict of `name`, 'tsne' or 'umap', and the keywords of that function.

  Returns:
    (float32 [n, d] features of unit length) -> float64 [n, 2] coordinates.

  Raises:
    ValueError: no such name, its settings do not fit, or its library is missing.
  """
  known = {'tsne': tsne, 'umap': umap}
  if by.get('name') not in known:
    raise ValueError(
        f'by.name is {by.get("name")!r}; it can be {" or ".join(known)}.')
  function = known[by['name']]
  return function(**plugins.arguments(function, by, what='by'))


def tsne(*, perplexity, num_iters, seed):
  """t-SNE (https://jmlr.org/papers/v9/vandermaaten08a.html), as openTSNE has it.

  By Euclidean distance, which between unit rows orders as the cosine does; from the
  first two principal components; 250 iterations of early exaggeration come first.

  Args:
    perplexity: how many neighbours each point looks at, about; at most (n - 1) / 3.
    num_iters: iterations.
    seed: of the principal components.

  Raises:
    ValueError: a setting is out of range; and, when it draws, of too few points.
  """
  partitions.check_least(1, num_iters=num_iters)
  partitions.check_least(0, seed=seed)
  if not 1 <= perplexity < np.inf:
    raise ValueError(f'perplexity is {perplexity}; it must be 1 or more.')

  def draw(x):
    import openTSNE  # Seconds to import.
    if perplexity > (len(x) - 1) / 3:
      raise ValueError(
          f'perplexity is {perplexity:g}; for {len(x)} points it can be at most '
          f'{(len(x) - 1) / 3:.4g}.')
    return np.asarray(openTSNE.TSNE(
        perplexity=perplexity, n_iter=num_iters, metric='euclidean',
        neighbors='exact', negative_gradient_method='bh', initialization='pca',
        random_state=seed, n_jobs=1).fit(x), np.float64)

  return draw


def umap(*, num_neighbors, min_dist, num_iters, seed):
  """UMAP (https://arxiv.org/abs/1802.03426), as umap-learn has it.

  By Euclidean distance between unit rows, from the first two principal components.

  Args:
    num_neighbors: how many each point looks at; below n.
    min_dist: how close points may lie, from 0 to 1.
    num_iters: passes over the graph of neighbours.
    seed: of the draws.

  Raises:
    ValueError: a setting is out of range or umap-learn is not installed; and, when
      it draws, of too few points.
  """
  partitions.check_least(2, num_neighbors=num_neighbors)
  partitions.check_least(1, num_iters=num_iters)
  partitions.check_least(0, seed=seed)
  if not 0 <= min_dist <= 1:
    raise ValueError(f'min_dist is {min_dist}; it must be from 0 to 1.')
  try:
    import umap as library
  except ImportError as e:
    raise ValueError(
        "by.name is 'umap', which needs umap-learn: pip install umap-learn.") from e

  def draw(x):
    if num_neighbors >= len(x):
      raise ValueError(
          f'num_neighbors is {num_neighbors}; with {len(x)} points it can be at most '
          f'{len(x) - 1}.')
    return np.asarray(library.UMAP(
        n_neighbors=num_neighbors, min_dist=min_dist, n_epochs=num_iters,
        init='pca', random_state=seed, n_jobs=1).fit_transform(x), np.float64)

  return draw


def unit(x):
  """Rows of unit length; one of zeros stays."""
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def all_same(x):
  """Whether unit rows differ by no more than rounding: there is nothing to map."""
  return bool(np.abs(x - x.mean(0)).max() < SAME)
