"""The images that results name by their ids, small, for the page.

They are saved beside a result, where the images are, so that the page can be drawn
again without them: `eval/<key>/<step>.test.npz`. p is the images, s the side of a
small picture.
"""

import pathlib

import numpy as np

from jaxssl import figures
from jaxssl.report import features_map

NUM_QUERIES = 8  # Of the neighbours, as many are shown.


def wanted(settings, metrics):
  """The images that the page will show of a result.

  Args:
    settings: the evaluation's entry in config.evals.
    metrics: {name: number or array}, its result.

  Returns:
    {'test' or 'train', as in the settings: int [m] ids, ascending}; empty where the
    page shows none.
  """
  protocol, found = settings['name'], {}
  if protocol == 'embedding':
    found['test'] = [evenly(metrics['ids'])]
  elif protocol == 'prototypes' and 'gallery' in metrics:
    found['test'] = [metrics['gallery'], metrics['gallery_random']]
  elif protocol == 'neighbors':
    found['test'] = [metrics['queries'][:NUM_QUERIES]]
    searched = 'train' if 'train' in settings else 'test'
    found.setdefault(searched, []).append(metrics['neighbors'][:NUM_QUERIES])
  ids = {
      name: np.setdiff1d(np.concatenate([np.ravel(part) for part in parts]), [-1])
      for name, parts in found.items()}                           # -1 is none.
  return {name: rows for name, rows in ids.items() if len(rows)}


def evenly(values):
  """At most as many as a map shows of an array, from its beginning to its end."""
  num = min(len(values), features_map.MAX_POINTS)
  return values[np.linspace(0, len(values) - 1, num).astype(int)]


def save(folder, step, name, *, ids, thumbnails, names, labels, class_names):
  """Saves the images for a result.

  Args:
    folder: a result's, such as `eval/prototypes`.
    step: of the result.
    name: which of its data, 'test' or 'train'.
    ids: int [p].
    thumbnails: uint8 [p, t, t, 3], shrunk here where there are very many.
    names: p names for people, such as paths.
    labels: int [p] classes, or None.
    class_names: the classes' names, or None where they have none.
  """
  side = features_map.GALLERY_SIDE
  if len(ids) > 500:
    side = features_map.THUMBNAIL_SIDE
  arrays = dict(
      ids=np.asarray(ids), thumbnails=features_map.shrunk(thumbnails, side),
      names=np.asarray(names, np.str_))
  if labels is not None and np.ndim(labels) == 1:
    known = class_names or range(max(labels, default=-1) + 1)
    arrays['classes'] = np.asarray([str(known[c]) for c in labels], np.str_)
  with figures.replacing(place(folder, step, name)) as temporary:
    np.savez_compressed(temporary, **arrays)


def place(folder, step, name):
  return pathlib.Path(folder) / f'{step}.{name}.npz'


def load(path):
  """Reads what `save` wrote, trusting nothing in it.

  Returns:
    {id: (picture uint8 [s, s, 3], name, class or '')}

  Raises:
    ValueError: arrays are missing or do not fit each other.
  """
  with np.load(path, allow_pickle=False) as file:
    arrays = {name: file[name] for name in file.files}
  p, s = (*arrays['thumbnails'].shape, 0, 0)[:2] if 'thumbnails' in arrays else (0, 0)
  expected = dict(
      ids=(np.integer, (p,)), thumbnails=(np.uint8, (p, s, s, 3)),
      names=(np.str_, (p,)))
  if 'classes' in arrays:
    expected['classes'] = np.str_, (p,)
  for name, (kind, shape) in expected.items():
    a = arrays.get(name)
    if a is None or a.shape != shape or not np.issubdtype(a.dtype, kind) or not s:
      raise ValueError(f'{name} is not {kind.__name__} {list(shape)}.')
  classes = arrays['classes'].tolist() if 'classes' in arrays else [''] * p
  return dict(zip(arrays['ids'].tolist(), zip(
      arrays['thumbnails'], arrays['names'].tolist(), classes)))
