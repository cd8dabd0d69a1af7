"""Each kind of figure: every series is there, and where its numbers say."""

import made_cells
import numpy as np
import pytest

from jaxssl import plots
from jaxssl import published
from jaxssl.plots import bars
from jaxssl.plots import differences
from jaxssl.plots import gallery
from jaxssl.plots import histogram
from jaxssl.plots import lines
from jaxssl.plots import matrix
from jaxssl.plots import scatter

PAPER = published.read('cole2022_data_quantity')
DOMAINS = {'species': 'iNat21', 'objects': 'ImageNet', 'from scratch': 'Supervised'}


def paper(domain, size, labels, protocol='linear'):
  return next(
      p['value'] for p in PAPER if p['domain'] == DOMAINS[domain]
      and p['size'] == size and p['labels'] == labels
      and p['protocol'] in (protocol, ''))


def quantity(**more):
  settings = dict(
      x='labels', y='linear/top1', hue='size', panel='domain', log=True,
      title='Data quantity', control='from scratch', stands_for=DOMAINS,
      where={'protocol': 'linear'}, names={'labels': 'labelled images'}) | more
  cells = made_cells.grid(
      lambda domain, size, labels, seed:
      0.9 * paper(domain, size, labels) + 0.01 * seed,
      dict(domain=('species', 'objects'), size=(50_000, 1_000_000),
           labels=(10_000, 1_000_000)), seeds=(0, 1), chance=0.001, untrained=0.05)
  return lines.make(**settings)(cells, PAPER, num_missing=0)


def drawn(axes):
  """The curves of a panel, as lists of (x, y) without what is not finite."""
  found = []
  for line in axes.get_lines():
    xy = np.array(line.get_xydata())
    found.append(xy[np.isfinite(xy).all(1)])
  return found


def test_lines_have_every_series_and_the_papers_behind():
  drawing = quantity()
  texts = made_cells.texts(drawing)
  for text in ('Data quantity', 'species', 'objects', '1M', '50k', 'from scratch',
               'chance', 'paper', 'labelled images', 'top-1 accuracy (%)'):
    assert text in texts, text
  assert not any('partial' in text for text in texts)
  # Two sizes and the scratch line of ours, each with the paper's, and chance.
  curves = drawn(drawing.figure.axes[1])
  assert len(curves) == 7
  ours = [90 * paper('objects', 1_000_000, n) + 0.5 for n in (10_000, 1_000_000)]
  assert any(np.allclose(c[:, 1], ours) for c in curves if len(c) == 2)
  theirs = [100 * paper('objects', 1_000_000, n) for n in (
      10_000, 50_000, 125_000, 250_000, 500_000, 1_000_000)]
  assert any(np.allclose(c[:, 1], theirs) for c in curves if len(c) == 6)
  scratch = [r for r in drawing.rows if r['size'] == 'from scratch']
  assert [r['published'] for r in scratch if r['value'] is not None] == [
      paper('species', 'Supervised', 10_000), paper('species', 'Supervised', 1_000_000),
      paper('objects', 'Supervised', 10_000), paper('objects', 'Supervised', 1_000_000)]


def test_lines_of_another_range_are_not_drawn_over_the_papers():
  cells = made_cells.grid(
      lambda domain, size, labels, seed: 0.5,
      dict(domain=('species',), size=(100, 200), labels=(10, 20)))
  drawing = lines.make(
      x='labels', y='linear/top1', hue='size', title='', stands_for=DOMAINS,
      where={'protocol': 'linear'})(cells, PAPER, num_missing=0)
  assert len(drawn(drawing.figure.axes[0])) == 2
  assert 'paper' not in made_cells.texts(drawing)


def test_levels_go_from_coarse_to_fine_with_their_counts():
  counts = {'genus': 30, 'kingdom': 3, 'species': 99}
  metrics = {f'top1_{name}': 1 / count for name, count in counts.items()} | {
      f'num_classes_{name}': count for name, count in counts.items()}
  cells = made_cells.grid(
      lambda method, seed: metrics, dict(method=('a', 'b')), evaluation='g')
  drawing = lines.make(
      x='level', y='g/top1_{level}', hue='method', counts='g/num_classes_{level}',
      title='Granularity')(cells, [], num_missing=0)
  axes = drawing.figure.axes[0]
  assert [t.get_text() for t in axes.get_xticklabels()] == [
      'kingdom\n3', 'genus\n30', 'species\n99']
  np.testing.assert_allclose(drawn(axes)[0][:, 1], [100 / 3, 100 / 30, 100 / 99])


