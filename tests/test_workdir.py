"""A run's folder: what it refuses, and what it keeps."""

import json
import logging
import os
import pathlib
import sys

import jax
import pytest

import jaxssl
from jaxssl import errors
from jaxssl import files
from jaxssl import workdir

CONFIG = {
    'seed': 0, 'optim': {'base_lr': 0.3, 'name': 'lars'}, 'log_every_steps': 10,
    'model': {'projector': None}, 'views': (1, 2)}
FREE = ('log_every_steps', 'evals')


def open_run(path, config=None, **settings):
  config = config or CONFIG
  with workdir.open_run(path, config, free_keys=FREE, **settings) as opened:
    return opened


def changed(**optim):
  return CONFIG | {'optim': CONFIG['optim'] | optim}


def tree(path):
  return {p: p.read_bytes() if p.is_file() else None for p in path.rglob('*')}


def test_makes_and_reopens(tmp_path):
  path = open_run(tmp_path / 'a b' / 'zwölf', data_digest='d1')
  assert path == tmp_path / 'a b' / 'zwölf'
  assert files.read_json(path / 'config.json') == json.loads(json.dumps(CONFIG))
  run = files.read_json(path / 'run.json')
  assert run['attempts'] == 1
  assert run['versions']['jax'] == jax.__version__
  assert run['versions']['jaxssl'] == jaxssl.__version__
  assert run['devices'] == {
      'platform': 'cpu', 'kind': 'cpu', 'count': 4, 'processes': 1}
  assert run['argv'] == sys.argv and run['data_digest'] == 'd1'

  written = (path / 'config.json').stat().st_mtime_ns
  open_run(path, CONFIG | {'log_every_steps': 1, 'evals': {'knn': {'k': 9}}},
           data_digest='d1')
  assert (path / 'config.json').stat().st_mtime_ns == written
  assert files.read_json(path / 'run.json')['attempts'] == 2


def test_locked_while_open(tmp_path):
  with (workdir.open_run(tmp_path / 'run', CONFIG, free_keys=FREE) as path,
        pytest.raises(errors.LockedError, match=f'process {os.getpid()} ')):
    open_run(path)
  open_run(path)


@pytest.mark.parametrize('config, diff', [
    (changed(base_lr=0.5), 'optim.base_lr: 0.3 -> 0.5.'),
    (changed(name='sgd', decay=0.1),
     'optim.decay: absent -> 0.1; optim.name: "lars" -> "sgd".'),
    (CONFIG | {'model': {}}, 'model.projector: null -> absent.'),
    (CONFIG | {'model': {'projector': {'out': 8}}},
     'model.projector: null -> {"out": 8}.'),
    (CONFIG | {'views': [2, 1]}, 'views: [1, 2] -> [2, 1].'),
    (CONFIG | {'log_every_steps_': 1}, 'log_every_steps_: absent -> 1.'),
    (CONFIG | {f'k{i:02}': i for i in range(12)}, 'k09: absent -> 9 and 2 more.')])
def test_another_recipe_is_refused_with_its_differences(tmp_path, config, diff):
  path = open_run(tmp_path / 'run')
  before = tree(path)
  with pytest.raises(errors.ConfigError) as refusal:
    open_run(path, config)
  assert diff in str(refusal.value) and '\n' not in str(refusal.value)
  assert tree(path) == before


def test_other_images_are_refused(tmp_path):
  path = open_run(tmp_path / 'run', data_digest='aaa')
  with pytest.raises(errors.ConfigError, match='was aaa and is bbb'):
    open_run(path, data_digest='bbb')
  assert files.read_json(path / 'run.json')['data_digest'] == 'aaa'


def test_config_that_json_cannot_hold(tmp_path):
  for value in (float('nan'), object()):
    with pytest.raises(errors.ConfigError, match='what JSON cannot'):
      open_run(tmp_path / 'run', CONFIG | {'x': value})
  assert not (tmp_path / 'run').exists()


def test_foreign_folders_are_refused_untouched(tmp_path, monkeypatch):
  photos = tmp_path / 'photos'
  photos.mkdir()
  (photos / 'me.jpg').write_text('x')
  monkeypatch.setenv('HOME', str(tmp_path))
  before = tree(tmp_path)
  with pytest.raises(errors.ConfigError, match=r"'me\.jpg'"):
    open_run(photos)
  for place in (tmp_path, '~', '/', photos / '..'):
    with pytest.raises(errors.ConfigError, match='no place for a run'):
      open_run(place)
  with pytest.raises(errors.LockedError, match='Cannot make the folder'):
    open_run(photos / 'me.jpg')
  with pytest.raises(errors.LockedError, match='Cannot make the folder'):
    open_run(photos / 'me.jpg/run')
  assert tree(tmp_path) == before


def test_start_killed_before_its_first_file_can_be_repeated(tmp_path):
  (tmp_path / '.lock').touch()
  (tmp_path / '.config.json.0123.tmp').touch()
  open_run(tmp_path)
  assert sorted(p.name for p in tmp_path.iterdir()) == [
      '.lock', 'config.json', 'run.json']


def test_changed_version_warns(tmp_path, caplog):
  path = open_run(tmp_path / 'run')
  assert not caplog.records
  run = files.read_json(path / 'run.json')
  run['versions']['jax'] = '0.0.1'
  files.write_json(path / 'run.json', run)
  with caplog.at_level(logging.WARNING):
    open_run(path)
  assert f'jax was "0.0.1" and is "{jax.__version__}"' in caplog.text
  (path / 'run.json').write_text('{')  # Of no use to the run itself.
  open_run(path)
  assert files.read_json(path / 'run.json')['attempts'] == 1


def test_no_secret_of_the_environment_is_kept(tmp_path, monkeypatch):
  monkeypatch.setenv('WANDB_API_KEY', 'canary-123')
  path = open_run(tmp_path / 'run')
  assert not [p for p, data in tree(path).items() if b'canary-123' in (data or b'')]


def test_done(tmp_path):
  assert workdir.read_done(tmp_path) is None
  workdir.write_done(tmp_path, 40, 'abc')
  assert workdir.read_done(tmp_path) == {'step': 40, 'digest': 'abc'}


def test_paths_are_absolute(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert open_run(pathlib.Path('runs/a')) == tmp_path / 'runs/a'
