import warnings

import jax
import numpy as np
import pytest
from sklearn import datasets
from sklearn import metrics
from sklearn import svm as reference

from jaxssl import paired
from jaxssl import parallel
from jaxssl.evals import svm

SETTINGS = dict(
    class_names=None, cost=0.5, positive_weight=2.0, tol=1e-4, max_iter=2000,
    difficult='negative', full=True, shots=(), num_draws=2, seed=0)


def embed(params, extra, x):
  return {'h': x}


def batches(x, labels=None):
  batch = {'image': np.asarray(x, np.float32), 'index': np.arange(len(x))}
  return [batch if labels is None else {**batch, 'label': labels}]


def score(train, test, num_classes, **settings):
  return svm.make(
      embed, train=batches(*train), test=batches(*test), num_classes=num_classes,
      **SETTINGS | settings)({}, {})


def voc():
  """Features of 300 images with three classes; a tenth of the labels difficult."""
  rng = np.random.default_rng(0)
  labels = np.where(rng.random((300, 3)) < 0.3, 1, -1)
  x = labels @ rng.standard_normal((3, 8)) + 2 * rng.standard_normal((300, 8))
  labels[rng.random((300, 3)) < 0.1] = 0
  x, labels = (5 * x).astype(np.float32), labels.astype(np.int32)
  return (x[:160], labels[:160]), (x[160:], labels[160:])


def digits():
  x, labels = datasets.load_digits(return_X_y=True)
  return (x[:600], labels[:600]), (x[1200:], labels[1200:])


def scaled(x):
  x = np.asarray(x, np.float64)
  return np.array([row / (np.sqrt((row**2).sum()) + 1e-5) for row in x])


def interpolated(scores, positive):
  precision, recall, _ = metrics.precision_recall_curve(positive, scores)
  highest = np.maximum.accumulate(precision[:-1])
  eleven = [highest[recall[:-1] >= t / 10 - 1e-9].max() for t in range(11)]
  return -np.diff(recall) @ highest, np.mean(eleven)


@pytest.mark.parametrize('difficult', ['negative', 'ignore'])
def test_several_labels_against_scikit_learn(difficult):
  (x, labels), (x_test, truth) = voc()
  got = score((x, labels), (x_test, truth), 3, difficult=difficult)
  want = []
  for c in range(3):
    rows, asked = (
        part[:, c] != 0 if difficult == 'ignore' else np.ones(len(part), bool)
        for part in (labels, truth))
    machine = reference.LinearSVC(
        C=0.5, class_weight={1: 2, -1: 1}, dual=True, tol=1e-4, max_iter=2000,
        random_state=0)
    machine.fit(scaled(x)[rows], np.where(labels[rows, c] == 1, 1, -1))
    want.append(interpolated(
        machine.decision_function(scaled(x_test)[asked]), truth[asked, c] == 1))
  area, eleven = np.transpose(want)
  np.testing.assert_allclose(got['ap'], area, rtol=1e-9)
  np.testing.assert_allclose(got['ap_11'], eleven, rtol=1e-9)
  assert got['map'] == pytest.approx(area.mean())
  assert got['map_11'] == pytest.approx(eleven.mean())
  counted = truth != 0 if difficult == 'ignore' else np.ones_like(truth)
  assert got['chance_map'] == pytest.approx(
      np.mean((truth == 1).sum(0) / counted.sum(0)))
  assert got['chance_map'] + 0.2 < got['map'] < 1
  assert (got['num_fits'], got['num_unconverged']) == (3, 0)
  assert all(
      type(v) in (float, int) for k, v in got.items()
      if not (k.startswith('ap') or k.endswith('_interval')))


def test_zeros_and_ones_are_as_good_as_minus_ones():
  (x, labels), (x_test, truth) = voc()
  plain = score((x, labels == 1), (x_test, (truth == 1).astype(float)), 3)
  np.testing.assert_equal(plain, score((x, labels), (x_test, truth), 3))


@pytest.mark.parametrize('num_classes', [2, 4, 10])
def test_one_label_against_scikit_learn(num_classes):
  train, test = (
      (x[labels < num_classes], labels[labels < num_classes])
      for x, labels in digits())
  machine = reference.LinearSVC(C=0.5, dual=True, random_state=0, max_iter=2000)
  machine.fit(scaled(train[0]), train[1])
  got = score(train, test, num_classes)
  assert got['top1'] == machine.score(scaled(test[0]), test[1]) > 0.85
  assert ('top5' in got) == (num_classes > 5)
  assert got['num_fits'] == 1 and 'map' not in got


