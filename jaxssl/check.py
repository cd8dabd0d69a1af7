"""The job that looks at images before anything is trained on them.

  check.json       counts, bad images, digests, duplicates, sizes, classes, levels
  grid_<split>.png some images of each split with their classes

A bad image is listed here and never fatal. In shapes, n is the images of a split.
"""

import collections
import hashlib
import logging

import numpy as np
import tqdm
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from jaxssl import errors
from jaxssl import figures
from jaxssl import files
from jaxssl import metrics
from jaxssl import plugins
from jaxssl import preemption
from jaxssl import recipe as recipes
from jaxssl import taxonomy
from jaxssl.data import BadImage
from jaxssl.data import building
from jaxssl.data import decode
from jaxssl.data import threads

log = logging.getLogger(__name__)

CHUNK = 16        # Images that a thread reads at a time.
MAX_LISTED = 100  # Entries of each list in check.json.


def check(config, workdir):
  """Runs the job; see `configs/check.py`.

  Args:
    config: nested dicts with `data`, as in a recipe; `splits`, each of which takes
      the place of data.split, or () for the data as they are; `max_images`, how many
      to decode in each split, evenly spaced, or 0 for all; `few_images`, below which
      a class is listed as small; `grid`, images a side of the picture, and `tile`,
      pixels a side of each.
    workdir: files are written to it.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_check, config, what='config', workdir=workdir)
    for name, low in (('max_images', 0), ('few_images', 0), ('grid', 1), ('tile', 8)):
      recipes.check_number(name, settings[name], low=low, whole=True)
  _check(**settings)


def _check(*, job, data, splits, max_images, few_images, grid, tile, workdir):
  data = {k: v for k, v in data.items() if k not in recipes.PIPELINE_KEYS}
  with errors.user_mistakes('config'):
    sources = {
        split: building.source({**data, 'split': split}) for split in splits
    } or {'all': building.source(data)}
  metrics.setup_logging(None)
  with files.storage_errors(f'Cannot make {workdir}'):
    workdir.mkdir(parents=True, exist_ok=True)
  found, digests = {}, {}
  for split, source in sources.items():
    ids = spaced(source.num_examples, max_images or source.num_examples)
    about, digests[split] = look_at(source, ids, what=split)
    found[split] = {**about, **labels_of(source, few_images)}
    picture(workdir / f'grid_{split}.png', source, grid=grid, tile=tile)
    log.info('%s', summary(split, found[split]))
  twins = duplicates(sources, digests)
  log.info(
      '%s groups of equal images, %s of them across splits. Wrote %s',
      f'{twins["num_groups"]:,}', f'{twins["num_across_splits"]:,}',
      workdir / 'check.json')
  files.write_json(
      workdir / 'check.json', {'data': data, 'splits': found, 'duplicates': twins})


def spaced(n, at_most):
  """Up to `at_most` of the ids below n, evenly spaced."""
  return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(int))


def look_at(source, ids, *, what):
  """Decodes images and takes their digests.

  Args:
    source: a `data.Source`.
    ids: [n] of the images.
    what: what the bar of progress calls them.

  Returns:
    A dict for check.json, and {id: SHA-256} of the bytes of each image's file, or of
    its pixels where it has none.
  """
  def read(start):
    return [(i, *_read(source, int(i))) for i in ids[start:start + CHUNK]]

  bad, sizes, digests, all_bytes = {}, {}, {}, hashlib.sha256()
  chunks = threads.ahead(
      read, range(0, len(ids), CHUNK), workers=threads.WORKERS,
      depth=2 * threads.WORKERS)
  with tqdm.tqdm(total=len(ids), desc=what, unit=' images', disable=None) as bar:
    for chunk in chunks:
      preemption.heed()
      for i, image, digest in chunk:
        if isinstance(image, BadImage):
          bad[i] = image
        else:
          sizes[i] = image
        if digest:
          digests[i] = digest
          all_bytes.update(digest)
      bar.update(len(chunk))

  def named(i):
    return {'size': list(sizes[i]), 'name': source.describe(int(i))}

  by_area = sorted(sizes, key=lambda i: sizes[i][0] * sizes[i][1])
  return {
      'num_examples': source.num_examples, 'num_checked': len(ids),
      'digest': source.digest, 'bytes_sha256': all_bytes.hexdigest(),
      'hashed': 'files' if source.encoded else 'pixels',
      'num_bad': len(bad),
      'bad_reasons': collections.Counter(b.reason for b in bad.values()),
      'bad': [
          {'name': source.describe(int(i)), 'reason': b.reason, 'detail': b.detail}
          for i, b in list(bad.items())[:MAX_LISTED]],
      'smallest': named(by_area[0]) if by_area else None,
      'largest': named(by_area[-1]) if by_area else None}, digests


def _read(source, i):
  """(height, width) of an image, or a BadImage; and the digest of its bytes."""
  try:
    if source.encoded:
      encoded = source.encoded(i)
      if isinstance(encoded, BadImage):
        return encoded, None
      image = decode.from_bytes(encoded)
    else:
      [image] = source.read([i])
      encoded = b'' if isinstance(image, BadImage) else np.ascontiguousarray(image)
  except errors.StorageError as e:
    return BadImage('no file', str(e)), None
  digest = hashlib.sha256(encoded).digest() if len(encoded) else None
  return image if isinstance(image, BadImage) else image.shape[:2], digest


def labels_of(source, few_images):
  """What check.json says of a source's classes and levels."""
  labels, num_classes = source.labels, source.num_classes
  if labels is None:
    return {'num_classes': 0}
  counts = (
      np.bincount(labels[labels >= 0], minlength=num_classes) if labels.ndim == 1
      else (labels > 0).sum(0))
  small = [int(k) for k in np.argsort(counts, kind='stable') if counts[k] < few_images]
  about = {
      'num_classes': num_classes, 'classes_present': int((counts > 0).sum()),
      'num_unlabelled': int((labels < 0).sum()) if labels.ndim == 1 else 0,
      'images_per_class': {
          'min': int(counts.min()), 'median': float(np.median(counts)),
          'max': int(counts.max())},
      'num_small_classes': len(small),
      'small_classes': {
          source.class_names[k]: int(counts[k]) for k in small[:MAX_LISTED]}}
  if source.taxonomy:
    try:
      levels = taxonomy.levels(source.taxonomy, num_classes)
      about['levels'] = [
          {'name': name, 'num_nodes': len(level.names)}
          for name, level in levels.items()]
    except ValueError as e:
      about['levels_error'] = str(e)
  return about


