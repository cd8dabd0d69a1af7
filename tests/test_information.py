import numpy as np
import pytest
from scipy import integrate
from scipy import stats
from sklearn import feature_selection
from sklearn import metrics

from jaxssl import information


def test_entropy_against_scipy():
  labels = np.repeat([3, 0, 7], [5, 2, 1])
  assert information.entropy(labels) == pytest.approx(stats.entropy([5, 2, 1]))
  assert information.entropy(np.zeros(4, int)) == 0


@pytest.mark.parametrize('table, plug_in, cells', [
    ([[3, 0], [0, 3]], np.log(2), 2),
    ([[2, 2], [2, 2]], 0., 4),
    ([[1, 1, 0], [0, 0, 2]], np.log(2), 3),
    # 3/8 log(3/2) twice and 1/8 log(1/2) twice.
    ([[3, 1], [1, 3]], 0.75 * np.log(1.5) + 0.25 * np.log(0.5), 4)])
def test_discrete_tables_with_known_values(table, plug_in, cells):
  table = np.array(table)
  x, y = (np.repeat(v, table.ravel()) for v in map(np.ravel, np.indices(table.shape)))
  bias = (cells - table.shape[0] - table.shape[1] + 1) / (2 * len(x))
  assert information.discrete(x, y) == pytest.approx((plug_in, plug_in - bias))
  assert information.discrete(y, x) == pytest.approx((plug_in, plug_in - bias))


def test_discrete_against_scikit_learn_and_the_correction_of_independent_values():
  rng = np.random.default_rng(0)
  plain, corrected = np.mean([
      information.discrete(rng.integers(0, 10, 1000), rng.integers(0, 8, 1000))
      for _ in range(30)], axis=0)
  assert plain > 0.025  # The truth is 0, and 63 degrees of freedom over 2n 0.0315.
  assert abs(corrected) < 0.003
  x = rng.integers(0, 30, 500)
  y = (x * rng.integers(0, 2, 500)) % 7
  assert information.discrete(x, y)[0] == pytest.approx(metrics.mutual_info_score(x, y))


def test_ross_of_two_classes_far_apart_is_their_entropy():
  rng = np.random.default_rng(0)
  labels = np.arange(2000) % 2
  for d in (1, 5):
    x = rng.standard_normal((2000, d)) + 100 * labels[:, None]
    assert information.ross(x, labels, k=3) == pytest.approx(np.log(2), abs=1e-3)
    x = rng.standard_normal((2000, d))
    assert information.ross(x, labels, k=3) == pytest.approx(0, abs=0.02)


def mixture(distance):
  """I(x; y) of two equal classes of unit Gaussians, by quadrature."""
  def integrand(x):
    here, there = stats.norm.pdf(x), stats.norm.pdf(x, distance)
    return here * np.log(2 * here / (here + there)) if here else 0.
  return integrate.quad(integrand, -12, 12 + distance)[0]


@pytest.mark.parametrize('d', [1, 3])
@pytest.mark.parametrize('distance', [1, 2])
def test_ross_of_classes_that_overlap(d, distance):
  rng = np.random.default_rng(d)
  labels = np.arange(3000) % 2
  x = rng.standard_normal((3000, d)) + distance * labels[:, None] / np.sqrt(d)
  assert information.ross(x, labels, k=3) == pytest.approx(mixture(distance), abs=0.03)


@pytest.mark.parametrize('k', [1, 3, 10])
def test_ross_against_scikit_learn_in_one_dimension(k, monkeypatch):
  monkeypatch.setattr(information, 'CELLS', 7 * 400)  # Many blocks.
  rng = np.random.default_rng(0)
  labels = np.repeat([0, 1, 2, 3, 9], [200, 150, 45, 4, 1])  # One alone in its class.
  x = rng.standard_normal(400) + labels % 3
  order = rng.permutation(400)
  want = feature_selection.mutual_info_classif(
      x[order, None], labels[order], n_neighbors=k, random_state=0)
  got = information.ross(x[order, None], labels[order], k=k)
  assert got == pytest.approx(max(0, want[0]), abs=1e-6) and got > 0.1


