"""The pictures of the page: the map, rows of neighbours, the sheet of views.

p is the images on the map, q the queries, s the side of a thumbnail. Pictures are
inside the page as data addresses; the thumbnails of the map are one picture, which
the script cuts up.
"""

import base64
import colorsys
import io

import numpy as np
from PIL import Image

VIEWS_WIDTH = 1600     # Pixels; a wider sheet of views is shrunk for the page.
VIEWS_BYTES = 400_000  # A larger sheet is encoded again, with loss.
SHEET_COLUMNS = 40
MARGIN = 3             # Around the map, in percent of its width.

# Told apart on white and on black, also by those who see few colours.
COLORS = (
    '#4c78d0', '#e8882e', '#2fa37a', '#d6588f', '#8c6bd1', '#c9a227', '#3fa7d6',
    '#c2573f', '#7d9b3c', '#8a8f98')


def draw_map(atlas):
  """The map of the features, for the template."""
  labels = atlas['labels'].tolist() if 'labels' in atlas else None
  classes = atlas['class_names'].tolist() if labels else []
  names = atlas['names'].tolist()
  colors = class_colors(len(classes))
  sheet, tile = contact_sheet(atlas['thumbnails'])
  low, high = atlas['points'][:, 1].min(), atlas['points'][:, 1].max()
  height = max(high - low, 0.5)  # Of a map that is 1 wide.
  return {
      'top': f'{50 * (low + high - height) - MARGIN:.2f}',
      'height': f'{100 * height + 2 * MARGIN:.2f}', 'margin': MARGIN,
      'points': [
          {'x': f'{100 * x:.2f}', 'y': f'{100 * y:.2f}',
           'color': colors[labels[i]] if labels else None}
          for i, (x, y) in enumerate(atlas['points'].tolist())],
      'method': str(atlas['method']), 'total': int(atlas['num_images']),
      'labelled': labels is not None, 'classes': list(zip(classes, colors)),
      'sheet': sheet,
      'data': {
          'names': names, 'labels': labels, 'classes': classes, 'tile': tile,
          'side': atlas['thumbnails'].shape[1], 'columns': SHEET_COLUMNS}}


def neighbor_rows(atlas):
  """Rows of a query and its neighbours, for the template, and what they show."""
  labels = atlas['labels'].tolist() if 'labels' in atlas else None
  classes = atlas['class_names'].tolist() if labels else []
  names = atlas['names'].tolist()
  rows = []
  for query, neighbors, similarity, pictures in zip(
      atlas['queries'], atlas['neighbors'], atlas['similarity'], atlas['gallery']):
    rows.append(row([
        (picture, names[i], classes[labels[i]] if labels else '')
        for i, picture in zip([query, *neighbors], pictures)], similarity))
  same = [tile['same'] for found in rows for tile in found['neighbors']]
  if not labels or not same:
    return {'rows': rows if same else [], 'sentence': 'No labels: judge by eye.'}
  sizes = np.bincount(labels)[atlas['labels'][atlas['queries']]]  # [q]
  share = (sizes - 1).mean() / (len(labels) - 1)  # Of all the other images.
  return {'rows': rows, 'sentence': (
      f'{sum(same)} of {len(same)} are of the same class; at random it would be '
      f'about {len(same) * share:.1f}.')}


def row(images, similarity):
  """A query and its neighbours: (picture, name, class or '') of each."""
  tiles = [tile(*image) for image in images]
  query, *neighbors = tiles
  for found, cosine in zip(neighbors, similarity):
    found['similarity'] = f'{cosine:.2f}'
    found['same'] = found['class'] == query['class'] if query['class'] else None
  return {'query': query, 'neighbors': neighbors}


def tile(picture, name, class_name):
  return {
      'picture': data_uri(picture, lossless=len(picture) <= 48), 'name': name,
      'class': class_name}


def class_colors(num):
  """A colour for each class: chosen ones for a few, hues far apart for many."""
  if num <= len(COLORS):
    return COLORS[:num]
  colors = []
  for i in range(num):
    rgb = colorsys.hls_to_rgb(i * 0.618034 % 1, (0.5, 0.62, 0.4)[i % 3], 0.6)
    colors.append('#' + ''.join(f'{round(255 * c):02x}' for c in rgb))
  return colors


def contact_sheet(thumbnails):
  """All thumbnails [p, s, s, 3] as one picture, and the side of a tile in it."""
  p, s = thumbnails.shape[:2]
  tile = -(-s // 16) * 16  # JPEG works in blocks of 16: no thumbnail shares one.
  edge = [(0, tile - s)] * 2
  tiles = np.pad(thumbnails, [(0, 0), *edge, (0, 0)], mode='edge')
  rows = -(-p // SHEET_COLUMNS)
  tiles = np.pad(tiles, [(0, rows * SHEET_COLUMNS - p), (0, 0), (0, 0), (0, 0)])
  sheet = tiles.reshape(rows, SHEET_COLUMNS, tile, tile, 3).swapaxes(1, 2)
  return data_uri(
      sheet.reshape(rows * tile, SHEET_COLUMNS * tile, 3), lossless=False), tile


def data_uri(pixels, *, lossless):
  """uint8 [h, w, 3] as an address that holds the picture itself."""
  kind = 'png' if lossless else 'jpeg'
  buffer = io.BytesIO()
  settings = {'optimize': True} if lossless else {'quality': 78}
  Image.fromarray(pixels).save(buffer, format=kind, **settings)
  return uri(kind, buffer.getvalue())


def uri(kind, content):
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def embed_views(path):
  """The sheet of views for the template, or None, and a list of what went wrong."""
  if path is None:
    return None, []
  try:
    with Image.open(path) as image:
      image.load()
      content = path.read_bytes()
      kind = (image.format or '').lower()
      if len(content) > VIEWS_BYTES or kind != 'png':
        image.thumbnail((VIEWS_WIDTH, 16 * VIEWS_WIDTH))
        buffer = io.BytesIO()
        image.save(buffer, format='webp', quality=85)
        kind, content = 'webp', buffer.getvalue()
      return {'uri': uri(kind, content), 'width': image.width,
              'height': image.height}, []
  except Exception as e:  # Whatever a broken file causes: a gap beats no page.
    return None, [f'figures/views.png: {e}']
