"""A map of the features and the neighbours of some images.

Computed once, where the model is, and saved as plain arrays, so that the page can
be drawn again without the model. n is the images given, d the features' width, p
the images kept for the map, q the queries, k their neighbours, t, s and g the sides
of small pictures.
"""

import pathlib

import numpy as np
from PIL import Image

from jaxssl import figures
from jaxssl import maps
from jaxssl import retrieval

FILE = 'figures/atlas.npz'
MAX_POINTS = 1500     # More would hide each other, and make the page heavy.
THUMBNAIL_SIDE = 48
GALLERY_SIDE = 96
NUM_ITERS = 500       # Of t-SNE.


def atlas(
    h, thumbnails, labels, class_names, names, *, seed, num_queries, num_neighbors):
  """Maps features to the plane and finds the nearest neighbours of some images.

  The map is t-SNE (https://jmlr.org/papers/v9/vandermaaten08a.html) by cosine
  distance from a PCA start; fewer than five images are shown by PCA alone.
  Neighbours are by cosine similarity among all n images. The same arguments give
  the same arrays.

  Args:
    h: [n, d] features.
    thumbnails: uint8 [n, t, t, 3] small pictures, shrunk here where t is too large.
    labels: [n] class numbers, or None.
    class_names: the classes' names by number, or None where they have none.
    names: n names for people, such as paths.
    seed: of t-SNE and of every random choice.
    num_queries: q, spread over the classes where there are labels.
    num_neighbors: k for each query; fewer where there are fewer other images.

  Returns:
    dict of arrays: `points` [p, 2] (x, y) within [0, 1], `thumbnails` uint8
    [p, s, s, 3], `names` [p], `labels` [p] and `class_names` [c] (both only with
    labels), `queries` [q] and `neighbors` [q, k] as places among the p,
    `similarity` [q, k], `gallery` uint8 [q, 1 + k, g, g, 3] with each query and
    then its neighbours, `num_images` and `method` ('tsne', 'pca', or 'none' where
    all features are the same).

  Raises:
    ValueError: no images, lengths that differ, labels without a name, or features
      that are not finite.
  """
  h, thumbnails = np.asarray(h, np.float32), np.asarray(thumbnails)
  labels = None if labels is None else np.asarray(labels, np.int32)
  lengths = {
      'features': len(h), 'thumbnails': len(thumbnails), 'names': len(names),
      **({} if labels is None else {'labels': len(labels)})}
  if len(h) == 0 or len(set(lengths.values())) > 1:
    raise ValueError(f'A map needs as many of each, and at least one: {lengths}.')
  if num_queries < 1:
    raise ValueError(f'num_queries is {num_queries}; it must be at least 1.')
  if labels is not None:
    most = labels.max() + 1
    class_names = [str(c) for c in class_names or range(most)]
    if labels.min() < 0 or most > len(class_names):
      raise ValueError(
          f'Labels go from {labels.min()} to {labels.max()}; there are '
          f'{len(class_names)} classes.')
  broken = int((~np.isfinite(h).all(axis=1)).sum())
  if broken:
    raise ValueError(
        f'{broken} of {len(h)} images have features that are not finite.')

  rng = np.random.default_rng(seed)
  queries = choose_queries(rng, len(h), labels, num_queries)      # [q]
  similarity, neighbors = retrieval.among(                        # [q, k] each
      h, queries, k=min(num_neighbors, len(h) - 1))
  rows = np.concatenate([queries[:, None], neighbors], axis=1)    # [q, 1 + k]
  kept = add_others(rng, np.unique(rows), len(h))                 # [p], ascending
  points, method = plane(maps.unit(h[kept]), seed)
  gallery = shrunk(thumbnails[rows.ravel()], GALLERY_SIDE)
  result = dict(
      points=points,
      thumbnails=shrunk(thumbnails[kept], THUMBNAIL_SIDE),
      names=np.asarray([str(names[i]) for i in kept], np.str_),
      queries=np.searchsorted(kept, queries),
      neighbors=np.searchsorted(kept, neighbors),
      similarity=similarity,
      gallery=gallery.reshape(*rows.shape, *gallery.shape[1:]),
      num_images=np.int64(len(h)),
      method=np.str_(method))
  if labels is not None:
    result.update(labels=labels[kept], class_names=np.asarray(class_names, np.str_))
  return result


