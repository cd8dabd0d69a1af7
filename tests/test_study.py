"""A study from its plan to its page: what it runs, finds again, and does not repeat."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest
import tiny_study

from jaxssl import engines
from jaxssl import errors
from jaxssl import planning
from jaxssl import plugins
from jaxssl import study

pytestmark = pytest.mark.unoptimized
ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope='module')
def done(tmp_path_factory):
  """A finished study, each of whose tasks was run by its number."""
  workdir = tmp_path_factory.mktemp('studies') / 'two'
  config = tiny_study.config(engine='array', index=2)
  with pytest.raises(errors.ConfigError, match=(
      r'Task 2 needs task 0, which is not done\..*0 to 1 in stage 1 and 2 to 2 in '
      'stage 2')):
    study.study(config, workdir)
  for index in range(3):
    study.study({**config, 'index': index}, workdir)
  with pytest.raises(errors.ConfigError, match=r'config\.index is 3; the tasks are'):
    study.study({**config, 'index': 3}, workdir)
  return workdir


def results(workdir, config=None):
  """{cell: metrics of its evaluations}."""
  plan = study.plan_of(config or tiny_study.config(), workdir)
  return {
      cell.name: {k: r['metrics'] for k, r in cell.results.items()}
      for cell in study.collect(plan)}


def stamps(workdir):
  """{path: when it was written} of all that was trained and evaluated."""
  shared = workdir.parent / 'pretrained'
  return {
      str(path.relative_to(shared)): path.stat().st_mtime_ns
      for path in shared.rglob('*')
      if path.is_file() and (
          path.name in ('DONE', 'manifest.json', 'run.json')
          or path.parent.parent.name == 'eval')}


def test_a_study_trains_evaluates_and_draws(done):
  found = results(done)
  assert found.keys() == {'cell_0', 'cell_1', 'both'}
  assert 0.1 < found['cell_0']['knn']['top1'] <= 1
  assert found['both']['fusion']['width'] == 2 * 64
  for name in ('report.html', 'config.json', 'two.csv', 'two.md',
               'figures/two.png', 'figures/two.svg'):
    assert (done / name).stat().st_size > 100, name
  assert 'cell' not in (done / 'two.md').read_text()
  page = (done / 'report.html').read_text()
  assert 'Do two see more than one?' in page
  for run in study.plan_of(tiny_study.config(), done).runs.values():
    assert f'../pretrained/runs/{run.folder.name}/report.html' in page


def test_the_numbers_drawn_are_those_measured(done):
  rows = (done / 'two.csv').read_text().splitlines()
  head, *rows = [row.split(',') for row in rows]
  alone = next(
      dict(zip(head, row)) for row in rows
      if 'alone' in row and 'kNN' in row)
  measured = [results(done)[f'cell_{s}']['knn']['top1'] for s in (0, 1)]
  assert float(alone['value']) == pytest.approx(sum(measured) / 2, abs=1e-5)
  assert alone['num_seeds'] == '2'


def test_a_finished_study_does_nothing_twice(done):
  before = stamps(done)
  assert len(before) > 8
  study.study(tiny_study.config(), done)
  assert stamps(done) == before


def test_another_study_shares_the_runs(done):
  """With one more pretraining: only that is trained."""
  config = tiny_study.config()
  config['pretrain']['new'] = {**config['pretrain']['run_0'], 'seed': 7}
  config['cells'] = {
      'old': config['cells']['cell_1'],
      'new': {**config['cells']['cell_0'], 'run': 'new', 'axes': {
          'features': 'alone', 'seed': 7}}}
  before = stamps(done)
  study.study({**config, 'engine': 'array', 'index': 2}, done.parent / 'other')
  after = stamps(done)
  assert {k: after[k] for k in before} == before
  new = {k.split('/')[1] for k in after.keys() - before.keys()}
  plan = study.plan_of(config, done.parent / 'other')
  assert new == {plan.runs['new'].folder.name, plan.cells['new'].folder.name}


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['local', 'ray'])
def test_other_engines_give_the_same_results(engine, done, tmp_path):
  if engine == 'ray':
    pytest.importorskip('ray')
  study.study(tiny_study.config(engine=engine), tmp_path / 'two')
  assert results(tmp_path / 'two') == results(done)


def start(workdir, *overrides):
  return subprocess.Popen(
      [sys.executable, '-m', 'jaxssl.main',
       f'--config={ROOT}/tests/tiny_study.py', f'--workdir={workdir}', *overrides],
      env={**os.environ, 'PYTHONPATH': f'{ROOT}:{ROOT}/tests'}, cwd=ROOT,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 42), (signal.SIGKILL, -9)])
def test_a_study_killed_in_the_middle_goes_on(number, code, done, tmp_path):
  """With nothing done twice: the first run is kept, the second goes on."""
  workdir = tmp_path / 'two'
  process = start(workdir)
  plan = study.plan_of(tiny_study.config(), workdir)
  first, second = (plan.runs[f'run_{s}'] for s in (0, 1))
  deadline = time.monotonic() + 200
  while not (second.folder / 'checkpoints' / '2').exists():
    assert time.monotonic() < deadline and process.poll() is None
    time.sleep(0.01)
  process.send_signal(number)
  process.communicate(timeout=100)
  assert process.returncode == code
  if number == signal.SIGKILL:  # Its child lives on; the lock says so.
    while not second.done:
      assert time.monotonic() < deadline
      time.sleep(0.1)
  before = {k: v for k, v in stamps(workdir).items() if first.folder.name in k}
  assert before
  again = start(workdir)
  text, _ = again.communicate(timeout=300)
  assert again.returncode == 0, text
  after = stamps(workdir)
  assert {k: after[k] for k in before} == before
  assert results(workdir) == results(done)


@pytest.mark.slow
def test_a_run_whose_ray_worker_is_killed_is_tried_again(done, tmp_path):
  pytest.importorskip('ray')
  workdir = tmp_path / 'two'
  process = start(workdir, '--config.engine=ray')
  first = study.plan_of(tiny_study.config(), workdir).runs['run_0']
  deadline = time.monotonic() + 200
  while not (first.folder / 'run.json').exists():
    assert time.monotonic() < deadline and process.poll() is None
    time.sleep(0.01)
  os.kill(json.loads((first.folder / '.lock').read_text())['pid'], signal.SIGKILL)
  text, _ = process.communicate(timeout=400)
  assert process.returncode == 0, text
  assert json.loads((first.folder / 'run.json').read_text())['attempts'] == 2
  assert results(workdir) == results(done)


@pytest.mark.slow
def test_a_task_that_fails_leaves_the_others_and_is_told(tmp_path):
  config = tiny_study.config()
  config['pretrain']['run_0']['optim']['base_lr'] = 1e30
  with pytest.raises(errors.JobError, match='2 of 3 tasks failed') as told:
    study.study(config, tmp_path / 'two')
  assert told.value.exit_code == 76
  assert results(tmp_path / 'two', config).keys() == {'cell_1'}
  page = (tmp_path / 'two' / 'report.html').read_text()
  assert 'It needs task 0, which failed.' in page
  assert 'partial' in (tmp_path / 'two' / 'figures' / 'two.svg').read_text()


@pytest.mark.parametrize('changes, told', [
    (dict(engine='slurm'), "No 'slurm' in jaxssl/engines"),
    (dict(figures={'x': {'name': 'pie'}}), "No 'pie' in jaxssl/plots"),
    (dict(cells={}), 'at least one pretraining and one cell'),
    (dict(claims={'it_works': {}}), "No claim 'it_works'"),
    (dict(nonsense=1), 'unknown nonsense')])
def test_a_mistake_is_named_before_any_work(changes, told, tmp_path):
  with pytest.raises(errors.ConfigError, match=told):
    study.study(tiny_study.config(**changes), tmp_path / 'two')
  assert not (tmp_path / 'two').exists()


def test_a_mistake_in_an_evaluation_is_found_before_training(tmp_path):
  config = tiny_study.config()
  config['cells']['cell_1']['evals']['knn']['k'] = 10_000
  with pytest.raises(errors.ConfigError, match=r'cells\.cell_1.*k is 10000'):
    study.study(config, tmp_path / 'two')
  assert not (tmp_path / 'two').exists()


def test_the_plan_shows_what_is_done_and_stops(done, tmp_path, capsys):
  study.study(tiny_study.config(plan=True), done)
  text = capsys.readouterr().out
  assert text.count('done') == 3 and 'All is trained.' in text
  study.study(tiny_study.config(plan=True), tmp_path / 'new')
  text = capsys.readouterr().out
  assert text.count('to do') == 3 and 'on 2 CPU cores' in text.replace(
      f'{os.cpu_count()} CPU', '2 CPU')
  assert '192 images' in text and '2 pretrainings' in text and '3 cells' in text
  assert not (tmp_path / 'new').exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
  (tmp_path / 'config.json').write_text(json.dumps({'job': 'pretrain'}))
  with pytest.raises(errors.ConfigError, match='is the folder of a pretrain job'):
    study.study(tiny_study.config(), tmp_path)


def test_ray_that_is_not_installed_is_told(monkeypatch):
  make = plugins.load('engines', 'ray').make
  monkeypatch.setitem(sys.modules, 'ray', None)
  with pytest.raises(ValueError, match=r"pip install -e '.\[ray\]'"):
    make(ray=dict(address='', num_cpus=1.0, num_gpus=0.0, resources={}))


@pytest.mark.parametrize('needs, told', [
    (dict(num_gpus=1.0), 'needs (--config.ray): 1 CPU, 1 GPU; there is 2 CPU, 0 GPU'),
    (dict(resources={'TPU': 4}), '1 CPU, 4 TPU; there is 2 CPU, 0 GPU, 0 TPU'),
    (dict(num_cpus=2.0), '')])
def test_a_cluster_without_what_a_task_needs_is_told(
    needs, told, monkeypatch, caplog, tmp_path):
  dead = {'Alive': False, 'Resources': {'CPU': 8.0, 'GPU': 8.0, 'TPU': 8.0}}
  fake = types.SimpleNamespace(
      is_initialized=lambda: True, remote=lambda **_: lambda f: f,
      nodes=lambda: [dead, {'Alive': True, 'Resources': {'CPU': 2.0, 'memory': 1e9}}])
  monkeypatch.setitem(sys.modules, 'ray', fake)
  run = plugins.load('engines', 'ray').make(ray=dict(
      dict(address='auto', num_cpus=1.0, num_gpus=0.0, resources={}), **needs))
  assert run(tmp_path, types.SimpleNamespace(tasks=[])) == {}
  assert told in caplog.text and bool(told) == bool(caplog.text)


def test_a_blocked_task_has_the_code_of_what_it_needs():
  task = planning.Task(2, 'x', None, (), (0, 1))
  assert engines.blocked(task, {0: engines.Outcome(0), 1: engines.Outcome(0)}) is None
  assert engines.blocked(task, {1: engines.Outcome(76, 'diverged')}) == (
      76, 'It needs task 1, which failed.')
