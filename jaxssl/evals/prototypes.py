"""What a method's prototypes hold: how full and how pure they are, and galleries.

n is the examples, k the prototypes of a granularity, d the width. In a gallery, c is
the coarse prototypes, f the fine ones in each, and m the images of each of those.
"""

import numpy as np

from jaxssl import features
from jaxssl import partitions

PROTOCOL = 'prototypes'
VERSION = 1


def make(embed, *, test, num_coarse, num_fine, num_images, seed):
  """Numbers of each granularity, and images for a gallery from coarse to fine.

  As in PCL's figure (https://arxiv.org/abs/2005.04966) the gallery shows fine
  prototypes by the images nearest to them, within a coarse cluster that is shown by
  images at random. A fine prototype, of the finest granularity, lies in the coarse
  one, of the coarsest, that has the most of its images. Coarse ones are drawn at
  random, first from those with `num_fine` fine ones or more.

  An example belongs to the prototype nearest to its z by cosine. Prototypes that lie
  in one coarse prototype are in order of their images, the most first.

  Args:
    embed: see `features`.
    test: batches; labels, if there are any, are for the purity alone.
    num_coarse: c, at most.
    num_fine: f, at most.
    num_images: m, at most.
    seed: of what is drawn.

  Returns:
    run(params, extra) -> dict of `granularities`, how many there are, 0 with nothing
    else before the first E-step; for each, as `empty_k100`: `empty`, `largest`,
    `balance` and `variation` (`partitions.fullness`) and, where each example has one
    class, `purity`, the share of examples that are of the most frequent class in
    their cluster; `nested`, the share of examples whose fine prototype lies in their
    own coarse one; and of the gallery `gallery_coarse` [c] and `gallery_fine` [c, f],
    numbers of prototypes, `gallery_random` [c, m], ids of images at random from the
    coarse cluster, and `gallery` [c, f, m], ids of those nearest to the fine
    prototype, the nearest first. -1 fills what is not there.

  Raises:
    ValueError: a setting is out of range; and, from `run`, the method has no
      prototypes.
  """
  partitions.check_least(
      1, num_coarse=num_coarse, num_fine=num_fine, num_images=num_images)
  partitions.check_least(0, seed=seed)

  def run(params, extra):
    if 'clusters' not in extra:
      raise ValueError(
          'There are no prototypes: this evaluation is of checkpoints of methods '
          'that cluster, such as pcl.')
    parts = partitions.granularities(extra)
    metrics = {'granularities': len(parts)}
    if not parts:
      return metrics
    found = features.outputs(embed, params, extra, test)
    z = found.features['z']
    assignments = {
        name: partitions.nearest(z, part['prototypes'])
        for name, part in parts.items()}
    for name, part in parts.items():
      sizes = np.bincount(assignments[name], minlength=len(part['prototypes']))
      numbers = partitions.fullness(sizes)
      if found.labels is not None and found.labels.ndim == 1:
        common = _most_frequent(found.labels, assignments[name])
        numbers['purity'] = float((common[assignments[name]] == found.labels).mean())
      metrics.update({f'{key}_{name}': value for key, value in numbers.items()})
    names = list(parts)
    coarsest, finest = names[0], names[-1]
    coarse, fine = assignments[coarsest], assignments[finest]
    parents = _most_frequent(coarse, fine)
    metrics['nested'] = float((parents[fine] == coarse).mean())
    cosine = (z * parts[finest]['prototypes'][fine]).sum(1)       # [n]
    return metrics | gallery(found.index, coarse, fine, parents, cosine)

  def gallery(index, coarse, fine, parents, cosine):
    """The arrays of the gallery; the arguments are [n], but `parents` [k]."""
    generator = np.random.default_rng(seed)
    held = np.bincount(parents[parents >= 0])  # Fine ones in each coarse one.
    chosen = generator.permutation(np.flatnonzero(held))
    # Sorting is stable: of those with equally many the order stays random.
    enough = np.minimum(held[chosen], num_fine)
    chosen = chosen[np.argsort(-enough, kind='stable')][:num_coarse]
    shape = len(chosen), num_fine, num_images
    families, random, nearest = (
        np.full(s, -1, np.int64) for s in (shape[:2], shape[::2], shape))
    for i, c in enumerate(chosen):
      drawn = generator.permutation(index[coarse == c])[:num_images]
      random[i, :len(drawn)] = drawn
      inside = (coarse == c) & (parents[fine] == c)
      family, counts = np.unique(fine[inside], return_counts=True)
      family = family[np.argsort(-counts, kind='stable')][:num_fine]
      families[i, :len(family)] = family
      for j, f in enumerate(family):
        rows = np.flatnonzero(inside & (fine == f))
        rows = rows[np.argsort(-cosine[rows], kind='stable')][:num_images]
        nearest[i, j, :len(rows)] = index[rows]
    return {
        'gallery_coarse': chosen, 'gallery_fine': families,
        'gallery_random': random, 'gallery': nearest}

  return run


def _most_frequent(values, assignments):
  """[k] the value that the most examples of each cluster have, or the lowest such.

  -1 for an empty cluster.
  """
  width = np.int64(values.max()) + 1  # Of 64 bits, so that no pair overflows.
  pairs, counts = np.unique(assignments * width + values, return_counts=True)
  cluster, value = np.divmod(pairs, width)
  found = np.full(cluster.max() + 1, -1)
  order = np.lexsort((-value, counts))  # What is written last stays.
  found[cluster[order]] = value[order]
  return found
