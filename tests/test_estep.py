"""PCL's E-step in the loop: when, of what, and what a kill inside it leaves."""

import json
import os
import pathlib
import signal
import types

import chex
import jax
import numpy as np
import pytest
import tiny_pcl
import tiny_run
from data import fake_source

from jaxssl import checkpoint
from jaxssl import errors
from jaxssl import estep
from jaxssl import kmeans
from jaxssl import metrics
from jaxssl import recipe as recipes
from jaxssl import train


class Whole:
  """The run that nobody disturbed, and what was seen on its way."""

  def __init__(self, workdir):
    self.workdir = workdir
    self.clusters = {}           # Step -> those that its E-step gave, on the host.
    self.compiled = [0] * 25     # In each step of training.
    self._step = None

  def make_train_step(self, *args, **kwargs):
    step = TRAIN_STEP(*args, **kwargs)

    def watched(state, batch):
      self._step = int(state.step) + 1
      out = step(state, batch)
      self._step = None
      return out

    return watched

  def run_e_step(self, recipe, state, *args):
    out = E_STEP(recipe, state, *args)
    self.clusters[int(state.step)] = jax.device_get(out.extra['clusters'])
    return out

  def listen(self, event, duration, **_):
    if 'compile' in event and self._step is not None:
      self.compiled[self._step] += 1


TRAIN_STEP, E_STEP = train.make_train_step, estep.run


@pytest.fixture(scope='module', autouse=True)
def tiny_network():
  with pytest.MonkeyPatch.context() as patch:
    tiny_pcl.patch(patch.setattr)
    yield


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  run = Whole(tmp_path_factory.mktemp('whole') / 'run')
  jax.monitoring.register_event_duration_secs_listener(run.listen)
  try:
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(train, 'make_train_step', run.make_train_step)
      patch.setattr(estep, 'run', run.run_e_step)
      train.train(tiny_pcl.config(), run.workdir)
  finally:
    jax.monitoring.clear_event_listeners()
  return run


def rows_of(workdir):
  return {row['step']: row for row in metrics.read(workdir)}


@pytest.mark.parametrize('warmup, steps', [
    (0, [0, 4, 8]), (1, [4, 8]), (2, [8]), (3, [])])
def test_it_is_due_before_each_epoch_after_the_warm_up(warmup, steps):
  recipe = types.SimpleNamespace(
      method=types.SimpleNamespace(refresh=print, warmup_epochs=warmup),
      steps_per_epoch=4)
  assert [s for s in range(12) if estep.due(recipe, s)] == steps
  recipe.method.refresh = None
  assert not any(estep.due(recipe, s) for s in range(12))


def test_prototypes_count_from_the_first_e_step_on(whole):
  assert list(whole.clusters) == [8, 16]
  rows = rows_of(whole.workdir)
  chance = np.log(1 + 40)
  for step in range(1, 25):
    row, on = rows[step], step > 8
    assert (row['train/proto_nce'] > 0) == on
    assert row['train/loss'] == pytest.approx(
        row['train/info_nce'] + row['train/proto_nce'], rel=1e-5)
    assert row['train/chance'] == pytest.approx(
        chance + on * (np.log(3) + np.log(6)) / 2, rel=1e-5)


