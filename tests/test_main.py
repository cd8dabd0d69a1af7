"""The command line as a person meets it: every mistake is one line and code 78."""

import os
import pathlib
import subprocess
import sys

import pytest

from jaxssl import main

ROOT = pathlib.Path(__file__).parents[1]
SMOKE = '--config=configs/quickstart.py:smoke'


def run(*args, cwd=ROOT, devices=2, **env):
  env = {
      **os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT),
      'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}', **env}
  return subprocess.run(
      [sys.executable, '-m', 'jaxssl.main', *args], cwd=cwd, env=env, text=True,
      capture_output=True, timeout=300)


MISTAKES = {
    'no config': ([], '--config=FILE is missing'),
    'missing file': (['--config=configs/quickstrat.py'], 'quickstart.py'),
    'unknown argument': (['--config=configs/quickstart.py:epoch=3'], 'epochs'),
    'argument type': (['--config=configs/quickstart.py:epochs=many'], 'epochs=30'),
    'misspelt key': ([SMOKE, '--config.optim.base_rl=1'], 'base_lr'),
    'misspelt flag': ([SMOKE, '--wokdir=x'], 'workdir'),
    'stray word': ([SMOKE, 'method.temperature=1'], '--config.key=value'),
    'wrong type': ([SMOKE, '--config.total_steps=ten'], 'total_steps'),
    'job': ([SMOKE, '--config.job=tarin'], 'pretrain, evaluate'),
    'method': ([SMOKE, '--config.method.name=simlcr'], 'simclr, supervised'),
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
    'no root': (['--config=configs/simclr_inat.py:smoke'], 'inat_comp'),
    'missing root': (
        ['--config=configs/simclr_folder.py:smoke', '--config.data.root=/no/such'],
        '/no/such'),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_one_line_and_touches_nothing(name, tmp_path, capsys):
  args, told = MISTAKES[name]
  workdir = tmp_path / 'run'
  code = main.main(['main', *args, f'--workdir={workdir}'])
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert code == 78 and told in line, line
  assert not workdir.exists()
