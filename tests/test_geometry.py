import numpy as np
import pytest
from scipy.spatial import distance

from jaxssl import geometry


def normal(n, d, seed=0):
  return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def test_spread_is_one_on_an_even_sphere_and_zero_at_a_point():
  assert geometry.spread(normal(20_000, 64)) == pytest.approx(1, abs=0.01)
  circle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
  assert geometry.spread(
      np.stack([np.cos(circle), np.sin(circle)], 1)) == pytest.approx(1)
  assert geometry.spread(np.tile(normal(1, 64), (50, 1))) < 1e-7
  # Lengths do not count, only directions do.
  assert geometry.spread(np.arange(1, 9)[:, None] * normal(1, 64)) < 1e-6


def test_rankme_of_one_direction_and_of_orthonormal_ones():
  assert geometry.rankme(np.tile(normal(1, 64), (50, 1))) == pytest.approx(1)
  q, _ = np.linalg.qr(normal(40, 12))
  assert geometry.rankme(q) == pytest.approx(12, rel=1e-6)
  assert geometry.rankme(q.T) == pytest.approx(12, rel=1e-6)  # Wider than long.
  assert geometry.rankme(np.repeat(q, 3, 0) * 7) == pytest.approx(12, rel=1e-6)
  assert geometry.rankme(np.zeros((5, 4), np.float32)) == 0


@pytest.mark.parametrize('shape', [(200, 30), (30, 200)])
def test_rankme_against_the_singular_values(shape):
  x = normal(*shape) * np.geomspace(1, 1e-3, shape[1])
  values = np.linalg.svd(x.astype(np.float64), compute_uv=False)
  p = values / values.sum()
  want = np.exp(-(p * np.log(p)).sum())
  assert geometry.rankme(x) == pytest.approx(want, rel=1e-6)


def test_alignment_in_closed_form():
  x = normal(100, 8)
  assert geometry.alignment(x, 3 * x) == pytest.approx(0, abs=1e-12)
  assert geometry.alignment(x, -x) == pytest.approx(4)
  q, _ = np.linalg.qr(normal(8, 8))
  assert geometry.alignment(q[:4], q[4:]) == pytest.approx(2)  # Right angles.


def test_uniformity_against_all_pairs_and_in_closed_form():
  x = normal(1100, 8)
  unit = x / np.linalg.norm(x, axis=1, keepdims=True)
  want = np.log(np.exp(-2 * distance.pdist(unit.astype(np.float64)) ** 2).mean())
  assert geometry.uniformity(x) == pytest.approx(want, rel=1e-6)
  assert geometry.uniformity(np.tile(x[:1], (9, 1))) == pytest.approx(0, abs=1e-9)
  assert geometry.uniformity(np.array([[1., 0], [-3, 0]])) == pytest.approx(-8)
  with pytest.raises(ValueError, match='two examples'):
    geometry.uniformity(x[:1])


def test_large_sets_are_sampled_evenly(monkeypatch):
  monkeypatch.setattr(geometry, 'ROWS', 3)
  monkeypatch.setattr(geometry, 'UNIFORMITY_ROWS', 3)
  x = np.repeat(np.eye(3), 100, axis=0)
  assert geometry.rankme(x) == pytest.approx(3)
  assert geometry.spread(x) == pytest.approx(np.sqrt(2 / 3))
  assert geometry.uniformity(x) == pytest.approx(-4)


@pytest.mark.parametrize('h, z, begins', [
    ((0.7, 60.), (0.9, 40.), 'Healthy: h has spread 0.7'),
    ((0.7, 60.), (0.005, 40.), 'Collapsed, z nearly one'),
    ((0.005, 1.), (0.005, 1.), 'Collapsed, h and z nearly one'),
    ((0.7, 1.05), None, 'Collapsed, h nearly one'),
    ((0.1, 60.), (0.9, 40.), 'Partly collapsed, h much alike'),
    ((0.7, 60.), (0.9, 4.), 'Partly collapsed, z much alike')])
def test_the_verdict_is_one_sentence(h, z, begins):
  metrics = {'spread_h': h[0], 'rankme_h': h[1], 'dims_h': 512, 'uniformity_z': -2.}
  if z:
    metrics |= {'spread_z': z[0], 'rankme_z': z[1], 'dims_z': 128}
  said = geometry.verdict(metrics)
  assert said.startswith(begins) and said.endswith('.') and '\n' not in said
