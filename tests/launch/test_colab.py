"""The notebooks: what is in them, and that each runs from start to end."""

import ast
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from jaxssl import main
from jaxssl import recipe

ROOT = pathlib.Path(__file__).parents[2]
HERE = ROOT / 'launch' / 'colab'
NAMES = ('evaluate_public_weights', 'pcl_prototypes', 'quickstart', 'your_images')
# Those that run on Colab's TPU machines, where these are not installed.
ON_TPU = ('pcl_prototypes', 'quickstart')
# An indented line that a shell gets, with its continuations.
COMMAND = re.compile(r'^( *)!((?:[^\n]*\\\n)*[^\n]*)', re.MULTILINE)
NOT_ON_TPU = ('tensorflow', 'clu', 'tensorboard')


def read(name):
  return json.loads((HERE / f'{name}.ipynb').read_text('utf-8'))


def sources(name, kind):
  return [
      ''.join(cell['source']) for cell in read(name)['cells']
      if cell['cell_type'] == kind]


def taken_apart(source):
  """A code cell as plain Python, and its commands, each in one line."""
  commands = [match[2] for match in COMMAND.finditer(source)]
  return COMMAND.sub(r'\1pass', source).replace('\n%', '\n# %'), [
      re.sub(r'\\\n *', '', command) for command in commands]


def values(sources, *, smoke):
  """What the simple assignments of some cells give, the later the last."""
  found = {'SMOKE': smoke}
  for source in sources:
    for node in ast.walk(ast.parse(taken_apart(source)[0])):
      plain = isinstance(node, ast.Assign) and not any(
          isinstance(part, ast.Call) for part in ast.walk(node.value))
      if plain:
        try:
          exec(ast.unparse(node), found)
        except NameError:
          continue  # Made from something that is more than text.
  return found


def programs(name, root, *, smoke):
  """The command lines of a notebook that run the program, as lists of arguments."""
  cells = sources(name, 'code')
  for i, cell in enumerate(cells):
    given = values(cells[:i + 1], smoke=smoke) | {'ROOT': str(root)}
    for command in taken_apart(cell)[1]:
      if 'jaxssl.main' in command:
        yield shlex.split(command.format_map(given))


