"""CIFAR-10 in one small file, for a machine to which little can be carried.

A packed file is an .npz with, for each split, JPEGs of 100 x 100 images side by side
and the labels. JPEG's blocks are 8 x 8 pixels, so that with full colour resolution
the 32 x 32 images do not run into each other. Raw pixels are 184 MB, without loss about
110; at quality 95, 90 and 85 the file has about 53, 36 and 29 MB, and its pixels 40,
36 and 34 dB.
"""

import io
import pathlib
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPLITS = ('train', 'test')
COLUMNS, PER_JPEG = 100, 10_000


def pack(source, path, *, quality):
  """Writes the packed file of a CIFAR-10 in any layout that jaxssl reads.

  Args:
    source: its folder; see `jaxssl.data.sources.cifar10`.
    path: the .npz to write.
    quality: of the JPEGs, 1 to 100.

  Returns:
    Megabytes of the file, and the peak signal-to-noise ratio of its pixels in dB.
  """
  sys.path.insert(0, str(ROOT))
  from jaxssl.data.sources import cifar10
  arrays, squares, count = {}, 0., 0
  for split in SPLITS:
    found = cifar10.make(root=str(source), split=split)
    images = np.stack(found.read(range(found.num_examples), short_side=32))
    arrays[f'{split}_labels'] = found.labels.astype(np.uint8)
    for number, start in enumerate(range(0, len(images), PER_JPEG)):
      part = images[start:start + PER_JPEG]
      encoded = io.BytesIO()
      Image.fromarray(tiled(part)).save(
          encoded, 'JPEG', quality=quality, subsampling=0, optimize=True)
      arrays[f'{split}_{number:02}'] = np.frombuffer(encoded.getvalue(), np.uint8)
      back = cut(arrays[f'{split}_{number:02}'], len(part))
      squares += np.square(back.astype(np.float32) - part).sum(dtype=np.float64)
      count += part.size
  with open(path, 'wb') as f:
    np.savez(f, **arrays)
  ratio = np.inf if squares == 0 else 10 * np.log10(255**2 * count / squares)
  return pathlib.Path(path).stat().st_size / 1e6, ratio


def tiled(images):
  """[n, 32, 32, 3] -> [h, w, 3], row by row; grey after the last."""
  rows = -(-len(images) // COLUMNS)
  tiles = np.full((rows * COLUMNS, *images.shape[1:]), 128, np.uint8)
  tiles[:len(images)] = images
  tiles = tiles.reshape(rows, COLUMNS, 32, 32, 3).swapaxes(1, 2)
  return tiles.reshape(rows * 32, COLUMNS * 32, 3)


def cut(encoded, n):
  """The first n images of a JPEG's bytes: uint8 [n, 32, 32, 3]."""
  pixels = np.asarray(Image.open(io.BytesIO(encoded.tobytes()), formats=['JPEG']))
  rows = len(pixels) // 32
  tiles = pixels.reshape(rows, 32, COLUMNS, 32, 3).swapaxes(1, 2)
  return tiles.reshape(-1, 32, 32, 3)[:n]


def unpack(path, folder):
  """Writes a packed file's images as train.npz and test.npz, which jaxssl reads."""
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  with np.load(path, allow_pickle=False) as packed:
    for split in SPLITS:
      labels = packed[f'{split}_labels']
      images = np.concatenate([
          cut(packed[f'{split}_{number:02}'], min(PER_JPEG, len(labels) - start))
          for number, start in enumerate(range(0, len(labels), PER_JPEG))])
      np.savez(folder / f'{split}.npz', images=images, labels=labels)
  return folder


def made_up(folder, n):
  """A data set in the form of CIFAR-10: noise around a colour for each class."""
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(0)
  colours = rng.integers(40, 216, (10, 3))
  for split in SPLITS:
    labels = np.arange(n) % 10
    noise = rng.integers(-40, 40, (n, 32, 32, 3))
    images = (colours[labels, None, None] + noise).astype(np.uint8)
    np.savez(folder / f'{split}.npz', images=images, labels=labels)
  return folder
