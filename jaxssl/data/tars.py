"""Images inside uncompressed tar files, read at random without unpacking them.

An index of where each image starts is built once, by a walk over the headers, and
kept in the user's cache folder under a digest of the files' paths, sizes and times.
Tar files inside a tar file are walked too. n counts images.
"""

import os
import tarfile
from typing import NamedTuple

import numpy as np

from jaxssl import data
from jaxssl import errors
from jaxssl.data import cached
from jaxssl.data import decode
from jaxssl.data import files

VERSION = 1


class Index(NamedTuple):
  """Images in tar files, in the order in which they lie there."""
  paths: list          # The tar files.
  tar: np.ndarray      # [n] int32 each image's place in `paths`,
  start: np.ndarray    # [n] int64 where its bytes begin there,
  size: np.ndarray     # [n] int64 and how many they are.
  names: np.ndarray    # [n] bytes: its path inside, below the name of an inner tar.


def index(paths):
  """Finds the images in some tar files.

  Args:
    paths: the files.

  Returns:
    An `Index` of at least one image.

  Raises:
    ValueError: a file is compressed, damaged or no tar file, or there are no images.
    errors.StorageError: a file could not be read.
  """
  try:
    stats = [os.stat(path) for path in paths]
  except OSError as e:
    raise errors.StorageError(
        f'{decode.printable(str(e.filename))} cannot be read: {e.strerror}.') from e
  key = data.digest_of(
      [('index', VERSION), *(
          (os.path.abspath(path), s.st_size, s.st_mtime_ns)
          for path, s in zip(paths, stats))])
  return Index(list(paths), **cached.arrays(key, lambda: _walk(paths)))


def _walk(paths):
  """The arrays of an `Index`, in a dict."""
  rows = [(k, *image) for k, path in enumerate(paths) for image in _images(path)]
  if not rows:
    raise ValueError(
        f'{decode.printable(str(paths[0]))} has no images that end with '
        f'{files.shown(files.EXTENSIONS)}.')
  tar, names, start, size = zip(*rows)
  return {
      'tar': np.array(tar, np.int32), 'start': np.array(start, np.int64),
      'size': np.array(size, np.int64), 'names': np.array(names)}


def _images(path):
  """Yields (name in bytes, offset in the file, bytes) of each image."""
  shown = decode.printable(str(path))
  length = os.path.getsize(path)
  try:
    with tarfile.open(path, 'r:') as outer:
      for member in outer:
        if member.name.endswith('.tar') and member.isreg():
          with tarfile.open(fileobj=outer.extractfile(member), mode='r:') as inner:
            found = [
                (f'{member.name[:-4]}/{m.name}', member.offset_data + m.offset_data, m)
                for m in inner]
        else:
          found = [(member.name, member.offset_data, member)]
        for name, start, m in found:
          image = os.fsencode(name)
          if not m.isreg() or m.issparse() or not image.lower().endswith(
              files.EXTENSIONS):
            continue
          if start + m.size > length:
            raise ValueError(
                f'{shown} is cut off: {decode.printable(name)} ends behind its end.')
          yield image.removeprefix(b'./'), start, m.size
  except tarfile.TarError as e:
    raise ValueError(f'{shown} is no uncompressed tar file, or damaged: {e}.') from e
  except OSError as e:
    raise errors.StorageError(f'{shown} cannot be read: {e.strerror or e}.') from e


def source(found, *, labels, class_names):
  """A `data.Source` of the images of an index, in its order.

  Args:
    found: an `Index`.
    labels: int32 [n].
    class_names: tuple.
  """
  def encoded(i):
    return decode.read_bytes(
        found.paths[found.tar[i]], (int(found.start[i]), int(found.size[i])))

  def read(indices, short_side=None):
    images = [encoded(i) for i in indices]
    return [
        image if isinstance(image, data.BadImage)
        else decode.from_bytes(image, short_side) for image in images]

  def describe(i):
    name = os.fsdecode(bytes(found.names[i]))
    return decode.printable(f'{found.paths[found.tar[i]]}/{name}')

  return data.Source(
      num_examples=len(found.names), read=read, describe=describe,
      digest=data.digest_of(zip(found.names.tolist(), found.size.tolist())),
      class_names=class_names, labels=labels, encoded=encoded)
