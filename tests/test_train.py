"""The loop in one process: equal on any devices, compiled once, without tensorflow."""

import json
import os
import subprocess
import sys
import types

import jax
import numpy as np
import optax
import pytest
import tiny_run

from jaxssl import errors
from jaxssl import parallel
from jaxssl import recipe as recipes
from jaxssl import train
from jaxssl.data import ledger
from jaxssl.data import pipeline


def batches_of(recipe, last, first=0):
  dataset = recipe.dataset(recipe.source, ledger.Ledger(recipe.source))
  return pipeline.train_batches(
      dataset, seed=recipe.seed, batch_size=recipe.data['batch_size'],
      first_step=first, last_step=last, input='resident', way=recipe.way)


def after(num_steps, config):
  """State and losses after some steps."""
  recipe = recipes.build(config)
  state = parallel.replicate(recipe.create_state())
  step = train.make_train_step(
      recipe.method, recipe.tx, recipe.views,
      steps_per_epoch=recipe.steps_per_epoch, way=recipe.way)
  losses = []
  for batch in batches_of(recipe, num_steps):
    state, values = step(state, batch)
    losses.append(float(values['loss']))
  return jax.device_get(state), np.array(losses)


@pytest.fixture(scope='module')
def on_one_device():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(parallel, 'devices', lambda: jax.devices()[:1])
    return after(10, tiny_run.config())


@pytest.mark.parametrize('num_devices, way', [
    (4, 'pmap'), (4, 'shard_map'),
    *(pytest.param(*way, marks=pytest.mark.slow) for way in (
        (2, 'pmap'), (1, 'shard_map')))])
