import os
import signal
import sys

import fake_source
import jax
import pytest

from jaxssl import errors
from jaxssl import parallel
from jaxssl import preemption
from jaxssl.data import cached
from jaxssl.data import inputs
from jaxssl.data import ledger
from jaxssl.data import pipeline


class Device:
  process_index = 0

  def __init__(self, free):
    self._free = free

  def memory_stats(self):
    return {'bytes_limit': 3e9 + self._free, 'bytes_in_use': 3e9}


def make_dataset(num_examples, canvas=100):
  source, _ = fake_source.make(num_examples)
  return pipeline.Dataset(source, canvas, canvas, ledger.Ledger(source))


@pytest.fixture
def machine(monkeypatch, tmp_path):
  def have(*, memory, disk, tensorflow=True):
    monkeypatch.setattr(parallel, 'local_devices', lambda: [Device(memory)])
    monkeypatch.setattr(cached, 'room', lambda cache_dir: disk)
    if not tensorflow:
      monkeypatch.setitem(sys.modules, 'tensorflow', None)
  return have


# 1,000 images at 100 px are 30 MB; resident ones may take a quarter of the memory.
@pytest.mark.parametrize('memory, disk, way, why', [
    (121e6, 0, 'resident', 'each device may hold 30.2 MB'),
    (119e6, 34e6, 'cached', 'the disk 34.0 MB'),
    (119e6, 32e6, 'streamed', 'the disk has 32.0 MB free')])
def test_auto_goes_by_size(machine, tmp_path, memory, disk, way, why):
  machine(memory=memory, disk=disk)
  got, reason = inputs.choose(
      make_dataset(1000), input='auto', cache_dir=str(tmp_path))
  assert got == way
  assert reason.startswith(f'Input is {way}: 1,000 images at 100 px are 30.0 MB; ')
  assert why in reason


def test_auto_does_not_decode_a_million_images_first(machine, tmp_path):
  machine(memory=1e15, disk=1e15)
  big, small = make_dataset(1_281_167, 100), make_dataset(1_281_167, 64)
  assert inputs.choose(big, input='auto', cache_dir=str(tmp_path))[0] == 'streamed'
  assert inputs.choose(
      small, input='auto', cache_dir=str(tmp_path))[0] == 'resident'


def test_auto_takes_a_cache_that_is_there(machine, tmp_path):
  dataset = make_dataset(40, 16)
  cached.open_or_build(dataset, cache_dir=str(tmp_path), workers=1)
  machine(memory=0, disk=1)
  way, reason = inputs.choose(dataset, input='auto', cache_dir=str(tmp_path))
  assert way == 'cached' and 'an earlier run' in reason


def test_auto_without_tensorflow(machine, tmp_path):
  big = make_dataset(1_281_167, 100)
  machine(memory=1e15, disk=1e15, tensorflow=False)
  assert inputs.choose(big, input='auto', cache_dir=str(tmp_path))[0] == 'cached'
  machine(memory=0, disk=1e9, tensorflow=False)
  with pytest.raises(ValueError, match=r'not installed.*disk has only 1\.0 GB'):
    inputs.choose(big, input='auto', cache_dir=str(tmp_path))


def test_where_devices_do_not_tell_their_memory(tmp_path):
  assert jax.local_devices()[0].memory_stats() is None  # A CPU.
  # 2 GB over 4 devices are 500 MB: at 100 px, 16,666 images.
  for num_examples, way in ((16_600, 'resident'), (16_700, 'cached')):
    dataset = make_dataset(num_examples)
    assert inputs.choose(
        dataset, input='auto', cache_dir=str(tmp_path))[0] == way


def test_a_misspelt_way_in():
  with pytest.raises(ValueError, match='There are: auto, resident, cached'):
    inputs.choose(make_dataset(40), input='residant')


def test_streamed_without_tensorflow(monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  with pytest.raises(ValueError, match="'resident' and 'cached' work without"):
    inputs.check('streamed')


@pytest.mark.parametrize('way', ['resident', 'cached'])
def test_a_signal_ends_the_decoding(way, tmp_path):
  with preemption.listening():
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(errors.Preempted):
      inputs.prepare(make_dataset(50), input=way, cache_dir=str(tmp_path))
  prepared = inputs.prepare(make_dataset(50), input=way, cache_dir=str(tmp_path))
  assert len(prepared.decoded.images) == 50
