import numpy as np
import pytest
from sklearn import datasets

from jaxssl import classifiers
from jaxssl import plugins

GRID = dict(
    optimizer='nesterov', schedule='cosine', rates=(0.1, 1.0),
    decays=(0.0,), epochs=8, batch_size=128, seed=0, standardize=False)


def digits():
  x, labels = datasets.load_digits(return_X_y=True)
  x, labels = (x / 16).astype(np.float32), labels.astype(np.int32)
  return (x[:1200], labels[:1200]), (x[1200:], labels[1200:])


@pytest.mark.parametrize('by', [
    dict(name='knn', k=20, temperature=0.07),
    dict(name='knn', k=7, temperature=10.),
    dict(name='linear', **GRID)])
def test_what_is_right_is_what_the_protocols_count(by):
  train, test = digits()
  predicted = classifiers.make(by)(*train, test[0], 10)
  assert predicted.dtype == np.int32
  sets = {
      name: [{'image': x, 'label': labels, 'index': np.arange(len(x))}]
      for name, (x, labels) in (('train', train), ('test', test))}
  settings = {k: v for k, v in by.items() if k != 'name'}
  run = plugins.load('evals', by['name']).make(
      lambda params, extra, x: {'h': x}, num_classes=10, **sets, **settings)
  hits = (predicted == test[1]).mean()
  assert hits == pytest.approx(run({}, {})['top1'], abs=1e-9)


def test_plain_majority():
  bank = np.array([[1, 0], [1, 1], [1, 1]], np.float32)
  query = np.array([[1, 0.1]], np.float32)
  for temperature, want in ((0.05, 0), (0, 1)):
    classify = classifiers.knn(k=3, temperature=temperature)
    assert classify(bank, np.array([0, 1, 1]), query, 2) == [want]


def test_a_linear_classifier_that_diverges_is_an_error():
  (x, labels), (x_test, _) = digits()
  classify = classifiers.linear(**GRID | dict(rates=(1e36,)))
  with pytest.raises(ValueError, match='not finite'):
    classify(1e3 * x, labels, 1e3 * x_test, 10)


def test_widths_that_differ_are_an_error():
  (x, labels), (x_test, _) = digits()
  for by in (dict(name='knn', k=1, temperature=0.1), dict(name='linear', **GRID)):
    with pytest.raises(ValueError, match=r'64.* 60|60.* 64'):
      classifiers.make(by)(x, labels, x_test[:, :60], 10)


@pytest.mark.parametrize('by, message', [
    (dict(name='svm'), "'svm'; it can be knn or linear"),
    (dict(k=1), 'None; it can be knn or linear'),
    (dict(name='knn', k=1), 'lacks temperature'),
    (dict(name='knn', k=0, temperature=0.1), 'k=0'),
    (dict(name='knn', k=1, temperature=-1.), 'temperature=-1'),
    (dict(name='linear', **GRID, momentum=0.9), 'unknown momentum'),
    (dict(name='linear', **GRID | dict(rates=())), 'at least one of each'),
    (dict(name='linear', **GRID | dict(decays=(-1.0,))), 'decays of 0'),
    (dict(name='linear', **GRID | dict(epochs=0)), 'epochs is 0')])
def test_settings_that_do_not_fit_are_errors(by, message):
  with pytest.raises(ValueError, match=message):
    classifiers.make(by)
