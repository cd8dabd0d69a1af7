"""Keeps count of the images that cannot be decoded, and ends a run at too many."""

import collections
import json
import pathlib
import threading

from jaxssl import errors
from jaxssl import files
from jaxssl.data import decode

MAX_LINES = 10_000  # Of the list: a broken disk must not fill another one.
MAX_IN_A_ROW = 100


class Ledger:
  """Bad images and cropped images of one source.

  Each bad image counts once, however often it is met, and one that an earlier
  attempt at the same run has listed counts too. Threads may share a ledger.

  Attributes:
    bad: {example id: reason}.
    num_decoded: images decoded so far.
    num_cropped: those of them whose longer side did not fit on the canvas.
  """

  def __init__(self, source, path=None, *, limit=None):
    """Makes a ledger, and reads what its file already lists.

    Args:
      source: a `data.Source`.
      path: the `bad_images.jsonl` to list them in, or None. Lines of data with
        another digest than the source's are left alone. With several processes,
        give it to one of them.
      limit: how many may be bad; None for max(10, one in a thousand), as training
        allows; 0 for evaluation.
    """
    self._source = source
    self._path = None if path is None else pathlib.Path(path)
    self._limit = max(10, source.num_examples // 1000) if limit is None else limit
    self._lock = threading.Lock()
    self._num_lines = 0
    self.bad = {}
    self.num_decoded = self.num_cropped = 0
    if self._path and self._path.exists():
      self._read()

  def add(self, index, bad):
    """Takes note of a bad image.

    Args:
      index: its example id.
      bad: the `data.BadImage` that the source gave.

    Raises:
      errors.DataError: there are more than may be skipped, or 100 in a row.
    """
    index = int(index)
    with self._lock:
      if index not in self.bad:
        self.bad[index] = bad.reason
        self._write(index, bad)
      self._check(index)

  def count(self, *, decoded, cropped):
    """Adds to the numbers of decoded and of cropped images."""
    with self._lock:
      self.num_decoded += decoded
      self.num_cropped += cropped

  def reasons(self):
    """{reason: number of bad images}, the most frequent first."""
    return dict(collections.Counter(self.bad.values()).most_common())

  def summary(self):
    """What was met so far, in one sentence."""
    share = self.num_cropped / max(1, self.num_decoded)
    bad = f'{len(self.bad):,} bad images are replaced{self._table()}'
    cropped = f'{share:.1%} of images lose ends of their longer side to the canvas'
    return f'{bad}; {cropped}.'

  def _table(self):
    rows = [f'{decode.printable(r)}: {n:,}' for r, n in self.reasons().items()]
    return f' ({", ".join(rows)})' if rows else ''

  def _check(self, index):
    num_bad, num_examples = len(self.bad), self._source.num_examples
    first = last = index
    while first - 1 in self.bad:
      first -= 1
    while last + 1 in self.bad:
      last += 1
    if num_bad > self._limit or num_bad == num_examples:
      what = (f'{num_bad:,} of {num_examples:,} images are bad so far, where '
              f'{min(self._limit, num_examples - 1):,} may be')
    elif last - first + 1 >= MAX_IN_A_ROW:
      what = f'{last - first + 1} images in a row are bad, ids {first} to {last}'
    else:
      return
    names = ', '.join(
        f"'{decode.printable(self._source.describe(i))}'" for i in [*self.bad][-5:])
    listed = f'; {self._path} lists them' if self._path else ''
    raise errors.DataError(f'{what}{self._table()}: {names}{listed}.')

  def _write(self, index, bad):
    if self._path and self._num_lines < MAX_LINES:
      self._num_lines += 1
      # ASCII JSON escapes what a file name could do to a terminal or to a log.
      self._append(json.dumps({
          'index': index, 'name': self._source.describe(index),
          'reason': bad.reason, 'detail': bad.detail,
          'source': self._source.digest}) + '\n')

  def _append(self, text):
    with (files.storage_errors(f'Cannot write {self._path}'),
          self._path.open('a') as f):
      f.write(text)

  def _read(self):
    text = self._path.read_text(errors='replace')
    for line in text.splitlines():
      self._num_lines += 1
      try:
        entry = json.loads(line)
        index, reason = entry['index'], entry['reason']
        ours = entry['source'] == self._source.digest
      except (ValueError, KeyError, TypeError):
        continue  # The torn last line of an attempt that was killed.
      if ours and index in range(self._source.num_examples):
        self.bad[index] = str(reason)
    if text and not text.endswith('\n'):
      self._append('\n')
