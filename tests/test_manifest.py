"""Manifests against hashlib on each leaf's bytes."""

import hashlib

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxssl import errors
from jaxssl import manifest
from jaxssl import parallel


def state():
  return {
      'params': {
          'w': np.arange(6, dtype=np.float32).reshape(2, 3), 'b': [np.int32(1)]},
      'opt': optax.EmptyState(),
      'half': jnp.ones(3, jnp.bfloat16)}


def test_leaves_are_those_of_hashlib():
  leaves = manifest.state_manifest(parallel.replicate(state()))['leaves']
  assert leaves['params/w'] == {
      'shape': [2, 3], 'dtype': 'float32',
      'sha256': hashlib.sha256(state()['params']['w'].tobytes()).hexdigest()}
  assert leaves['params/b/0'] == {
      'shape': [], 'dtype': 'int32',
      'sha256': hashlib.sha256(bytes([1, 0, 0, 0])).hexdigest()}
  assert leaves['half'] == {
      'shape': [3], 'dtype': 'bfloat16',
      'sha256': hashlib.sha256(bytes([0x80, 0x3f] * 3)).hexdigest()}
  assert sorted(leaves) == ['half', 'params/b/0', 'params/w']


def test_digest_is_the_same_on_host_and_devices_and_in_any_order():
  digest = manifest.state_manifest(state())['digest']
  assert manifest.state_manifest(parallel.replicate(state()))['digest'] == digest
  backwards = dict(reversed(state().items()))
  assert manifest.state_manifest(backwards)['digest'] == digest
  strided = state()
  strided['params']['w'] = np.asfortranarray(strided['params']['w'])
  assert manifest.state_manifest(strided)['digest'] == digest


def flip_a_bit(s):
  s['params']['w'].view(np.uint8)[0, 0] ^= 1


def change_dtype(s):
  s['params']['w'] = s['params']['w'].view(np.int32)


def change_shape(s):
  s['params']['w'] = s['params']['w'].reshape(3, 2)


def change_path(s):
  s['params']['v'] = s['params'].pop('w')


@pytest.mark.parametrize(
    'change', [flip_a_bit, change_dtype, change_shape, change_path])
def test_digest_tells(change):
  changed = state()
  change(changed)
  assert (manifest.state_manifest(changed)['digest']
          != manifest.state_manifest(state())['digest'])


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('dtype', [np.float32, jnp.bfloat16])
def test_non_finite_leaf_is_named(value, dtype):
  bad = state()
  bad['params']['b'] = [np.zeros(3, dtype), np.array([0, value, 0], dtype)]
  with pytest.raises(errors.DivergedError, match=r'params/b/1 is not finite'):
    manifest.state_manifest(bad)


def test_two_leaves_of_one_path_are_refused():
  with pytest.raises(ValueError, match='one path'):
    manifest.state_manifest({'a/b': np.ones(2), 'a': {'b': np.zeros(2)}})
