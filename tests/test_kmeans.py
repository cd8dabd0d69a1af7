import itertools
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import cluster
from sklearn import metrics

from jaxssl import errors
from jaxssl import kmeans
from jaxssl import lloyd
from jaxssl import parallel
from jaxssl import preemption

N, D, K = 203, 6, 7  # Fill neither blocks nor devices.
both_metrics_and_inits = pytest.mark.parametrize(
    'metric, init', list(itertools.product(kmeans.METRICS, kmeans.INITS)))


SMALL = lloyd.Plan(rows=16, centroids=4, scatter=True)  # Several blocks of each.


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
  monkeypatch.setattr(lloyd, 'CPU', SMALL)


def some_devices(monkeypatch, count):
  devices = jax.devices()[:count]
  monkeypatch.setattr(parallel, 'devices', lambda: devices)


def rows(seed, n=N, d=D):
  return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def blobs(seed, apart=20):
  """[N, D] around K places in different directions, and whose they are."""
  rng = np.random.default_rng(seed)
  label = np.concatenate([np.arange(K), rng.integers(0, K, N - K)])
  places = apart * (np.eye(K, D) - (np.arange(K) == K - 1)[:, None])
  return np.float32(places[label] + rng.standard_normal((N, D))), label


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def slow_lloyd(x, centroids, metric, num_iters):
  """Lloyd's algorithm in loops and float64; no cluster may become empty."""
  x, centroids = x.astype(np.float64), centroids.astype(np.float64)
  if metric == 'spherical':
    x, centroids = unit(x), unit(centroids)
  for t in range(num_iters + 1):
    squares = np.array([[((row - c) ** 2).sum() for c in centroids] for row in x])
    index = squares.argmin(axis=1)
    if t == num_iters:
      return centroids, index, squares.min(axis=1)
    for i in range(len(centroids)):
      centroids[i] = x[index == i].mean(axis=0)
    if metric == 'spherical':
      centroids = unit(centroids)


@pytest.mark.parametrize('count, scatter', [(1, True), (4, True), (4, False)])
@pytest.mark.parametrize('metric', kmeans.METRICS)
def test_against_a_slow_lloyd_from_the_same_centroids(
    monkeypatch, metric, count, scatter):
  some_devices(monkeypatch, count)
  monkeypatch.setattr(lloyd, 'CPU', SMALL._replace(scatter=scatter))
  x = rows(0)
  want, index, squares = slow_lloyd(x, x[:K], metric, 5)
  got = kmeans.fit(jax.random.key(0), x, K, num_iters=5, metric=metric, init=x[:K])
  np.testing.assert_array_equal(got.assignments, index)
  np.testing.assert_allclose(got.centroids, want, atol=1e-5)
  np.testing.assert_allclose(got.prototypes, unit(want), atol=1e-5)
  np.testing.assert_allclose(got.inertia, squares.sum(), rtol=1e-5)
  np.testing.assert_array_equal(got.sizes, np.bincount(index, minlength=K))
  np.testing.assert_allclose(
      got.concentration, slow_concentration(np.sqrt(squares), index, K, 0.2, 10),
      rtol=1e-5)
  assert got.num_empty == 0


@pytest.mark.parametrize('seed', range(3))
def test_the_objective_is_that_of_scikit_learn_from_the_same_centroids(seed):
  x = rows(seed)
  ours = kmeans.fit(jax.random.key(0), x, K, init=x[:K]).inertia
  theirs = cluster.KMeans(K, init=x[:K], max_iter=20, tol=0).fit(x).inertia_
  assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize('init', kmeans.INITS)
def test_the_objective_is_that_of_scikit_learn(init):
  for seed in range(3):
    x = blobs(seed, apart=4)[0]
    ours = kmeans.fit(jax.random.key(seed), x, K, init=init, num_restarts=20)
    theirs = cluster.KMeans(
        K, init=init, n_init=20, max_iter=20, tol=0, random_state=seed).fit(x)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=5e-3)


