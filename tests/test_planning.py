"""Keys, sharing, tasks and stages of a study's plan; nothing is trained."""

import json
import types
from typing import Any
from typing import NamedTuple

import jax
import numpy as np
import pytest
import tiny_run

from configs import common
from jaxssl import costs
from jaxssl import planning
from jaxssl import plugins
from jaxssl import recipe
from jaxssl.models import conv


class State(NamedTuple):
  params: Any
  extra: Any


def cell(run, *, evals=None, **changes):
  return dict(
      axes={'seed': 0}, run=run, eval_data={}, step='last',
      evals=evals or {'knn': common.knn(k=5)}, **changes)


def changed(**parts):
  """The tiny run's config with other values at dotted places."""
  config = tiny_run.config()
  for name, value in parts.items():
    *path, last = name.split('__')
    part = config
    for key in path:
      part = part[key]
    part[last] = value
  return config


@pytest.mark.parametrize('parts', [
    dict(log=dict(every_steps=3, tensorboard=True)), dict(evals={'x': {}}),
    dict(parallel='shard_map'), dict(data__input='streamed'),
    dict(data__cache_dir='/tmp/x'), dict(eval_data={})])
def test_what_changes_nothing_that_is_trained_keeps_the_key(parts):
  assert planning.run_key(changed(**parts)) == planning.run_key(changed())


@pytest.mark.parametrize('parts', [
    dict(seed=1), dict(data__max_examples=64), dict(method__temperature=0.3),
    dict(model__depth=18), dict(total_steps=25), dict(optim__base_lr=0.5),
    dict(eval_view__size=12), dict(data__subset=dict(num_examples=5))])
def test_what_changes_the_network_changes_the_key(parts):
  assert planning.run_key(changed(**parts)) != planning.run_key(changed())


def test_the_key_is_that_of_json():
  """Tuples and lists are one, whether the config was in a file or not."""
  plan = planning.make(
      {'a': changed(method__k=(1, 2)), 'b': changed(method__k=[1, 2])},
      {'c': cell('a')}, '/shared')
  assert plan.runs['a'].folder == plan.runs['b'].folder
  again = json.loads(json.dumps(changed(method__k=(1, 2))))
  assert plan.runs['a'].folder.name == f'simclr-{planning.run_key(again)}'


def test_equal_recipes_are_one_task_with_the_cells_of_all_their_names():
  plan = planning.make(
      {'a': changed(), 'twin': changed(), 'b': changed(seed=1)},
      {'x': cell('a'), 'y': cell('twin', evals={'health': common.health()}),
       'z': cell('b'), 'again': cell('twin')}, '/shared')
  assert [(t.name, [c.name for c in t.cells], t.needs) for t in plan.tasks] == [
      ('a', ['x', 'y'], ()), ('b', ['z'], ())]
  assert plan.cells['again'].folder == plan.cells['x'].folder
  assert len({c.folder for c in plan.cells.values()}) == 3


def test_two_studies_share_what_they_both_want():
  one = planning.make({'a': changed()}, {'x': cell('a')}, '/shared')
  other = planning.make(
      {'first': changed(seed=3), 'mine': changed()},
      {'other_name': cell('mine')}, '/shared')
  assert one.runs['a'].folder == other.runs['mine'].folder
  assert one.cells['x'].folder == other.cells['other_name'].folder


def test_another_evaluation_view_is_another_evaluation():
  plans = [
      planning.make({'a': config}, {'x': cell('a')}, '/shared')
      for config in (changed(), changed(eval_view__size=12))]
  assert plans[0].cells['x'].folder != plans[1].cells['x'].folder


def test_another_version_of_a_protocol_is_another_evaluation(monkeypatch):
  def folder():
    return planning.make({'a': changed()}, {'x': cell('a')}, '/s').cells['x'].folder

  before = folder()
  monkeypatch.setattr(plugins.load('evals', 'knn'), 'VERSION', 99)
  assert folder() != before


def test_a_cell_of_two_runs_is_a_task_of_stage_two():
  plan = planning.make(
      {'a': changed(), 'b': changed(seed=1), 'c': changed(seed=2)},
      {'x': cell('a'), 'pair': cell(('a', 'c'))}, '/shared')
  assert [t.number for t in plan.tasks] == [0, 1, 2, 3]
  assert (plan.tasks[3].name, plan.tasks[3].needs) == ('pair', (0, 2))
  assert [t.stage for t in plan.tasks] == [1, 1, 1, 2]
  assert plan.tasks[3].run is None


