"""launch/docker: hadolint where it is installed, and what other scripts rely on."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCKERFILE = ROOT / 'launch' / 'docker' / 'Dockerfile'
IGNORED = ROOT / 'launch' / 'docker' / 'Dockerfile.dockerignore'


def instructions():
  """[(instruction, its argument)], continued lines joined, without comments."""
  lines = [
      line for line in DOCKERFILE.read_text().splitlines()
      if not line.startswith('#')]
  text = '\n'.join(lines).replace('\\\n', ' ')
  return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_hadolint_finds_nothing():
  hadolint = shutil.which('hadolint', path=os.pathsep.join(
      [os.environ['PATH'], str(pathlib.Path(sys.executable).parent)]))
  if not hadolint:
    pytest.skip('hadolint is not installed')
  done = subprocess.run(
      [hadolint, '--no-color', DOCKERFILE], capture_output=True, text=True)
  assert done.returncode == 0, done.stdout


def test_the_base_is_pinned_and_the_user_has_no_rights():
  found = instructions()
  bases = [value for name, value in found if name == 'FROM']
  assert bases and all(re.search(r':\d+\.\d+\.\d+-', base) for base in bases)
  users = [value for name, value in found if name == 'USER']
  assert users[-1] == '1000:1000'
  # Nothing runs as root at the end, and nothing is given to the user but /workspace.
  after = found[found.index(('USER', users[-1])):]
  assert {name for name, _ in after} == {'USER', 'WORKDIR', 'ENTRYPOINT', 'CMD'}
  assert not [value for _, value in found if '--chown' in value or 'chmod' in value]


def test_a_change_of_code_does_not_install_again():
  found = instructions()
  install = next(i for i, (_, value) in enumerate(found) if 'pip install' in value)
  before = ' '.join(value for name, value in found[:install] if name == 'COPY')
  assert before == 'setup.py README.md ./ jaxssl/__init__.py jaxssl/'


def test_the_image_is_the_program():
  found = dict(instructions())
  assert json.loads(found['ENTRYPOINT']) == ['python', '-m', 'jaxssl.main']
  assert json.loads(found['CMD']) == ['--help']
  assert found['WORKDIR'] == '/workspace'
  # What the manifests of launch/kubernetes start lies where the code is copied to.
  places = [value for name, value in instructions() if name == 'WORKDIR']
  assert places[0] == '/opt/jaxssl'
  rendered = (ROOT / 'launch' / 'kubernetes' / 'render.py').read_text()
  assert f'{places[0]}/launch/restart.sh' in rendered


@pytest.mark.parametrize(('extra', 'want'), [
    ('', '.'), ('cuda', '.[cuda]'), ('tpu', '.[tpu]')])
def test_extra_says_what_is_installed(extra, want):
  line = next(value for name, value in instructions() if 'pip install' in value)
  done = subprocess.run(
      ['sh', '-c', line.replace('pip install', 'echo')], env={'EXTRA': extra},
      capture_output=True, text=True)
  assert done.stdout.split()[-1] == want
  if extra:
    assert f"'{extra}': [" in (ROOT / 'setup.py').read_text()


def test_only_what_a_job_needs_is_sent():
  lines = [
      line for line in IGNORED.read_text().splitlines()
      if line and not line.startswith('#')]
  kept = [line[1:] for line in lines if line.startswith('!')]
  assert lines[0] == '*' and kept == [
      'LICENSE', 'README.md', 'setup.py', 'configs', 'jaxssl', 'launch']
  assert all((ROOT / name).exists() for name in kept)