def test_ross_against_loops():
  rng = np.random.default_rng(3)
  x, labels = rng.standard_normal((60, 3)), rng.integers(0, 3, 60)

  def psi(n):
    return -np.euler_gamma + sum(1 / i for i in range(1, n))

  total = 0.
  for i in range(60):
    apart = [np.sqrt(((x[i] - other) ** 2).sum()) for other in x]
    own = sorted(a for j, a in enumerate(apart) if labels[j] == labels[i] and j != i)
    within = sum(a <= own[3] for j, a in enumerate(apart) if j != i)
    total += psi(60) - psi(sum(labels == labels[i])) + psi(4) - psi(within)
  assert information.ross(x, labels, k=4) == pytest.approx(total / 60)


def test_ross_of_features_that_repeat():
  labels = np.arange(300) % 3
  assert information.ross(np.ones((300, 4)), labels, k=3) == pytest.approx(0, abs=0.01)
  places = np.eye(3)[labels]
  assert information.ross(places, labels, k=3) == pytest.approx(np.log(3), abs=0.01)


@pytest.mark.parametrize('rho', [0., 0.5, 0.9])
def test_kraskov_of_a_gaussian_pair(rho):
  rng = np.random.default_rng(1)
  x, noise = rng.standard_normal((2, 3000, 1))
  y = rho * x + np.sqrt(1 - rho ** 2) * noise
  got = information.kraskov(x, y, k=3)
  assert got == pytest.approx(-np.log(1 - rho ** 2) / 2, abs=0.03)


def test_kraskov_in_two_dimensions_and_against_scikit_learn(monkeypatch):
  rng = np.random.default_rng(0)
  x, noise = rng.standard_normal((2, 3000, 2))
  y = 0.6 * x + 0.8 * noise  # Two independent pairs: twice the information of one.
  assert information.kraskov(x, y, k=3) == pytest.approx(-np.log(0.64), abs=0.04)
  monkeypatch.setattr(information, 'CELLS', 7 * 500)
  x, y = (v[:500, :1] / v[:500, :1].std() for v in (x, y))
  want = feature_selection.mutual_info_regression(
      x, y[:, 0], n_neighbors=5, random_state=0)
  assert information.kraskov(x, y, k=5) == pytest.approx(want[0], abs=1e-6)


def test_principal_components_against_a_singular_value_decomposition():
  x = np.random.default_rng(0).standard_normal((5000, 6)).astype(np.float32)
  x = x * np.float32([1, 5, 2, 0.1, 3, 4]) + np.float32(7)
  u, s, _ = np.linalg.svd(x - x.mean(0, dtype=np.float64), full_matrices=False)
  got = information.principal(x, 3)
  signs = np.sign((got * u[:, :3]).sum(0))
  assert got.dtype == np.float32
  np.testing.assert_allclose(got * signs, (u * s)[:, :3], atol=1e-4)
  assert information.principal(x, 0) is x


def test_principal_components_keep_what_the_labels_are_in():
  rng = np.random.default_rng(0)
  labels = np.arange(1000) % 2
  x = rng.standard_normal((1000, 200)).astype(np.float32)
  x[:, 5] += 20 * labels
  reduced = information.ross(information.principal(x, 2), labels, k=3)
  assert reduced == pytest.approx(np.log(2), abs=2e-3)


@pytest.mark.parametrize('call, message', [
    (lambda: information.ross(np.eye(3), np.arange(3), k=3), '3 examples is the only'),
    (lambda: information.ross(np.eye(3), np.zeros(3, int), k=0), 'k is 0'),
    (lambda: information.kraskov(np.eye(3), np.eye(3), k=3), 'one less'),
    (lambda: information.kraskov(np.eye(3), np.eye(4), k=1), 'x has 3 rows, y has 4'),
    (lambda: information.principal(np.eye(3), 4), 'dims is 4; features 3 wide'),
    (lambda: information.principal(np.eye(3), -1), 'dims is -1')])
def test_what_cannot_be_estimated_is_an_error(call, message):
  with pytest.raises(ValueError, match=message):
    call()
