"""Planted test examples that also stand in the training set."""

import logging

import numpy as np
import pytest

from jaxssl import errors
from jaxssl import features
from jaxssl import leaks


def embed(params, extra, images):
  del params, extra
  return {'h': images.reshape(len(images), -1) / 255}


def outputs(images, first=0, batch_size=7):
  index = np.arange(first, first + len(images), dtype=np.int32)
  return features.outputs(embed, {}, {}, [
      {'image': images[i:i + batch_size], 'index': index[i:i + batch_size]}
      for i in range(0, len(images), batch_size)], hashed=True)


def pictures(seed, n):
  return np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 3), np.uint8)


TRAIN, TEST = pictures(0, 20), pictures(1, 12)
TEST[[3, 8]] = TRAIN[[17, 0]]


def test_planted_examples_are_found_whatever_their_ids():
  assert leaks.find(outputs(TRAIN), outputs(TEST, first=100)).tolist() == [103, 108]
  assert leaks.find(outputs(TRAIN), outputs(pictures(2, 12))).tolist() == []
  nearly = TRAIN[:5].copy()
  nearly[:, 0, 0, 0] ^= 1
  assert leaks.find(outputs(TRAIN), outputs(nearly)).tolist() == []


def test_they_are_refused_by_their_ids():
  with pytest.raises(errors.DataError, match=r'knn: 2 of 12 .* ids 103, 108\. Take'):
    leaks.refuse(outputs(TRAIN), outputs(TEST, first=100), what='knn')
  leaks.refuse(outputs(TRAIN), outputs(TEST[4:8]), what='knn')


def test_or_warned_of_and_counted(caplog):
  with caplog.at_level(logging.WARNING):
    assert leaks.warn(outputs(TRAIN), outputs(TEST), what='knn') == 2
  assert 'knn: 2 of 12 test examples are training examples' in caplog.text


def test_features_of_a_collapsed_network_are_no_leak():
  assert not len(leaks.find(outputs(TRAIN * 0), outputs(TEST * 0)))


def test_bytes_are_hashed_only_when_asked_for():
  batches = [{'image': TRAIN, 'index': np.arange(20, dtype=np.int32)}]
  with features.shared():
    plain = features.outputs(embed, {}, {}, batches)
    hashed = features.outputs(embed, {}, {}, batches, hashed=True)
    assert plain.hashes is None and len(np.unique(hashed.hashes)) == 20
    assert features.outputs(embed, {}, {}, batches, hashed=True) is hashed
