"""Image bytes to pixels: the same for every source and every way in.

JPEG, PNG and WebP are read, told by their first bytes and not by the file's name;
anything else is a `BadImage`. The result is RGB with 8 bits a channel and upright:
EXIF rotation is applied, grey is repeated, 16 bits keep their upper 8, transparent
pixels lie on white, CMYK becomes RGB, and of an animation the first picture counts.
All functions may be called from several threads.
"""

import io
import os
import time

import numpy as np
from PIL import Image
from PIL import JpegImagePlugin
from PIL import PngImagePlugin
from PIL import WebPImagePlugin

from jaxssl import data
from jaxssl import errors

MAX_PIXELS = 50_000_000   # 200 MB while decoding; photographs stay far below.
MAX_SIDE = 30_000
MAX_BYTES = 200_000_000
PAUSES = (0.1, 1.0)       # Seconds before a file is read once more.

_OTHERS = {
    b'GIF8': 'GIF', b'BM': 'BMP', b'II*\0': 'TIFF', b'MM\0*': 'TIFF',
    b'\0\0\1\0': 'ICO', b'8BPS': 'Photoshop', b'%PDF': 'PDF'}
_ORIENTATION = 0x0112  # The EXIF tag, and what undoes each of its values.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90}


def printable(text):
  """Escapes what could forge a line of a log: newlines, terminal codes."""
  return ''.join(
      c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def from_file(path, short_side=None):
  """Reads and decodes one image file.

  Args:
    path: of the file.
    short_side: as in `from_bytes`.

  Returns:
    As `from_bytes`; a `data.BadImage` when the file's content is at fault.

  Raises:
    errors.StorageError: see `read_bytes`.
  """
  encoded = read_bytes(path)
  return (
      encoded if isinstance(encoded, data.BadImage)
      else from_bytes(encoded, short_side))


def read_bytes(path, part=None):
  """Reads an image file, or an image that is part of a file.

  Args:
    path: of the file.
    part: (offset, number of bytes) within it, or None for all.

  Returns:
    bytes, or a `data.BadImage` when there are too many.

  Raises:
    errors.StorageError: the file could not be read, three times in a row; a disk
      that fails is no corrupt image, and must not count as one.
  """
  for pause in (*PAUSES, None):
    try:
      with open(path, 'rb') as f:
        offset, num_bytes = part or (0, os.fstat(f.fileno()).st_size)
        if num_bytes > MAX_BYTES:
          return data.BadImage('too large', f'more than {MAX_BYTES:,} bytes')
        f.seek(offset)
        return f.read(num_bytes) if part else f.read()
    except OSError as e:
      if pause is None:
        raise errors.StorageError(
            f'{printable(os.fsdecode(path))} could not be read in '
            f'{len(PAUSES) + 1} tries: {e.strerror or e}.') from e
      time.sleep(pause)


def from_bytes(encoded, short_side=None):
  """Decodes one image.

  Args:
    encoded: bytes of a JPEG, PNG or WebP file.
    short_side: pixels that the caller will shrink the shorter side to, or None. A
      JPEG may then come at 1/2, 1/4 or 1/8 of its size, which decodes faster, with
      at least twice these pixels so that the caller's filter still decides the
      result.

  Returns:
    uint8 [h, w, 3]; with `short_side` a Pillow image in RGB, for `canvas.place`,
    which would make one of an array; or a `data.BadImage` with one of the reasons
    'empty file', 'not an image', 'unsupported format', 'too large', 'truncated',
    'unreadable'.
  """
  if not encoded:
    return data.BadImage('empty file')
  plugin = _plugin(encoded)
  if plugin is None:
    return _no_image(encoded)
  if plugin is WebPImagePlugin.WebPImageFile:
    # Its decoder wants memory for the whole picture as soon as it is opened.
    if len(encoded) < max(30, 8 + int.from_bytes(encoded[4:8], 'little')):
      return data.BadImage('truncated', 'WebP shorter than its header says')
    bad = _too_large(_webp_size(encoded))
    if bad:
      return bad
  try:
    # The plug-in itself, not Image.open, which would warn about large images, try
    # other formats and take a camera's JPEG for a sequence of frames.
    image = plugin(io.BytesIO(encoded))
    bad = _too_large(image.size)
    if bad:
      return bad
    if short_side:
      image.draft(None, (2 * short_side, 2 * short_side))
    image.load()
    image = _rgb(_upright(image))
    return image if short_side else np.asarray(image)
  except MemoryError:
    raise
  except Exception as e:  # Pillow's plug-ins raise any kind on malformed bytes.
    reason = 'truncated' if 'truncated' in str(e).lower() else 'unreadable'
    return data.BadImage(reason, printable(f'{type(e).__name__}: {e}')[:200])


def _plugin(encoded):
  if encoded.startswith(b'\xff\xd8\xff'):
    return JpegImagePlugin.JpegImageFile
  if encoded.startswith(b'\x89PNG\r\n\x1a\n'):
    return PngImagePlugin.PngImageFile
  if encoded.startswith(b'RIFF') and encoded[8:12] == b'WEBP':
    return WebPImagePlugin.WebPImageFile
  return None


def _no_image(encoded):
  for magic, name in _OTHERS.items():
    if encoded.startswith(magic):
      return data.BadImage('unsupported format', name)
  if encoded[4:8] == b'ftyp':
    brand = printable(encoded[8:12].decode('latin1'))  # 'heic', 'avif', 'mp42'.
    return data.BadImage('unsupported format', brand)
  return data.BadImage('not an image', f'starts with {encoded[:12]!r}')


def _too_large(size):
  width, height = size
  if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
    return data.BadImage('too large', f'{width} x {height} pixels')
  return None


def _webp_size(encoded):
  """Width and height from a WebP header, RFC 9649 section 2."""
  def little(first, num_bytes):
    return int.from_bytes(encoded[first:first + num_bytes], 'little')
  if encoded[12:16] == b'VP8X':
    return little(24, 3) + 1, little(27, 3) + 1
  if encoded[12:16] == b'VP8L':
    bits = little(21, 4)
    return (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1
  return little(26, 2) & 0x3fff, little(28, 2) & 0x3fff


def _upright(image):
  try:
    orientation = image.getexif().get(_ORIENTATION)
  except Exception:  # Broken metadata do not make the pixels bad.
    return image
  if orientation in _UPRIGHT:
    image = image.transpose(_UPRIGHT[orientation])
  return image


def _rgb(image):
  if image.mode.startswith('I'):  # 16-bit grey, which convert would clip at 255.
    grey = (np.asarray(image) >> 8).astype(np.uint8)
    return Image.fromarray(grey).convert('RGB')
  if image.has_transparency_data:
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    image = Image.alpha_composite(white, image)
  return image if image.mode == 'RGB' else image.convert('RGB')
