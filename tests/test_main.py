"""The command line as a person meets it: every mistake is one line and code 78."""

import os
import pathlib
import stat
import subprocess
import sys

import jax
import numpy as np
import pytest
import tiny_run
from PIL import Image

from jaxssl import errors
from jaxssl import hosts
from jaxssl import lock
from jaxssl import main
from jaxssl import train

ROOT = pathlib.Path(__file__).parents[1]
SMOKE = f'--config={ROOT}/configs/quickstart.py:smoke'


MISTAKES = {
    'no config': ([], '--config=FILE is missing'),
    'missing file': ([f'--config={ROOT}/configs/quickstrat.py'], 'quickstart.py'),
    'unknown argument': ([f'--config={ROOT}/configs/quickstart.py:epoch=3'], 'epochs'),
    'argument type': (
        [f'--config={ROOT}/configs/quickstart.py:epochs=many'], 'epochs=25'),
    'misspelt key': ([SMOKE, '--config.optim.base_rl=1'], 'base_lr'),
    'unknown key': ([SMOKE, '--config.nope=1'], "The config has no key 'nope'"),
    'misspelt flag': ([SMOKE, '--wokdir=x'], 'workdir'),
    'stray word': ([SMOKE, 'method.temperature=1'], '--config.key=value'),
    'wrong type': ([SMOKE, '--config.total_steps=ten'], 'total_steps'),
    'job': ([SMOKE, '--config.job=tarin'], 'pretrain, evaluate'),
    'method': ([SMOKE, '--config.method.name=simlcr'], 'simclr, simsiam, supervised'),
    'source': ([SMOKE, '--config.data.name=shape'], 'shapes'),
    'domain': ([SMOKE, '--config.data.domain=birds'], 'species'),
    'temperature': ([SMOKE, '--config.method.temperature=0.0'], 'temperature'),
    'area': ([SMOKE, '--config.views.a.max_area=1.5'], 'area'),
    'batch': ([SMOKE, '--config.data.batch_size=7'], '4 devices'),
    'large batch': ([SMOKE, '--config.data.batch_size=100000'], '4,096 images'),
    'warm-up': ([SMOKE, '--config.optim.warmup_epochs=50'], 'arm-up'),
    'nan rate': ([SMOKE, '--config.optim.base_lr=nan'], 'base_lr'),
    'depth': ([SMOKE, '--config.model.depth=19'], '18'),
    'input': ([SMOKE, '--config.data.input=disk'], 'resident'),
    'way': ([SMOKE, '--config.parallel=xmap'], 'shard_map'),
    'no root': ([f'--config={ROOT}/configs/simclr_inat.py:smoke'], 'inat_comp'),
    'missing root': (
        [f'--config={ROOT}/configs/simclr_folder.py:smoke',
         '--config.data.root=/no/such'], '/no/such'),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_one_line_and_touches_nothing(name, tmp_path, capsys):
  args, told = MISTAKES[name]
  workdir = tmp_path / 'run'
  code = main.main(['main', *args, f'--workdir={workdir}'])
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert code == 78 and told in line, line
  assert not workdir.exists()


@pytest.mark.parametrize('text, told', [
    ('def get_config(:', 'line 1'),
    ('def get_config():\n  return 1 / 0', 'ZeroDivisionError')])
def test_a_broken_config_file_says_where(text, told, tmp_path, capsys):
  path = tmp_path / 'broken.py'
  path.write_text(text)
  assert main.main(['main', f'--config={path}']) == 78
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert told in line


def test_recipes_are_found_from_any_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  command = main.parse(
      ['main', '--config=configs/simclr_inat.py:epochs=3', '--config.data.root=/x',
       '--config.optim.base_lr=1'])
  assert command.name == 'simclr_inat' and command.workdir is None
  assert command.config['total_epochs'] == 3.0
  assert command.config['data']['root'] == '/x'
  assert command.config['optim']['base_lr'] == 1.0
  assert not list(tmp_path.iterdir())


def test_without_workdir_it_is_named_after_the_config(monkeypatch):
  seen = []
  monkeypatch.setattr(train, 'train', lambda config, workdir: seen.append(workdir))
  monkeypatch.setattr(main, 'start_jax', lambda: None)
  assert main.main(['main', SMOKE]) == 0
  assert seen == [pathlib.Path('runs/quickstart')]


def test_help_names_flags_codes_and_recipes(capsys):
  assert main.main(['main', '--help']) == 0
  out = capsys.readouterr().out
  for part in ('--workdir', '--config.KEY=VALUE', '42 preempted', 'simclr_inat.py'):
    assert part in out


def test_a_bug_of_ours_is_told_apart(monkeypatch, capsys):
  def fail(config, workdir):
    raise ValueError('not the user')

  monkeypatch.setattr(train, 'train', fail)
  monkeypatch.setattr(main, 'start_jax', lambda: None)
  assert main.main(['main', SMOKE]) == 70
  err = capsys.readouterr().err
  assert 'not the user' in err and 'bug in jaxssl' in err


def test_a_workdir_in_use_is_73(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(main, 'start_jax', lambda: None)
  with lock.Lock(tmp_path):
    code = main.main(
        ['main', f'--config={tiny_run.__file__}', f'--workdir={tmp_path}'])
  assert code == 73
  assert f'process {os.getpid()}' in capsys.readouterr().err
  assert [p.name for p in tmp_path.iterdir()] == ['.lock']


def test_the_compilation_cache_is_private(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR')
  before = jax.config.jax_compilation_cache_dir
  try:
    main.start_jax()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / 'jaxssl' / 'xla')
    assert stat.S_IMODE((tmp_path / 'jaxssl').stat().st_mode) == 0o700
  finally:
    jax.config.update('jax_compilation_cache_dir', before)


@pytest.mark.slow
def test_the_inat_recipe_on_a_made_up_tree_from_another_folder(tmp_path):
  rng = np.random.default_rng(0)
  species = (
      '00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris',
      '00001_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major',
      '00002_Plantae_Tracheophyta_Magnoliopsida_Rosales_Rosaceae_Rosa_canina')
  for split, num in (('train', 8), ('val', 3)):
    for name in species:
      folder = tmp_path / 'inat' / split / name
      folder.mkdir(parents=True)
      for i in range(num):
        pixels = rng.integers(0, 256, (50, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f'{i}.jpg')
  out = subprocess.run(
      [sys.executable, '-m', 'jaxssl.main', '--config=configs/simclr_inat.py:smoke',
       f'--config.data.root={tmp_path / "inat"}', '--workdir=run'],
      cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)}, text=True,
      capture_output=True, timeout=600)
  assert out.returncode == 0, out.stderr
  for name in ('DONE', 'report.html', 'eval/knn/24.json', 'eval/linear/24.json'):
    assert (tmp_path / 'run' / name).exists()


def test_some_jobs_are_for_one_process(monkeypatch):
  monkeypatch.setattr(hosts, 'start', lambda given: None)
  monkeypatch.setattr(hosts, 'count', lambda: 2)
  main.join({}, 'pretrain')
  with pytest.raises(errors.ConfigError, match='The job study is for one process'):
    main.join({}, 'study')


def test_a_lost_process_is_no_bug(monkeypatch, capsys):
  monkeypatch.setattr(hosts, 'count', lambda: 2)

  def lose(message):
    def job():
      raise jax.errors.JaxRuntimeError(message)
    return job

  assert main.exit_code_of(lose('Gloo all-reduce failed: Connection reset')) == 134
  assert 'run all of them again' in capsys.readouterr().err
  assert main.exit_code_of(lose('RESOURCE_EXHAUSTED: Out of memory')) == 70