def test_steps_do_not_depend_on_devices(num_devices, way, on_one_device, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  state, losses = after(10, {**tiny_run.config(), 'parallel': way})
  want_state, want_losses = on_one_device
  np.testing.assert_allclose(losses, want_losses, rtol=1e-5)
  difference = optax.tree.sub(state.params, want_state.params)
  assert optax.tree.norm(difference) < 1e-5 * optax.tree.norm(want_state.params)
  np.testing.assert_allclose(
      *(np.concatenate([x.ravel() for x in jax.tree.leaves(s.extra)])
        for s in (state, want_state)), rtol=1e-4, atol=1e-5)


def test_it_learns_to_match_views():
  config = tiny_run.config()
  config['data'].update(max_examples=512, batch_size=64)
  config['optim'] = dict(
      name='adamw', base_lr=2e-3, scaling='none', warmup_epochs=0.5, weight_decay=1e-4,
      b1=0.9, b2=0.999, eps=1e-8)
  config['total_steps'] = 60
  for view in config['views'].values():  # Alike enough to learn it in seconds.
    view.update(min_area=0.8, jitter=0.0, grayscale=0.0)
  _, losses = after(60, config)
  assert losses[-5:].mean() < np.log(2 * 64 - 1) - 1 < losses[0]


def test_the_second_step_and_the_next_epoch_compile_nothing():
  compiled = []
  recipe = recipes.build(tiny_run.config())
  state = parallel.replicate(recipe.create_state())
  step = train.make_train_step(
      recipe.method, recipe.tx, recipe.views, steps_per_epoch=recipe.steps_per_epoch)

  def listen(event, duration, **_):
    if 'compile' in event:
      compiled.append(event)

  batches = batches_of(recipe, 2 * recipe.steps_per_epoch)
  state, _ = step(state, next(batches))
  jax.monitoring.register_event_duration_secs_listener(listen)
  try:
    for batch in batches:
      state, _ = step(state, batch)
    assert not compiled
    jax.jit(lambda x: x + 1.5)(np.ones(3))  # The listener does hear compilations.
    assert compiled
  finally:
    jax.monitoring.clear_event_listeners()


def test_a_run_can_be_repeated_and_is_done_once(tmp_path, caplog):
  for name in ('a', 'b'):
    train.train(tiny_run.config(), tmp_path / name)
  assert tiny_run.done(tmp_path / 'a') == tiny_run.done(tmp_path / 'b')
  assert tiny_run.losses(tmp_path / 'a') == tiny_run.losses(tmp_path / 'b')
  steps = {int(p.name) for p in (tmp_path / 'a' / 'checkpoints').iterdir()}
  assert steps == {8, 16, 24}
  before = (tmp_path / 'a' / 'metrics.jsonl').read_bytes()
  train.train(tiny_run.config(), tmp_path / 'a')
  assert (tmp_path / 'a' / 'metrics.jsonl').read_bytes() == before
  assert 'is finished' in (tmp_path / 'a' / 'train.log').read_text()


def test_the_three_ways_in_train_the_same_bits(tmp_path):
  digests = set()
  for way in ('resident', 'cached', 'streamed'):
    config = tiny_run.config()
    config['data'].update(input=way, cache_dir=str(tmp_path / 'cache'))
    train.train(config, tmp_path / way)
    digests.add(tiny_run.done(tmp_path / way)['digest'])
  assert len(digests) == 1
  assert list((tmp_path / 'cache').glob('*.canvases'))


def test_a_changed_recipe_is_refused_with_a_diff(tmp_path):
  config = tiny_run.config()
  train.train(config, tmp_path)
  free = {**config, 'log': {**config['log'], 'every_steps': 5}}
  train.train(free, tmp_path)
  changed = {**config, 'method': {**config['method'], 'temperature': 0.7}}
  with pytest.raises(
      errors.ConfigError, match=r'method\.temperature: 0\.2 -> 0\.7'):
    train.train(changed, tmp_path)


def test_divergence_stops_and_is_not_saved(tmp_path):
  config = tiny_run.config()
  config['optim'] = {**config['optim'], 'base_lr': 1e30}
  with pytest.raises(errors.DivergedError, match='step'):
    train.train(config, tmp_path)
  assert not list((tmp_path / 'checkpoints').iterdir())
  assert not (tmp_path / 'DONE').exists()


def test_a_log_line_stands_alone(tmp_path):
  train.train(tiny_run.config(), tmp_path)
  lines = [
      line for line in (tmp_path / 'train.log').read_text().splitlines()
      if 'step 24/24' in line]
  for part in ('epoch 3.00', 'loss', 'chance 3.434', 'lr', 'grad', 'img/s', 'wait',
               'mem', 'eta'):
    assert part in lines[-1], lines[-1]


WITHOUT_TENSORFLOW = '''
import sys
from importlib import machinery

BLOCKED = ('tensorflow', 'tensorflow_datasets', 'clu', 'array_record')
find_spec = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = classmethod(
    lambda _, name, *at:
        None if name.split('.')[0] in BLOCKED else find_spec(name, *at))

from jaxssl import main
code = main.main(sys.argv)
assert 'tensorflow' not in sys.modules
sys.exit(code)
'''


def test_everything_but_streaming_works_without_tensorflow(tmp_path, request):
  """The quickstart's smoke twin, with its evaluations and its page."""
  quickly = str(int(not request.config.getoption('--slow')))
  out = subprocess.run(
      [sys.executable, '-c', WITHOUT_TENSORFLOW,
       '--config=configs/quickstart.py:smoke', f'--workdir={tmp_path / "run"}'],
      cwd=tiny_run.ROOT, capture_output=True, text=True, timeout=300,
      env={**os.environ, 'JAX_DISABLE_MOST_OPTIMIZATIONS': quickly})
  assert out.returncode == 0, out.stderr
  run = tmp_path / 'run'
  for name in ('DONE', 'report.html', 'figures/views.png', 'figures/atlas.npz'):
    assert (run / name).stat().st_size > 0
  for protocol in ('knn', 'linear', 'health'):
    result = json.loads((run / 'eval' / protocol / '24.json').read_text())
    assert result['protocol'] == protocol and result['step'] == 24
    assert result['digest'] == tiny_run.done(run)['digest']
    assert result['controls']['random_init'].keys() == result['metrics'].keys()
  chance = json.loads(
      (run / 'eval' / 'knn' / '24.json').read_text())['controls']['chance']
  assert 0 < chance['top1'] < 0.5


def test_a_step_that_is_written_in_a_pause_does_not_turn_the_clock_back(monkeypatch):
  clock, rows = [0.0], []
  monkeypatch.setattr(train.time, 'perf_counter', lambda: clock[0])
  recipe = types.SimpleNamespace(
      schedule=lambda step: 0.1, data=dict(batch_size=10), steps_per_epoch=10,
      total_steps=100)
  meter = train.Meter(
      recipe, types.SimpleNamespace(waited=0.0),
      types.SimpleNamespace(write=lambda step, values: rows.append(values)),
      types.SimpleNamespace(latest_knn=None))

  def write(step):
    meter.write([(step, {'loss': 1.0, 'grad_norm': 1.0})], 1)

  write(1)
  clock[0] = 2.0
  with meter.paused():
    clock[0] = 3.0  # Waiting for the devices, ...
    write(2)
    clock[0] = 9.0  # ... and a save.
  clock[0] = 10.0
  write(3)
  assert [row.get('sys/images_per_second') for row in rows] == [
      None, pytest.approx(10 / 3), pytest.approx(10 / 1)]
