"""launch/restart.sh: what it runs again, when it gives up, and its signals."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import tiny_run

SCRIPT = pathlib.Path(__file__).parents[2] / 'launch' / 'restart.sh'

# Counts its runs in a file, then does what it was told for that one: exit with a
# code, after having made a checkpoint if there is a step.
FAKE = """
import os, pathlib, signal, sys, time
runs = pathlib.Path('runs')
number = int(runs.read_text()) if runs.exists() else 0
runs.write_text(str(number + 1))
action = sys.argv[1:][min(number, len(sys.argv) - 2)]
code, _, step = action.partition('@')
if step:
  pathlib.Path('checkpoints', step).mkdir(parents=True, exist_ok=True)
if code == 'wait':  # For the signal that it is to be sent, 0.3 s to save.
  asked = []
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: asked.append(1))
  pathlib.Path('ready').touch()
  while not asked:
    time.sleep(0.01)
  time.sleep(0.3)
  sys.exit(42 if len(asked) == 1 else 1)
if code.startswith('SIG'):
  os.kill(os.getpid(), getattr(signal, code))
sys.exit(int(code))
"""


def command(*actions, flags=('--wait=0',)):
  return [
      str(SCRIPT), '--workdir=.', *flags, '--', sys.executable, '-c', FAKE,
      *actions]


def run(folder, *actions, **how):
  """Returns the exit code, how often the command ran, and what was said."""
  done = subprocess.run(
      command(*actions, **how), cwd=folder, capture_output=True, text=True,
      timeout=60)
  runs = folder / 'runs'
  return done.returncode, int(runs.read_text()) if runs.exists() else 0, done.stderr


@pytest.mark.parametrize('code', [0, 1, 65, 70, 73, 76, 78, 130])
def test_a_final_code_is_not_run_again(code, tmp_path):
  assert run(tmp_path, str(code)) == (code, 1, '')


@pytest.mark.parametrize('first', [
    '42', '74', '134', '137', 'SIGKILL', 'SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGTERM'])
def test_what_a_restart_helps_is_run_again(first, tmp_path):
  code, runs, said = run(tmp_path, first, '0')
  assert (code, runs) == (0, 2)
  (line,) = [line for line in said.splitlines() if line.startswith('restart.sh: ')]
  assert 'exit code' in line and 'again in 0 s' in line


def test_three_restarts_without_progress_are_the_end(tmp_path):
  (tmp_path / 'checkpoints' / '40').mkdir(parents=True)
  code, runs, said = run(tmp_path, '134@40')
  assert (code, runs) == (134, 4)
  assert '3 restarts brought nothing new in .; giving up' in said
  assert run(tmp_path, '74', flags=(
      '--wait=0', '--max-restarts-without-progress=0'))[:2] == (74, 5)


def test_progress_starts_the_count_again(tmp_path):
  code, runs, _ = run(
      tmp_path, '42', '42', '42@2', '42', '42', '42@10', '42@9', '42', '42', '42')
  # Step 9 after step 10 is none: after that, three restarts were in vain.
  assert (code, runs) == (42, 10)


@pytest.mark.parametrize('path', [
    'DONE', 'eval/knn/20.json', 'runs/simclr-ab/DONE',
    'runs/simclr-ab/checkpoints/7', 'evaluations/cd/eval/linear/20.json'])
def test_what_counts_as_progress(path, tmp_path):
  """A finished run or evaluation too, and the runs in the folder of a study."""
  make = 'mkdir -p' if path.endswith('/7') else 'install -D /dev/null'
  done = subprocess.run(
      [str(SCRIPT), '--workdir=.', '--wait=0', '--', 'bash', '-c',
       f'echo run >> log; [ "$(wc -l < log)" -lt 3 ] || {make} {path}; exit 74'],
      cwd=tmp_path, capture_output=True, text=True, timeout=60)
  assert done.returncode == 74
  assert len((tmp_path / 'log').read_text().split()) == 3 + 4


def test_an_unfinished_checkpoint_is_no_progress(tmp_path):
  actions = [f'42@{step}.orbax-checkpoint-tmp' for step in range(6)]
  assert run(tmp_path, *actions)[:2] == (42, 4)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_both_and_the_command_gets_it_once(number, tmp_path):
  process = subprocess.Popen(
      command('wait'), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
      # Under nohup, or behind an &, they are ignored, and then no shell can trap them.
      start_new_session=True, preexec_fn=lambda: [
          signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGINT)])
  wait_for(tmp_path / 'ready')
  if number == signal.SIGINT:  # As a terminal sends it: to the whole group.
    os.killpg(process.pid, number)
  else:
    process.send_signal(number)
  _, said = process.communicate(timeout=30)
  assert process.returncode == 42
  assert 'not run again' in said
  assert (tmp_path / 'runs').read_text() == '1'


def test_a_signal_while_waiting_for_a_restart_ends_it(tmp_path):
  process = subprocess.Popen(
      command('74', flags=('--wait=50',)), cwd=tmp_path, stderr=subprocess.PIPE,
      text=True)
  assert 'again in 50 s' in process.stderr.readline()
  process.terminate()
  assert process.wait(timeout=20) == 74
  process.stderr.close()
  assert (tmp_path / 'runs').read_text() == '1'


def test_a_dry_run_prints_the_command_and_does_nothing(tmp_path):
  done = subprocess.run(
      [str(SCRIPT), '--workdir=w', '--dry-run', '--', 'touch', 'a b', '$(touch c)'],
      cwd=tmp_path, capture_output=True, text=True, check=True)
  assert not list(tmp_path.iterdir())
  subprocess.run(['bash', '-c', done.stdout], cwd=tmp_path, check=True)
  assert sorted(p.name for p in tmp_path.iterdir()) == ['$(touch c)', 'a b']


@pytest.mark.parametrize('arguments, told', [
    (['--', 'true'], '--workdir=DIR is missing'),
    (['--workdir=x'], 'the command is missing'),
    (['--workdir=x', '--nonsense', '--', 'true'], 'unknown --nonsense'),
    (['--workdir=x', '--wait=soon', '--', 'true'], "'soon' is no whole number")])
def test_a_mistake_is_told(arguments, told, tmp_path):
  done = subprocess.run(
      [str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, text=True)
  assert done.returncode == 78 and told in done.stderr


def test_help_is_the_comment_at_the_top():
  done = subprocess.run([str(SCRIPT), '--help'], capture_output=True, text=True)
  assert done.returncode == 0 and '--max-restarts-without-progress=3' in done.stdout
  assert '#' not in done.stdout and 'set -' not in done.stdout


def test_once_leaves_the_next_run_to_a_scheduler(tmp_path):
  """And counts over the runs; 42 asks for another one."""
  flags = ('--once=count', '--max-restarts-without-progress=1')
  outcomes = [
      run(tmp_path, '134', '42@3', '74', '42', flags=flags)[:2] for _ in range(4)]
  # The last one gives up, and must not ask for another.
  assert outcomes == [(42, 1), (42, 2), (42, 3), (1, 4)]
  assert not (tmp_path / 'count').exists()
  assert run(tmp_path, '76', flags=flags)[0] == 76
  assert run(tmp_path, '0', flags=flags)[0] == 0
  assert not (tmp_path / 'count').exists()


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on(tmp_path):
  """For real: kill -9 in the middle, and the same losses as without."""
  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  assert tiny_run.finish(whole)[0] == 0
  environment = {
      **os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(tiny_run.ROOT),
      'XLA_FLAGS': '--xla_force_host_platform_device_count=2'}
  process = subprocess.Popen(
      [str(SCRIPT), f'--workdir={killed}', '--wait=0', '--', sys.executable, '-m',
       'jaxssl.main', f'--config={tiny_run.__file__}', f'--workdir={killed}'],
      cwd=tiny_run.ROOT, env=environment, stderr=subprocess.PIPE, text=True)
  wait_for(killed / 'checkpoints' / '8', seconds=200)
  child = int(subprocess.run(
      ['pgrep', '-P', str(process.pid), '-f', 'jaxssl.main'], capture_output=True,
      text=True, check=True).stdout)
  os.kill(child, signal.SIGKILL)
  _, said = process.communicate(timeout=200)
  assert process.returncode == 0, said
  assert 'exit code 137' in said
  assert tiny_run.done(killed) == tiny_run.done(whole)
  assert tiny_run.losses(killed) == tiny_run.losses(whole)


def wait_for(path, seconds=30):
  deadline = time.monotonic() + seconds
  while not path.exists():
    assert time.monotonic() < deadline, path
    time.sleep(0.01)
