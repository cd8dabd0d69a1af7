"""Official lists: tables and file lists that say which images there are.

In shapes, n counts images.
"""

import array
import csv
import os

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files


def table(path, columns, *, delimiter=','):
  """Reads a CSV file with a header.

  Args:
    path: of the file, UTF-8.
    columns: names that its header must have.
    delimiter: between the fields of a line.

  Returns:
    list of a dict for each row, with all columns.

  Raises:
    ValueError: there is no such file, or it holds something else.
  """
  shown = decode.printable(os.fspath(path))
  try:
    with open(path, encoding='utf-8-sig', newline='') as f:
      reader = csv.DictReader(f, delimiter=delimiter)
      missing = [c for c in columns if c not in (reader.fieldnames or [])]
      if missing:
        raise ValueError(
            f'it has no column {missing[0]}, but '
            f'{files.shown(reader.fieldnames or []) or "nothing"}')
      rows = []
      for row in reader:
        if None in row or None in row.values():
          raise ValueError(
              f'line {reader.line_num} has other than {len(reader.fieldnames)} fields')
        rows.append(row)
      return rows
  except FileNotFoundError as e:
    raise ValueError(f'{shown} is missing.') from e
  except (OSError, ValueError, csv.Error) as e:
    raise ValueError(f'{shown} is no table with {", ".join(columns)}: {e}.') from e


def numbered(path, *, hint):
  """Reads lines of a name and its number, such as '/a/airfield 0'.

  Args:
    path: of the file.
    hint: where to get it, for the message when it is missing.

  Returns:
    {name (bytes): number}, in the order of the lines.

  Raises:
    ValueError: there is no such file, or it holds something else.
  """
  shown = decode.printable(path)
  if not os.path.isfile(path):
    raise ValueError(f'{shown} is missing: {hint}.')
  numbers = {}
  with open(path, 'rb') as f:
    for line in f:
      name, _, number = line.strip().rpartition(b' ')
      if not name or not number.isdigit():
        raise ValueError(f'{shown}: the line {line[:80]!r} is no name and number.')
      numbers[name] = int(number)
  if not numbers:
    raise ValueError(f'{shown} is empty.')
  return numbers


def listing(root, paths, *, named_by):
  """A `files.Listing` of the images that a list names, in its order.

  Args:
    root: folder that the paths are relative to.
    paths: n paths (bytes) with '/' between their parts.
    named_by: what people call the list.

  Raises:
    ValueError: an image is missing, or its path leads out of the root.
  """
  root = os.fsencode(root)
  numbers, folder, names, ends = {}, array.array('i'), bytearray(), array.array('q')
  missing = []
  for path in paths:
    if path.startswith(b'/') or b'..' in path.split(b'/'):
      raise ValueError(f'{named_by} names {files.shown([path])}, outside its folder.')
    if not os.path.isfile(os.path.join(root, path)):
      missing.append(path)
    head, _, name = path.rpartition(b'/')
    names += name
    folder.append(numbers.setdefault(head, len(numbers)))
    ends.append(len(names))
  if missing or not ends:
    raise ValueError(
        f'{len(missing):,} of the {len(ends):,} images that {named_by} names are not '
        f'in {files.shown([root])}{": " if missing else ""}{files.shown(missing, 3)}.')
  return files.Listing(
      root, list(numbers), np.array(folder, np.int32), bytes(names),
      np.array(ends, np.int64))
