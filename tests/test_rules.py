"""Who may import what, and what may not be used at all (read from the source)."""

import ast
import pathlib

import pytest

from jaxssl import plugins

PACKAGE = pathlib.Path(__file__).parents[1] / 'jaxssl'
FILES = sorted(PACKAGE.rglob('*.py'))


def place(path):
  return path.relative_to(PACKAGE).as_posix()


def imports(path):
  """Dotted names of all modules that a file imports, at any depth of the code."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (a.name for a in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{a.name}' for a in node.names)


def top_level_imports(path):
  for node in ast.parse(path.read_text()).body:
    if isinstance(node, ast.Import):
      yield from (a.name for a in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{a.name}' for a in node.names)


def users_of(*modules):
  return {
      place(p) for p in FILES
      if any(i == m or i.startswith(m + '.') for i in imports(p) for m in modules)}


def names_used(path):
  """Dotted names such as `jax.pmap` that the code reads."""
  return {
      ast.unparse(n) for n in ast.walk(ast.parse(path.read_text()))
      if isinstance(n, (ast.Attribute, ast.Name))}


def test_tensorflow_is_imported_only_where_data_need_it():
  users = users_of('tensorflow', 'tensorflow_datasets', 'array_record')
  others = {'metrics.py', 'weights/readers.py'}
  assert users and all(u.startswith('data/') for u in users - others), users


def test_torch_is_imported_only_where_other_peoples_weights_are():
  assert users_of('torch', 'torchvision', 'timm') == {
      'weights/readers.py', 'weights/in_torchvision.py'}


def test_no_module_needs_tensorflow_or_torch_to_be_imported():
  program = PACKAGE / 'weights' / 'in_torchvision.py'  # Run, and imported by nothing.
  for path in set(FILES) - {program}:
    heavy = [
        i for i in top_level_imports(path)
        if i.split('.')[0] in ('tensorflow', 'tensorflow_datasets', 'clu',
                               'array_record', 'torch', 'torchvision', 'timm')]
    assert not heavy, f'{place(path)} imports {heavy} at the top'


@pytest.mark.parametrize('module, homes', [
    ('clu', {'metrics.py'}),
    ('orbax', {'checkpoint.py'}),
    ('absl.flags', {'main.py'}),
    ('ml_collections', {'main.py'})])
def test_a_library_has_one_home(module, homes):
  assert users_of(module) == homes


def test_mapping_over_devices_has_one_home():
  names = {'jax.pmap', 'jax.shard_map', 'jax.experimental.shard_map'}
  users = {place(p) for p in FILES if names & names_used(p)}
  assert users == {'parallel.py'}


def test_methods_know_neither_data_nor_models_nor_configs():
  for path in FILES:
    if place(path).startswith('methods/'):
      wrong = [
          i for i in imports(path) if i.startswith(
              ('jaxssl.data', 'jaxssl.models', 'configs', 'jaxssl.train'))]
      assert not wrong, f'{place(path)} imports {wrong}'


def test_evaluators_know_no_method():
  for path in FILES:
    if place(path).startswith('evals/'):
      assert not [i for i in imports(path) if i.startswith('jaxssl.methods')]


def test_plugins_are_loaded_by_name_only():
  kinds = ('methods', 'models', 'evals', 'data.sources')
  for path in FILES:
    for name in imports(path):
      for kind in kinds:
        package = f'jaxssl.{kind}.'
        if name.startswith(package):
          inside = place(path).startswith(kind.replace('.', '/') + '/')
          assert inside, f'{place(path)} imports {name}; use plugins.load'


def test_a_part_of_models_is_no_model():
  assert 'conv' not in plugins.names('models')
  with pytest.raises(ValueError, match=r"No 'conv' .* There are: .*resnet"):
    plugins.load('models', 'conv')


@pytest.mark.parametrize('kind', ['methods', 'models', 'evals', 'data.sources'])
def test_every_plugin_has_a_make(kind):
  for name in plugins.names(kind):
    assert callable(plugins.load(kind, name).make), f'jaxssl.{kind}.{name}'


def test_configs_are_imported_by_nothing():
  assert not users_of('configs')


@pytest.mark.parametrize('name', [
    'pickle', 'cPickle', 'dill', 'joblib', 'shelve', 'cloudpickle', 'yaml', 'marshal'])
def test_nothing_that_runs_code_when_it_reads(name):
  assert not users_of(name)


def test_no_eval_and_no_pickled_arrays():
  for path in FILES:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
      if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        assert called not in ('eval', 'exec', 'os.system'), place(path)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        assert given.get('allow_pickle', 'False') == 'False', place(path)
        assert given.get('shell', 'False') == 'False', place(path)


def test_the_train_step_fits_on_a_page():
  tree = ast.parse((PACKAGE / 'train.py').read_text())
  step = next(
      n for n in ast.walk(tree)
      if isinstance(n, ast.FunctionDef) and n.name == 'make_train_step')
  assert step.end_lineno - step.lineno < 40