def duplicates(sources, digests):
  """Groups of images with equal bytes, within and across splits.

  Args:
    sources: {split: source}.
    digests: {split: {id: digest}}.
  """
  first, groups = {}, {}
  for split, of_id in digests.items():
    for i, digest in of_id.items():
      if digest in first:
        groups.setdefault(digest, [first[digest]]).append((split, i))
      else:
        first[digest] = (split, i)
  across = [g for g in groups.values() if len({split for split, _ in g}) > 1]
  within = [g for g in groups.values() if len({split for split, _ in g}) == 1]
  return {
      'num_groups': len(groups), 'num_across_splits': len(across),
      'num_images': sum(map(len, groups.values())),
      'groups': [
          [f'{split}: {sources[split].describe(int(i))}' for split, i in group]
          for group in (across + within)[:MAX_LISTED]]}


def picture(path, source, *, grid, tile):
  """Draws up to grid x grid images, evenly spaced, with their classes below."""
  ids = spaced(source.num_examples, grid * grid)
  columns, line = min(grid, len(ids)), 16
  rows = -(-len(ids) // columns)
  sheet = Image.new(
      'RGBA', (columns * (tile + figures.GAP), rows * (tile + line + figures.GAP)))
  pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
  for k, i in enumerate(ids):
    row, column = divmod(k, columns)
    x, y = column * (tile + figures.GAP), row * (tile + line + figures.GAP)
    try:
      [image] = source.read([int(i)], short_side=tile)
    except errors.StorageError:
      image = BadImage('no file')
    if isinstance(image, BadImage):
      pen.rectangle((x, y, x + tile, y + tile), outline=figures.LABEL_COLOR)
      text = image.reason
    else:
      image = Image.fromarray(np.asarray(image))
      sheet.paste(figures.resized(image, figures.fitted(image.size, tile)), (x, y))
      text = _class_text(source, i)
    pen.text(
        (x, y + tile + 1), figures.shortened(text, tile, font), figures.LABEL_COLOR,
        font)
  with figures.replacing(path) as temporary:
    sheet.save(temporary, format='PNG')


def _class_text(source, i):
  if source.labels is None:
    return ''
  label = source.labels[i]
  if label.ndim:
    return ', '.join(source.class_names[k] for k in np.flatnonzero(label > 0))
  return source.class_names[label] if label >= 0 else 'no label'


def summary(split, about):
  """A split in a line."""
  parts = [
      f'{split}: {about["num_examples"]:,} images, {about["num_checked"]:,} looked at, '
      f'{about["num_bad"]:,} bad']
  if about['num_classes']:
    parts.append(
        f'{about["classes_present"]:,} of {about["num_classes"]:,} classes, '
        f'{about["num_small_classes"]:,} of them small')
    if about['num_unlabelled']:
      parts.append(f'{about["num_unlabelled"]:,} without a label')
  for which in ('smallest', 'largest'):
    if about[which]:
      height, width = about[which]['size']
      parts.append(f'{which} {height} x {width}')
  if 'levels' in about:
    levels = [f'{x["name"]} {x["num_nodes"]:,}' for x in about['levels']]
    parts.append(f'levels {", ".join(levels)}')
  if 'levels_error' in about:
    parts.append(f'no tree: {about["levels_error"]}')
  return '; '.join(parts)
