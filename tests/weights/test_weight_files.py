"""Reading files: what is in them, what is refused, and that nothing is ever run."""

import json
import pathlib
import pickle
import struct
import zipfile

import jax
import made_weights
import numpy as np
import pytest
import safetensors.numpy

from jaxssl import weights
from jaxssl.weights import inert
from jaxssl.weights import readers

BYOL = made_weights.model(
    depth=50, width=0.0625, projector=made_weights.head('byol', 2))


class Touches:
  """An object whose pickle makes a file when it is loaded."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (pathlib.Path(self.path),)


@pytest.fixture
def marker(tmp_path):
  return tmp_path / 'marker'


def assert_refused(path, marker, told):
  with pytest.raises(ValueError) as e:
    weights.load(path)
  assert told in str(e.value) and '\n' not in str(e.value), str(e.value)
  assert not marker.exists()


def test_the_payload_of_these_tests_works(marker):
  pickle.loads(pickle.dumps(Touches(marker)))
  assert marker.exists()


def test_pickled_objects_in_an_npz_are_not_loaded(tmp_path, marker):
  evil = np.array([Touches(marker)], object)
  np.savez(tmp_path / 'w.npz', **{'conv1.weight': evil})
  assert_refused(tmp_path / 'w.npz', marker, 'holds pickled objects')


def test_a_pickle_by_another_name_is_not_loaded(tmp_path, marker):
  for suffix in ('npz', 'safetensors'):
    path = tmp_path / f'w.{suffix}'
    path.write_bytes(pickle.dumps(Touches(marker)))
    assert_refused(path, marker, f'w.{suffix} is no .{suffix}')


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_a_malicious_byol_pickle_is_read_as_data(tmp_path, marker, protocol):
  path = tmp_path / 'w.pkl'
  evil = Touches(marker)
  path.write_bytes(pickle.dumps(
      {'experiment_state': evil, 'step': evil}, protocol=protocol))
  assert_refused(path, marker, "not BYOL's pickle")
  path.write_bytes(pickle.dumps(evil, protocol=protocol))
  assert_refused(path, marker, "not BYOL's pickle")


def test_a_payload_beside_byols_weights_does_nothing(tmp_path, marker):
  params, state = made_weights.haiku(made_weights.variables(BYOL), 50)
  path = tmp_path / 'w.pkl'
  path.write_bytes(made_weights.byol_pickle(params, state, evil=Touches(marker)))
  weights.load(path)
  assert not marker.exists()
  params['res_net50/~/initial_conv']['w'] = Touches(marker)
  path.write_bytes(made_weights.byol_pickle(params, state))
  assert_refused(path, marker, 'No layout has the names')


def test_byols_pickle_gives_its_online_network(tmp_path):
  made = made_weights.variables(BYOL)
  params, state = made_weights.haiku(made, 50)
  path = tmp_path / 'w.pkl'
  path.write_bytes(made_weights.byol_pickle(params, state))
  found, card = weights.load(path)
  jax.tree.map(np.testing.assert_array_equal, found, made)
  assert card['source']['layout'] == 'byol'
  assert set(card['source']['dropped']) == {
      'predictor and classifier', 'counters of batch norms'}


@pytest.mark.parametrize('protocol', [1, 2, 3, 4])
@pytest.mark.parametrize('x', [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array(3),
    np.zeros((0, 3), np.float16), np.arange(3, dtype='>i4')])
def test_arrays_in_a_pickle_are_those_that_went_in(x, protocol):
  found = inert.array(inert.read(pickle.dumps(x, protocol=protocol)))
  np.testing.assert_array_equal(found, x)
  assert found.dtype == x.dtype and found.shape == x.shape


def test_nested_data_in_a_pickle_are_what_went_in():
  data = {
      'a': [1, -2, 2**40, 0.5, None, True, 'ü'], 'b': ((), (1,), (1, 2), (1, 2, 3, 4)),
      'c': {1: b'x' * 300, 'd': [{}, []]}}
  data['e'] = data['a']  # Memoised.
  for protocol in (1, 2, 3, 4):
    assert inert.read(pickle.dumps(data, protocol=protocol)) == data


BROKEN = {
    'empty': b'', 'no pickle': b'hello', 'cut': pickle.dumps({'a': [1, 2]})[:-4],
    'no stack': b'\x80\x02.', 'no memo': b'\x80\x02h\x05.',
    'persistent id': b'\x80\x02K\x01Q.', 'extension': b'\x80\x02\x82\x01.',
    'odd keys': pickle.dumps({(1, 2): 3}), 'built on a dict': b'\x80\x02}}b.',
    'huge text': b'\x80\x02X\xff\xff\xff\x7fabc.'}


@pytest.mark.parametrize('name', BROKEN)
def test_a_broken_pickle_is_refused(name):
  with pytest.raises(ValueError):
    inert.read(BROKEN[name])


@pytest.mark.parametrize('change, told', [
    (dict(shape=(2**20, 2**20)), 'has other bytes'),
    (dict(shape=(-1, 3)), 'not as NumPy describes'),
    (dict(shape=('a',)), 'not as NumPy describes'),
    (dict(code='O8'), 'not of numbers'), (dict(code='S3'), 'not of numbers'),
    (dict(data=None), 'has other bytes')])
def test_an_array_that_lies_about_itself_is_refused(change, told):
  how = {'shape': (3,), 'code': 'f4', 'data': bytes(12), **change}
  dtype = inert.Call(
      'numpy.dtype', (how['code'], False, True),
      state=(3, '<', None, None, None, -1, -1, 0))
  call = inert.Call(
      'numpy.core.multiarray._reconstruct', (),
      state=(1, how['shape'], dtype, False, how['data']))
  with pytest.raises(ValueError, match=told):
    inert.array(call)


def test_a_forged_header_allocates_nothing(tmp_path):
  """An .npz, and a .safetensors, that claim terabytes."""
  path = tmp_path / 'w.npz'
  header = repr({
      'descr': '<f4', 'fortran_order': False, 'shape': (2**20, 2**20)}).encode()
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('conv1.weight.npy', (
        b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + bytes(16)))
  with pytest.raises(ValueError, match='another size than its header says'):
    weights.load(path)

  path = tmp_path / 'w.safetensors'
  header = json.dumps({'conv1.weight': {
      'dtype': 'F32', 'shape': [2**20, 2**20], 'data_offsets': [0, 2**42]}}).encode()
  path.write_bytes(struct.pack('<Q', len(header)) + header + bytes(16))
  with pytest.raises(ValueError, match=r'is no \.safetensors file'):
    weights.load(path)


def test_what_is_too_large_or_no_number_is_refused():
  path = pathlib.Path('w.npz')
  with pytest.raises(ValueError, match='says that it holds'):
    readers.check(path, {'a': ((2**20, 2**20), 'float32')})
  with pytest.raises(ValueError, match='holds what is no weights: a of complex64'):
    readers.check(path, {'a': ((2,), 'complex64')})


@pytest.mark.parametrize('name, told', [
    ('w.onnx', 'w.onnx is in no known format. There are: .safetensors'),
    ('missing.npz', 'There is no file of weights')])
def test_a_file_that_cannot_be_read(tmp_path, name, told):
  (tmp_path / 'w.onnx').write_bytes(b'x')
  with pytest.raises(ValueError, match=told):
    weights.load(tmp_path / name)


def test_a_tensorflow_checkpoint_by_its_prefix_or_index(tmp_path):
  tf = pytest.importorskip('tensorflow')
  model = made_weights.model(
      depth=50, width=0.0625, projector=made_weights.head('simclr', 2))
  made = made_weights.variables(model)
  arrays = made_weights.simclr_tensorflow(made, 50)
  prefix = str(tmp_path / 'model.ckpt-12')
  tf.raw_ops.SaveV2(
      prefix=prefix, tensor_names=list(arrays), shape_and_slices=[''] * len(arrays),
      tensors=[tf.constant(x) for x in arrays.values()])
  for path in (prefix, f'{prefix}.index'):
    found, card = weights.load(path)
    jax.tree.map(np.testing.assert_array_equal, found, made)
    assert card['source']['layout'] == 'simclr_tf'
  (tmp_path / 'bad.index').write_bytes(b'x')
  with pytest.raises(ValueError, match='bad is no TensorFlow checkpoint'):
    weights.load(tmp_path / 'bad.index')


def test_half_precision_becomes_float32(tmp_path):
  made = made_weights.variables(made_weights.MODEL)
  arrays = {
      name: np.asarray(x, np.float16)
      for name, x in made_weights.state_dict(made, 10).items()}
  path = tmp_path / 'w.safetensors'
  safetensors.numpy.save_file(arrays, path)
  found, _ = weights.load(path)
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(made)):
    assert a.dtype == np.float32
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('notes', [
    'x', '[]', '{}', json.dumps({'preprocessing': {
        'size': 1e9, 'fraction': 2, 'interpolation': 'bilinear', 'mean': [0, 0, 0],
        'std': [1, 1, 1]}}),
    json.dumps({'preprocessing': {
        'size': 32, 'fraction': 1, 'interpolation': 'bilinear', 'mean': [0, 0, 0],
        'std': [1, 0, 1]}}),
    json.dumps({'preprocessing': {
        'size': 32, 'fraction': 1, 'interpolation': 'bilinear', 'mean': 'abc',
        'std': 'def'}})])
def test_broken_notes_are_told(tmp_path, notes):
  arrays = made_weights.state_dict(made_weights.variables(made_weights.MODEL), 10)
  path = tmp_path / 'w.safetensors'
  safetensors.numpy.save_file(
      {k: np.asarray(x) for k, x in arrays.items()}, path, metadata={'jaxssl': notes})
  with pytest.raises(ValueError, match='The notes in this file are broken'):
    weights.load(path)
