import jax
import numpy as np
import pytest

from jaxssl import parallel
from jaxssl.evals import fusion

SETTINGS = dict(
    num_classes=4, optimizer='nesterov', schedule='cosine', rates=(30.0,),
    decays=(0.0,), epochs=20, batch_size=100, seed=0, standardize=False)


def batches(sources, labels):
  rows = np.arange(len(labels), dtype=np.int32)
  image = np.concatenate(sources, axis=1)
  return [{'image': image, 'index': rows, 'label': labels}]


def embed_of(*widths):
  starts = np.cumsum((0, *widths))

  def embed(params, extra, x):
    return {
        f'h{i}': x[:, start:start + width]
        for i, (start, width) in enumerate(zip(starts, widths))}
  return embed


HALVES = embed_of(3, 4)


def halves(n, seed):
  """Two sources that each know one of the two bits of the class, at any scale."""
  rng = np.random.default_rng(seed)
  labels = np.arange(n) % 4
  def source(bit, width, scale):
    x = 0.03 * rng.standard_normal((n, width))
    x[np.arange(n), bit] += 1
    return (scale * x).astype(np.float32)
  return (source(labels // 2, 3, 1e3), source(labels % 2, 4, 1e-3)), labels


def score(train, test, embed=HALVES, **settings):
  return fusion.make(
      embed, train=batches(*train), test=batches(*test), **SETTINGS | settings)({}, {})


@pytest.fixture(scope='module')
def fused_halves():
  return score(halves(400, 0), halves(200, 1))


def test_sources_that_each_know_half_are_perfect_together(fused_halves):
  got = fused_halves
  assert got['top1'] == 1 and got['width'] == 7
  for name in ('h0', 'h1'):
    # One of two classes can be told, at best by luck: half are right.
    assert got[f'top1_{name}'] == pytest.approx(0.5, abs=0.1)
    assert got[f'top1_{name}_widened'] == pytest.approx(0.5, abs=0.1)
  for gain, others in (
      ('gain', ('h0', 'h1')), ('gain_over_width', ('h0_widened', 'h1_widened'))):
    best = max(got[f'top1_{other}'] for other in others)
    assert got[gain] == pytest.approx(1 - best)
    assert 0.3 < got[f'{gain}_lower'] < got[gain] < got[f'{gain}_upper'] < 0.7
  assert all(type(x) in (float, int) for x in got.values())


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, fused_halves, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  assert score(halves(400, 0), halves(200, 1)) == fused_halves


def quarters(n, seed):
  """Two classes in opposite quarters of a circle: no line tells them apart."""
  angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
  labels = (angle // (np.pi / 2)).astype(int) % 2
  return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32), labels


def mostly_right(n):
  """Features that name a class, the right one four times out of five."""
  labels = np.arange(n) % 4
  named = np.where(np.arange(n) % 5, labels, (labels + 1) % 4)
  return np.eye(4, dtype=np.float32)[named], labels


def rotated(x, width):
  matrix = np.random.default_rng(2).standard_normal((width, width))
  return (x @ np.linalg.qr(matrix)[0][:x.shape[1]]).astype(np.float32)


def with_copy(x, labels, width):
  return (x, rotated(x, width)), labels


def test_a_copy_adds_nothing_nor_does_width_where_a_line_is_enough():
  train, test = (with_copy(*mostly_right(n), 5) for n in (400, 200))
  got = score(train, test, embed=embed_of(4, 5))
  for which in ('', '_h0', '_h1', '_h0_widened', '_h1_widened'):
    assert got[f'top1{which}'] == 0.8
  assert got['gain'] == got['gain_over_width'] == 0


def test_width_alone_can_help_and_the_control_shows_it():
  train, test = (with_copy(*quarters(400, seed), 30) for seed in (0, 1))
  got = score(train, test, embed=embed_of(2, 30), num_classes=2)
  assert max(got[f'top1{which}'] for which in ('', '_h0', '_h1')) < 0.65
  assert got['top1_h0_widened'] > 0.9
  assert got['gain'] < 0.1 and got['gain_over_width_upper'] < -0.2


def test_widened_sources_are_as_wide_as_all_and_the_same_in_every_version():
  found = {'h0': np.array([[3, 4], [0, 0], [-1, 0]], np.float32)}
  got = fusion._widened('h0', [5, 6], (0, 1), found)
  assert got.shape == (3, 13) and got.dtype == np.float32
  np.testing.assert_allclose(got[:, :2], [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
  for part in (got[:, 2:7], got[:, 7:]):
    np.testing.assert_allclose(np.linalg.norm(part, axis=1), [1, 0, 1], rtol=1e-5)
    assert (part >= 0).all() and (part[0] == 0).any()
  weights = np.random.RandomState((0, 1)).standard_normal(10).reshape(2, 5)
  want = np.maximum([0.6, 0.8] @ weights, 0)
  np.testing.assert_allclose(got[0, 2:7], want / np.linalg.norm(want), rtol=1e-5)


@pytest.mark.parametrize('train, test, embed, told', [
    (halves(40, 0), halves(40, 1), lambda p, e, x: {'h': x}, 'there is h.'),
    (halves(40, 0), (halves(40, 1)[0], np.arange(40)), HALVES, 'from 0 to 39'),
    (halves(40, 0), ((np.eye(40, 9, dtype=np.float32),), np.arange(40) % 4),
     lambda p, e, x: {'h0': x[:, :3], 'h1': x[:, 3:]}, '4 wide.*6')])
def test_what_cannot_be_fused_is_an_error(train, test, embed, told):
  with pytest.raises(ValueError, match=told):
    score(train, test, embed=embed)


def test_settings_out_of_range_are_errors():
  with pytest.raises(ValueError, match='epochs is 0'):
    fusion.make(HALVES, train=[], test=[], **SETTINGS | dict(epochs=0))
