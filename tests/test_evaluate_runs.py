"""A job that evaluates several runs."""

import json
import pathlib
import shutil

import pytest
import tiny_run

from configs import common
from configs.evaluate import standard
from jaxssl import errors
from jaxssl import evaluate
from jaxssl import train


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A finished run with three checkpoints."""
  workdir = tmp_path_factory.mktemp('trained')
  train.train(tiny_run.config(), workdir)
  return workdir


@pytest.fixture
def pair(trained, tmp_path):
  """Two runs; the second has two checkpoints of its own."""
  runs = [tmp_path / name for name in 'ab']
  for run in runs:
    shutil.copytree(trained, run)
    shutil.rmtree(run / 'eval', ignore_errors=True)
  shutil.rmtree(min((runs[1] / 'checkpoints').iterdir(), key=lambda p: int(p.name)))
  return runs


def job(runs, step='last', **changes):
  c = standard.get_config()
  c.checkpoint, c.step = ','.join(map(str, runs)), step
  c.evals = dict(knn=common.knn(k=5))
  return {**c.to_dict(), **changes}


def steps(folder):
  return sorted(int(path.stem) for path in (folder / 'eval/knn').iterdir())


def saved(run):
  return sorted(int(path.name) for path in (run / 'checkpoints').iterdir())


def test_results_of_each_run_go_to_it(pair):
  config = job(pair, 'all')
  evaluate.evaluate(config, pathlib.Path(config['checkpoint']))
  assert [steps(run) for run in pair] == [saved(run) for run in pair]
  assert len(steps(pair[0])) == len(steps(pair[1])) + 1
  last = [
      json.loads((run / f'eval/knn/{steps(run)[-1]}.json').read_text()) for run in pair]
  assert last[0]['digest'] == last[1]['digest'] and last[0]['metrics']['top1'] > 0
  assert all((run / 'report.html').exists() for run in pair)


def test_with_a_workdir_they_go_to_folders_of_the_runs_names(pair, tmp_path):
  evaluate.evaluate(job(pair), tmp_path / 'out')
  assert [steps(tmp_path / 'out' / name) for name in 'ab'] == [
      [saved(run)[-1]] for run in pair]
  assert not any((run / 'eval').exists() for run in pair)


def test_several_runs_are_followed_in_turns_until_all_are_done(
    pair, tmp_path, monkeypatch):
  live = [tmp_path / f'live_{name}' for name in 'ab']
  for run, new in zip(pair, live):
    new.mkdir()
    shutil.copy(run / 'config.json', new)
  one, two = saved(pair[0]), saved(pair[1])
  # The second run ends while the first has a checkpoint to come.
  queue = [
      (0, one[0]), (1, two[0]), (0, one[1]), (1, two[1]), (1, 'DONE'), (0, one[2]),
      (0, 'DONE')]
  order = [step for _, step in queue if step != 'DONE']

  def grow(seconds):
    i, name = queue.pop(0)
    if name == 'DONE':
      shutil.copy(pair[i] / 'DONE', live[i])
    else:
      part = f'checkpoints/{name}'
      shutil.copytree(pair[i] / part, live[i] / part)

  restored, restore = [], evaluate.restore

  def noted(checkpoints, recipe, number):
    restored.append(number)
    return restore(checkpoints, recipe, number)
  monkeypatch.setattr(evaluate.time, 'sleep', grow)
  monkeypatch.setattr(evaluate, 'restore', noted)
  evaluate.evaluate(job(live, 'follow'), tmp_path / 'out')
  assert not queue and restored == order
  assert [steps(tmp_path / 'out' / run.name) for run in live] == [
      saved(run) for run in pair]


def test_mistakes_show_before_the_first_run_is_evaluated(pair, tmp_path):
  first = str(saved(pair[0])[0])
  for config, told in (
      (job([*pair, tmp_path / 'none']), 'none.*must be the workdir of a run'),
      (job(pair, step=first), f"config.step is '{first}'")):
    with pytest.raises(errors.ConfigError, match=told):
      evaluate.evaluate(config, tmp_path / 'out')
  other = tmp_path / 'other' / 'a'
  shutil.copytree(pair[0], other)
  with pytest.raises(errors.ConfigError, match="two runs of the name 'a'"):
    evaluate.evaluate(job([pair[0], other]), tmp_path / 'out')
  assert not (tmp_path / 'out').exists()


def test_one_run_may_have_a_comma_in_its_name(pair, tmp_path):
  run = pair[0].rename(tmp_path / 'lr0.1,wd0')
  evaluate.evaluate(job([run]), run)
  assert steps(run) == [saved(run)[-1]]
