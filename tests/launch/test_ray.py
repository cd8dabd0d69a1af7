"""launch/ray: cluster files, what is run on them, and a study on two Ray nodes."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest
import tiny_study

from jaxssl import study

ROOT = pathlib.Path(__file__).parents[2]
RAY = ROOT / 'launch' / 'ray'
FLAGS = {
    'gpu': ('--project=me', '--zone=us-central1-a', '--share=10.0.0.2:/vol'),
    'tpu': ('--project=me', '--zone=us-central2-b', '--share=10.0.0.2:/vol'),
    'machines': (
        '--head=10.0.0.1', '--hosts=10.0.0.2,10.0.0.3', '--user=me',
        '--venv=/share/venv')}


def cluster(action, name, *arguments, cwd=ROOT, **environment):
  return subprocess.run(
      [RAY / 'cluster.sh', action, f'--cluster={name}', *FLAGS[name], *arguments],
      cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture
def fake_ray(tmp_path):
  """A program `ray` that writes down how it was called."""
  path = tmp_path / 'bin' / 'ray'
  path.parent.mkdir()
  path.write_text(
      f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" -- >> {tmp_path}/calls\n')
  path.chmod(0o755)
  return {'PATH': f'{path.parent}:{os.environ["PATH"]}', 'HOME': str(tmp_path)}


@pytest.mark.parametrize('name', FLAGS)
def test_a_filled_cluster_file_is_what_ray_takes(name, fake_ray, tmp_path):
  yaml = pytest.importorskip('yaml')
  jsonschema = pytest.importorskip('jsonschema')
  autoscaler = pytest.importorskip('ray.autoscaler')
  from ray.autoscaler._private import util
  done = cluster('up', name, '--workers=3', cwd=tmp_path, **fake_ray)
  assert done.returncode == 0, done.stderr
  text = (tmp_path / 'runs' / 'ray' / f'{name}.yaml').read_text()
  config = yaml.safe_load(text)
  schema = pathlib.Path(autoscaler.__file__).parent / 'ray-schema.json'
  jsonschema.validate(config, json.loads(schema.read_text()))
  util.validate_config(util.prepare_config(config))
  settled = text.replace('$RAY_HEAD_IP', '').split('\nprovider:')[1]
  assert '$' not in settled
  for commands in ('head_start_ray_commands', 'worker_start_ray_commands'):
    assert [' start ' in c for c in config[commands]] == [
        'RAY_AUTH_MODE=token' in c for c in config[commands]] == [False, True]
  assert '--dashboard-host=127.0.0.1' in config['head_start_ray_commands'][1]


@pytest.mark.parametrize('name, kinds', [
    ('gpu', {'head': 'compute', 'gpu': 'compute'}),
    ('tpu', {'head': 'compute', 'slice': 'tpu'})])
def test_a_filled_cluster_file_is_of_machines_that_google_has(
    name, kinds, fake_ray, tmp_path):
  """As far as Ray checks them: a TPU slice that it knows, of one host."""
  yaml = pytest.importorskip('yaml')
  pytest.importorskip('google_auth_httplib2')
  google = pytest.importorskip('ray.autoscaler._private.gcp.config')
  done = cluster('up', name, '--workers=3', cwd=tmp_path, **fake_ray)
  assert done.returncode == 0, done.stderr
  config = yaml.safe_load((tmp_path / 'runs' / 'ray' / f'{name}.yaml').read_text())
  assert config['provider']['region'] == FLAGS[name][1].split('=')[1][:-2]
  nodes = {key: node for key, node in config['available_node_types'].items()}
  assert kinds == {
      key: google.get_node_type(node['node_config']).value
      for key, node in nodes.items()}
  (worker,) = [node for key, node in nodes.items() if key != 'head']
  assert worker['max_workers'] == config['max_workers'] == 3
  if name == 'tpu':
    assert google._is_single_host_tpu(worker['node_config'])
    assert google._get_num_tpu_chips(worker['node_config']) == (
        worker['resources']['TPU'])


@pytest.mark.parametrize('name, device', [
    ('gpu', '--config.ray.num_gpus=1'),
    ('tpu', "--config.ray.resources={'TPU': 4}"), ('machines', None)])
def test_a_study_is_run_on_the_head_as_given(name, device, fake_ray, tmp_path):
  done = cluster(
      'run', name, '--', '--config=configs/studies/domain.py:root=/share/data',
      '--workdir=/share/runs/a b', cwd=tmp_path, **fake_ray)
  assert done.returncode == 0, done.stderr
  called = (tmp_path / 'calls').read_text().split('\n')
  assert called[:3] == ['exec', '--tmux', '--disable-usage-stats']
  words = shlex.split(called[4])
  program = words[words.index('jaxssl.main') + 1:words.index('>>')]
  assert program == [
      '--config=configs/studies/domain.py:root=/share/data',
      '--workdir=/share/runs/a b', '--config.engine=ray',
      '--config.ray.address=auto', *filter(None, [device])]
  assert '--workdir=/share/runs/pretrained' in words  # Of restart.sh.


@pytest.mark.parametrize('action', ['up', 'run', 'logs', 'down'])
def test_a_dry_run_of_a_cluster_does_nothing(action, fake_ray, tmp_path):
  done = cluster(
      action, 'gpu', '--dry-run', '--', '--workdir=/share/x', cwd=tmp_path,
      **fake_ray)
  assert done.returncode == 0, done.stderr
  assert sorted(p.name for p in tmp_path.iterdir()) == ['bin']
  commands = [line for line in done.stdout.splitlines() if not line.startswith('#')]
  assert commands and all(line.startswith('ray ') for line in commands)
  assert '# cluster_name: jaxssl-gpu' in done.stdout.replace('# # ', '# ')


@pytest.mark.parametrize('arguments, told', [
    ([], "up, run, logs or down, not ''"),
    (['up', '--cluster=moon'], "not 'moon'"),
    (['up', '--cluster=gpu'], '--project is missing'),
    (['up', '--cluster=gpu', '--project=a;b'], 'cannot use --project=a;b'),
    (['up', '--cluster=gpu', '--project=$(id)'], 'cannot use --project=$(id)'),
    (['run', '--cluster=tpu', *FLAGS['tpu'], '--dry-run', '--', '--workdir=runs/x'],
     '--workdir=/PATH is missing'),
    (['up', '--nonsense'], 'unknown --nonsense')])
def test_a_mistake_is_told(arguments, told, tmp_path):
  done = subprocess.run(
      [RAY / 'cluster.sh', *arguments], cwd=tmp_path, capture_output=True,
      text=True)
  assert done.returncode == 78 and told in done.stderr
  assert not list(tmp_path.iterdir())


def test_on_slurm_a_dry_run_prints_what_would_be_done():
  done = subprocess.run(
      ['bash', RAY / 'slurm.sbatch', '--dry-run', '--config=x.py',
       '--workdir=runs/x'], cwd=ROOT, capture_output=True, text=True, check=True)
  first, second = done.stdout.splitlines()
  words = shlex.split(first)
  assert words[:2] == ['launch/restart.sh', '--workdir=runs/pretrained']
  assert words[words.index('launch/ray/node.sh'):][:4] == [
      'launch/ray/node.sh', '--head=HOST', '--port=20000', '--']
  assert words[-3:] == [
      '--config.engine=ray', '--config.ray.address=auto', '--config.ray.num_gpus=1']
  assert second.startswith('scontrol requeue')


@pytest.mark.slow
def test_a_study_runs_on_two_nodes_of_one_machine(tmp_path):
  """As in a step of Slurm with two tasks, each with a core."""
  pytest.importorskip('ray')
  workdir = tmp_path / 'two'
  (tmp_path / 'home').mkdir()
  environment = {k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'} | {
      'PATH': f'{pathlib.Path(sys.executable).parent}:{os.environ["PATH"]}',
      'PYTHONPATH': f'{ROOT}:{ROOT}/tests', 'HOME': str(tmp_path / 'home'),
      'RAY_AUTH_MODE': 'token', 'SLURM_CPUS_ON_NODE': '1',
      'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'a,b', 'SLURM_NTASKS': '2',
      'SLURM_LOCALID': '0',
      # Of Ray's folders: a socket's path must not be long.
      'RAY_TMPDIR': tempfile.mkdtemp(prefix='ray-', dir='/tmp')}
  subprocess.run(
      ['ray', 'get-auth-token', '--generate'], env=environment, check=True,
      capture_output=True)
  port = free_port()
  command = [RAY / 'node.sh', '--head=127.0.0.1', f'--port={port}', '--']
  program = [
      sys.executable, '-m', 'jaxssl.main', f'--config={tiny_study.__file__}',
      f'--workdir={workdir}', '--config.engine=ray', '--config.ray.address=auto']
  nodes = [
      subprocess.Popen(
          [*command, *program], env={**environment, 'SLURM_PROCID': str(number)},
          cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
          start_new_session=True)
      for number in (0, 1)]
  try:
    text, _ = nodes[0].communicate(timeout=500)
    assert nodes[0].returncode == 0, text
    plan = study.plan_of(tiny_study.config(), workdir)
    assert all(task.done for task in plan.tasks)
    assert (workdir / 'report.html').exists()
    assert nodes[1].wait(timeout=120) == 0
  finally:
    for node in nodes:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGTERM)
      node.wait(timeout=60)
      node.stdout.close()
    shutil.rmtree(environment['RAY_TMPDIR'], ignore_errors=True)


def free_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]