def test_each_e_step_is_written_down(whole):
  rows = rows_of(whole.workdir)
  for step, found in whole.clusters.items():
    path = whole.workdir / 'clusters' / str(step // 8) / 'summary.json'
    summary = json.loads(path.read_text())
    assert summary['epoch'] == step // 8 and summary['step'] == step
    assert summary['seconds'].keys() == {'features', 'clustering'}
    for part, clustering in found.items():
      sizes = np.bincount(clustering['assignments'])
      assert summary[part]['largest'] == sizes.max() / 128
      assert summary[part]['inertia'] == clustering['inertia'] > 0
      assert ('churn' in summary[part]) == (step == 16)
      scalars = {k: v for k, v in summary[part].items() if not isinstance(v, list)}
      for name, value in scalars.items():
        assert rows[step][f'clusters/{part}/{name}'] == pytest.approx(value)
    for part, seconds in summary['seconds'].items():
      assert rows[step][f'clusters/seconds/{part}'] == pytest.approx(seconds)
  with_clusters = [s for s, r in rows.items() if any('clusters/' in k for k in r)]
  assert with_clusters == [8, 16]
  assert 'E-step of epoch 2 in ' in (whole.workdir / 'train.log').read_text()


def test_no_e_step_makes_the_train_step_compile_again(whole):
  assert whole.compiled[1] > 0 == sum(whole.compiled[2:])


@pytest.mark.parametrize('step, e_step', [(12, 8), (18, 16), (24, 16)])
def test_clusters_are_in_the_checkpoint_bit_by_bit(whole, step, e_step):
  checkpoints = checkpoint.Checkpoints(
      whole.workdir / 'checkpoints', keep=9, read_only=True)
  wanted = {'extra': recipes.build(tiny_pcl.config()).abstract_state().extra}
  _, parts, _ = checkpoints.restore(wanted, step, partial=True, replicated=False)
  chex.assert_trees_all_equal(parts['extra']['clusters'], whole.clusters[e_step])
  assert parts['extra']['has_prototypes'] == 1
  assert np.ptp(parts['extra']['clusters']['k6']['assignments']) > 0


def test_a_kill_inside_the_second_e_step_leaves_no_trace(whole, tmp_path):
  """It goes on in mid-epoch, from step 12 and its prototypes."""
  path = pathlib.Path(tiny_pcl.__file__)
  code, text = tiny_run.finish(
      tmp_path, devices=4, config=path,
      program=(path, '4', tmp_path / 'checkpoints/12'))
  assert code == -signal.SIGKILL, text
  assert tiny_run.steps_logged(tmp_path) == 16
  assert [p.name for p in (tmp_path / 'clusters').iterdir()] == ['1']
  train.train(tiny_pcl.config(), tmp_path)
  assert 'checkpoint of step 12' in (tmp_path / 'train.log').read_text()
  assert_the_same_run(tmp_path, whole.workdir)


def assert_the_same_run(got, want):
  assert tiny_run.done(got) == tiny_run.done(want)
  assert tiny_run.losses(got) == tiny_run.losses(want)
  for epoch in ('1', '2'):
    summaries = [
        json.loads((run / 'clusters' / epoch / 'summary.json').read_text())
        for run in (got, want)]
    for summary in summaries:
      del summary['seconds']
    assert summaries[0] == summaries[1]


def test_a_signal_inside_an_e_step_saves_the_step_before_it(
    whole, tmp_path, monkeypatch):
  monkeypatch.setattr(kmeans, 'fit', tiny_pcl.call_in_kmeans(
      lambda: os.kill(os.getpid(), signal.SIGTERM), 2))
  with pytest.raises(errors.Preempted, match='after step 8, which is saved') as e:
    train.train(tiny_pcl.config(), tmp_path)
  assert e.value.exit_code == 42
  assert (tmp_path / 'checkpoints/8').exists()
  assert not (tmp_path / 'clusters').exists()
  monkeypatch.undo()
  train.train(tiny_pcl.config(), tmp_path)
  assert_the_same_run(tmp_path, whole.workdir)


def test_a_bad_image_gets_the_row_of_a_neighbour(tmp_path, monkeypatch):
  """The first, one in the middle and the last; each other image keeps its own."""
  bad, rows = (0, 77, 127), []
  source, _ = fake_source.make(128, bad=bad)
  monkeypatch.setattr(recipes, 'make_source', lambda settings: source)
  fit = kmeans.fit
  monkeypatch.setattr(
      kmeans, 'fit',
      lambda rng, z, k, **how: rows.append(z) or fit(rng, z, k, **how))
  train.train(tiny_pcl.config(), tmp_path)
  assert (tmp_path / 'DONE').exists() and len(rows) == 4
  for z in rows:
    assert z.shape == (128, 6)
    np.testing.assert_array_equal(z[list(bad)], z[[1, 78, 126]])
    assert len(np.unique(z, axis=0)) == 125
