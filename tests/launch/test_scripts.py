"""Every script of launch/: syntax, help, and a dry run that does nothing."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LAUNCH = ROOT / 'launch'
SCRIPTS = {
    str(path.relative_to(LAUNCH)): path
    for pattern in ('*.sh', '*.sbatch') for path in sorted(LAUNCH.rglob(pattern))}
JOB = ('--config=configs/quickstart.py', '--workdir=runs/mine')
TPU = ('--name=pod', '--zone=z', '--type=v4-8', '--bucket=b', '--data=gs://b/d')
# What a dry run of each is given; those that are not here get the program's flags.
EXAMPLES = {
    'restart.sh': [('--workdir=runs/mine', '--', 'true')],
    'ray/cluster.sh': [
        (verb, '--cluster=gpu', '--project=p', '--zone=z-a', '--share=host:/s',
         '--', JOB[0], '--workdir=/share/runs/mine')
        for verb in ('up', 'run', 'down')],
    'slurm/job.sh': [('--', *JOB)],
    'slurm/study.sh': [('--', *JOB)],
    'tpu/tpu.sh': [
        *((verb, *TPU) for verb in ('create', 'install', 'logs', 'status', 'stop')),
        ('delete', *TPU),
        *((verb, *TPU, '--', JOB[0]) for verb in ('run', 'resume'))],
    'tpu/worker.sh': [
        ('setup', '--bucket=b', '--data=gs://b/d', '--data-from=mount'),
        ('setup', '--bucket=b', '--data=gs://b/d'),
        ('start', '--workdir=runs/mine', '--', JOB[0])],
}
# Commands that reach beyond this process.
COMMANDS = (
    'gcloud', 'gsutil', 'gcsfuse', 'kubectl', 'docker', 'sbatch', 'srun',
    'scontrol', 'squeue', 'ray', 'ssh', 'scp', 'sudo', 'apt-get', 'curl', 'uv')
SECRETS = re.compile(
    r'AKIA[0-9A-Z]{16}|AIza[\w-]{35}|gh[pousr]_\w{30}|ya29\.'
    r'|BEGIN [A-Z ]*PRIVATE KEY'
    r'|(?i:password|secret|api_key|access_token)\s*=\s*[\'"]?[^\s$\'"{(<]{6}')

scripts = pytest.mark.parametrize('script', SCRIPTS)


def run(*command, **options):
  return subprocess.run(
      command, capture_output=True, text=True, timeout=60, cwd=ROOT, **options)


@scripts
def test_bash_can_read_it(script):
  path = SCRIPTS[script]
  assert run('bash', '-n', path).returncode == 0
  text = path.read_text()
  assert text.startswith('#!/usr/bin/env bash\n# ')
  assert '\nset -euo pipefail\n' in text
  assert path.suffix != '.sh' or os.access(path, os.X_OK), 'not executable'


@scripts
def test_shellcheck_finds_nothing(script):
  shellcheck = shutil.which('shellcheck', path=os.pathsep.join(
      [os.environ['PATH'], str(pathlib.Path(sys.executable).parent)]))
  if not shellcheck:
    pytest.skip('shellcheck is not installed')
  done = run(shellcheck, '--shell=bash', SCRIPTS[script])
  assert done.returncode == 0, done.stdout


@pytest.mark.parametrize('script', [s for s in SCRIPTS if s.endswith('.sh')])
def test_help_names_every_flag(script):
  done = run(SCRIPTS[script], '--help')
  assert done.returncode == 0 and f'launch/{script}' in done.stdout
  taken = re.findall(
      r'^ +(--[a-z-]{2,})(?:=\S*)?\) ', SCRIPTS[script].read_text(), re.MULTILINE)
  assert taken and not [flag for flag in taken if flag not in done.stdout]


@scripts
def test_a_dry_run_prints_commands_and_runs_none(script, tmp_path):
  if '--dry-run' not in SCRIPTS[script].read_text():
    # A part of another script, whose dry run shows how it is called.
    name = SCRIPTS[script].name
    assert any(name in p.read_text() for s, p in SCRIPTS.items() if s != script)
    return
  for name in COMMANDS:
    path = tmp_path / 'bin' / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/called"\n')
    path.chmod(0o755)
  # Some ask the program for the plan of a study first.
  (tmp_path / 'bin' / 'python').write_text(
      '#!/bin/sh\necho "0  1  one  done"\necho "1  1  two  missing"\n')
  (tmp_path / 'bin' / 'python').chmod(0o755)
  env = {
      'PATH': f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}',
      'HOME': str(tmp_path / 'home'), 'TMPDIR': str(tmp_path)}
  for args in EXAMPLES.get(script, [JOB]):
    at = 0 if args[0].startswith('-') else 1  # Verbs come first.
    args = (*args[:at], '--dry-run', *args[at:])
    done = run('bash', SCRIPTS[script], *args, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for line in done.stdout.splitlines():  # Each could be pasted.
      assert run('bash', '-n', '-c', line).returncode == 0, line
  assert not (tmp_path / 'called').exists(), (tmp_path / 'called').read_text()
  assert not (tmp_path / 'home').exists()
  assert not (ROOT / 'runs' / 'mine').exists()


def test_no_secrets():
  found = [
      f'{path}: {match[0]}' for path in LAUNCH.rglob('*')
      if path.is_file() and path.suffix != '.pyc'
      for match in SECRETS.finditer(path.read_text(errors='replace'))]
  assert not found


def test_the_overview_links_to_every_folder():
  text = (LAUNCH / 'README.md').read_text()
  for folder in {path.parent for path in LAUNCH.rglob('README.md')} - {LAUNCH}:
    assert f'({folder.relative_to(LAUNCH)}/README.md)' in text
