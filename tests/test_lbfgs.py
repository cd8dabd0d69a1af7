import numpy as np
import pytest
from sklearn import datasets
from sklearn import linear_model

from jaxssl import lbfgs
from jaxssl import preemption
from jaxssl import probes

DECAYS = np.array([1e-4, 1e-3, 1e-1])


def digits():
  x, labels = datasets.load_digits(return_X_y=True)
  return (x[:600] / 16).astype(np.float32), labels[:600].astype(np.int32)


def fit(x, labels, decays=DECAYS, *, on_all=None, held_out=None, iterations=500,
        standardize=False):
  _, scale = probes.standardization(x, standardize=standardize)
  return lbfgs.fit(
      x, labels, np.zeros(len(x), bool) if held_out is None else held_out, decays,
      np.ones(len(decays), bool) if on_all is None else np.array(on_all),
      num_classes=10, iterations=iterations, scale=scale)


def objective(weights, biases, decay, x, labels):
  logits = x.astype(np.float64) @ weights + biases
  logits -= logits.max(1, keepdims=True)
  losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(x)), labels]
  return losses.mean() + decay / 2 * (weights ** 2).sum()


def objective_of(heads, g, *args):
  weights, biases = (np.asarray(x, np.float64) for x in heads)
  return objective(weights[:, g], biases[g], *args)


def optimum(decay, x, labels):
  want = linear_model.LogisticRegression(
      C=1 / (decay * len(x)), tol=1e-7, max_iter=2000).fit(
          x.astype(np.float64), labels)
  return objective(want.coef_.T, want.intercept_, decay, x, labels)


@pytest.mark.parametrize('size', [0.3, 1., 3.])
def test_the_objective_is_that_of_scikit_learn_at_any_scale(size):
  x, labels = digits()
  x, decays = x * np.float32(size), DECAYS * size ** 2
  heads, stopped = fit(x, labels, decays)
  assert stopped.all() and heads.weights.shape == (64, 3, 10)
  for g, decay in enumerate(decays):
    want = optimum(decay, x, labels)
    got = objective_of(heads, g, decay, x, labels)
    assert want * (1 - 1e-4) < got < want * (1 + 1e-4)


def test_features_of_very_different_scales_get_to_the_optimum():
  x, labels = digits()
  x = x * np.geomspace(0.1, 10, 64, dtype=np.float32)
  heads, stopped = fit(x, labels, iterations=400)
  assert stopped.all()
  for g, decay in enumerate(DECAYS):
    want = linear_model.LogisticRegression(
        C=1 / (decay * len(x)), tol=1e-8, solver='newton-cholesky').fit(
            x.astype(np.float64), labels)
    want = objective(want.coef_.T, want.intercept_, decay, x, labels)
    assert objective_of(heads, g, decay, x, labels) == pytest.approx(want, rel=1e-4)


def test_features_whose_squares_overflow_are_an_error():
  x, labels = digits()
  with pytest.raises(ValueError, match='too large'):
    fit(x * np.float32(1e25), labels)


def test_held_out_examples_are_left_out_and_standardized_features_folded_back():
  x, labels = digits()
  held_out = np.arange(600) % 3 == 0
  heads, _ = fit(
      5 * x + 3, labels, on_all=[False, True, False], held_out=held_out,
      standardize=True)
  center, scale = probes.standardization(5 * x + 3, standardize=True)
  given = (5 * x + 3 - center) * scale
  weights = np.asarray(heads.weights, np.float64) / scale[:, None, None]
  biases = heads.biases + np.einsum('d,dgk->gk', center, heads.weights)
  for g, rows in enumerate((~held_out, np.ones(600, bool), ~held_out)):
    args = DECAYS[g], given[rows], labels[rows]
    want = optimum(*args)
    assert objective(weights[:, g], biases[g], *args) == pytest.approx(want, rel=1e-3)


def test_blocks_and_heads_beside_it_make_no_difference(monkeypatch):
  x, labels = digits()
  together, _ = fit(x, labels)
  monkeypatch.setattr(probes, 'LOGITS', 3 * 10 * 130)  # Blocks of 120 that overlap.
  blocks, _ = fit(x[:550], labels[:550])
  alone, _ = fit(x, labels, DECAYS[1:2])
  for heads, g, where in ((blocks, 1, x[:550]), (alone, 0, x)):
    args = DECAYS[1], where, labels[:len(where)]
    want = optimum(*args)
    assert objective_of(heads, g, *args) == pytest.approx(want, rel=1e-4)
  assert objective_of(together, 1, DECAYS[1], x, labels) == pytest.approx(
      objective_of(alone, 0, DECAYS[1], x, labels), rel=1e-6)


def test_a_head_that_has_no_time_to_stop_says_so():
  x, labels = digits()
  few, stopped = fit(x, labels, iterations=5)
  assert not stopped.any()
  start = np.log(10)
  for g, decay in enumerate(DECAYS):
    assert optimum(decay, x, labels) < objective_of(few, g, decay, x, labels) < start


def test_features_that_say_nothing_give_the_frequencies():
  labels = digits()[1] % 7
  heads, stopped = fit(np.zeros((600, 64), np.float32), labels)
  assert stopped.all() and not np.asarray(heads.weights).any()
  share = np.exp(heads.biases[0]) / np.exp(heads.biases[0]).sum()
  np.testing.assert_allclose(share, np.bincount(labels, minlength=10) / 600, atol=1e-3)


def test_a_signal_is_heeded_between_iterations(monkeypatch):
  x, labels = digits()
  heeded = []
  monkeypatch.setattr(preemption, 'heed', lambda: heeded.append(1))
  fit(x, labels, iterations=4)
  assert len(heeded) == 4