def test_a_missing_point_leaves_a_gap():
  cells = made_cells.grid(
      lambda a, n, seed: float('nan') if n == 2 else 0.5, dict(a='x', n=(1, 2, 3)))
  drawing = lines.make(x='n', y='linear/top1', hue='a', title='')(
      cells, [], num_missing=0)
  ys = drawing.figure.axes[0].get_lines()[0].get_ydata()
  assert np.isfinite(ys).tolist() == [True, False, True]
  assert [r['value'] for r in drawing.rows] == [0.5, None, 0.5]


def test_bars_of_drops_with_the_papers_marks():
  numbers = {
      ('clean', 'SimCLR'): 0.6, ('JPEG', 'SimCLR'): 0.55, ('clean', 'Supervised'): 0.7,
      ('JPEG', 'Supervised'): 0.65}
  cells = made_cells.grid(
      lambda corruption, method, seed: numbers[corruption, method] + 0.02 * seed,
      dict(corruption=('clean', 'JPEG'), method=('SimCLR', 'Supervised')), seeds=(0, 1))
  drawing = bars.make(
      x='corruption', y='linear/top1', hue='method', title='Quality',
      relative_to={'corruption': 'clean'})(
          cells, published.read('cole2022_quality'), num_missing=0)
  axes = drawing.figure.axes[0]
  assert sorted(p.get_height() for p in axes.patches) == pytest.approx([5, 5])
  # Only the corruption that we have too: the paper has SimCLR 6.0, supervised 4.3.
  marks = np.concatenate([
      line.get_ydata() for line in axes.get_lines() if line.get_marker() == 'D'])
  assert sorted(marks) == pytest.approx([4.3, 6.0])
  assert [r['difference'] for r in drawing.rows] == pytest.approx(
      [0.05 - 0.06, 0.05 - 0.043])
  assert {'JPEG', 'SimCLR', 'Supervised', 'paper'} <= set(made_cells.texts(drawing))
  assert 'drop of top-1 accuracy (points)' in made_cells.texts(drawing)


def test_matrix_frames_the_diagonal_and_sets_a_row_apart():
  value = {'a': 0.5, 'b': 0.4, 'Supervised': 0.9}
  cells = made_cells.grid(
      lambda pretraining, target, seed:
      value[pretraining] + (pretraining == target) / 5,
      dict(pretraining=('a', 'b', 'Supervised'), target=('a', 'b')))
  drawing = matrix.make(
      down='pretraining', across='target', y='linear/top1', title='Domains',
      apart=('Supervised',))(cells, [], num_missing=1)
  axes = drawing.figure.axes[0]
  frames = [p for p in axes.patches if not p.get_fill()]
  assert sorted((round(p.get_x() + 0.47), round(p.get_y() + 0.46)) for p in frames) == [
      (0, 0), (1, 1)]
  texts = made_cells.texts(drawing)
  assert {'70.0', '60.0', '40.0', '50.0', '90.0'} <= set(texts)
  assert 'partial: 1 of 7 missing' in texts
  colors = {p.get_facecolor() for p in axes.patches if p.get_fill()}
  assert len(colors) == 4  # 0, 10 and 30 points below the best, and the row apart.


@pytest.mark.parametrize('sizes, want', [
    ([0, 1, 1, 2, 3, 4, 7, 8], {0: 1, 1: 2, 2: 2, 4: 2, 8: 1}),
    ([5], {0: 0, 1: 0, 2: 0, 4: 1})])
def test_cluster_sizes_in_bins(sizes, want):
  assert histogram.bins(np.array(sizes)) == want


def test_histograms_over_seeds():
  sizes = {'estimated': [[4, 4, 5], [4, 4, 9]], 'constant': [[1, 1, 11], [1, 2, 10]]}
  cells = made_cells.grid(
      lambda phi, seed: {'sizes_k3': sizes[phi][seed], 'sizes_k3_phi': [13, 0, 0]},
      dict(phi=tuple(sizes)), seeds=(0, 1), evaluation='clustering')
  drawing = histogram.make(
      y='clustering/sizes_k{k}', hue='phi', panel='k', title='Sizes')(
          cells, [], num_missing=0)
  found = {(r['phi'], r['size_from'], r['size_to']): r['value'] for r in drawing.rows}
  assert found[('estimated', 4, 7)] == 2.5 and found[('constant', 1, 1)] == 1.5
  assert {'k' in r and r['k'] for r in drawing.rows} == {3}
  assert {'estimated', 'constant', 'images in a cluster'} <= set(
      made_cells.texts(drawing))


