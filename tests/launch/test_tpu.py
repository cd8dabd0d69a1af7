"""launch/tpu: the life of a TPU against a gcloud that plays it, on this machine.

The fake keeps the state of a queued resource in a file. Its ssh runs the command of
each worker in a home folder of its own, so that archive, setup and start are real;
only what would be downloaded or mounted is a stub, and the bucket is a folder.
"""

import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from jaxssl import main

LAUNCH = pathlib.Path(__file__).parents[2] / 'launch'
FAKES = dict(
    gcloud=r'''
echo "$*" >> "$FAKE/calls"
all="$*" command=${*: -1}
case $all in
  *'queued-resources describe'*)
    [[ -f $FAKE/states ]] || { echo 'ERROR: NOT_FOUND: no such' >&2; exit 1; }
    head -n 1 "$FAKE/states"
    [[ $(wc -l < "$FAKE/states") == 1 ]] || sed -i 1d "$FAKE/states" ;;
  *'queued-resources create'*)
    mkdir -p "$FAKE/workers/0" "$FAKE/workers/1"
    printf '%s\n' WAITING_FOR_RESOURCES PROVISIONING ACTIVE > "$FAKE/states" ;;
  *'queued-resources delete'*) rm -r "$FAKE/states" "$FAKE/workers" ;;
  *'tpu-vm scp'*)
    for home in "$FAKE"/workers/*; do cp "$5" "$home/${6#*:}"; done ;;
  *'tpu-vm ssh'*'--worker=0'*)
    cd "$FAKE/workers/0" && HOME=$PWD bash -c "${command#*=}" ;;
  *'tpu-vm ssh'*)
    for home in "$FAKE"/workers/*; do
      (cd "$home" && HOME=$home bash -c "${command#*=}") || exit
    done ;;
  'storage rsync'*) cp -r "$FAKE/buckets/${3#gs://}/." "$4" ;;
esac''',
    sudo='"$@"',
    curl='exit 1',
    **{'apt-get': 'echo "apt-get $*" >> "$FAKE/calls"'},
    gcsfuse=r'''
echo "gcsfuse $*" >> "$FAKE/calls"
at=${*: -1} bucket=${*: -2:1}
[[ -L $at ]] || { rmdir "$at" && ln -s "$FAKE/buckets/$bucket" "$at"; }''',
    python3='mkdir -p "$3/bin" && cp "$FAKE/bin/uv" "$FAKE/bin/python" "$3/bin"',
    uv=r'''
echo "uv $*" >> "$FAKE/calls"
[[ $1 == venv ]] || exit 0
mkdir -p "${*: -1}/bin" && cp "$FAKE/bin/train" "${*: -1}/bin/python"''',
    python='true',
    # A training run: a first step, and the second when the test allows it.
    train=r'''
echo "$*" >> ~/ran
echo "$$" > ~/train.pid
workdir=${*: -1} workdir=${workdir#*=}
mkdir -p "$workdir/checkpoints/1"
trap 'exit 42' TERM
until [[ -f $FAKE/finish ]]; do sleep 0.02; done
mkdir -p "$workdir/checkpoints/2"
exit "$(< "$FAKE/finish")"''')

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ('git', 'flock', 'setsid', 'mountpoint'))),
    reason='needs git and util-linux')


