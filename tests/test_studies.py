"""Every study of configs/studies, in every size, fits what it is to be planned by."""

import importlib
import pathlib

import numpy as np
import pytest
from PIL import Image

from configs.studies import parts
from jaxssl import claims
from jaxssl import published
from jaxssl import study

FOLDER = pathlib.Path(__file__).parents[1] / 'configs' / 'studies'
NAMES = sorted(
    p.stem for p in FOLDER.glob('*.py')
    if p.stem not in ('parts', 'pcl_parts', 'protocols'))
SIZES = ['smoke', 'mini,root=/data/four', '']


def config(name, arg):
  module = importlib.import_module(f'configs.studies.{name}')
  return module.get_config(arg).lock().to_dict()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('name', [n for n in NAMES if n != 'my_images'])
def test_a_study_can_be_planned_and_drawn(name, size):
  c = config(name, size)
  plan = study.plan_of(c, '/studies/x')
  assert {r for cell in plan.cells.values() for r in cell.runs} == set(plan.runs)
  assert len({cell.folder for cell in plan.cells.values()}) == len(plan.cells)
  drawings = {}
  for key, settings in c['figures'].items():
    draw = study.drawer(key, settings)
    drawings[key] = draw([], published.read(settings['published']), num_missing=9)
  assert all(found.holds is None for found in claims.check(drawings, c['claims']))


@pytest.mark.parametrize('name', NAMES)
def test_seeds_are_an_axis(name, tmp_path):
  more = 'smoke'
  one, three = (config(name, f'{more},seeds={n}') for n in (1, 3))
  assert len(three['cells']) == 3 * len(one['cells'])
  assert {c['axes']['seed'] for c in three['cells'].values()} == {0, 1, 2}
  # Another seed is another network.
  folders = {r.folder for r in study.plan_of(three, tmp_path).runs.values()}
  assert len(folders) == 3 * len(
      {r.folder for r in study.plan_of(one, tmp_path).runs.values()})


def test_the_studies_of_a_domain_share_its_pretraining():
  plans = [study.plan_of(config(n, ''), '/x') for n in ('fusion', 'granularity')]
  runs = [{r.folder for r in plan.runs.values()} for plan in plans]
  # SimCLR and supervised training on all of iNat21 and of ImageNet.
  assert len(runs[0] & runs[1]) == 4
  million = [
      {r.folder for r in study.plan_of(config(n, ''), '/x').runs.values()}
      for n in ('domain', 'data_quantity', 'methods')]
  assert len(million[0] & million[1]) == 3 and len(million[0] & million[2]) == 1


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_every_recipe_and_evaluation_of_a_smoke_study_can_be_built(name, tmp_path):
  plan = study.plan_of(config(name, 'smoke'), tmp_path)
  for run in plan.runs.values():
    assert not isinstance(study.cost_of(run), str), study.cost_of(run)
  study.check_cells(plan)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
  return tmp_path_factory.mktemp('pretrained')


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_smoke_study_runs_to_its_page(name, shared, tmp_path):
  """A minute or three each on two cores; they share what they have in common."""
  c = config(name, 'smoke') | dict(shared=str(shared))
  study.study(c, tmp_path / name)
  assert all(cell.done for cell in study.plan_of(c, tmp_path).cells.values())
  for figure in c['figures']:
    assert (tmp_path / name / 'figures' / f'{figure}.png').stat().st_size > 5000
    _, *rows = (tmp_path / name / f'{figure}.csv').read_text().splitlines()
    assert len(rows) > 1
    assert 'partial' not in (tmp_path / name / 'figures' / f'{figure}.svg').read_text()
  assert 'has been measured' in (tmp_path / name / 'report.html').read_text()


def test_one_domain_is_called_as_the_paper_calls_it():
  for size, domains in parts.DOMAINS.items():
    called = parts.stands_for(domains)
    assert tuple(called.values()) == parts.DOMAINS['full'], size


@pytest.mark.parametrize('arg, told', [
    ('seeds=0', 'seeds is 0; it must be 1 or more'),
    ('smoke,mini', 'give one of them'), ('mini', 'mini needs root'),
    ('small', 'takes no argument')])
def test_arguments_that_do_not_fit_are_refused(arg, told):
  with pytest.raises(ValueError, match=told):
    config('domain', arg)


@pytest.fixture
def folder(tmp_path):
  """Forty pictures, of which eight have labels."""
  rng = np.random.default_rng(0)
  for i in range(40):
    Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(
        tmp_path / f'{i:02}.png')
  (tmp_path / 'labels.csv').write_text('file,label\n' + ''.join(
      f'{i:02}.png,{"owl" if i % 2 else "cat"}\n' for i in range(16)))
  return tmp_path


def test_my_images_are_counted_and_only_labelled_ones_are_classified(folder):
  c = config('my_images', f'root={folder},tiny')
  plan = study.plan_of(c, folder)
  images = {cell.axes['images'] for cell in plan.cells.values()
            if cell.axes['pretraining'] == 'my images'}
  biggest = max(images)
  assert 25 < biggest < 40 and images == {biggest, biggest // 4, biggest // 16}
  labels = {cell.axes['labels'] for cell in plan.cells.values()}
  assert max(labels) <= 16 and min(labels) == max(labels) // 4
  for cell in plan.cells.values():
    assert cell.job['eval_data']['train']['labelled_only']


def test_my_images_without_labels_are_told_what_to_do(folder):
  (folder / 'labels.csv').unlink()
  with pytest.raises(ValueError, match=r'Label some of them: by class folders, or in'):
    config('my_images', f'root={folder}')
  with pytest.raises(ValueError, match='root is missing'):
    config('my_images', '')
