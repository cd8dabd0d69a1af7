"""Killed at any moment and started again, a run ends in the same bits."""

import json
import os
import pathlib
import signal

import jax
import numpy as np
import pytest
import tiny_run

from configs import common
from jaxssl import checkpoint
from jaxssl import errors
from jaxssl import evaluations
from jaxssl import metrics
from jaxssl import recipe as recipes
from jaxssl import train

pytestmark = pytest.mark.unoptimized


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The run that nobody disturbed."""
  workdir = tmp_path_factory.mktemp('whole') / 'run'
  code, text = tiny_run.finish(workdir)
  assert code == 0, text
  return workdir


def in_the_middle_of_a_save(workdir):
  return lambda: any(pathlib.Path(workdir, 'checkpoints').glob('*-tmp*'))


def test_kills_at_several_steps_and_in_a_save_leave_no_trace(whole, tmp_path):
  kills = [
      lambda: tiny_run.steps_logged(tmp_path) >= 3,   # Before the first checkpoint.
      in_the_middle_of_a_save(tmp_path),
      lambda: tiny_run.steps_logged(tmp_path) >= 13,
      lambda: tiny_run.steps_logged(tmp_path) >= 20]
  for condition in kills:
    assert tiny_run.kill_when(tiny_run.start(tmp_path), condition)
  code, text = tiny_run.finish(tmp_path)
  assert code == 0, text
  assert 'Going on from the checkpoint' in text
  assert tiny_run.done(tmp_path) == tiny_run.done(whole)
  assert tiny_run.losses(tmp_path) == tiny_run.losses(whole)
  assert json.loads((tmp_path / 'run.json').read_text())['attempts'] == len(kills) + 1


def test_sigterm_saves_and_asks_to_be_started_again(whole, tmp_path):
  process = tiny_run.start(tmp_path)
  assert tiny_run.kill_when(
      process, lambda: tiny_run.steps_logged(tmp_path) >= 10, signal.SIGTERM)
  assert process.returncode == 42
  saved = max(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  assert saved >= 10
  code, text = tiny_run.finish(tmp_path)
  assert code == 0 and f'checkpoint of step {saved}' in text
  assert tiny_run.done(tmp_path) == tiny_run.done(whole)


def signalled(run, step_wanted):
  """Evaluations.run that is sent a signal as it begins, at one step."""
  def run_signalled(self, params, extra, keys=None):
    if metrics.read(run_signalled.workdir)[-1]['step'] == step_wanted:
      os.kill(os.getpid(), signal.SIGTERM)
    return run(self, params, extra, keys)
  return run_signalled


@pytest.mark.parametrize('step', [5, 24])
def test_a_signal_in_an_evaluation_ends_it(step, whole, tmp_path, monkeypatch):
  """At step 5, which is no step to save at, and at the last."""
  config = tiny_run.config()
  knn = {**common.knn(k=5), 'every_steps': 5}
  config['evals'] = dict(knn=knn, health=common.health())
  run = signalled(evaluations.Evaluations.run, step)
  run.workdir = tmp_path
  monkeypatch.setattr(evaluations.Evaluations, 'run', run)
  with pytest.raises(errors.Preempted, match='goes on from there'):
    train.train(config, tmp_path)
  assert not any('eval/knn/top1' in r for r in metrics.read(tmp_path)[step - 1:])
  assert (tmp_path / f'checkpoints/{step}').exists()
  assert not (tmp_path / 'DONE').exists() and not (tmp_path / 'eval').exists()
  monkeypatch.undo()
  train.train(config, tmp_path)
  assert (tmp_path / 'DONE').exists() and (tmp_path / 'eval/health/24.json').exists()


@pytest.mark.parametrize('lost', [
    'rng', pytest.param('opt_state', marks=pytest.mark.slow)])
def test_a_resume_that_loses_a_part_of_the_state_is_seen(lost, whole, tmp_path):
  """Negative controls: the comparison must fail when something is forgotten."""
  assert tiny_run.kill_when(
      tiny_run.start(tmp_path), lambda: (tmp_path / 'checkpoints/8').exists())
  code, text = tiny_run.finish(tmp_path, forget=lost)
  assert code == 0 and f'forgot {lost} at step' in text, text
  assert tiny_run.done(tmp_path)['digest'] != tiny_run.done(whole)['digest']


def final_params(workdir):
  """The parameters in the last checkpoint, in one array."""
  checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints', keep=1, read_only=True)
  wanted = {'params': recipes.build(tiny_run.config()).abstract_state().params}
  _, parts, _ = checkpoints.restore(wanted, partial=True, replicated=False)
  return np.concatenate([x.ravel() for x in jax.tree.leaves(parts)])


def test_another_number_of_devices_gives_nearly_the_same(whole, tmp_path):
  code, text = tiny_run.finish(tmp_path, devices=4)
  assert code == 0, text
  want, got = final_params(whole), final_params(tmp_path)
  assert np.linalg.norm(got - want) < 1e-5 * np.linalg.norm(want)
  want, got = tiny_run.losses(whole), tiny_run.losses(tmp_path)
  assert want.keys() == got.keys()
  assert max(abs(got[s] / want[s] - 1) for s in want) < 1e-4
