"""The map, the rows of neighbours and the prototypes, of evaluations or of the run.

Where there is a result of `embedding` or `neighbors` with its images, it is shown;
otherwise what the end of the run has kept (`features_map`).
"""

import collections

import numpy as np

from jaxssl.report import charts
from jaxssl.report import features_map
from jaxssl.report import pictures
from jaxssl.report import shown
from jaxssl.report import tables

GALLERY_TILE = 64  # Pixels: there are hundreds.


def galleries(run):
  """`map`, `near` and `prototypes` for the template, and what went wrong."""
  found = {'map': None, 'near': None, 'prototypes': None}
  if run.atlas:
    found['map'] = {**pictures.draw_map(run.atlas), 'sentence': ''}
    found['near'] = pictures.neighbor_rows(run.atlas)
  problems = []
  for name, result in tables.newest(run.results).items():
    images = {data: run.pictures.get((name, data), {}) for data in ('test', 'train')}
    part, draw = DRAWN.get(str(result.get('protocol')), (None, None))
    if part is None or not images['test']:
      continue
    try:
      found[part] = draw(result, images) or found[part]
    except Exception as e:  # Whatever a broken file causes: a gap beats no page.
      problems.append(f'eval/{name}: {str(e) or type(e).__name__}')
  return found, problems


def embedding(result, images):
  """The map of a result of `embedding`."""
  arrays, metrics = result['arrays'], result['metrics']
  points = np.array(arrays['coordinates'], float)                 # [n, 2]
  ids = shown.evenly(np.array(arrays['ids']))
  points = shown.evenly(features_map.framed(points))
  found = [images['test'][i] for i in ids.tolist()]
  atlas = {
      'points': points, 'thumbnails': np.stack([picture for picture, *_ in found]),
      'names': np.array([name for _, name, _ in found]),
      'num_images': len(arrays['ids']), 'method': settings(result, 'by').get('name')}
  if 'labels' in arrays:
    classes, labels = np.unique([c for *_, c in found], return_inverse=True)
    atlas.update(labels=labels, class_names=classes)
  sentence = (
      f'Trustworthiness {metrics["trustworthiness"]:.2f} and continuity '
      f'{metrics["continuity"]:.2f}: 1 is a map without errors, and points at random '
      'get about 0.5.')
  if 'accuracy_map' in metrics:
    sentence += (
        ' By its nearest others '
        f'{charts.percent(metrics["accuracy_map"])} of images get their class right on '
        f'the map, and {charts.percent(metrics["accuracy_features"])} among the '
        'features themselves.')
  return {**pictures.draw_map(atlas), 'sentence': sentence}


def neighbors(result, images):
  """The first queries of a result of `neighbors`."""
  arrays, metrics = result['arrays'], result['metrics']
  searched = images['train' if 'train' in settings(result) else 'test']
  rows = [
      pictures.row(
          [images['test'][query], *(searched[i] for i in near)], similarity)
      for query, near, similarity in list(zip(
          arrays['queries'], arrays['neighbors'],
          arrays['similarity']))[:shown.NUM_QUERIES]]
  k = max(
      (int(name.removeprefix('precision_at_')) for name in metrics
       if name.removeprefix('precision_at_').isdigit()), default=None)
  if k is None:
    return {'rows': rows, 'sentence': 'No labels: judge by eye.'}
  name = f'precision_at_{k}'
  untrained = result['controls']['random_init'].get(name)
  beside = '' if untrained is None else (
      f'; before training it was {charts.percent(untrained)}')
  return {'rows': rows, 'sentence': (
      f'Over {len(arrays["queries"]):,} images drawn at random, '
      f'{charts.percent(metrics[name])} of the {k} nearest are of the same class'
      f'{beside}, and at random it would be {charts.percent(metrics["chance"])}. The '
      'first of these images:')}


def prototypes(result, images):
  """Coarse clusters by images at random, and their fine ones by the nearest."""
  arrays = result['arrays']

  def strip(title, ids):
    found = [images['test'][i] for i in ids if i >= 0]
    counts = collections.Counter(c for *_, c in found if c)
    common = ''.join(
        f'{name}, {count} of {len(found)}' for name, count in counts.most_common(1))
    return {'title': title, 'common': common, 'tiles': [
        pictures.tile(small(picture), *words) for picture, *words in found]}

  return [
      {'random': strip('drawn at random', random), 'fine': [
          strip('near a fine prototype', ids)
          for number, ids in zip(numbers, rows) if number >= 0]}
      for numbers, rows, random in zip(
          arrays['gallery_fine'], arrays['gallery'], arrays['gallery_random'])]


def small(picture):
  return features_map.shrunk(picture[None], GALLERY_TILE)[0]


def settings(result, *keys):
  """A part of the settings that were evaluated with; empty where there is none."""
  value = result.get('settings')
  for key in keys:
    value = value.get(key) if isinstance(value, dict) else None
  return value if isinstance(value, dict) else {}


# Protocol -> the part of the page that its result is for, and what draws it.
DRAWN = {
    'embedding': ('map', embedding), 'neighbors': ('near', neighbors),
    'prototypes': ('prototypes', prototypes)}
