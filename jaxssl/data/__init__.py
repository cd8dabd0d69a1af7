"""Images by example id, and the batches made of them.

A source gives random access: the example with id i is the same image in every run.
`sources/` has one file for each kind; `pipeline` turns ids into batches.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class BadImage(NamedTuple):
  """What a source's `read` gives in the place of an image that it cannot decode."""
  reason: str  # A few words that group with others: 'truncated', 'not an image'.
  detail: str = ''


class Source(NamedTuple):
  """Random access to images.

  `read(indices, short_side=None)` returns a list with, for each index, the image uint8
  [h, w, 3] or a `BadImage`; the arrays are not to be written to. Images may differ in
  size. `short_side` says how small the caller will make the shorter side, so that a
  JPEG may be decoded at a fraction of its size, never below twice that; images may
  then also be Pillow's, in RGB, which `canvas.place` takes as they are.
  `describe(index)` names an example for people: its path, or its place in a file.
  `labels` are one class an example, -1 for an example whose class nobody has said, or
  a column of 0 and 1 a class where an example may be of several. `taxonomy` maps each
  level, from coarse to fine, to the name of every class's ancestor there: a tuple of
  num_classes strings; the last level is the classes themselves. `encoded(index)` gives
  the bytes of an example's file, or a `BadImage`, where it has one. `subset(names)` is
  the manifest of what was drawn, with or without names; see `subsets`.
  """
  num_examples: int
  read: Callable[..., list]
  describe: Callable[[int], str]
  digest: str                            # SHA-256 of what the data are.
  class_names: tuple[str, ...] | None = None
  labels: np.ndarray | None = None       # [num_examples] int32, or [.., c] int8
  taxonomy: dict[str, tuple[str, ...]] | None = None
  encoded: Callable[[int], bytes | BadImage] | None = None
  subset: Callable[[bool], dict] | None = None

  @property
  def num_classes(self):
    return len(self.class_names) if self.class_names else 0


def digest_of(pairs):
  """SHA-256 over an iterable of tuples, such as (path, size)."""
  sha = hashlib.sha256()
  for pair in pairs:
    sha.update(repr(pair).encode())
  return sha.hexdigest()