def save(workdir, arrays):
  """Saves what `atlas` gave; returns the path, a workdir's `figures/atlas.npz`."""
  path = pathlib.Path(workdir) / FILE
  with figures.replacing(path) as temporary:
    np.savez_compressed(temporary, **arrays)
  return path


def load(path):
  """Reads what `save` wrote, trusting nothing in it.

  Raises:
    ValueError: arrays are missing or do not fit each other.
  """
  with np.load(path, allow_pickle=False) as file:
    arrays = {name: file[name] for name in file.files}
  sizes = {
      name: (*arrays[name].shape, 0, 0, 0)[:3] if name in arrays else (0, 0, 0)
      for name in ('points', 'neighbors', 'thumbnails', 'gallery', 'class_names')}
  p, (q, k, _) = sizes['points'][0], sizes['neighbors']
  s, g, c = sizes['thumbnails'][1], sizes['gallery'][2], sizes['class_names'][0]
  expected = dict(
      points=(np.floating, (p, 2)), thumbnails=(np.uint8, (p, s, s, 3)),
      names=(np.str_, (p,)), queries=(np.integer, (q,)),
      neighbors=(np.integer, (q, k)), similarity=(np.floating, (q, k)),
      gallery=(np.uint8, (q, 1 + k, g, g, 3)), num_images=(np.integer, ()),
      method=(np.str_, ()))
  if 'labels' in arrays:
    expected.update(labels=(np.integer, (p,)), class_names=(np.str_, (c,)))
  for name, (kind, shape) in expected.items():
    a = arrays.get(name)
    if a is None or a.shape != shape or not np.issubdtype(a.dtype, kind):
      raise ValueError(f'{name} is not {kind.__name__} {list(shape)}.')
  for name, limit in (('queries', p), ('neighbors', p), ('labels', c)):
    a = arrays.get(name, np.zeros(0))
    if a.size and (a.min() < 0 or a.max() >= limit):
      raise ValueError(f'{name} goes beyond its {limit} entries.')
  if not p or not np.isfinite(arrays['points']).all():
    raise ValueError('There are no points, or they are not finite.')
  return arrays


def choose_queries(rng, n, labels, num_queries):
  """[q] images to look up neighbours of: one class after the other, or evenly."""
  q = min(num_queries, n)
  if labels is None:
    return np.linspace(0, n - 1, q).round().astype(np.int64)
  order = rng.permutation(n)
  # An image's turn is how many of its class come before it: first one of each.
  turn, seen = np.zeros(n, np.int64), {}
  for i in order:
    turn[i] = seen.get(labels[i], 0)
    seen[labels[i]] = turn[i] + 1
  ranked = order[np.argsort(turn[order], kind='stable')]
  return ranked[:q][np.argsort(labels[ranked[:q]], kind='stable')]


def add_others(rng, shown, n):
  """Fills up the images that must be shown to at most MAX_POINTS, in order."""
  others = np.setdiff1d(np.arange(n), shown)
  room = max(0, MAX_POINTS - len(shown))
  return np.sort(np.concatenate([shown, rng.permutation(others)[:room]]))


def plane(unit, seed):
  """Puts unit rows [p, d] on the plane: [p, 2] within [0, 1], and the method."""
  if maps.all_same(unit):
    return np.full((len(unit), 2), 0.5, np.float32), 'none'
  if len(unit) < 5:
    left, scale, _ = np.linalg.svd(unit - unit.mean(0), full_matrices=False)
    points = np.zeros((len(unit), 2))
    points[:, :len(scale)] = (left * scale)[:, :2]
    return framed(points), 'pca'
  draw = maps.tsne(
      perplexity=min(30, (len(unit) - 1) / 3), num_iters=NUM_ITERS, seed=seed)
  return framed(draw(unit)), 'tsne'


def framed(points):
  """[p, 2] places as such within [0, 1], centered and wider than high."""
  points = points - points.min(0)
  if points[:, 0].max() < points[:, 1].max():
    points = points[:, ::-1]  # Wider than high, as screens are.
  extent = points.max(0)
  # One scale for both directions, so that distances mean the same in each.
  return (0.5 + (points - extent / 2) / extent.max()).astype(np.float32)


def shrunk(images, side):
  """[m, t, t, 3] images as [m, s, s, 3] where s is at most `side`."""
  if images.shape[1] <= side:
    return images
  lanczos = Image.Resampling.LANCZOS
  return np.stack([
      np.asarray(Image.fromarray(x).resize((side, side), lanczos)) for x in images])