def per_class(pretraining, seed):
  """Three classes of four images; species gains the first and loses the last."""
  right = {'objects': [0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1],
           'species': [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1]}[pretraining]
  return {
      'ids': list(range(12)), 'labels': [0] * 4 + [1] * 4 + [2] * 4, 'correct': right,
      'names': ['fern', 'moss', 'owl'], 'taxon_kingdom': [0, 0, 1],
      'names_kingdom': ['plants', 'animals']}


def test_gains_and_losses_of_classes():
  cells = made_cells.grid(
      per_class, dict(pretraining=('objects', 'species')), seeds=(0, 1),
      evaluation='per_class')
  drawing = differences.make(
      between={'pretraining': ('objects', 'species')}, taxon='kingdom',
      title='Classes')(cells, [], num_missing=0)
  found = {(r['quantity'], r['kingdom'], r['item']): r['value'] for r in drawing.rows}
  assert found['difference', 'plants', 'fern'] == 0.5
  assert found['difference', 'plants', 'moss'] == 0
  assert found['difference', 'animals', 'owl'] == -0.5
  assert found['classes that gain', '', ''] == pytest.approx(1 / 3)
  assert found['among gainers', 'plants', ''] == 1
  assert found['among all classes', 'plants', ''] == pytest.approx(2 / 3)
  texts = made_cells.texts(drawing)
  assert {'33 % gain', '33 % lose', 'plants', 'animals', 'gainers'} <= set(texts)


def test_classes_of_other_test_images_are_not_compared():
  cells = made_cells.grid(
      per_class, dict(pretraining=('objects', 'species')), evaluation='per_class')
  cells[0].results['per_class']['metrics']['ids'][0] = 99
  with pytest.raises(ValueError, match='objects and species are of other test images'):
    differences.make(between={'pretraining': ('objects', 'species')}, title='')(
        cells, [], num_missing=0)


def test_maps_side_by_side():
  cells = made_cells.grid(
      lambda method, seed: {
          'coordinates': [[0, 0], [1, seed], [2, 1]], 'ids': [4, 5, 6],
          'labels': [0, 1, 1], 'class_names': ['cat', 'dog'], 'trustworthiness': 0.9},
      dict(method=('PCL', 'MoCo')), seeds=(0, 1), evaluation='embedding')
  drawing = scatter.make(panel='method', title='Maps', order=('PCL', 'MoCo'))(
      cells, [], num_missing=0)
  titles = [axes.get_title(loc='left') for axes in drawing.figure.axes]
  assert titles == ['PCL', 'MoCo']
  points = [
      r for r in drawing.rows if r['quantity'] == 'point' and r['method'] == 'PCL']
  assert [(r['id'], r['label'], r['x'], r['y']) for r in points] == [
      (4, 'cat', 0, 0), (5, 'dog', 1, 0), (6, 'dog', 2, 1)]  # Of the first seed.
  assert {'cat', 'dog', 'trustworthiness 0.90'} <= set(made_cells.texts(drawing))


def test_gallery_shows_the_images_that_were_chosen():
  metrics = {
      'gallery_coarse': [7], 'gallery_fine': [[3, 9]], 'gallery_random': [[10, 11]],
      'gallery': [[[12, 13], [14, -1]]]}
  cells = made_cells.grid(
      lambda seed: metrics, {}, evaluation='prototypes')
  asked = []

  def images(cell, evaluation, ids):
    asked.append((cell.name, evaluation, ids))
    return [np.full((8, 12, 3), i, np.uint8) for i in ids]

  draw = gallery.make(title='Prototypes')
  drawing = draw(cells, [], num_missing=0, images=images)
  assert asked == [(cells[0].name, 'prototypes', [10, 11, 12, 13, 14])]
  shown = [image.get_array() for image in drawing.figure.axes[0].get_images()]
  assert [(a.shape[:2], a[0, 0, 0]) for a in shown] == [
      ((8, 8), i) for i in (10, 11, 12, 13, 14)]
  assert [(r['coarse'], r['fine'], r['rank'], r['id']) for r in drawing.rows] == [
      (7, '', 0, 10), (7, '', 1, 11), (7, 3, 0, 12), (7, 3, 1, 13), (7, 9, 0, 14)]
  assert {'prototype 3', 'prototype 9'} <= set(made_cells.texts(drawing))
  assert '14' in made_cells.texts(draw(cells, [], num_missing=0))
  assert plots.markdown(drawing.rows, columns=drawing.columns)
