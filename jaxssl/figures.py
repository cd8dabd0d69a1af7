"""Pictures of a run as files.

In shapes, n is the examples, h and w an image's height and width, s a view's side.
"""

import contextlib
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from jaxssl import corruptions
from jaxssl import files

GAP = 6
GROUP_GAP = 18  # Before the first column of each draw.
LABEL_HEIGHT = 26
LABEL_COLOR = (118, 123, 132, 255)  # Readable on white and on black.

# The rows of a sheet of corruptions: the setting that varies, from weak to strong.
STRENGTHS = {
    'salt_and_pepper': ('p', (0.01, 0.03, 0.1, 0.2, 0.4)),
    'jpeg': ('quality', (50, 25, 10, 5, 2)),
    'resize': ('size', (96, 64, 48, 32, 16)),
    'downsample': ('factor', (2, 3, 4, 6, 8)),
    **{name: ('severity', (1, 2, 3, 4, 5)) for name in (
        'gaussian_noise', 'gaussian_blur', 'pixelate', 'contrast', 'brightness')}}


@contextlib.contextmanager
def replacing(path):
  """Writes a file whole or not at all.

  Args:
    path: the file to make or replace; its folder is made if there is none.

  Yields:
    The path to write to. Once the block has ended well, that file takes the place
    of `path`.

  Raises:
    StorageError: the disk is full or the folder cannot be made.
  """
  path = pathlib.Path(path)
  with files.storage_errors(f'Cannot write {path}'):
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is only atomic within one file system.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.writing-') as folder:
      temporary = pathlib.Path(folder) / path.name
      yield temporary
      temporary.replace(path)


def contact_sheet(path, originals, views, *, tile):
  """Draws what the views of some examples look like, one example a row.

  The background is transparent, so that the sheet sits well on any page.

  Args:
    path: of the PNG to write.
    originals: n images uint8 [h, w, 3], of any sizes.
    views: for each draw, a dict of view name -> [n, s, s, 3] in [0, 1]; columns
      come in this order. What is outside [0, 1] is clipped: undo a normalisation
      first.
    tile: the most pixels for a view's side. A smaller view is enlarged by the
      greatest whole factor that fits, without smoothing; a larger one is shrunk.

  Returns:
    The path.

  Raises:
    ValueError: nothing to draw, or a view of other than n examples.
  """
  if not len(originals) or not views:
    raise ValueError(
        f'Nothing to draw: {len(originals)} examples, {len(views)} draws of views.')
  columns = [('original', 0, [Image.fromarray(np.asarray(x)) for x in originals])]
  for draw, by_name in enumerate(views, start=1):
    for i, (name, batch) in enumerate(by_name.items()):
      if len(batch) != len(originals):
        raise ValueError(
            f'View {name!r} has {len(batch)} examples; there are {len(originals)}.')
      label = f'view {name} · {draw}' if len(views) > 1 else f'view {name}'
      columns.append((label, GROUP_GAP if i == 0 else GAP, to_images(batch)))

  side = max(fitted(x.size, tile)[0] for _, _, tiles in columns[1:] for x in tiles)
  width = sum(gap + side for _, gap, _ in columns)
  height = LABEL_HEIGHT + len(originals) * (side + GAP) - GAP
  sheet = Image.new('RGBA', (width, height))
  pen = ImageDraw.Draw(sheet)
  font = ImageFont.load_default(size=14)
  x = 0
  for label, gap, tiles in columns:
    x += gap
    pen.text((x, 3), shortened(label, side, font), LABEL_COLOR, font)
    for row, image in enumerate(tiles):
      image = resized(image, fitted(image.size, side))
      sheet.paste(image, (x, LABEL_HEIGHT + row * (side + GAP)))
    x += side
  with replacing(path) as temporary:
    sheet.save(temporary, format='PNG')
  return pathlib.Path(path)


def corruption_sheet(path, image, *, tile):
  """Draws what every corruption makes of an image, a row each, weak to strong.

  Args:
    path: of the PNG to write.
    image: uint8 [h, w, 3].
    tile: the most pixels for a side; see `contact_sheet`.

  Returns:
    The path.
  """
  @jax.jit
  def corrupt(image):
    rng = jax.random.key(0)
    return {
        name: [corruptions.BY_NAME[name](rng, image, **{key: x}) for x in values]
        for name, (key, values) in STRENGTHS.items()}

  image = jnp.asarray(image, jnp.float32) / 255
  corrupted = corrupt(image)
  rows = [
      [(name, image), *zip((f'{key} {x}' for x in values), corrupted[name])]
      for name, (key, values) in STRENGTHS.items()]
  step = tile + GAP
  size = (len(rows[0]) * step - GAP, len(rows) * (LABEL_HEIGHT + step) - GAP)
  sheet = Image.new('RGBA', size)
  pen = ImageDraw.Draw(sheet)
  font = ImageFont.load_default(size=14)
  for i, row in enumerate(rows):
    y = i * (LABEL_HEIGHT + step)
    for j, (label, shown) in enumerate(row):
      pen.text((j * step, y + 3), shortened(label, tile, font), LABEL_COLOR, font)
      [shown] = to_images([shown])
      shown = resized(shown, fitted(shown.size, tile))
      sheet.paste(shown, (j * step, y + LABEL_HEIGHT))
  with replacing(path) as temporary:
    sheet.save(temporary, format='PNG')
  return pathlib.Path(path)


def to_images(batch):
  """[n, s, s, 3] in [0, 1] as n Pillow images."""
  pixels = np.asarray(batch, np.float32).clip(0, 1) * 255
  return [Image.fromarray(x) for x in pixels.round().astype(np.uint8)]


def fitted(size, side):
  """The (width, height) at which an image of that size is shown in a square."""
  longest = max(size)
  if longest <= side:
    return tuple(x * (side // longest) for x in size)
  return tuple(max(1, round(x * side / longest)) for x in size)


def resized(image, size):
  """Enlarges without smoothing, so that pixels stay crisp, and shrinks with."""
  enlarges = size[0] >= image.width
  how = Image.Resampling.NEAREST if enlarges else Image.Resampling.LANCZOS
  return image.resize(size, how)


def shortened(text, width, font):
  """Cuts a label to a width in pixels, with an ellipsis."""
  text = ' '.join(text.split())
  if font.getlength(text) <= width:
    return text
  while text and font.getlength(text + '…') > width:
    text = text[:-1]
  return text + '…'