def test_the_objective_is_that_of_faiss():
  faiss = pytest.importorskip('faiss')
  for seed in range(3):
    x = blobs(seed, apart=4)[0]
    ours = kmeans.fit(jax.random.key(seed), x, K, num_restarts=20).inertia
    theirs = faiss.Kmeans(D, K, niter=20, nredo=20, seed=seed)
    theirs.train(x)
    assert ours == pytest.approx(theirs.index.search(x, 1)[0].sum(), rel=5e-3)


@both_metrics_and_inits
def test_blobs_are_found(metric, init):
  x, label = blobs(1)
  got = kmeans.fit(
      jax.random.key(3), x, K, num_restarts=10, metric=metric, init=init)
  assert metrics.adjusted_rand_score(label, got.assignments) == 1.0


@pytest.mark.parametrize(
    'metric, init', [('euclidean', 'k-means++'), ('spherical', 'random')])
def test_the_number_of_devices_changes_nothing(monkeypatch, metric, init):
  found = []
  for count in (1, 2, 4):
    some_devices(monkeypatch, count)
    found.append(kmeans.fit(
        jax.random.key(5), rows(2), K, metric=metric, init=init, num_restarts=3,
        max_points_per_centroid=20 if init == 'random' else 1000))
  for other in found[1:]:
    np.testing.assert_array_equal(other.assignments, found[0].assignments)
    for a, b in zip(other, found[0]):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_key_gives_the_same_bits_and_another_key_others():
  a, b, c = (
      kmeans.fit(jax.random.key(seed), rows(0), K, num_restarts=1)
      for seed in (0, 0, 1))
  for one, two in zip(a, b):
    np.testing.assert_array_equal(one, two)
  assert (a.assignments != c.assignments).any()


def test_restarts_keep_the_best():
  for seed in range(3):
    one, ten = (
        kmeans.fit(jax.random.key(seed), rows(0), K, num_restarts=r).inertia
        for r in (1, 10))
    assert ten < one


def test_more_iterations_than_it_takes_change_nothing():
  x, _ = blobs(0)
  a, b = (
      kmeans.fit(jax.random.key(0), x, K, num_iters=i, init=x[:K])
      for i in (20, 90))
  np.testing.assert_array_equal(a.centroids, b.centroids)
  np.testing.assert_array_equal(
      a.centroids, kmeans.fit(
          jax.random.key(0), x, K, num_iters=1, init=a.centroids).centroids)


@pytest.mark.parametrize('count', [1, 4])
def test_plus_plus_draws_by_squared_distance(monkeypatch, count):
  some_devices(monkeypatch, count)
  x, uniform = rows(0), np.random.default_rng(1).random(K, np.float32)
  chosen = [x[3]]
  for u in uniform[1:]:
    squares = np.array([min(((row - c) ** 2).sum() for c in chosen) for row in x])
    ends = np.cumsum(squares.astype(np.float64))
    chosen.append(x[np.flatnonzero(ends > u * ends[-1])[0]])
  plus_plus = lloyd.functions('euclidean').plus_plus
  got = plus_plus(
      lloyd.split(lambda i, j: x[i:j], N, D), N, x[3], uniform)
  np.testing.assert_array_equal(got, chosen)


