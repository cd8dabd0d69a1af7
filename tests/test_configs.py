"""Every recipe, plain and small, fits the functions that its values are for."""

import importlib
import pathlib

import numpy as np
import pytest

from configs import common
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl.data import Source

ROOT = pathlib.Path(__file__).parents[1]
NAMES = sorted(
    p.relative_to(ROOT / 'configs').with_suffix('').as_posix().replace('/', '.')
    for p in (ROOT / 'configs').rglob('*.py')
    if p.name not in ('common.py', 'parts.py', 'pcl_parts.py', 'protocols.py'))


def module(name):
  return importlib.import_module(f'configs.{name}')


PRETRAINING = [
    n for n in NAMES if not n.startswith('studies.')
    and module(n).get_config().job == 'pretrain']


def a_source_like(settings):
  """A labelled source without images, once its settings have been checked."""
  settings = {k: v for k, v in settings.items() if k != 'max_examples'}
  make = plugins.load('data.sources', settings['name']).make
  plugins.arguments(make, settings, what='config.data')
  n = 200_000
  return Source(
      n, read=None, describe=str, digest='none', class_names=('a', 'b'),
      labels=np.zeros(n, np.int32))


@pytest.mark.parametrize('name', PRETRAINING)
@pytest.mark.parametrize('arg', ['', 'smoke'])
def test_a_recipe_names_every_argument_and_no_other(name, arg, monkeypatch):
  monkeypatch.setattr(recipes, 'make_source', a_source_like)
  config = module(name).get_config(arg).lock().to_dict()
  recipe = recipes.build(config)
  assert recipe.total_steps > 0
  if arg == 'smoke':
    saves = [
        s for s in range(1, recipe.total_steps + 1)
        if recipe.due(s, **recipes.interval(config['save']))]
    assert 20 <= recipe.total_steps <= 40 and len(saves) >= 3
    assert config['log']['every_steps'] == 1
    assert config['model']['dtype'] == 'float32'


@pytest.mark.parametrize('name', PRETRAINING)
def test_a_smoke_twin_keeps_the_method_and_the_evaluations(name):
  plain, small = (module(name).get_config(a).to_dict() for a in ('', 'smoke'))
  assert plain['method'].keys() == small['method'].keys()
  assert plain['evals'].keys() == small['evals'].keys()
  assert plain['views'].keys() == small['views'].keys()


@pytest.mark.parametrize('name', NAMES)
def test_a_recipe_says_how_to_run_it(name):
  doc = module(name).__doc__
  path = name.replace('.', '/')
  assert f'python -m jaxssl.main --config=configs/{path}.py' in doc
  if name in PRETRAINING:
    assert 'Published' in doc and 'Ours' in doc


def test_views_do_not_share_a_dict():
  c = module('simclr_cifar10').get_config()
  c.views.a.brightness = 0.0
  assert c.views.b.brightness > 0


def test_arguments_have_types():
  arg = common.parse_arg('epochs=3,smoke', epochs=1.0, smoke=False, size=2)
  assert arg.to_dict() == {'epochs': 3.0, 'smoke': True, 'size': 2}


@pytest.mark.parametrize('arg, told', [
    ('epoch=3', 'It takes: epochs, smoke'), ('epochs=x', 'float'), ('epochs', 'float'),
    ('smoke=2', 'bool')])
def test_an_argument_that_does_not_fit_is_refused(arg, told):
  with pytest.raises(ValueError, match=told):
    common.parse_arg(arg, epochs=1.0, smoke=False)
