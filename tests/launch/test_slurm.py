"""launch/slurm: what is submitted, when a job goes back to the queue, and for real.

The fast tests put programs of their own in the place of Slurm's; the slow ones run
a Slurm, see real_slurm.sh.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest
import tiny_run
import tiny_study

from jaxssl import study

ROOT = pathlib.Path(__file__).parents[2]
SLURM = ROOT / 'launch' / 'slurm'
REAL = pathlib.Path(__file__).parent / 'real_slurm.sh'
ON_CPUS = ('--gpus-per-node=0', '--cpus-per-task=1', '--time=10')


@pytest.fixture
def fake(tmp_path):
  """Programs named as Slurm's, which write down how they were called.

  srun ends with the code in the file `code`, and squeue says what is in `state`.
  """
  folder = tmp_path / 'bin'
  folder.mkdir()
  (tmp_path / 'state').write_text('RUNNING')
  for name, action in (
      ('srun', f'exit $(cat {tmp_path}/code)'), ('squeue', f'cat {tmp_path}/state'),
      ('scontrol', ''), ('sbatch', f'echo 1$(wc -l < {tmp_path}/calls)'),
      ('python', f'[ ! -e {tmp_path}/plan ] || cat {tmp_path}/plan')):
    path = folder / name
    path.write_text(
        f'#!/usr/bin/env bash\necho {name} "$@" >> {tmp_path}/calls\n{action}\n')
    path.chmod(0o755)
  return tmp_path


def run(folder, script, *arguments, **environment):
  """Runs a script beside the programs in a folder; returns it, and their calls."""
  calls = folder / 'calls'
  calls.unlink(missing_ok=True)
  done = subprocess.run(
      ['bash', script, *arguments], cwd=ROOT, capture_output=True, text=True,
      timeout=60, env={
          **os.environ, 'PATH': f'{folder}/bin:{os.environ["PATH"]}',
          **environment})
  return done, calls.read_text().splitlines() if calls.exists() else []


def job(folder, code):
  (folder / 'code').write_text(str(code))
  return run(
      folder, SLURM / 'one_node.sbatch', '--config=x.py',
      f'--workdir={folder}/runs/x', SLURM_JOB_ID='7', SLURM_SUBMIT_DIR=str(ROOT))


@pytest.mark.parametrize('name, nodes', [('one_node', 1), ('many_nodes', 4)])
def test_a_job_has_one_task_for_each_gpu_and_can_be_requeued(name, nodes):
  asked = dict(
      line.removeprefix('#SBATCH --').partition('=')[::2]
      for line in (SLURM / f'{name}.sbatch').read_text().splitlines()
      if line.startswith('#SBATCH'))
  assert asked['nodes'] == str(nodes)
  assert asked['ntasks-per-node'] == asked['gpus-per-node']
  assert asked['open-mode'] == 'append' and 'requeue' in asked
  assert asked['signal'] == 'TERM@300'


def test_a_dry_run_prints_what_would_be_done(fake):
  done, calls = run(
      fake, SLURM / 'many_nodes.sbatch', '--dry-run', '--config=x.py',
      f'--workdir={fake}/runs/a b')
  assert done.returncode == 0 and not calls and not (fake / 'runs').exists()
  first, second = done.stdout.splitlines()
  assert r'-m jaxssl.main --config=x.py' in first and r'runs/a\ b' in first
  assert second.startswith('scontrol requeue')


@pytest.mark.parametrize('code, state, again', [
    (0, 'RUNNING', False), (42, 'RUNNING', True), (134, 'RUNNING', True),
    (74, 'RUNNING', True), (76, 'RUNNING', False), (70, 'RUNNING', False),
    (42, 'COMPLETING', False), (42, '', False)])
def test_when_a_job_goes_back_to_the_queue(code, state, again, fake):
  """Not when it is done or broken, nor when somebody has cancelled it."""
  (fake / 'state').write_text(state)
  done, calls = job(fake, code)
  assert calls[0].startswith('srun ') and '--config=x.py' in calls[0]
  assert calls[0].count('--workdir=') == 1
  assert ('scontrol requeue 7' in calls) == again
  assert done.returncode == (42 if again or code == 42 else code)


def test_three_requeues_without_progress_are_the_end(fake):
  checkpoints = fake / 'runs' / 'x' / 'checkpoints'
  again = []
  for attempt in range(9):
    if attempt == 3:
      (checkpoints / '40').mkdir(parents=True)
    done, calls = job(fake, 134)
    again.append('scontrol requeue 7' in calls)
    if not again[-1]:
      break
  assert again == [True] * 7 + [False] and done.returncode == 134
  assert '3 restarts brought nothing new' in done.stderr
  assert 'scontrol requeue 7' in job(fake, 134)[1]  # Counted anew by a new job.


def test_preempted_again_and_again_without_progress_is_an_error(fake):
  codes = [job(fake, 42)[0].returncode for _ in range(4)]
  assert codes == [42, 42, 42, 1]


def test_a_finished_job_leaves_no_count(fake):
  job(fake, 42)
  assert (fake / 'runs' / 'x.restarts').exists()
  job(fake, 0)
  assert not list((fake / 'runs').iterdir())


PLAN = """task  stage  name   state    cells  images
0     1      run_0  done     1/1    96
1     1      run_1  trained  0/1    96
3     1      run_3  to do    0/1    96
4     2      both   to do    0/1    —
4 pretrainings, 4 of them different; 5 cells.
2 hours of something done
"""


def study_sh(folder, *flags):
  return run(
      folder, SLURM / 'study.sh', *flags, '--', '--config=y.py:a=1',
      f'--workdir={folder}/runs/y')


def test_a_study_submits_what_is_left_stage_by_stage(fake):
  (fake / 'plan').write_text(PLAN)
  done, calls = study_sh(fake, '--partition=gpu', '--at-once=8')
  assert done.returncode == 0, done.stderr
  tail = (
      f'--partition=gpu launch/slurm/study.sbatch --config=y.py:a=1 '
      f'--workdir={fake}/runs/y')
  assert calls[0].endswith(f'--workdir={fake}/runs/y --config.plan=True')
  assert calls[1:] == [
      f'sbatch --parsable --array=1,3%8 {tail}',
      f'sbatch --parsable --array=4%8 --dependency=afterany:12 {tail}',
      f'sbatch --parsable --dependency=afterany:13 {tail}']


def test_a_dry_run_of_a_study_can_be_pasted(fake):
  (fake / 'plan').write_text(PLAN)
  done, calls = study_sh(fake, '--dry-run')
  assert not any(call.startswith('sbatch') for call in calls)
  (fake / 'pasted').write_text(done.stdout)
  pasted = run(fake, fake / 'pasted')[1]
  (fake / 'plan').write_text(PLAN)
  submitted = study_sh(fake)[1][1:]
  # The numbers of jobs are lines of the file of calls, where the plan is the first.
  assert pasted == [
      call.replace(':12', ':11').replace(':13', ':12') for call in submitted]


def test_a_finished_study_is_only_drawn(fake):
  plan = PLAN.replace('trained', 'done').replace('to do', 'done')
  (fake / 'plan').write_text(plan)
  _, calls = study_sh(fake)
  assert len(calls) == 2 and '--array' not in calls[1] and '--dep' not in calls[1]


@pytest.mark.parametrize('index, number', [('3', '3'), ('', '0')])
def test_a_task_of_a_study_is_that_of_the_array_or_one_that_is_done(
    index, number, fake):
  (fake / 'plan').write_text(PLAN)
  (fake / 'code').write_text('0')
  _, calls = run(
      fake, SLURM / 'study.sbatch', '--config=y.py', f'--workdir={fake}/runs/y',
      SLURM_JOB_ID='7', SLURM_SUBMIT_DIR=str(ROOT), SLURM_ARRAY_TASK_ID=index)
  assert calls[-1].startswith('srun ')
  assert calls[-1].endswith(f'--config.engine=array --config.index={number}')


@pytest.mark.parametrize('script, arguments, told', [
    ('one_node.sbatch', ['--config=x.py'], '--workdir=DIR is missing'),
    ('job.sh', ['--nonsense'], 'unknown --nonsense'),
    ('study.sh', ['--', '--config=x.py'], '--config=FILE and --workdir=DIR'),
    ('study.sh', ['-p', 'gpu'], 'unknown -p')])
def test_a_mistake_is_told(script, arguments, told, fake):
  done, calls = run(fake, SLURM / script, *arguments)
  assert done.returncode == 78 and told in done.stderr and not calls


# For real.


@pytest.fixture(scope='module')
def slurm(tmp_path_factory):
  """A Slurm on this machine; yields the environment of its commands."""
  path = f'{os.environ["PATH"]}:/usr/sbin:/sbin'
  lacking = [
      name for name in ('slurmctld', 'slurmd', 'munged')
      if shutil.which(name, path=path) is None]
  if lacking:
    pytest.skip(f'{lacking[0]} is not installed')
  folder = tmp_path_factory.mktemp('slurm')
  environment = {k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'} | {
      'PATH': f'{pathlib.Path(sys.executable).parent}:{path}',
      'JAX_PLATFORMS': 'cpu', 'SLURM_CONF': str(folder / 'slurm.conf'),
      'PYTHONPATH': f'{ROOT}:{ROOT}/tests'}
  subprocess.run([REAL, 'start', f'--folder={folder}'], env=environment, check=True)
  yield environment
  subprocess.run([REAL, 'stop', f'--folder={folder}'], env=environment, check=True)


def called(environment, *command):
  return subprocess.run(
      command, env=environment, cwd=ROOT, check=True, capture_output=True,
      text=True).stdout


def submit(environment, log, *arguments):
  return called(
      environment, 'sbatch', '--parsable', f'--output={log}', *ON_CPUS,
      *arguments).strip()


def field(environment, number, name):
  for word in called(environment, 'scontrol', 'show', 'job', number).split():
    if word.startswith(f'{name}='):
      return word.partition('=')[2]


def wait(environment, number, log, seconds=400):
  deadline = time.monotonic() + seconds
  while (state := field(environment, number, 'JobState')) in (
      'PENDING', 'RUNNING', 'COMPLETING', 'CONFIGURING'):
    assert time.monotonic() < deadline, log.read_text()
    time.sleep(0.5)
  return state


def long_run(workdir, log):
  """The flags of two tasks that train for a while, and save every 20 steps."""
  return [
      f'--output={log}', '--ntasks-per-node=2', SLURM / 'one_node.sbatch',
      f'--config={tiny_run.__file__}', f'--workdir={workdir}',
      '--config.total_steps=100', '--config.save.every_steps=20']


@pytest.mark.slow
def test_two_tasks_train_and_a_requeued_job_resumes(slurm, tmp_path):
  workdir, log = tmp_path / 'run', tmp_path / 'log'
  number = submit(slurm, log, *long_run(workdir, log))
  deadline = time.monotonic() + 300
  while not (workdir / 'checkpoints' / '40').exists():
    assert time.monotonic() < deadline, log.read_text()
    time.sleep(0.1)
  called(slurm, 'scancel', '--signal=TERM', number)
  while field(slurm, number, 'Restarts') != '1':
    assert time.monotonic() < deadline, log.read_text()
    time.sleep(0.2)
  text = log.read_text()
  assert 'simclr: 2 x cpu' in text
  # srun tells tasks that end together in one line: 'tasks 0-1'.
  ended = re.findall(r'tasks? ([\d-]+): Exited with exit code (\d+)', text)
  assert sorted(ended) in ([('0', '42'), ('1', '42')], [('0-1', '42')])
  assert not (workdir / 'DONE').exists()
  # Slurm lets it wait for two minutes; we do not.
  called(slurm, 'scontrol', 'update', f'jobid={number}', 'StartTime=now')
  assert wait(slurm, number, log) == 'COMPLETED', log.read_text()
  assert tiny_run.done(workdir)['step'] == 100
  run = json.loads((workdir / 'run.json').read_text())
  assert run['attempts'] == 2
  assert (run['devices']['count'], run['devices']['processes']) == (2, 2)
  assert sorted(tiny_run.losses(workdir)) == list(range(1, 101))
  assert not (tmp_path / 'run.restarts').exists()


@pytest.mark.slow
def test_a_cancelled_job_is_not_requeued(slurm, tmp_path):
  workdir, log = tmp_path / 'run', tmp_path / 'log'
  number = submit(slurm, log, *long_run(workdir, log))
  deadline = time.monotonic() + 300
  while not (workdir / 'checkpoints').exists():
    assert time.monotonic() < deadline, log.read_text()
    time.sleep(0.1)
  called(slurm, 'scancel', number)
  assert wait(slurm, number, log, seconds=60) == 'CANCELLED'
  assert field(slurm, number, 'Restarts') == '0'


@pytest.mark.slow
def test_a_study_of_two_stages_finishes(slurm, tmp_path):
  workdir, log = tmp_path / 'two', tmp_path / 'log'
  told = subprocess.run(
      [SLURM / 'study.sh', *ON_CPUS, f'--output={log}', '--',
       f'--config={tiny_study.__file__}', f'--workdir={workdir}'],
      env=slurm, cwd=ROOT, capture_output=True, text=True)
  assert told.returncode == 0, told.stderr
  page = told.stderr.split()[-1]
  assert wait(slurm, page, log) == 'COMPLETED', log.read_text()
  plan = study.plan_of(tiny_study.config(), workdir)
  assert all(task.done for task in plan.tasks), log.read_text()
  assert 'partial' not in (workdir / 'figures' / 'two.svg').read_text()
