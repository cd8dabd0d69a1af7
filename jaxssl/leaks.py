"""Test examples that also stand in the training set: they measure memory."""

import logging

import numpy as np

from jaxssl import errors

log = logging.getLogger(__name__)


def find(train, test):
  """Which test examples have the very bytes of a training example.

  A training example that is there several times does not count: features of a
  collapsed network are all the same.

  Args:
    train, test: `features.Outputs`, hashed.

  Returns:
    [m] ids of test examples.
  """
  hashes, counts = np.unique(train.hashes, return_counts=True)
  return test.index[np.isin(test.hashes, hashes[counts == 1])]


def refuse(train, test, *, what):
  """Ends an evaluation whose test set is in part its training set.

  Args:
    train, test: `features.Outputs`, hashed.
    what: how the message calls the evaluation.

  Raises:
    errors.DataError: there are such examples; names the first.
  """
  leaked = find(train, test)
  if len(leaked):
    raise errors.DataError(
        f'{what}: {len(leaked)} of {len(test.index)} test examples are training '
        f'examples, too, byte for byte: ids {", ".join(map(str, leaked[:10]))}'
        f'{", ..." if len(leaked) > 10 else ""}. Take them out of one of the sets.')


def warn(train, test, *, what):
  """Like `refuse`, for who must go on; returns how many there are."""
  leaked = find(train, test)
  if len(leaked):
    log.warning(
        '%s: %d of %d test examples are training examples, too, byte for byte: ids '
        '%s%s.', what, len(leaked), len(test.index),
        ', '.join(map(str, leaked[:10])), ', ...' if len(leaked) > 10 else '')
  return len(leaked)
