"""Fine prototypes inside their coarse cluster, each by the images nearest to it."""

import numpy as np

from jaxssl import looks
from jaxssl import plots
from jaxssl import tidy


def make(*, title, evaluation='prototypes', num_images=8, where=None, names=None):
  """Draws what a `prototypes` evaluation has chosen, as PCL's figure does.

  Each block is a coarse cluster: a row of its images at random, and below it a row
  for each of its fine prototypes with the images nearest to that
  (https://arxiv.org/abs/2005.04966). Of several cells the first is drawn.

  Args:
    title: of the figure.
    evaluation: the key of a `prototypes` evaluation.
    num_images: in a row, at most.
    where, names: see `jaxssl.plots`.

  Returns:
    draw(cells, published, *, num_missing, images) -> `plots.Drawing`;
    images(cell, evaluation, ids) gives the uint8 [h, w, 3] images of its test set,
    and without it ids are written in their place. Rows have `coarse` and `fine`, the
    numbers of the prototypes, `rank` and `id`.
  """
  names = names or {}

  def draw(cells, published, *, num_missing, images=None):
    chosen = [
        cell for cell in cells if tidy.taken(cell.axes, where or {})
        and 'gallery' in cell.results.get(evaluation, {}).get('metrics', {})]
    rows, shown = [], {}
    for cell in sorted(chosen, key=lambda c: c.axes.get('seed', 0))[:1]:
      rows = list(rows_of(cell.results[evaluation]['metrics']))
      ids = list(dict.fromkeys(r['id'] for r in rows))
      shown = dict(zip(ids, images(cell, evaluation, ids))) if images else {}
    lines = {}
    for r in rows:
      lines.setdefault((r['coarse'], r['fine']), []).append(r['id'])
    width = max((len(ids) for ids in lines.values()), default=1)
    blocks = list(dict.fromkeys(coarse for coarse, _ in lines))
    with looks.settings():
      # The height of a row is 1; blocks are a third of it apart.
      height = len(lines) + 0.35 * max(len(blocks) - 1, 0) or 1
      figure, ((axes,),) = looks.panels(
          1, 1, width=1.2 + 0.62 * max(width, 4), height=0.62 * max(height, 2),
          title=title)
      axes.axis('off')
      if not lines:
        looks.nothing(axes)
      for i, ((coarse, fine), ids) in enumerate(lines.items()):
        top = i + 0.35 * blocks.index(coarse)
        number = sum(c == coarse for c, _ in list(lines)[:i])
        color = looks.MUTED if fine == '' else looks.COLORS[(number - 1) % 8]
        label = f'cluster {coarse}\nat random' if fine == '' else f'prototype {fine}'
        axes.text(
            -0.2, top + 0.45, label, ha='right', va='center', color=color,
            fontsize=8, fontweight='bold')
        for j, id_ in enumerate(ids):
          tile(axes, j, top, shown.get(id_), id_, color)
      # Last, since a picture sets the limits to itself.
      axes.set(xlim=(-0.1, max(width, 1)), ylim=(height, -0.1), aspect='equal')
      looks.partial(figure, num_missing, cells)
    return plots.Drawing(figure, rows, ('coarse', 'fine', 'rank', 'id'), False)

  def rows_of(metrics):
    """A row for each image; `fine` is '' for those at random from the cluster."""
    for coarse, fine, random, nearest in zip(*(
        metrics[key] for key in (
            'gallery_coarse', 'gallery_fine', 'gallery_random', 'gallery'))):
      for name, ids in [('', random), *zip(fine, nearest)]:
        if name == '' or name >= 0:
          yield from (
              {'coarse': coarse, 'fine': name, 'rank': rank, 'id': id_}
              for rank, id_ in enumerate(ids[:num_images]) if id_ >= 0)

  def tile(axes, x, y, image, id_, color):
    """One image, or its id, with a frame."""
    place = (x, x + 0.92, y + 0.92, y)
    if image is not None:
      side = min(image.shape[:2])
      top, left = ((n - side) // 2 for n in image.shape[:2])
      axes.imshow(
          np.asarray(image)[top:top + side, left:left + side], extent=place,
          interpolation='nearest' if side < 64 else 'antialiased')
    else:
      axes.text(
          x + 0.46, y + 0.46, f'{id_}', ha='center', va='center', fontsize=8,
          color=looks.MUTED)
    axes.add_patch(looks.frame(x, y, 0.92, color))

  return draw
