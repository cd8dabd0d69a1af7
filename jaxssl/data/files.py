"""Image files under a folder: found, sorted, split, and read as a source.

A path is kept as the number of its folder and a slice of one string of all names:
0.15 GB for the 2.7 million files of iNat21, a third of what strings would take.
Inside, names are bytes, as the file system has them, and paths are relative to the
root, with '/' between their parts; n counts images.
"""

import array
import contextlib
import hashlib
import os
from typing import NamedTuple

import numpy as np

from jaxssl import data
from jaxssl import errors
from jaxssl.data import decode

EXTENSIONS = (b'.jpg', b'.jpeg', b'.png', b'.webp')


class Listing(NamedTuple):
  """Image files, sorted bytewise by path."""
  root: bytes
  folders: list        # Paths of the folders that hold images; b'' is the root.
  folder: np.ndarray   # [n] int32 each image's place in `folders`.
  names: bytes         # All file names, one after the other,
  ends: np.ndarray     # [n] int64 and where each one ends.

  def path(self, i):
    start = self.ends[i - 1] if i else 0
    return _join(self.folders[self.folder[i]], self.names[start:self.ends[i]])


def shown(names, at_most=20):
  """Names (bytes) for a message."""
  text = ', '.join(decode.printable(os.fsdecode(name)) for name in names[:at_most])
  return text + ', ...' if len(names) > at_most else text


def check_root(root, expected):
  """Returns `root` as a folder that exists, or raises a ValueError in one line."""
  root = os.fspath(root)
  if not root:
    raise ValueError(f'config.data.root is not set. It should be {expected}.')
  if '://' in root:
    raise ValueError(
        f'{decode.printable(root)} is a URL: copy the files to a local disk first.')
  root = os.path.abspath(os.path.expanduser(root))
  if not os.path.isdir(root):
    wrong = 'is not a folder' if os.path.exists(root) else 'does not exist'
    raise ValueError(
        f'{decode.printable(root)} {wrong}. config.data.root should be {expected}.')
  return root


def find(root, under=''):
  """Lists the image files below root/under.

  Hidden files and folders are left out. A folder is entered once, however many
  symbolic links lead to it, so loops end and no file counts twice.

  Args:
    root: folder that paths are relative to.
    under: path of the folder below `root` to search.

  Returns:
    A `Listing` with at least one image.

  Raises:
    ValueError: there are no images.
    errors.StorageError: a folder could not be read.
  """
  root = os.fsencode(root)
  folders, folder, names, ends = [], array.array('i'), bytearray(), array.array('q')
  num_others = 0
  seen = set()
  unfinished = [(os.fsencode(under), None, None)]  # Folder, number, entries left.
  while unfinished:
    path, number, entries = unfinished.pop()
    if entries is None:
      absolute = os.path.realpath(os.path.join(root, path))
      if absolute in seen:
        continue
      seen.add(absolute)
      entries, num_unfit = _entries(absolute)
      num_others += num_unfit
    for name in entries:
      if name.endswith(b'/'):
        inner = _join(path, name[:-1])
        unfinished += [(path, number, entries), (inner, None, None)]
        break
      if number is None:
        number = len(folders)
        folders.append(path)
      names += name
      folder.append(number)
      ends.append(len(names))
  if not ends:
    raise ValueError(
        f'{shown([os.path.join(root, os.fsencode(under))])} has no images: none of '
        f'its {num_others:,} files ends with {shown(EXTENSIONS)}.')
  return Listing(
      root, folders, np.array(folder, np.int32),
      bytes(names), np.array(ends, np.int64))


def _join(folder, name):
  return folder + b'/' + name if folder else name


def _entries(path):
  """Iterates over what a folder holds, in the order of whole paths.

  Folders end with '/', so that 'a.jpg' comes before 'a/b.jpg' as their bytes say.
  Returns the iterator over names and the number of files that are no images.
  """
  names, num_others = [], 0
  with _scan(path) as scan:
    for entry in scan:
      if entry.name.startswith(b'.'):
        continue
      if entry.is_dir():
        names.append(entry.name + b'/')
      elif entry.name.lower().endswith(EXTENSIONS) and entry.is_file():
        names.append(entry.name)
      else:
        num_others += 1
  return iter(sorted(names)), num_others


@contextlib.contextmanager
def _scan(path):
  try:
    with os.scandir(path) as scan:
      yield scan
  except OSError as e:
    raise errors.StorageError(
        f'{shown([path])} cannot be listed: {e.strerror}.') from e


