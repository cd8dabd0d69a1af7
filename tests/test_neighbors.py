import numpy as np
import pytest
from sklearn import neighbors as reference

from jaxssl import neighbors


# No two have the same k, so that none finds compiled what another has set.
@pytest.mark.parametrize('n, q, k, parts', [
    (5, 3, 5, 32), (100, 40, 7, 32), (101, 17, 33, 32), (97, 1, 1, 32),
    (100, 40, 6, 1)])  # Accelerators have one.
def test_against_scikit_learn_in_chunks(monkeypatch, n, q, k, parts):
  monkeypatch.setattr(neighbors, 'CPU_PARTS', parts)
  monkeypatch.setattr(neighbors, 'BANK_ROWS', 16)
  monkeypatch.setattr(neighbors, 'QUERY_ROWS', 8)
  rng = np.random.default_rng(n)
  bank, queries = (rng.standard_normal((m, 12)).astype(np.float32) for m in (n, q))
  search = reference.NearestNeighbors(
      n_neighbors=k, metric='cosine', algorithm='brute').fit(bank)
  distance, want = search.kneighbors(queries)
  similarity, got = neighbors.nearest(queries, bank, k=k)
  np.testing.assert_array_equal(got, want)
  np.testing.assert_allclose(similarity, 1 - distance, atol=1e-6)


def test_of_equal_rows_the_earlier_is_nearer(monkeypatch):
  monkeypatch.setattr(neighbors, 'BANK_ROWS', 4)
  bank = np.eye(3, dtype=np.float32)[np.arange(14) % 3]
  similarity, got = neighbors.nearest(2 * bank[:3], 5 * bank, k=6)
  np.testing.assert_array_equal(got[0], [0, 3, 6, 9, 12, 1])
  np.testing.assert_array_equal(got[1], [1, 4, 7, 10, 13, 0])
  np.testing.assert_allclose(similarity[1], [1, 1, 1, 1, 1, 0], atol=1e-6)


def test_a_row_of_zeros_is_similar_to_nothing():
  bank = np.array([[0, 0], [1, 0], [-1, 0]], np.float32)
  similarity, got = neighbors.nearest(np.array([[3, 0]], np.float32), bank, k=3)
  np.testing.assert_array_equal(got, [[1, 0, 2]])
  np.testing.assert_allclose(similarity, [[1, 0, -1]], atol=1e-6)


@pytest.mark.parametrize('k, width, message', [
    (0, 2, 'k is 0; with 3 examples'), (4, 2, 'k is 4.*from 1 to 3'),
    (1, 5, 'width: 5 of the queries, 2 of the bank')])
def test_what_cannot_be_searched_is_an_error(k, width, message):
  with pytest.raises(ValueError, match=message):
    neighbors.nearest(np.ones((2, width)), np.ones((3, 2)), k=k)
