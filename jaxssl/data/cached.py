"""Canvases in a memory-mapped file, decoded by one run and read by all later ones.

`<key>.canvases` holds the images, then their sizes (int32 [n, 2]), then the CRC-32
of each image (uint32 [n]); `<key>.json` says what they are. The key is a digest of
the source's own digest, the canvas, and the version of Pillow, whose pixels they
are. Opening a cache verifies the JSON, the length of the file, and a SHA-256 over
the JSON, the sizes and the checksums; reading an image verifies its checksum. So
damage anywhere is found, and leads to a new cache.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import pathlib
import secrets
import shutil
import zipfile
import zlib

import numpy as np
import PIL

from jaxssl import errors
from jaxssl import files
from jaxssl.data import BadImage
from jaxssl.data import dataset as datasets

log = logging.getLogger(__name__)

VERSION = 2  # Raise it when the same settings come to give other pixels.


def folder_of(cache_dir):
  """The folder that holds the caches, made if need be; '' is the user's own.

  Raises:
    errors.StorageError: it cannot be made.
  """
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  folder = pathlib.Path(cache_dir or pathlib.Path(home, 'jaxssl')).expanduser()
  with files.storage_errors(f'Cannot make the folder {folder} for caches'):
    folder.mkdir(0o700, parents=True, exist_ok=True)
  return folder


def arrays(key, find):
  """Small arrays that take long to find, kept in the user's own cache folder.

  Args:
    key: digest of what they depend on.
    find: returns them in a dict.

  Returns:
    The dict, as `find` has given it now or in an earlier run.
  """
  try:
    path = folder_of('') / f'{key[:32]}.npz'
  except errors.StorageError:
    return find()
  with (contextlib.suppress(OSError, ValueError, EOFError, zipfile.BadZipFile),
        np.load(path, allow_pickle=False) as file):
    return dict(file)
  found = find()
  temporary = path.with_name(f'.{path.stem}.{secrets.token_hex(8)}.npz')
  with contextlib.suppress(OSError):  # No room: found again next time.
    try:
      np.savez(temporary, **found)
      temporary.replace(path)
    finally:
      temporary.unlink(missing_ok=True)
  return found


def _what(dataset):
  """What must be equal for a cache to serve a data set."""
  n, c = dataset.source.num_examples, dataset.canvas
  return {
      'version': VERSION, 'source': dataset.source.digest, 'shape': [n, c, c, 3],
      'short_side': dataset.short_side, 'interpolation': dataset.interpolation,
      'pillow': PIL.__version__}


def _path(dataset, cache_dir):
  key = hashlib.sha256(json.dumps(_what(dataset)).encode()).hexdigest()[:32]
  return folder_of(cache_dir) / f'{key}.canvases'


def exists(dataset, cache_dir):
  """Whether an earlier run has left a cache of these canvases."""
  return _path(dataset, cache_dir).with_suffix('.json').exists()


def room(cache_dir):
  """Free bytes on the disk of the caches; 0 where none can be written."""
  try:
    return shutil.disk_usage(folder_of(cache_dir)).free
  except errors.StorageError:
    return 0


def open_or_build(dataset, *, cache_dir, workers, progress=None):
  """Opens the cache of a data set, or decodes everything into a new one.

  A process that finds another one building waits for it.

  Args:
    dataset: a `dataset.Dataset`; its ledger takes note of the bad images.
    cache_dir: folder for the files; '' is a private one in the user's cache.
    workers, progress: as in `dataset.fill`.

  Returns:
    A `dataset.Decoded`.

  Raises:
    errors.DataError: too many images are bad.
    errors.StorageError: the disk has no room for the file.
  """
  path = _path(dataset, cache_dir)
  with _locked(path.with_suffix('.lock')):
    try:
      store, num_cropped = _open(dataset, path)
    except (FileNotFoundError, ValueError) as e:
      if isinstance(e, ValueError):
        log.warning('The cache %s is damaged (%s): decoding again.', path, e)
      _build(dataset, path, workers, progress)
      return _open(dataset, path)[0]
  for i, why in store.bad.items():
    dataset.ledger.add(i, why)
  dataset.ledger.count(
      decoded=len(store.sizes) - len(store.bad), cropped=num_cropped)
  return store


@contextlib.contextmanager
def _locked(path):
  with path.open('a') as f:  # The kernel unlocks it when the holder dies.
    try:
      fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      log.info('Another process builds this cache: waiting for %s.', path)
      fcntl.flock(f, fcntl.LOCK_EX)
    yield


def _digest(about, sizes, checksums):
  text = json.dumps(about, sort_keys=True).encode()
  return hashlib.sha256(text + sizes.tobytes() + checksums.tobytes()).hexdigest()


def _open(dataset, path):
  """Raises FileNotFoundError without a cache, ValueError if it is damaged."""
  index = path.with_suffix('.json')
  about = json.loads(index.read_text())
  if not isinstance(about, dict) or about.get('what') != _what(dataset):
    raise ValueError(f'{index.name} describes other images')
  shape = n, *_ = about['what']['shape']
  end = int(np.prod(shape, dtype=np.int64))
  if path.stat().st_size != end + 12 * n:
    raise ValueError(f'{path.stat().st_size} bytes instead of {end + 12 * n}')
  sizes = np.fromfile(path, '<i4', 2 * n, offset=end).reshape(n, 2)
  checksums = np.fromfile(path, '<u4', n, offset=end + 8 * n)
  digest = about.pop('sha256', None)
  if digest != _digest(about, sizes, checksums):
    raise ValueError('the digest of its index differs')

  def check(i, image):
    if zlib.crc32(image) != checksums[i]:
      index.unlink(missing_ok=True)
      raise errors.StorageError(
          f'Image {i} in the cache {path} is damaged; the same command, run again, '
          'builds the cache again.')

  bad = {i: BadImage(reason, detail) for i, reason, detail in about['bad']}
  # As a plain array: slices of a memmap are slow to make.
  images = np.asarray(np.memmap(path, np.uint8, 'r', shape=tuple(shape)))
  return datasets.Decoded(images, sizes, bad, check), about['num_cropped']


def _build(dataset, path, workers, progress):
  what = _what(dataset)
  index, temporary = path.with_suffix('.json'), path.with_suffix('.tmp')
  checksums = []
  cropped_before = dataset.ledger.num_cropped
  try:
    temporary.unlink(missing_ok=True)  # Of a build that was killed.
    with temporary.open('xb') as f:
      def put(_, image):
        f.write(image)
        checksums.append(zlib.crc32(image))

      sizes, bad = datasets.fill(dataset, put, workers=workers, progress=progress)
      sizes, checksums = sizes.astype('<i4'), np.asarray(checksums, '<u4')
      f.write(sizes.tobytes() + checksums.tobytes())
      f.flush()
      os.fsync(f.fileno())
    index.unlink(missing_ok=True)  # An old one must not describe the new file.
    temporary.replace(path)
    about = {
        'what': what, 'bad': [[i, *why] for i, why in bad.items()],
        'num_cropped': dataset.ledger.num_cropped - cropped_before}
    about['sha256'] = _digest(about, sizes, checksums)
    files.write_json(index, about)
  except OSError as e:
    if e.errno not in (errno.ENOSPC, errno.EDQUOT):
      raise
    needed, free = np.prod(what['shape']), shutil.disk_usage(path.parent).free
    raise errors.StorageError(
        f'No room for {needed / 1e9:.1f} GB of decoded images in {path.parent} '
        f'({free / 1e9:.1f} GB free): set data.cache_dir to another disk, or '
        "data.input to 'streamed'.") from e
  finally:
    temporary.unlink(missing_ok=True)