def load_install():
  spec = importlib.util.spec_from_file_location('install', HERE / 'install.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_these_are_the_notebooks():
  assert sorted(path.stem for path in HERE.glob('*.ipynb')) == list(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_a_notebook_is_valid_and_holds_no_outputs(name):
  book = read(name)
  assert (book['nbformat'], book['nbformat_minor']) == (4, 5)
  ids = [cell['id'] for cell in book['cells']]
  assert len(set(ids)) == len(ids)
  assert all(re.fullmatch(r'[\w-]{1,64}', i) for i in ids)
  for cell in book['cells']:
    assert cell['metadata'] == {}
    if cell['cell_type'] == 'code':
      assert cell['outputs'] == [] and cell['execution_count'] is None
    else:
      assert cell['cell_type'] == 'markdown' and cell.keys() == {
          'cell_type', 'id', 'metadata', 'source'}


@pytest.mark.parametrize('name', NAMES)
def test_nbformat_finds_it_valid(name):
  nbformat = pytest.importorskip('nbformat')
  nbformat.validate(nbformat.read(HERE / f'{name}.ipynb', 4))


@pytest.mark.parametrize('name', NAMES)
def test_cells_are_short_and_tell_what_they_do(name):
  cells = read(name)['cells']
  assert len(cells) <= 40
  for cell in cells:
    lines = ''.join(cell['source']).splitlines()
    code = cell['cell_type'] == 'code'
    assert len(lines) <= 32
    assert max(map(len, lines)) <= (84 if code else 92)
  assert len(sources(name, 'markdown')) >= len(sources(name, 'code')) / 2
  assert sources(name, 'markdown')[0].startswith('# ')


@pytest.mark.parametrize('name', NAMES)
def test_nothing_of_one_machine_and_no_secrets(name):
  text = '\n'.join(sources(name, 'code') + sources(name, 'markdown'))
  assert not re.search(r'/(work|tmp|home|root|Users)/|localhost', text)
  assert not re.search(r'(?i)api.?key|passw|secret|token\b|hf_\w{8}|ghp_', text)
  addresses = set(re.findall(r'https?://([^/\s)]+)', text))
  assert addresses <= {'arxiv.org'}


@pytest.mark.parametrize('name', NAMES)
def test_what_is_downloaded_has_a_digest(name):
  for source in sources(name, 'code'):
    if re.search(r'urlopen|urlretrieve|download|wget|curl|requests', source):
      assert 'SHA256' in source
  assert not any('pip install' in source for source in sources(name, 'code'))


@pytest.mark.parametrize('name', NAMES)
def test_all_begin_alike(name):
  assert sources(name, 'code')[0] == sources('quickstart', 'code')[0]


@pytest.mark.parametrize('name', NAMES)
def test_what_cells_use_of_the_package_is_there(name):
  modules, used = {}, set()
  for source in sources(name, 'code'):
    tree = ast.parse(taken_apart(source)[0])
    for node in ast.walk(tree):
      if isinstance(node, ast.ImportFrom) and node.module.startswith('jaxssl'):
        for alias in node.names:
          modules[alias.name] = importlib.import_module(
              f'{node.module}.{alias.name}')
      if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        used.add((node.value.id, node.attr))
  assert 'notebook' in modules
  for module, attribute in used:
    assert module not in modules or hasattr(modules[module], attribute), attribute


@pytest.mark.parametrize('smoke', (False, True))
@pytest.mark.parametrize('name', NAMES)
def test_the_command_lines_are_right(name, smoke, tmp_path, monkeypatch):
  monkeypatch.chdir(ROOT)
  rng = np.random.default_rng(0)
  for i in range(40):  # Enough for the study's config, which looks at them.
    path = tmp_path / 'ab'[i % 2] / f'{i}.png'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(path)
  found = list(programs(name, tmp_path, smoke=smoke))
  assert len(found) >= 2
  for argv in found:
    assert argv[:3] == ['python', '-m', 'jaxssl.main']
    command = main.parse(argv[2:])
    assert command.config['job'] in main.JOBS
    assert command.workdir or command.config['checkpoint']


@pytest.mark.parametrize('labelled', (True, False))
def test_the_recipe_of_prototypes_takes_arrays(labelled, tmp_path, monkeypatch):
  monkeypatch.chdir(ROOT)
  labels = {'labels': np.arange(80) % 4} if labelled else {}
  for split, shade in (('train', 50), ('test', 60)):
    images = np.full((80, 16, 16, 3), shade, np.uint8) + np.uint8(np.arange(80))[
        :, None, None, None]
    np.savez(tmp_path / f'{split}.npz', images=images, **labels)
  config = main.parse(
      ['', f'--config=launch/colab/pcl_shapes.py:root={tmp_path},smoke']).config
  built = recipe.build(config)
  assert built.source.num_examples == 64  # The smoke twin takes as many.
  assert (built.eval_sources['test'].labels is not None) == labelled


def test_without_tensorflow_what_serves_it_alone_is_left_out():
  install = load_install()
  wanted = install.wanted()
  names = {r.name for r in install.unmet(wanted, {})}
  assert {'jax', 'ml-collections', 'opentsne', 'orbax-checkpoint'} <= names
  assert not names & set(install.WITH_TENSORFLOW)
  beside = {r.name for r in install.unmet(wanted, {'tensorflow': '2.20.0'})}
  assert beside - names >= {'clu', 'tensorflow-datasets', 'importlib-resources'}


def test_only_what_is_missing_or_too_old_is_installed():
  install = load_install()
  wanted = install.wanted()
  all_there = {}
  for r in wanted:
    floors = [s.version for s in r.specifier if s.operator == '>=']
    all_there[r.name] = (floors or ['1'])[0]
  assert not install.unmet(wanted, all_there)
  del all_there['opentsne']
  all_there['tqdm'] = '3.0'
  assert {r.name for r in install.unmet(wanted, all_there)} == {'opentsne', 'tqdm'}


def test_pip_is_held_to_what_is_there(monkeypatch, capsys):
  install = load_install()
  there = install.installed() | {'numpy': '2.1.3', 'jax': '0.7.2', 'tqdm': '3.0'}
  there.pop('opentsne', None)
  calls = []

  def run(command):
    held = pathlib.Path(command[command.index('--constraint') + 1]).read_text()
    calls.append((command[command.index('--constraint') + 2:], held.splitlines()))
    return type('Done', (), {'returncode': 0})

  monkeypatch.setattr(install, 'installed', lambda: dict(there))
  monkeypatch.setattr(install.subprocess, 'run', run)
  assert install.main([]) == 0
  (asked, held), = calls
  assert 'opentsne>=1.0.2' in asked and 'tqdm>=4.66' in asked
  assert {'numpy==2.1.3', 'jax==0.7.2'} <= set(held)
  assert not any(line.startswith('tqdm==') for line in held)
  assert 'As they were: jax 0.7.2' in capsys.readouterr().out


def test_a_dry_run_only_prints(monkeypatch, capsys):
  install = load_install()
  there = install.installed()
  there.pop('opentsne', None)
  monkeypatch.setattr(install, 'installed', lambda: dict(there))
  monkeypatch.setattr(install.subprocess, 'run', None)  # Nobody calls it.
  assert install.main(['--dry-run']) == 0
  out = capsys.readouterr().out
  assert 'opentsne>=1.0.2' in out and f'jax=={there["jax"]}' in out


def test_a_replaced_jax_is_told(monkeypatch, capsys):
  install = load_install()
  there = install.installed()
  looks = iter([there | {'jax': '0.7.2'}, there | {'jax': '0.9.0'}])
  monkeypatch.setattr(install, 'installed', lambda: next(looks))
  monkeypatch.setattr(
      install.subprocess, 'run', lambda _: type('Done', (), {'returncode': 0}))
  assert install.main([]) == 1
  assert 'REPLACED, against the constraints: jax 0.7.2 -> 0.9.0' in (
      capsys.readouterr().out)


def test_a_jax_that_is_too_old_is_left_alone(monkeypatch, capsys):
  install = load_install()
  there = install.installed() | {'jax': '0.4.30'}
  monkeypatch.setattr(install, 'installed', lambda: there)
  monkeypatch.setattr(install.subprocess, 'run', None)  # Nobody calls it.
  assert install.main([]) == 1
  assert 'jaxssl needs jax' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_notebook_runs_from_start_to_end(name, tmp_path, monkeypatch):
  nbclient = pytest.importorskip('nbclient')
  nbformat = pytest.importorskip('nbformat')
  pytest.importorskip('ipykernel')
  for part in ('jaxssl', 'configs', 'launch'):
    shutil.copytree(
        ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns('__pycache__'))
  shutil.copy(ROOT / 'setup.py', tmp_path)
  absent = tmp_path / 'absent'
  absent.mkdir()
  for module in NOT_ON_TPU if name in ON_TPU else ():
    (absent / f'{module}.py').write_text('raise ImportError("Not on a TPU.")')
  monkeypatch.setenv('PYTHONPATH', str(absent))
  monkeypatch.setenv('PATH', os.pathsep.join(
      [str(pathlib.Path(sys.executable).parent), os.environ['PATH']]))
  monkeypatch.setenv('JAXSSL_SMOKE', '1')
  book = nbformat.read(HERE / f'{name}.ipynb', 4)
  for cell in book.cells:
    if cell.cell_type == 'code':
      # In a notebook a command that fails does not stop the cells below it.
      cell.source = COMMAND.sub(r'\g<0>\n\1assert _exit_code == 0', cell.source)
  client = nbclient.NotebookClient(
      book, timeout=900, kernel_name='python3',
      resources={'metadata': {'path': str(tmp_path / 'launch' / 'colab')}})
  try:
    client.execute()
  finally:
    if keep := os.environ.get('JAXSSL_KEEP_NOTEBOOKS'):
      nbformat.write(book, pathlib.Path(keep, f'{name}.ipynb'))
  shown = [
      kind for cell in book.cells for output in cell.get('outputs', ())
      for kind in output.get('data', ())]
  assert shown.count('image/png') >= 3 and 'text/html' in shown