@pytest.mark.parametrize('pretrain, cells, told', [
    ({}, {'x': cell('a')}, 'at least one pretraining'),
    ({'a': {}}, {}, 'at least one pretraining and one cell'),
    ({'empty': None}, {'x': cell('a')}, 'pretrain.empty is no config of a pretraining'),
    ({'a': None}, {'x': cell('b')}, "cells.x.run is 'b'. There are: a"),
    ({'a': None}, {'x': {**cell('a'), 'step': 3}}, 'it can be last or all'),
    ({'a': None}, {'x': {**cell('a'), 'evals': {}}}, 'cells.x.evals is empty'),
    ({'a': None}, {'x': {**cell('a'), 'ax': 1}}, 'cells.x has unknown ax')])
def test_a_mistake_is_named(pretrain, cells, told):
  pretrain = {k: k != 'empty' and tiny_run.config() for k in pretrain}
  with pytest.raises(ValueError, match=told):
    planning.make(pretrain, cells, '/shared')


def test_done_is_a_matter_of_files(tmp_path):
  plan = planning.make({'a': changed()}, {'x': cell('a')}, tmp_path)
  (task,), folder = plan.tasks, plan.cells['x'].folder
  assert not task.done and not plan.runs['a'].done
  for path in (plan.runs['a'].folder, folder / 'eval' / 'knn'):
    path.mkdir(parents=True)
  (plan.runs['a'].folder / 'DONE').write_text('{}')
  assert plan.runs['a'].done and not task.done
  with pytest.raises(ValueError, match='knn has no result'):
    planning.finish_cell(plan.cells['x'])
  (folder / 'eval' / 'knn' / '24.json').write_text('{"step": 24}')
  planning.finish_cell(plan.cells['x'])
  assert task.done
  assert planning.results(plan.cells['x']) == {24: {'knn': {'step': 24}}}


def test_the_cost_of_a_run_grows_with_its_steps_and_views():
  built = [
      recipe.build(config, training=False)
      for config in (changed(), changed(total_steps=48))]
  costs_of = [costs.of(r) for r in built]
  assert [c.images for c in costs_of] == [24 * 16, 48 * 16]
  assert costs_of[1].flops == pytest.approx(2 * costs_of[0].flops)
  assert costs_of[0].disk > 10_000


def test_operations_are_counted_by_the_closed_form():
  """A product of [1, d] with [d, e] is 2de operations, for each view, three times."""
  d, e = 5 * 5 * 3, 40
  params = jax.ShapeDtypeStruct((d, e), 'float32')
  made = types.SimpleNamespace(
      abstract_state=lambda: State(params, {}),
      view_shapes=lambda: {
          v: jax.ShapeDtypeStruct((2, 5, 5, 3), 'float32') for v in 'ab'},
      method=types.SimpleNamespace(
          embed=lambda params, extra, x: {'h': x.reshape(len(x), -1) @ params}),
      total_steps=7, data={'batch_size': 4},
      config={'method': {}, 'save': {'keep': 2}})
  assert costs.of(made) == costs.Cost(28, 28 * 2 * 3 * 2 * d * e, 2 * d * e * 4)
  made.config['method']['momentum'] = 0.9
  assert costs.of(made).flops == 28 * 2 * 4 * 2 * d * e


@pytest.mark.parametrize('stride, taps', [  # That lie on the image, for all positions.
    (1, (2 + 3 * 3 + 2) * (2 + 5 * 3 + 2)), (2, (2 + 3 + 2) * (2 + 3 + 3 + 2))])
def test_operations_of_convolutions_are_those_of_the_definition(stride, taps):
  x, kernel = np.zeros((8, 5, 7, 64)), np.zeros((3, 3, 64, 65))

  def convolve(x, kernel):
    return conv.conv(x, kernel, stride)

  jax.jit(convolve).lower(x, kernel)
  found = costs.count(convolve, x, kernel)
  assert found == 8 * taps * 64 * 65 * 2
