"""The 1,797 handwritten digits of scikit-learn: small, real, always there."""

import numpy as np

from jaxssl.data import in_memory


def make(*, split, size=8):
  """Digits, 8 x 8 pixels, white on black.

  Args:
    split: '' for all, 'test' for every fifth image of each class, 'train' for the
      others.
    size: pixels of a side, a multiple of 8; each pixel becomes a square of them.

  Returns:
    A `data.Source` with the classes '0' to '9'.

  Raises:
    ValueError: no such split or size.
  """
  from sklearn import datasets

  if split not in ('', 'train', 'test'):
    raise ValueError(f'No split {split!r}. There are: "", train, test.')
  if size < 8 or size % 8:
    raise ValueError(f'config.data.size is {size}; it should be a multiple of 8.')
  digits = datasets.load_digits()
  images = np.round(digits.images * (255 / 16)).astype(np.uint8)    # [n, 8, 8]
  images = images.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
  place = np.zeros(len(images), int)  # Of each image among those of its class.
  for digit in range(10):
    members = np.flatnonzero(digits.target == digit)
    place[members] = np.arange(len(members))
  test = place % 5 == 4
  chosen = {'': np.ones_like(test), 'train': ~test, 'test': test}[split]
  return in_memory.source(
      images, digits.target.astype(np.int32), tuple('0123456789'),
      name='digits', ids=np.flatnonzero(chosen))
