"""Tiny made-up trees of images, for tests of sources."""

import io

import pytest
from PIL import Image

from jaxssl import plugins


def make(name, root, split, **settings):
  return plugins.load('data.sources', name).make(
      root=str(root), split=split, **settings)


def png(i):
  """Bytes of an image of one pixel, whose red is i."""
  buffer = io.BytesIO()
  Image.new('RGB', (1, 1), (i, 0, 0)).save(buffer, 'PNG')
  return buffer.getvalue()


def write(path, content=''):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content.encode() if isinstance(content, str) else content)


def images(root, *paths):
  """Writes an image at each path; its red is the place in the list."""
  for i, path in enumerate(paths):
    write(root / path, png(i))


def reds(source):
  return [int(x[0, 0, 0]) for x in source.read(range(source.num_examples))]


def refused(message, name, root, split='train', **settings):
  with pytest.raises(ValueError, match=message) as e:
    make(name, root, split, **settings)
  assert '\n' not in str(e.value)
