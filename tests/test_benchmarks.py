"""The harness of the benchmarks: rows, their table, and processes that fail."""

import ast
import importlib
import inspect
import json
import pathlib
import sys

import numpy as np
import pytest

from tests.benchmarks import __main__ as harness
from tests.benchmarks import stopwatch
from tests.benchmarks import table

FOLDER = pathlib.Path(harness.__file__).parent
SHARED = {'__main__', 'stopwatch', 'table', 'made_step', 'parts'}
FAKE = '''
import sys
from tests.benchmarks import table

def rows(quick):
  return [table.Row('fake', 'images/s', 20. if quick else 10., 'other', 5.,
                    ('ratio', '>=', 3))]

args = table.parser(None).parse_args()
table.deliver(rows(args.quick), args)
'''


@pytest.fixture
def fakes(tmp_path, monkeypatch):
  """The name of a package of benchmarks: one that works, and one that does not."""
  package = tmp_path / 'fakes'
  package.mkdir()
  (package / 'works.py').write_text(FAKE)
  (package / 'fails.py').write_text('raise SystemExit(3)')
  monkeypatch.setenv('PYTHONPATH', str(tmp_path))
  monkeypatch.setattr(harness, 'device', lambda: 'cpu')
  return 'fakes'


def row(ours, theirs, target=None, unit='s', limit=None):
  return table.Row('what', unit, ours, 'peer', theirs, target, limit, 'limit')


def test_ratio_is_ours_over_theirs():
  assert table.ratio(row(6., 3.)) == 2
  assert table.ratio(row(6., None)) is None
  assert table.ratio(row(None, 3.)) is None


def test_share_of_the_limit_is_never_above_one_where_the_limit_holds():
  assert table.share(row(30., None, unit='views/s', limit=40.)) == 0.75
  assert table.share(row(4., None, unit='s', limit=3.)) == 0.75
  assert table.share(row(4., None)) is None


@pytest.mark.parametrize('ours, theirs, target, met', [
    (1.1, 1.0, ('ratio', '<=', 1.1), True),
    (1.2, 1.0, ('ratio', '<=', 1.1), False),
    (8.0, 10., ('ratio', '>=', 0.8), True),
    (7.9, 10., ('ratio', '>=', 0.8), False),
    (900., 500., ('ours', '>=', 900), True),
    (899., 500., ('ours', '>=', 900), False),
    (1.9, None, ('ours', '<=', 2), True),
    (1.9, None, ('ratio', '<=', 2), None),
    (None, 1.0, ('ours', '<=', 2), None),
    (1.0, 1.0, None, None)])
def test_a_target_is_met_not_met_or_unknown(ours, theirs, target, met):
  assert table.met(row(ours, theirs, target)) is met


def test_the_table_says_all_of_it():
  text = table.markdown([
      table.Row(
          'step', 'views/s', 2412.3, 'torch', 1206.15, ('ratio', '>=', 0.8), 4824.6,
          'product', 'a note'),
      table.Row('slow', 'ms', 1.5, 'bare', 1., ('ratio', '<=', 1.1)),
      table.Row('views', 'views/s', 3., "kornia: No module named 'kornia'", None,
                ('ratio', '>=', 1.5)),
      table.Row('gpu', note='no GPU here')])
  header, rule, *lines = (
      [cell.strip() for cell in line.strip('|').split('|')]
      for line in text.splitlines())
  assert header == list(table.HEADER)
  assert set(rule) == {'---'}
  assert lines == [
      ['step; a note', '2,412 views/s', 'torch: 1,206', '2.00', 'ratio ≥ 0.8: met',
       '4,825 (product)', '50%'],
      ['slow', '1.5 ms', 'bare: 1', '1.50', 'ratio ≤ 1.1: **not met**', '', ''],
      ['views', '3 views/s', "kornia: No module named 'kornia'", '',
       'ratio ≥ 1.5: not measured', '', ''],
      ['gpu; no GPU here', '', '', '', '', '', '']]


