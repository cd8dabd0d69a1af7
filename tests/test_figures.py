"""Contact sheets pixel by pixel, and files that are written whole or not at all."""

import os

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxssl import corruptions
from jaxssl import figures


def box_of(sheet, color):
  """(left, top, right, bottom) of the pixels of exactly that colour."""
  ys, xs = np.nonzero((sheet[..., :3] == color).all(-1) & (sheet[..., 3] == 255))
  return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def plain(color, side):
  return np.full((side, side, 3), color, np.uint8)


def test_each_row_is_an_example_and_each_column_a_view(tmp_path):
  # Red tells the row, green the column, so every tile has a colour of its own.
  originals = [plain((100 + row, 50, 7), 8) for row in range(3)]

  def view(column):
    return np.stack([plain((100 + row, column, 7), 8) for row in range(3)]) / 255

  path = figures.contact_sheet(
      tmp_path / 'figures/views.png', originals,
      [{'a': view(51), 'b': view(52)}, {'a': view(53), 'b': view(54)}], tile=30)
  image = Image.open(path)
  assert image.format == 'PNG'
  sheet = np.asarray(image)
  boxes = np.array([
      [box_of(sheet, (100 + row, column, 7)) for column in range(50, 55)]
      for row in range(3)])                                          # [3, 5, 4]
  # 8 pixels, three times: the greatest whole factor that fits in 30.
  assert (boxes[..., 2:] - boxes[..., :2] == 24).all()
  assert (boxes[:, 1:, 0] >= boxes[:, :-1, 2]).all()  # Left to right, no overlap.
  assert (boxes[1:, :, 1] >= boxes[:-1, :, 3]).all()  # Top to bottom.
  assert (boxes[..., 0] == boxes[:1, :, 0]).all()     # Aligned columns.
  assert (boxes[..., 1] == boxes[:, :1, 1]).all()     # Aligned rows.
  gaps = boxes[0, 1:, 0] - boxes[0, :-1, 2]
  assert gaps[0] == gaps[2] > gaps[1] == gaps[3]      # Draws stand apart.
  # Above each column, and nowhere else, there is a label.
  for left, top, right, _ in boxes[0]:
    assert sheet[:top - 1, left:right, 3].any()
  assert os.listdir(tmp_path / 'figures') == ['views.png']


def test_a_sheet_of_corruptions_has_a_row_for_each(tmp_path, monkeypatch):
  assert figures.STRENGTHS.keys() == corruptions.BY_NAME.keys()
  monkeypatch.setattr(figures, 'STRENGTHS', {
      name: figures.STRENGTHS[name] for name in ('contrast', 'brightness')})
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
  path = figures.corruption_sheet(tmp_path / 'x.png', image, tile=32)
  sheet = np.asarray(Image.open(path))
  step = 32 + figures.GAP
  tiles = np.array([
      [sheet[y:y + 32:2, x:x + 32:2, :3] for x in range(0, 6 * step, step)]
      for y in range(
          figures.LABEL_HEIGHT, len(sheet), figures.LABEL_HEIGHT + step)])
  assert tiles.shape == (2, 6, 16, 16, 3)
  assert (tiles[:, 0] == image).all()
  for row, corrupt in zip(tiles, (corruptions.contrast, corruptions.brightness)):
    for severity in (1, 5):
      want = corrupt(None, jnp.float32(image) / 255, severity=severity)
      difference = np.float32(row[severity]) - np.float32(want) * 255
      assert abs(difference).max() < 0.51


def test_small_views_are_enlarged_without_smoothing(tmp_path):
  rng = np.random.default_rng(0)
  view = rng.integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
  path = figures.contact_sheet(
      tmp_path / 'x.png', [plain((9, 8, 7), 8)], [{'a': view / 255}], tile=40)
  sheet = np.asarray(Image.open(path))
  _, top, right, _ = box_of(sheet, (9, 8, 7))
  start = right + figures.GROUP_GAP
  tile = sheet[top:top + 40, start:start + 40, :3]
  np.testing.assert_array_equal(tile, view[0].repeat(5, axis=0).repeat(5, axis=1))


def test_large_and_oblong_originals_are_shrunk_in_proportion(tmp_path):
  original = np.full((50, 200, 3), (9, 8, 7), np.uint8)
  path = figures.contact_sheet(
      tmp_path / 'x.png', [original], [{'a': np.zeros((1, 20, 20, 3))}], tile=20)
  left, top, right, bottom = box_of(np.asarray(Image.open(path)), (9, 8, 7))
  assert (right - left, bottom - top) == (20, 5)


def test_large_views_are_shrunk_to_the_tile(tmp_path):
  view = np.broadcast_to(np.float32([9, 8, 7]) / 255, (1, 100, 100, 3))
  path = figures.contact_sheet(
      tmp_path / 'x.png', [plain((1, 2, 3), 100)], [{'a': view}], tile=25)
  left, top, right, bottom = box_of(np.asarray(Image.open(path)), (9, 8, 7))
  assert (right - left, bottom - top) == (25, 25)


def test_values_outside_the_range_are_clipped(tmp_path):
  view = np.full((1, 8, 8, 3), [-0.5, 2.0, 0.5])
  path = figures.contact_sheet(
      tmp_path / 'x.png', [plain((1, 2, 3), 8)], [{'a': view}], tile=8)
  assert box_of(np.asarray(Image.open(path)), (0, 255, 128))


def test_long_view_names_stay_in_their_column(tmp_path):
  path = figures.contact_sheet(
      tmp_path / 'x.png', [plain((1, 2, 3), 24)],
      [{'a very long name ' * 9: np.zeros((1, 24, 24, 3))}], tile=24)
  assert Image.open(path).width == 24 + figures.GROUP_GAP + 24


@pytest.mark.parametrize('originals, views, message', [
    ([], [{'a': np.zeros((0, 8, 8, 3))}], 'Nothing to draw'),
    ([plain((1, 2, 3), 8)], [], 'Nothing to draw'),
    ([plain((1, 2, 3), 8)], [{'a': np.zeros((2, 8, 8, 3))}], 'has 2 examples'),
])
def test_a_sheet_without_pictures_is_an_error(tmp_path, originals, views, message):
  with pytest.raises(ValueError, match=message):
    figures.contact_sheet(tmp_path / 'x.png', originals, views, tile=8)
  assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
  path = tmp_path / 'deep' / 'file.txt'
  with figures.replacing(path) as temporary:
    temporary.write_text('first')
    assert not path.exists()
  assert path.read_text() == 'first'

  with pytest.raises(RuntimeError), figures.replacing(path) as temporary:
    temporary.write_text('half of the sec')
    raise RuntimeError
  assert path.read_text() == 'first'
  assert os.listdir(path.parent) == ['file.txt']


def test_a_replaced_file_has_the_usual_permissions(tmp_path):
  (tmp_path / 'usual').write_text('')
  with figures.replacing(tmp_path / 'file') as temporary:
    temporary.write_text('')
  assert (tmp_path / 'file').stat().st_mode == (tmp_path / 'usual').stat().st_mode
