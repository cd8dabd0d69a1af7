"""Small files that are always whole, and disk errors in one line."""

import contextlib
import hashlib
import json
import os
import pathlib
import secrets

from jaxssl import errors


@contextlib.contextmanager
def storage_errors(what):
  """Turns an OSError inside into a StorageError of one line: '<what>: <reason>'."""
  try:
    yield
  except OSError as e:
    raise errors.StorageError(f'{what}: {e.strerror or e}.') from e


def write_text(path, text):
  """Replaces a file in one stroke: readers see the old text or the new, whole.

  Raises:
    StorageError: the disk is full or the folder gone; the old file is untouched.
  """
  path = pathlib.Path(path)
  temporary = path.with_name(f'.{path.name}.{secrets.token_hex(8)}.tmp')
  with storage_errors(f'Cannot write {path}'):
    try:
      fd = os.open(
          temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
      with open(fd, 'w', encoding='utf-8') as f:
        f.write(text)
        f.flush()
        os.fsync(fd)
      os.replace(temporary, path)
    finally:
      temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
      os.fsync(folder)  # Else a power cut can undo the rename.
    finally:
      os.close(folder)


def write_json(path, value):
  """Replaces a file with strict JSON: sorted keys, no NaN."""
  text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
  write_text(path, text + '\n')


def read_json(path):
  """The value in a JSON file, or None where there is no such file.

  Raises:
    StorageError: the file cannot be read, or is not JSON.
  """
  try:
    with storage_errors(f'Cannot read {path}'):
      text = pathlib.Path(path).read_text(encoding='utf-8')
    return json.loads(text)
  except errors.StorageError as e:
    if isinstance(e.__cause__, FileNotFoundError):
      return None
    raise
  except ValueError as e:
    raise errors.StorageError(f'{path} is not valid JSON: {e}.') from e


def sha256(path):
  """The SHA-256 of a file's bytes."""
  with storage_errors(f'Cannot read {path}'), open(path, 'rb') as f:
    return hashlib.file_digest(f, 'sha256').hexdigest()