def test_plus_plus_draws_no_row_twice_until_all_are_drawn():
  x = np.repeat(np.eye(K, D, dtype=np.float32), N // K, axis=0)
  for seed in range(5):
    got = kmeans.fit(
        jax.random.key(seed), x, K, num_iters=1, num_restarts=1, init='k-means++')
    assert got.inertia == 0 and set(got.sizes) == {N // K}


def test_empty_clusters_are_split_from_the_largest():
  centroids, sizes = rows(0, 6), np.array([0, 5, 9, 0, 1, 7])
  got, count = lloyd.split_empty(jnp.asarray(centroids), sizes)
  want = centroids.copy()
  shift = 1 + np.array([1, -1, 1, -1, 1, -1]) / 1024
  want[0], want[2] = centroids[2] * shift, centroids[2] * (2 - shift)
  want[3], want[5] = centroids[5] * shift, centroids[5] * (2 - shift)
  np.testing.assert_allclose(got, want, rtol=1e-6)
  assert count == 2


def test_a_cluster_is_split_once_and_not_below_two_rows():
  centroids = rows(0, 4)
  got, count = lloyd.split_empty(
      jnp.asarray(centroids), np.array([0, 0, 2, 1]))
  assert count == 1
  np.testing.assert_array_equal(np.asarray(got)[[1, 3]], centroids[[1, 3]])


@pytest.mark.parametrize('metric', kmeans.METRICS)
def test_empty_clusters_are_filled_and_counted(metric):
  x = rows(0)
  start = x[:K].copy()
  start[2] = start[4] = start[1]  # Of equal centroids the first gets all rows.
  got = kmeans.fit(jax.random.key(0), x, K, metric=metric, init=start)
  assert got.num_empty >= 2 and got.sizes.min() > 0
  assert kmeans.fit(
      jax.random.key(0), x, K, metric=metric, init=x[:K]).num_empty == 0


def test_more_rows_than_the_most_are_only_assigned():
  x = rows(0)
  got = kmeans.fit(
      jax.random.key(0), x, K, max_points_per_centroid=1, num_iters=1)
  squares = np.square(x[:, None] - got.centroids).sum(axis=2)     # [n, k]
  # K rows for K clusters: the centroids are these rows.
  np.testing.assert_allclose(np.sort(squares.min(axis=0))[-1], 0, atol=1e-10)
  np.testing.assert_array_equal(got.assignments, squares.argmin(axis=1))
  np.testing.assert_allclose(got.inertia, squares.min(axis=1).sum(), rtol=1e-5)


def test_few_rows_are_worth_a_warning(caplog):
  kmeans.fit(jax.random.key(0), rows(0), K, num_iters=1, num_restarts=1)
  assert not caplog.records
  kmeans.fit(
      jax.random.key(0), rows(0), K, num_iters=1, num_restarts=1,
      min_points_per_centroid=30)
  assert '203 rows are few for 7 clusters; at least 210' in caplog.text


def test_neither_the_origin_nor_the_scale_matters():
  x = np.random.default_rng(0).integers(-50, 50, (N, D)).astype(np.float32)
  want = kmeans.fit(jax.random.key(0), x, K)
  # Differences that float32 products of such rows would lose.
  moved = kmeans.fit(jax.random.key(0), x + 2. ** 17, K)
  np.testing.assert_array_equal(moved.assignments, want.assignments)
  np.testing.assert_allclose(moved.inertia, want.inertia, rtol=1e-5)
  for power in (-100, 100):
    other = kmeans.fit(jax.random.key(0), x * 2. ** power, K)
    np.testing.assert_array_equal(other.assignments, want.assignments)
    np.testing.assert_array_equal(other.centroids, want.centroids * 2. ** power)
    np.testing.assert_array_equal(other.concentration, want.concentration)


def degenerate():
  x, zeros = rows(0), np.zeros((N, D))
  far = x.copy()
  far[5] = 1e30
  partly = x.copy()
  partly[::3] = 0
  return {
      'all equal': (zeros + 3, K), 'all zeros': (zeros, K), 'far': (far, K),
      'duplicates': (np.repeat(x[:5], 41, axis=0)[:N], K), 'zero rows': (partly, K),
      'k is n': (x[:K], K), 'one cluster': (x, 1)}


@pytest.mark.parametrize('name', list(degenerate()))
@both_metrics_and_inits
def test_degenerate_rows_give_finite_results(caplog, name, metric, init):
  x, k = degenerate()[name]
  got = kmeans.fit(
      jax.random.key(0), x, k, num_iters=3, num_restarts=2, metric=metric,
      init=init)
  assert got.sizes.sum() == len(x) and got.assignments.shape == (len(x),)
  assert all(np.isfinite(field).all() for field in got)
  assert got.concentration.min() > 0
  assert got.concentration.mean() == pytest.approx(0.2, rel=1e-5)
  length = np.linalg.norm(got.prototypes, axis=1)
  if name != 'all zeros':
    np.testing.assert_allclose(length, 1, rtol=1e-5)
  warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
  assert bool(warnings) == (
      name != 'one cluster' and (name, metric) != ('far', 'spherical'))
  if name in ('all equal', 'all zeros', 'duplicates', 'k is n'):
    # Not 0: two halves of a cluster of equal rows lie beside them.
    assert got.inertia < 1e-6 * np.square(x).sum() + 1e-12
  assert ('68 of 203 rows are zeros' in caplog.text) == (name == 'zero rows')
  if name == 'far' and metric == 'euclidean':
    assert got.sizes[got.assignments[5]] == 1


@pytest.mark.parametrize('change, message', [
    (dict(k=0), 'k is 0; with 203 rows .* from 1 to 203'),
    (dict(k=204), 'k is 204; with 203 rows'),
    (dict(x=np.zeros(5)), r'wants rows \[n, d\], not an array \[5\]'),
    (dict(num_iters=0), 'num_iters=0 and num_restarts=5'),
    (dict(num_restarts=0), 'num_iters=20 and num_restarts=0'),
    (dict(metric='cosine'), "'cosine'. There are: euclidean, spherical"),
    (dict(init='first'), "'first'. There are: random, k-means"),
    (dict(init=np.zeros((3, D))), r'\[3, 6\]; they must be \[7, 6\]')])
def test_mistakes_are_errors_of_one_line(change, message):
  given = dict(x=rows(0), k=K) | change
  with pytest.raises(ValueError, match=message) as error:
    kmeans.fit(jax.random.key(0), given.pop('x'), given.pop('k'), **given)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_are_not_finite_are_named(value):
  x = rows(0).astype(np.float64)
  x[[17, 160], 2] = value
  with pytest.raises(
      ValueError, match=r'^2 of 203 rows are not finite: 17, 160\.$'):
    kmeans.fit(jax.random.key(0), x, K)


def test_a_signal_ends_it_between_iterations():
  with preemption.listening() as notice:
    notice.requested = True
    with pytest.raises(errors.Preempted):
      kmeans.fit(jax.random.key(0), rows(0), K)


def slow_concentration(distances, assignments, k, temperature, alpha):
  phi = []
  for i in range(k):
    own = [float(s) for s, a in zip(distances, assignments) if a == i]
    phi.append(sum(own) / len(own) / np.log(len(own) + alpha) if own[1:] else None)
  most = max(p for p in phi if p is not None)
  phi = sorted_phi = [most if p is None else p for p in phi]
  sorted_phi = sorted(phi)

  def percentile(q):
    place = q / 100 * (k - 1)
    low = int(place)
    high = min(low + 1, k - 1)
    return sorted_phi[low] + (place - low) * (sorted_phi[high] - sorted_phi[low])

  phi = [min(max(p, percentile(10)), percentile(90)) for p in phi]
  mean = sum(phi) / k
  return [temperature * p / mean for p in phi]


def test_concentration_against_a_slow_one():
  rng = np.random.default_rng(0)
  for k, alpha in ((12, 10), (30, 1), (2, 10), (1, 10)):
    index = rng.integers(0, k, 60)
    index[index == 3] = 4  # Nobody's, and one of a single row.
    index[index == 5] = 6
    index[0] = min(5, k - 1)
    distances = rng.random(60)
    np.testing.assert_allclose(
        kmeans.concentration(distances, index, k, temperature=0.1, alpha=alpha),
        slow_concentration(distances, index, k, 0.1, alpha), rtol=1e-6)


def test_clusters_of_one_row_or_none_have_the_largest_concentration():
  index = np.repeat(np.arange(20), 5)
  index[95:] = 18  # 19 is empty.
  index[1:5] = 2   # 0 has one row.
  distances = np.random.default_rng(0).random(100)
  got = kmeans.concentration(distances, index, 22, temperature=0.5, alpha=10)
  assert got[0] == got[19] == got[20] == got[21] == got.max() > got.min()
  assert got.mean() == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    'index', [np.zeros(6, int), np.arange(6), np.arange(6) // 2])
def test_without_distance_the_concentration_is_the_temperature(index):
  got = kmeans.concentration(np.zeros(6), index, 8, temperature=0.3, alpha=10)
  np.testing.assert_allclose(got, np.full(8, 0.3), rtol=1e-6)


def test_no_concentration_is_zero():
  distances = np.repeat([0., 0, 0, 1], 5)  # Three clusters of equal rows.
  got = kmeans.concentration(
      distances, np.repeat(np.arange(4), 5), 4, temperature=0.2, alpha=10)
  assert got.min() > 1e-5 and got.mean() == pytest.approx(0.2, rel=1e-6)
