"""What notebooks show is what the workdir holds, and needs no device."""

import html
import io
import os
import re
import subprocess
import sys

import made_workdir
import numpy as np
import pytest
from matplotlib import colors
from PIL import Image

from jaxssl import looks
from jaxssl import metrics
from jaxssl import notebook
from jaxssl import report

GREEN, ORANGE = (
    tuple(round(255 * c) for c in colors.to_rgb(looks.COLORS[i])) for i in (2, 1))


@pytest.fixture
def figure(monkeypatch):
  """Lets functions return the figure itself."""
  monkeypatch.setattr(notebook, 'drawn', lambda figure: figure)


def rows_of(page):
  rows = re.findall('<tr>(.*?)</tr>', page._repr_html_())
  return [[html.unescape(t) for t in re.findall('<td>(.*?)</td>', r)] for r in rows]


def test_curves_are_those_of_the_log(tmp_path, figure):
  made_workdir.write_all(tmp_path / 'run')
  loss, accuracy = notebook.curves(tmp_path / 'run').axes
  logged = metrics.read(tmp_path / 'run')
  np.testing.assert_allclose(
      loss.lines[0].get_xydata(), [(r['step'], r['train/loss']) for r in logged])
  np.testing.assert_allclose(loss.lines[1].get_ydata(), np.log(127))
  np.testing.assert_allclose(accuracy.lines[0].get_xydata(), [
      (r['step'], 100 * r['eval/knn/top1']) for r in logged
      if 'eval/knn/top1' in r])
  np.testing.assert_allclose(accuracy.lines[1].get_ydata(), 31)  # Before training.


def test_without_labels_the_loss_stands_alone(tmp_path, figure):
  made_workdir.write_all(tmp_path / 'run', labelled=False)
  assert len(notebook.curves(tmp_path / 'run').axes) == 1


def test_scores_stand_beside_their_controls(tmp_path):
  made_workdir.write_all(tmp_path / 'run')
  made_workdir.write_result(
      tmp_path / 'run', 'linear', 130, 0.84, intervals={'top1': [0.8, 0.875]})
  head, *rows = rows_of(notebook.scores(tmp_path / 'run'))
  assert head == list(notebook.HEAD)
  assert ['linear', 'top-1', '84.0%', '80.0 to 87.5', '31.0%', '25.0%'] in rows
  assert ['knn', 'top-1', '71.0%', '', '31.0%', '25.0%'] in rows
  _, *rows = rows_of(notebook.scores(tmp_path / 'run', 'knn'))
  assert {row[0] for row in rows} == {'knn'}
  with pytest.raises(ValueError, match='has no result of svm'):
    notebook.scores(tmp_path / 'run', 'svm')


def test_names_are_shown_and_not_run(tmp_path):
  made_workdir.write_all(tmp_path / 'run')
  made_workdir.write_result(tmp_path / 'run', '<script>', 120, 0.5)
  assert '<script>' not in notebook.scores(tmp_path / 'run')._repr_html_()


def test_the_map_is_that_of_the_run_or_of_its_evaluation(tmp_path, figure):
  made_workdir.write_all(tmp_path / 'run')
  axes, = notebook.features_map(tmp_path / 'run').axes
  np.testing.assert_allclose(
      axes.collections[0].get_offsets(), made_workdir.atlas(True)['points'])
  made_workdir.write_details(tmp_path / 'run')
  axes, = notebook.features_map(tmp_path / 'run').axes
  np.testing.assert_allclose(
      axes.collections[0].get_offsets(), made_workdir.features(60)[0][:50, :2])
  assert 'trustworthiness 0.93' in axes.get_xlabel()


@pytest.mark.parametrize('labelled', (True, False))
def test_neighbors_stand_beside_their_image_framed_by_class(tmp_path, labelled):
  atlas = dict(made_workdir.atlas(labelled))
  if labelled:  # Those of before: neighbours are all of the same class.
    atlas['labels'] = np.random.default_rng(0).integers(0, 4, 60)
  report.save_atlas(tmp_path, atlas)
  content = notebook.neighbors(tmp_path)._repr_png_()
  pixels = np.asarray(Image.open(io.BytesIO(content)))
  side = atlas['gallery'].shape[2]
  seen = set()
  for i, j in np.ndindex(atlas['gallery'].shape[:2]):
    top = i * (side + 12) + 4
    left = j * (side + 12) + 4 + 8 * (j > 0)
    np.testing.assert_array_equal(
        pixels[top:top + side, left:left + side], atlas['gallery'][i, j])
    frame = tuple(pixels[top - 1, left].tolist())
    if not labelled or j == 0:
      assert frame == (255, 255, 255)
      continue
    same = atlas['labels'][atlas['queries'][i]] == (
        atlas['labels'][atlas['neighbors'][i, j - 1]])
    assert frame == (GREEN if same else ORANGE)
    seen.add(frame)
  assert seen == ({GREEN, ORANGE} if labelled else set())


def test_prototypes_show_the_images_of_the_gallery(tmp_path, figure):
  made_workdir.write_all(tmp_path / 'run')
  with pytest.raises(ValueError, match='has no gallery: see'):
    notebook.prototypes(tmp_path / 'run')
  made_workdir.write_details(tmp_path / 'run')
  axes, = notebook.prototypes(tmp_path / 'run').axes
  _, _, thumbnails = made_workdir.features(60)
  shown = [image.get_array() for image in axes.images]
  for got, number in zip(shown, (0, 1, 2, 8, 12, 16, 5, 9, 3, 4, 20, 21, 23)):
    np.testing.assert_array_equal(got, thumbnails[number])
  assert len(shown) == 13


def test_the_page_is_whole_and_in_a_frame_of_its_own(tmp_path):
  made_workdir.write_all(tmp_path / 'run')
  path = report.write(tmp_path / 'run')
  shown = notebook.page(tmp_path / 'run')
  content, = re.findall('srcdoc="([^"]*)"', shown._repr_html_())
  assert html.unescape(content) == path.read_text('utf-8')
  assert len(repr(shown)) < 100  # A notebook keeps that of each output as well.


@pytest.mark.parametrize(
    'name', ('curves', 'scores', 'features_map', 'neighbors', 'prototypes', 'page'))
def test_an_empty_workdir_is_told_in_a_line(tmp_path, name):
  with pytest.raises(ValueError, match='has no ') as told:
    getattr(notebook, name)(tmp_path)
  assert '\n' not in str(told.value)


def test_no_device_is_touched(tmp_path):
  """For a TPU serves one process at a time, and that is the program."""
  made_workdir.write_all(tmp_path / 'run')
  made_workdir.write_details(tmp_path / 'run')
  report.write(tmp_path / 'run')
  code = f'''
from jaxssl import notebook
from jaxssl import report
for show in (notebook.curves, notebook.features_map, notebook.neighbors,
             notebook.prototypes):
  assert show({str(tmp_path / 'run')!r})._repr_png_().startswith(b'\\x89PNG')
notebook.page({str(tmp_path / 'run')!r})
notebook.scores({str(tmp_path / 'run')!r})
report.verdict({str(tmp_path / 'run')!r})
'''
  # With a platform that is not there, asking for a device fails.
  done = subprocess.run(
      [sys.executable, '-c', code], env={**os.environ, 'JAX_PLATFORMS': 'absent'},
      capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