def test_rows_come_back_from_their_file(tmp_path):
  path = tmp_path / 'rows.json'
  rows = [row(1.25, 3., ['ratio', '<=', 1.1]), table.Row('gpu', note='none')]
  table.deliver(rows, table.parser(None).parse_args([f'--rows={path}']))
  assert table.read(path) == rows
  json.loads(path.read_text())


def test_the_footer_says_where_with_what_and_when():
  text = table.footer('cpu', 3.25, quick=True)
  assert f'numpy {np.__version__}' in text and 'cores of' in text
  assert '3.2 processes' in text and '--quick' in text and text[:2] == '20'


def test_the_harness_writes_one_table(fakes, tmp_path, capfd):
  out = tmp_path / 'table.md'
  assert harness.main(['--quick', f'--out={out}'], fakes, ('works',)) == 0
  text = out.read_text()
  assert '| fake | 20 images/s | other: 5 | 4.00 | ratio ≥ 3: met |' in text
  assert 'jax on cpu' in text and text in capfd.readouterr().out
  harness.main([f'--out={out}'], fakes, ('works',))
  assert '10 images/s' in out.read_text()


def test_one_that_fails_is_a_row_and_the_others_go_on(fakes, tmp_path):
  out = tmp_path / 'table.md'
  assert harness.main([f'--out={out}'], fakes, ('fails', 'works')) == 1
  text = out.read_text()
  assert '| fails; failed with exit code 3 |' in text and '| fake |' in text


def test_an_unknown_name_is_refused(fakes, capsys):
  with pytest.raises(SystemExit):
    harness.main(['stepp'])
  assert "no benchmark 'stepp'; there are step, views" in capsys.readouterr().err


def test_every_file_is_a_benchmark_of_the_harness_or_shared():
  files = {p.stem for p in FOLDER.glob('*.py') if not p.stem.startswith('gpu')}
  assert files - SHARED == set(harness.NAMES)


@pytest.mark.parametrize('name', harness.NAMES)
def test_every_benchmark_gives_rows(name):
  module = importlib.import_module(f'tests.benchmarks.{name}')
  first, *others = inspect.signature(module.rows).parameters.values()
  assert first.name == 'quick'
  assert all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in others)
  assert callable(module.main) and module.__doc__


@pytest.mark.parametrize('name', [*harness.NAMES, *sorted(SHARED)])
def test_no_peer_is_needed_to_import(name):
  tree = ast.parse((FOLDER / f'{name}.py').read_text())
  modules = {
      alias.name if isinstance(node, ast.Import) else node.module
      for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
      for alias in node.names}
  peers = {'torch', 'torchvision', 'kornia', 'faiss', 'sklearn', 'tensorflow'}
  assert not {m.split('.')[0] for m in modules} & peers


def test_a_peer_that_is_missing_is_a_row_that_says_so(monkeypatch):
  from tests.benchmarks import views
  monkeypatch.setattr(stopwatch, 'rate', lambda step, per_step, seconds=2: 60.)
  monkeypatch.setattr(
      views, 'ours', lambda size: lambda: stopwatch.rate(None, 1))
  monkeypatch.setitem(sys.modules, 'torchvision', None)
  monkeypatch.setitem(sys.modules, 'torchvision.transforms.v2', None)
  monkeypatch.setitem(sys.modules, 'kornia', None)
  monkeypatch.setattr(stopwatch, 'product', lambda: lambda: 1.)
  found = views.compare(32, turns=1)
  assert [r.ours for r in found] == [60., 60.]
  assert [r.theirs for r in found] == [None, None]
  for r, peer in zip(found, ('kornia', 'torchvision')):
    assert r.peer.startswith(peer + ': ') and table.met(r) is None


def test_functions_take_turns_and_have_their_medians():
  calls = []
  times, found = stopwatch.by_turns(
      {'a': lambda: calls.append('a'), 'b': lambda: calls.append('b') or 7}, 3)
  assert calls == ['a', 'b'] * 3
  assert found == {'a': None, 'b': 7} and len(times['a']) == 2
  rates = iter([1., 10., 5., 20., 3., 30.])
  assert stopwatch.rates_by_turns(
      {'a': lambda: next(rates), 'b': lambda: next(rates)}, 3) == {'a': 3., 'b': 20.}
