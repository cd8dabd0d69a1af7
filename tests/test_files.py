"""Files that are whole or not there."""

import os
import resource
import threading

import pytest

from jaxssl import errors
from jaxssl import files


def test_text_and_json_round_trip(tmp_path):
  path = tmp_path / 'Übung eins.json'
  files.write_json(path, {'b': [1, 0.1], 'a': 'ä'})
  assert files.read_json(path) == {'b': [1, 0.1], 'a': 'ä'}
  assert path.read_text().index('"a"') < path.read_text().index('"b"')
  files.write_json(path, {})
  assert files.read_json(path) == {}
  assert os.listdir(tmp_path) == [path.name]


def test_missing_broken_and_unreadable(tmp_path):
  assert files.read_json(tmp_path / 'no.json') is None
  (tmp_path / 'torn.json').write_text('{"a": 1')
  with pytest.raises(errors.StorageError, match=r'torn\.json is not valid JSON'):
    files.read_json(tmp_path / 'torn.json')
  with pytest.raises(errors.StorageError, match=r'Cannot read .*: Is a directory'):
    files.read_json(tmp_path)


def test_nan_is_not_written_as_json(tmp_path):
  with pytest.raises(ValueError):
    files.write_json(tmp_path / 'a.json', {'x': float('nan')})
  assert os.listdir(tmp_path) == []


def test_full_disk_leaves_the_old_file(tmp_path):
  path = tmp_path / 'a'
  files.write_text(path, 'old')
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
  try:
    with pytest.raises(errors.StorageError, match=r'write .*/a: File too large'):
      files.write_text(path, 'x' * 5000)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert path.read_text() == 'old'
  assert os.listdir(tmp_path) == ['a']


def test_missing_folder_is_said(tmp_path):
  with pytest.raises(errors.StorageError, match='No such file or directory'):
    files.write_text(tmp_path / 'gone/a', 'x')


def test_a_link_is_replaced_not_followed(tmp_path):
  (tmp_path / 'target').write_text('mine')
  (tmp_path / 'a').symlink_to(tmp_path / 'target')
  files.write_text(tmp_path / 'a', 'new')
  assert (tmp_path / 'target').read_text() == 'mine'
  assert not (tmp_path / 'a').is_symlink()


@pytest.mark.parametrize('umask, mode', [(0o000, 0o644), (0o077, 0o600)])
def test_mode(tmp_path, umask, mode):
  old = os.umask(umask)
  try:
    files.write_text(tmp_path / 'a', 'x')
  finally:
    os.umask(old)
  assert (tmp_path / 'a').stat().st_mode & 0o777 == mode


def test_reader_never_sees_half_a_file(tmp_path):
  path, values = tmp_path / 'a.json', [{'x': c * 100_000} for c in 'ab']
  files.write_json(path, values[0])
  stop = threading.Event()

  def write():
    while not stop.is_set():
      for value in values:
        files.write_json(path, value)

  writer = threading.Thread(target=write)
  writer.start()
  try:
    assert all(files.read_json(path) in values for _ in range(100))
  finally:
    stop.set()
    writer.join()
