import json
import pathlib
import subprocess
import sys

import fake_source
import numpy as np
import pytest

from jaxssl import errors
from jaxssl.data import cached
from jaxssl.data import dataset as datasets
from jaxssl.data import ledger

BAD = (3, 4, 39)


def make(num_examples=40, bad=BAD, short_side=12, canvas=16, **settings):
  source, reads = fake_source.make(num_examples, bad)
  return datasets.Dataset(
      source, short_side, canvas, ledger.Ledger(source), **settings), reads


def open_(dataset, folder):
  return cached.open_or_build(dataset, cache_dir=str(folder), workers=2)


def assert_right(store):
  dataset, _ = make()
  want = datasets.in_memory(dataset, workers=1)
  assert store.bad == want.bad and sorted(store.bad) == list(BAD)
  np.testing.assert_array_equal(store.sizes, want.sizes)
  good = sorted(set(range(40)) - set(BAD))
  for (got, _), (image, _) in zip(store.rows(good), want.rows(good)):
    np.testing.assert_array_equal(got, image)


def test_later_runs_read_what_the_first_decoded(tmp_path):
  first, reads = make()
  assert_right(open_(first, tmp_path))
  assert reads.total() == 40
  later, reads = make()
  assert_right(open_(later, tmp_path))
  assert reads.total() == 0
  assert later.ledger.bad == first.ledger.bad
  assert later.ledger.num_decoded == first.ledger.num_decoded == 37
  assert later.ledger.num_cropped == first.ledger.num_cropped > 0


def test_evaluation_refuses_a_cached_bad_image(tmp_path):
  open_(make()[0], tmp_path)
  dataset, _ = make()
  strict = datasets.Dataset(
      dataset.source, 12, 16, ledger.Ledger(dataset.source, limit=0))
  with pytest.raises(errors.DataError, match=r'folder/3\.png'):
    open_(strict, tmp_path)


@pytest.mark.parametrize('other', [
    dict(bad=(3, 4)), dict(num_examples=41), dict(short_side=11), dict(canvas=17),
    dict(interpolation='bilinear')])
def test_other_images_are_another_cache(tmp_path, other):
  open_(make()[0], tmp_path)
  dataset, reads = make(**other)
  open_(dataset, tmp_path)
  assert reads.total() == dataset.source.num_examples
  assert len(list(tmp_path.glob('*.canvases'))) == 2


def flip(path, offset):
  data = bytearray(path.read_bytes())
  data[offset] ^= 4
  path.write_bytes(data)


def edit(path, **changes):
  about = json.loads(path.read_text())
  path.write_text(json.dumps({**about, **changes}))


DAMAGE = {
    'truncated': lambda data, index: data.write_bytes(data.read_bytes()[:-1]),
    'longer': lambda data, index: data.write_bytes(data.read_bytes() + b'0'),
    'empty': lambda data, index: data.write_bytes(b''),
    'no data': lambda data, index: data.unlink(),
    'no index': lambda data, index: index.unlink(),
    'half an index': lambda data, index: index.write_text(index.read_text()[:50]),
    'no text': lambda data, index: index.write_bytes(b'\xff\x00'),
    'no dict': lambda data, index: index.write_text('[]'),
    'of others': lambda data, index: edit(index, what={}),
    'other bad images': lambda data, index: edit(index, bad=[]),
    'a wrong size': lambda data, index: flip(data, 40 * 16 * 16 * 3 + 5),
    'a wrong checksum': lambda data, index: flip(data, -1)}


@pytest.mark.parametrize('damage', DAMAGE)
def test_damage_leads_to_a_new_cache(tmp_path, damage):
  open_(make()[0], tmp_path)
  [data], [index] = tmp_path.glob('*.canvases'), tmp_path.glob('*.json')
  DAMAGE[damage](data, index)
  dataset, reads = make()
  assert_right(open_(dataset, tmp_path))
  assert reads.total() == 40
  assert_right(open_(make()[0], tmp_path))


def test_a_flipped_bit_in_an_image_is_found_when_it_is_read(tmp_path):
  open_(make()[0], tmp_path)
  [data] = tmp_path.glob('*.canvases')
  flip(data, 7 * 16 * 16 * 3 + 100)
  store = open_(make()[0], tmp_path)
  store.rows([6, 8])
  with pytest.raises(errors.StorageError, match=r'Image 7 .* is damaged'):
    store.rows([6, 7, 8])
  assert_right(open_(make()[0], tmp_path))  # The same command, run again.


def test_too_many_bad_images_leave_nothing_behind(tmp_path):
  dataset, _ = make(bad=range(0, 22, 2))
  with pytest.raises(errors.DataError, match='11 of 40'):
    open_(dataset, tmp_path)
  assert {p.suffix for p in tmp_path.iterdir()} == {'.lock'}


def test_what_a_killed_build_left_is_replaced(tmp_path):
  dataset, _ = make()
  open_(dataset, tmp_path)
  [data], [index] = tmp_path.glob('*.canvases'), tmp_path.glob('*.json')
  data.rename(data.with_suffix('.tmp'))
  index.unlink()
  assert_right(open_(make()[0], tmp_path))
  assert not list(tmp_path.glob('*.tmp'))


def test_a_full_disk(tmp_path, monkeypatch):
  def full(*_, **__):
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(datasets, 'fill', full)
  with pytest.raises(errors.StorageError, match=r'No room .* data\.cache_dir'):
    open_(make()[0], tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(errors.StorageError, match='Cannot make the folder'):
    open_(make()[0], tmp_path / 'file' / 'cache')
  assert cached.room(str(tmp_path / 'file' / 'cache')) == 0


def test_the_default_folder_is_private(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  assert cached.folder_of('') == tmp_path / 'cache' / 'jaxssl'
  assert cached.folder_of('').stat().st_mode & 0o777 == 0o700


def test_two_processes_at_once(tmp_path):
  """Both get the right images, and only one of them decodes."""
  program = f'''
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import test_cached
dataset, reads = test_cached.make()
print('ready', flush=True)
sys.stdin.readline()
test_cached.assert_right(test_cached.open_(dataset, {str(tmp_path)!r}))
print(reads.total())
'''
  both = [
      subprocess.Popen(
          [sys.executable, '-c', program], text=True, stdin=subprocess.PIPE,
          stdout=subprocess.PIPE) for _ in range(2)]
  assert [p.stdout.readline() for p in both] == ['ready\n', 'ready\n']
  for p in both:
    p.stdin.write('go\n')
    p.stdin.flush()
  assert sorted(p.communicate(timeout=60)[0] for p in both) == ['0\n', '40\n']