def fits_of(monkeypatch, x, run):
  """(rows of x, targets) of each fit while `run` runs."""
  fits, place = [], {row.tobytes(): i for i, row in enumerate(x)}
  fit = reference.LinearSVC.fit

  def recorded(machine, given, target):
    assert len(given) == len(target)
    fits.append(([place[row.tobytes()] for row in given], np.array(target)))
    return fit(machine, given, target)
  monkeypatch.setattr(reference.LinearSVC, 'fit', recorded)
  return run(), fits


def test_few_images_with_several_labels(monkeypatch):
  (x, labels), test = voc()
  shots = (1, 4, 8)
  got, fits = fits_of(
      monkeypatch, svm._scaled(x),
      lambda: score((x, labels), test, 3, full=False, shots=shots, num_draws=3))
  assert len(fits) == got['num_fits'] == 3 * 3 * 3
  drawn = {}
  for number, (rows, target) in enumerate(fits):
    (i, draw), c = divmod(number // 3, 3), number % 3
    k = shots[i]
    assert len(rows) == 3 * k  # Every class is fitted on what was drawn for all.
    np.testing.assert_array_equal(target, np.where(labels[rows, c] == 1, 1, -1))
    own = rows[c * k:(c + 1) * k]
    assert len(set(own)) == k and (labels[own, c] == 1).all()
    drawn[k, draw, c] = set(own)
  for c in range(3):
    assert all(drawn[1, d, c] < drawn[4, d, c] < drawn[8, d, c] for d in range(3))
    assert len({frozenset(drawn[8, d, c]) for d in range(3)}) == 3
  for k in shots:
    maps = []
    for draw in range(3):
      rows = fits[shots.index(k) * 9 + draw * 3][0]
      maps.append(score((x[rows], labels[rows]), test, 3)['map'])
    assert got[f'map_k{k}_mean'] == pytest.approx(np.mean(maps))
    assert got[f'map_k{k}_std'] == pytest.approx(np.std(maps, ddof=1))
  assert not {'map', 'ap', 'ap_k1_mean'} & got.keys()
  assert 'map_11_k8_std' in got


def test_few_images_with_one_label(monkeypatch):
  (x, labels), test = digits()
  got, fits = fits_of(
      monkeypatch, svm._scaled(x.astype(np.float32)),
      lambda: score((x, labels), test, 10, shots=(1, 16), num_draws=2))
  assert [len(rows) for rows, _ in fits] == [600, 10, 10, 160, 160]
  for rows, target in fits[1:]:
    np.testing.assert_array_equal(target, np.repeat(range(10), len(rows) // 10))
    np.testing.assert_array_equal(labels[rows], target)
    assert len(set(rows)) == len(rows)
  assert 0.1 == got['chance_top1'] < got['top1_k1_mean']
  assert got['top1_k1_mean'] < got['top1_k16_mean'] < got['top1']
  assert got['top1_k1_mean'] < got['top5_k1_mean']


def test_intervals_against_a_plain_bootstrap_and_the_standard_error():
  (x, labels), (x_test, truth) = voc()
  got = score((x, labels), (x_test, truth), 3, shots=(4,), num_draws=2)
  plain = score((x, labels), (x_test, truth), 3)
  np.testing.assert_equal({name: got[name] for name in plain if name != 'num_fits'}, {
      name: value for name, value in plain.items() if name != 'num_fits'})
  rng, draws = np.random.default_rng(5), []
  features = scaled(x_test)
  machines = [
      reference.LinearSVC(
          C=0.5, class_weight={1: 2, -1: 1}, max_iter=2000, random_state=0).fit(
              scaled(x), np.where(labels[:, c] == 1, 1, -1)) for c in range(3)]
  values = np.stack([m.decision_function(features) for m in machines], axis=1)
  for _ in range(150):
    rows = rng.integers(140, size=140)
    draws.append(np.mean([
        interpolated(values[rows, c], truth[rows, c] == 1)[0] for c in range(3)]))
  low, high = got['map_interval']
  assert (high - low) / 2 == pytest.approx(1.96 * np.std(draws), rel=0.25)
  assert (low + high) / 2 == pytest.approx(got['map'])
  low, high = got['map_11_k4_mean_interval']
  assert low < got['map_11_k4_mean'] < high
  # Of accuracies with all examples there is a closed form; see `results`.
  train, test = digits()
  got = score(train, test, 10, shots=(1,), num_draws=2)
  assert 'top1_interval' not in got
  low, high = got['top1_k1_mean_interval']
  most = 2 * 1.96 * np.sqrt(got['top1_k1_mean'] * (1 - got['top1_k1_mean']) / 597)
  assert 0.5 * most < high - low < 1.2 * most
  digest, correct = paired.recorded({'metrics': got, 'num_examples': {'test': 597}})
  assert correct.mean() == got['top1'] and digest


def test_the_seed_decides_the_draws():
  train, test = digits()
  settings = dict(full=False, shots=(1,), num_draws=3)
  one, again, other = (
      score(train, test, 10, seed=seed, **settings) for seed in (0, 0, 1))
  np.testing.assert_equal(one, again)
  assert one['top1_k1_mean'] != other['top1_k1_mean']


def test_features_that_are_the_labels_are_never_wrong():
  rng = np.random.default_rng(0)
  classes = rng.permutation(np.arange(80) % 4)
  x, truth = np.eye(4), np.arange(4)
  got = score((x[classes], classes), (x, truth), 4, shots=(1,))
  assert got['top1'] == got['top1_k1_mean'] == 1 and got['top1_k1_std'] == 0
  labels = np.where(rng.random((80, 3)) < 0.4, 1, -1)
  got = score((labels, labels), (labels, labels), 3, shots=(2,))
  assert got['map'] == got['map_11'] == 1


def test_a_class_that_all_examples_drawn_have_is_not_fitted():
  labels = np.array([[1, 1]] * 9 + [[1, -1]])
  truth = np.array([[1, 1]] * 8 + [[1, -1], [-1, 1]])
  got = score((labels, labels), (truth, truth), 2, full=False, shots=(9,))
  assert got['num_fits'] == 2  # Of two classes, in two draws.
  # Equal scores have the share of positives, nine tenths; the other class is clear.
  assert got['map_k9_mean'] == pytest.approx((0.9 + 1) / 2)


def test_fits_that_do_not_converge_are_counted_and_not_printed():
  train, test = voc()
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    got = score(train, test, 3, max_iter=1, shots=(4,))
  assert (got['num_fits'], got['num_unconverged']) == (9, 9)


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, monkeypatch):
  train, test = voc()
  on_four = score(train, test, 3, shots=(1, 2))
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  np.testing.assert_equal(score(train, test, 3, shots=(1, 2)), on_four)


ONE, SEVERAL = np.arange(9) % 3, np.where(np.eye(3), 1, -1).repeat(3, axis=0)


@pytest.mark.parametrize('train, test, settings, message', [
    ((np.eye(9), None), (np.eye(9), ONE), {}, 'training set has no labels'),
    ((np.eye(9), SEVERAL), (np.eye(9), None), {}, 'test set has no labels'),
    ((np.eye(9), ONE), (np.eye(9), ONE + 1), {}, 'from 1 to 3'),
    ((np.eye(9), SEVERAL), (np.eye(9), ONE), {}, r'has labels of shape \(9,'),
    ((np.eye(9), SEVERAL[:, :2]), (np.eye(9), SEVERAL), {}, r'should be \[n, 3\]'),
    ((np.eye(9), 2 * SEVERAL), (np.eye(9), SEVERAL), {}, 'the label 2'),
    ((np.eye(9), ONE), (np.eye(9)[:, :5], ONE), {}, '9 wide, test features 5'),
    ((np.eye(9), ONE // 2), (np.eye(9), ONE), {},
     r'Class 2 \(cat\) has 0 training examples'),
    ((np.eye(9), SEVERAL), (np.eye(9)[:6], SEVERAL[:6]), {},
     r'Class 2 \(cat\) has 0 test examples'),
    ((np.eye(9), ONE), (np.eye(9), ONE), dict(shots=(1, 4)),
     r'Class 0 \(ant\) has 3 training examples; it needs 4'),
    ((np.eye(9), abs(SEVERAL)), (np.eye(9), SEVERAL), {},
     r'Class 0 \(ant\) has 0 negative training examples'),
    ((np.eye(9), SEVERAL.clip(0)), (np.eye(9), SEVERAL), dict(difficult='ignore'),
     r'Class 0 \(ant\) has 0 negative training examples')])
def test_what_cannot_be_scored_is_an_error(train, test, settings, message):
  with pytest.raises(ValueError, match=message):
    score(train, test, 3, class_names=('ant', 'bee', 'cat'), **settings)


@pytest.mark.parametrize('setting', [
    dict(cost=0), dict(positive_weight=-1.0), dict(tol=float('nan')),
    dict(max_iter=0), dict(seed=-1), dict(difficult='positive'), dict(shots=(0, 1)),
    dict(full=False), dict(num_draws=1, shots=(1,))])
def test_settings_out_of_range_are_errors(setting):
  wrong = 'shots' if 'full' in setting else next(iter(setting))
  with pytest.raises(ValueError, match=f'^{wrong} is .*; it must be'):
    svm.make(
        embed, train=[], test=[], num_classes=3, **SETTINGS | setting)
