"""What all kinds of figures have in common: files, tables, missing cells."""

import csv
import io

import made_cells
import matplotlib
import numpy as np
import pytest
from PIL import Image

from jaxssl import plots
from jaxssl import plugins
from jaxssl import published

SETTINGS = {
    'lines': dict(x='labels', y='linear/top1', hue='size'),
    'bars': dict(x='labels', y='linear/top1', hue='size'),
    'matrix': dict(down='size', across='labels', y='linear/top1'),
    'histogram': dict(y='clustering/sizes', hue='size'),
    'differences': dict(between={'size': (1, 2)}, taxon='kingdom'),
    'scatter': dict(panel='method'), 'gallery': {}}


def make(kind, **settings):
  module = plugins.load('plots', kind)
  return module.make(**plugins.arguments(
      module.make, {'title': 'A title', **SETTINGS[kind], **settings}, what='figure'))


def test_every_kind_is_here():
  assert set(plugins.names('plots')) == set(SETTINGS)


@pytest.mark.parametrize('kind', SETTINGS)
def test_nothing_measured_yet(kind):
  drawing = make(kind)([], [], num_missing=16)
  texts = made_cells.texts(drawing)
  assert 'partial: 16 of 16 missing' in texts and 'no result yet' in texts
  assert 'A title' in texts
  assert drawing.rows == []
  assert plots.table(drawing).count('\n') == 1  # The head alone.


def test_files_are_whole_and_the_same_again(tmp_path):
  cells = made_cells.grid(
      lambda size, labels, seed: 0.1 * size + 0.001 * labels + 0.01 * seed,
      dict(size=(1, 2), labels=(10, 100)), seeds=(0, 1))
  contents = []
  for folder in ('a', 'b'):
    drawing = make('lines')(cells, [], num_missing=0)
    paths = plots.save(drawing, tmp_path / folder, 'figure')
    assert sorted(
        str(path.relative_to(tmp_path / folder)) for path in paths.values()) == [
            'figure.csv', 'figure.md', 'figures/figure.png', 'figures/figure.svg']
    contents.append([paths[kind].read_bytes() for kind in sorted(paths)])
  assert contents[0] == contents[1]
  rows = list(csv.DictReader(io.StringIO(contents[0][0].decode())))
  assert len(rows) == 4 and rows[0]['num_seeds'] == '2'
  assert float(rows[0]['value']) == pytest.approx(0.115)
  assert rows[0]['by_seed'] == '0: 0.11; 1: 0.12'
  with Image.open(io.BytesIO(contents[0][2])) as image:
    pixels = np.asarray(image.convert('RGB'))
  assert (pixels[:5, :, :] == 255).all()                # A light background,
  assert (pixels < 128).any() and pixels.shape[1] > 400  # and something drawn.


def test_matplotlib_is_left_as_it_was():
  matplotlib.rcParams['font.size'] = 13.0
  try:
    make('bars')([], [], num_missing=0)
    assert matplotlib.rcParams['font.size'] == 13.0
  finally:
    matplotlib.rcdefaults()


def test_the_table_against_numbers_by_hand():
  stands_for = {'species': 'iNat21', 'objects': 'ImageNet'}
  values = {('species', 'species'): 0.5, ('objects', 'species'): 0.373}
  cells = made_cells.grid(
      lambda pretraining, target, seed: values[pretraining, target],
      dict(pretraining=('species', 'objects'), target=('species',)), interval=0.02)
  drawing = make(
      'matrix', down='pretraining', across='target', stands_for=stands_for)(
          cells, published.read('cole2022_domain'), num_missing=2)
  lines = plots.markdown(drawing.rows, columns=drawing.columns).splitlines()
  assert lines[0].split(' | ')[2:] == [
      'ours, %', '95 %', 'seeds', 'paper, %', 'difference', 'certainty |']
  assert set(lines[2:]) == {
      '| species | species | 50.0 | 48.0 to 52.0 | 1 | 49.3 | +0.7 | exact |',
      '| objects | species | 37.3 | 35.3 to 39.3 | 1 | 37.3 | +0.0 | exact |',
      # What the paper has and we do not.
      '| species | objects | — | — | — | 51.9 | — | exact |',
      '| objects | objects | — | — | — | 64.4 | — | exact |'}


def test_a_long_table_says_how_much_is_left_out():
  rows = [{'a': i, 'value': 0.5, 'low': None, 'high': None, 'num_seeds': 1}
          for i in range(plots.MAX_LINES + 3)]
  text = plots.markdown(rows)
  assert '3 more rows are in the CSV.' in text and '| paper' not in text


def test_a_setting_that_is_not_there():
  with pytest.raises(ValueError, match='figure has unknown hues; its keys are'):
    make('lines', hues='size')