def held_out(key, *, one_in=5):
  """Whether the example that `key` (bytes) names is in the part kept for tests."""
  digest = hashlib.blake2b(key, digest_size=8).digest()
  return int.from_bytes(digest, 'big') % one_in == 0


def subfolders(path):
  """Names (bytes) of the folders in a folder, sorted, without hidden ones."""
  with _scan(os.fsencode(path)) as scan:
    return sorted(
        e.name for e in scan if e.is_dir() and not e.name.startswith(b'.'))


def official(root, split, *, folders, expected):
  """Checks that a root has the layout <split folder>/<class folder>/<image>.

  Args:
    root: what the config says.
    split: what the config says.
    folders: dict from each split to its folder; 'train' is one of them.
    expected: what the root should be, for messages.

  Returns:
    The root, the split's folder, and the names (bytes) of the classes: those of the
    training images, so that all splits number them alike, or else the split's own.

  Raises:
    ValueError: a mistake in `root` or `split`.
  """
  root = check_root(root, expected)
  if split not in folders:
    raise ValueError(f'No split {split!r}. There are: {", ".join(folders)}.')
  there = subfolders(root)
  folder = folders[split]
  if os.fsencode(folder) not in there:
    raise ValueError(
        f'{decode.printable(root)} has no folder {folder}, but '
        f'{shown(there) or "no folders"}. It should be {expected}.')
  with_classes = 'train' if b'train' in there else folder
  classes = subfolders(os.path.join(root, with_classes))
  if not classes:
    raise ValueError(
        f'{decode.printable(os.path.join(root, with_classes))} has no class '
        f'folders. config.data.root should be {expected}.')
  return root, folder, classes


def by_class(root, folder, classes):
  """A `data.Source` of root/folder/<class>/..., as `official` gives them."""
  listing = find(root, folder)
  class_of_folder = [(path.split(b'/', 2) + [b''])[1] for path in listing.folders]
  ids = np.arange(len(listing.folder))
  return source(
      listing, ids, class_names=classes,
      labels=class_labels(listing, ids, class_of_folder, classes))


def class_labels(listing, ids, class_of_folder, classes):
  """Labels of images whose folder decides the class.

  Args:
    listing: `Listing`.
    ids: [m] the images in it.
    class_of_folder: the class (bytes) of each folder of the listing, b'' for none.
    classes: all classes (bytes); a label is a place in this list.

  Returns:
    [m] int32 labels.

  Raises:
    ValueError: an image has no class, or one that is not in `classes`.
  """
  numbers = {name: i for i, name in enumerate(classes)}
  of_folder = np.array([numbers.get(c, -1) for c in class_of_folder], np.int32)
  labels = of_folder[listing.folder[ids]]
  if (labels < 0).any():
    wrong = np.flatnonzero(labels < 0)
    unknown = sorted({class_of_folder[f] for f in listing.folder[ids[wrong]]})
    first = shown([listing.path(ids[wrong[0]])])
    if b'' in unknown:
      raise ValueError(
          f'{len(wrong):,} images lie outside of class folders, such as {first}.')
    raise ValueError(
        f'{len(unknown):,} class folders are not among the {len(classes):,} '
        f'classes of the training images: {shown(unknown, 3)} (with {first}).')
  return labels


def source(listing, ids, *, labels=None, class_names=None):
  """A `data.Source` of some images of a listing.

  Args:
    listing: `Listing`.
    ids: [m] ascending; example i of the source is image ids[i].
    labels: [m] int32, or None.
    class_names: names (bytes) of the classes, or None.
  """
  if class_names is not None:
    class_names = tuple(shown([name]) for name in class_names)

  def path(index):
    return os.path.join(listing.root, listing.path(ids[index]))

  def path_and_size(i):
    path = listing.path(i)
    try:
      return path, os.stat(os.path.join(listing.root, path)).st_size
    except OSError as e:
      raise errors.StorageError(f'{shown([path])} vanished: {e.strerror}.') from e

  return data.Source(
      num_examples=len(ids),
      read=lambda indices, short_side=None: [
          decode.from_file(path(i), short_side) for i in indices],
      describe=lambda index: shown([path(index)]),
      digest=data.digest_of(path_and_size(i) for i in ids),
      class_names=class_names, labels=labels,
      encoded=lambda index: decode.read_bytes(path(index)))