class Cloud:
  """A checkout, a fake gcloud, and the folders of what it plays."""

  def __init__(self, folder):
    self.folder = folder
    self.script = folder / 'repo' / 'launch' / 'tpu' / 'tpu.sh'
    shutil.copytree(LAUNCH, folder / 'repo' / 'launch')
    for path in ('bin', 'home', 'buckets/b/images'):
      (folder / path).mkdir(parents=True)
    (folder / 'buckets' / 'b' / 'images' / 'one.jpg').touch()
    for name, body in FAKES.items():
      path = folder / 'bin' / name
      path.write_text(f'#!/usr/bin/env bash\n{body}\n')
      path.chmod(0o755)
    self.env = {
        'PATH': f'{folder / "bin"}:{os.environ["PATH"]}', 'FAKE': str(folder),
        'HOME': str(folder / 'home')}
    for command in (
        'init -q', 'add -A',
        '-c user.name=a -c user.email=a@example.org commit -q -m all'):
      subprocess.run(
          ['git', *command.split()], cwd=folder / 'repo', env=self.env, check=True)

  def __call__(self, verb, *flags, code=0):
    done = subprocess.run(
        [self.script, verb, '--name=pod', '--poll=0', *flags], env=self.env,
        text=True, timeout=60, capture_output=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr

  def calls(self):
    """What was called since the last time."""
    path = self.folder / 'calls'
    calls = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return calls

  def read(self, path):
    return (self.folder / path).read_text()

  def wait_for(self, path):
    deadline = time.monotonic() + 20
    while not (self.folder / path).exists():
      assert time.monotonic() < deadline, f'{path} did not come'
      time.sleep(0.02)

  def take_away(self):
    """What a preemption leaves: no processes, no disks, a suspended request."""
    for worker in (0, 1):
      for name in ('jaxssl.pid', 'train.pid'):
        os.kill(int(self.read(f'workers/{worker}/{name}')), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while 'running' in self('status'):
      assert time.monotonic() < deadline
    shutil.rmtree(self.folder / 'workers')
    (self.folder / 'states').write_text('SUSPENDED\n')


@pytest.fixture
def cloud(tmp_path):
  return Cloud(tmp_path)


def make(cloud, *flags):
  return cloud(
      'create', '--zone=us-west4-b', '--type=v5litepod-64', '--bucket=gs://b/',
      '--data=gs://b/images', f'--mount={cloud.folder / "mnt"}', '--spot', *flags)


def test_a_life(cloud):
  said = make(cloud)
  assert 'WAITING_FOR_RESOURCES' in said and 'ACTIVE' in said
  create = next(c for c in cloud.calls() if 'create' in c)
  assert create == (
      'compute tpus queued-resources create pod --zone=us-west4-b --node-id=pod '
      '--accelerator-type=v5litepod-64 --runtime-version=v2-alpha-tpuv5-lite '
      '--scopes=https://www.googleapis.com/auth/cloud-platform --spot')

  cloud('install')
  calls = cloud.calls()
  mounts = [c for c in calls if c.startswith('gcsfuse')]
  assert len(mounts) == 2
  for kind in ('ttl', 'negative-ttl'):
    assert all(f'--metadata-cache-{kind}-secs=0 ' in c for c in mounts)
  assert sum('uv pip install' in c and 'jaxssl[tpu]' in c for c in calls) == 2
  assert (cloud.folder / 'mnt' / 'data' / 'one.jpg').exists()
  assert not list((cloud.folder / 'home').rglob('*.tar.gz'))

  config = '--config=configs/simclr_inat.py:epochs=9'
  cloud('run', '--', config, '--config.note=a b')
  workdir = cloud.folder / 'mnt' / 'bucket' / 'runs' / 'simclr_inat'
  for worker in (0, 1):
    cloud.wait_for(f'workers/{worker}/train.pid')
    assert cloud.read(f'workers/{worker}/ran') == (
        f'-m jaxssl.main {config} --config.note=a b '
        f'--config.data.root={cloud.folder / "mnt" / "data"} --workdir={workdir}\n')
  assert 'running already' in cloud('run', '--', config, '--config.note=a b')
  assert 'pod is running' in cloud('resume')

  cloud.take_away()
  cloud.calls()
  (cloud.folder / 'finish').write_text('0')
  cloud('resume', '--watch')
  verbs = [c.split()[3] for c in cloud.calls() if c.startswith('compute')]
  verbs = [verb for verb in verbs if verb != 'describe']
  assert verbs[:5] == ['delete', 'create', 'scp', 'ssh', 'ssh']
  assert cloud('status').split()[-4:] == ['ended', '0', 'ended', '0']
  for worker in (0, 1):  # The same run, as it was told to `run`.
    assert f'{config} --config.note=a b' in cloud.read(f'workers/{worker}/ran')
  bucket = cloud.folder / 'buckets' / 'b' / 'runs' / 'simclr_inat' / 'checkpoints'
  assert sorted(p.name for p in bucket.iterdir()) == ['1', '2']

  cloud('delete')
  assert not (cloud.folder / 'workers').exists() and bucket.exists()


def test_watch_ends_with_the_code_of_a_run_that_must_not_be_restarted(cloud):
  make(cloud)
  (cloud.folder / 'finish').write_text('76')
  said = cloud('resume', '--watch', '--', '--config=configs/quickstart.py', code=76)
  assert 'the run has ended 76' in said


def test_watch_gives_up_on_a_tpu_that_is_there(cloud):
  make(cloud)
  shutil.rmtree(cloud.folder / 'repo' / '.git')
  said = cloud('resume', '--watch', '--', '--config=configs/quickstart.py', code=1)
  assert said.count('is no git checkout') == 3 and 'giving up' in said


def test_stop_lets_the_run_save(cloud):
  make(cloud)
  cloud('install')
  cloud('run', '--workdir=mine', '--', '--config=configs/quickstart.py')
  for worker in (0, 1):
    cloud.wait_for(f'workers/{worker}/train.pid')
  assert 'ended 42' in cloud('stop')
  assert (cloud.folder / 'mnt' / 'bucket' / 'mine' / 'checkpoints' / '1').is_dir()
  assert 'nothing is running' in cloud('stop')


def test_data_may_stay_in_the_bucket(cloud):
  make(cloud, '--data-from=mount')
  cloud('install')
  mounts = [c for c in cloud.calls() if c.startswith('gcsfuse')]
  assert any(
      '-o ro --metadata-cache-ttl-secs=-1 --only-dir=images b' in c for c in mounts)


def test_a_request_that_fails_is_told(cloud):
  make(cloud)
  for state in ('FAILED', 'SUSPENDED'):
    (cloud.folder / 'states').write_text(f'{state}\n')
    assert f'pod is {state}' in cloud('install', code=78)
  (cloud.folder / 'states').unlink()
  assert 'there is no pod' in cloud('install', code=78)


@pytest.mark.parametrize(('flags', 'said'), [
    (('create', '--type=v4-8', '--bucket=b'), '--zone is missing'),
    (('create', '--zone=z', '--bucket=b'), '--type is missing'),
    (('create', '--zone=z', '--type=v4-8'), '--bucket is missing'),
    (('create', '--zone=z', '--bogus'), 'unknown --bogus'),
    (('create', '--zone=z', '--data=b/images'), 'must be gs://B/DIR'),
    (('create', '--zone=z', '--data-from=disk'), 'must be copy or mount'),
    (('create', '--zone=z', '--poll=soon'), 'must be whole numbers'),
    (('run', '--zone=z'), 'the job is missing'),
    (('run', '--zone=z', '--', '--config=a.py', '--workdir=x'), 'before the --'),
    (('start',), 'unknown verb start'),
])
def test_a_mistake_is_one_line_and_calls_nothing(cloud, flags, said):
  output = cloud(*flags, code=78)
  assert said in output and output.count('\n') == 1 and not cloud.calls()


def test_the_program_takes_the_command(cloud):
  make(cloud)
  said = cloud('run', '--dry-run', '--', '--config=configs/simclr_inat.py',
               '--config.data.cache_dir=/a b', '--config.data.window=640')
  command = shlex.split(said)[-1].removeprefix('--command=')
  words = shlex.split(command)
  told = main.parse(words[words.index('--'):])
  assert told.config['data']['root'] == str(cloud.folder / 'mnt' / 'data')
  assert told.config['data']['cache_dir'] == '/a b'
  own = cloud('run', '--dry-run', '--', '--config=a.py', '--config.data.root=/mine')
  assert own.count('data.root') == 1


def test_the_software_goes_with_the_type(cloud):
  for kind, version in {
      'v4-8': 'tpu-ubuntu2204-base', 'v5p-8': 'v2-alpha-tpuv5',
      'v6e-16': 'v2-alpha-tpuv6e'}.items():
    said = cloud('create', '--zone=z', f'--type={kind}', '--bucket=b', '--dry-run')
    assert f'--runtime-version={version} ' in said
