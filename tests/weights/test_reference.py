"""The NumPy network against TensorFlow's layers, and ours against it."""

import jax
import made_weights
import numpy as np
import pytest

from jaxssl import weights
from jaxssl.weights import names
from jaxssl.weights import parity
from jaxssl.weights import reference

PREPROCESSING = dict(
    size=33, fraction=1.0, interpolation='bilinear', mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.3, 0.4))


def normal(*shape, seed=0):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('n', [7, 8, 9, 12])
@pytest.mark.parametrize('k, stride', [(7, 2), (3, 2), (3, 1), (1, 2)])
def test_same_is_what_tensorflow_means_by_it(n, k, stride):
  tf = pytest.importorskip('tensorflow')
  x, kernel = normal(2, n, n + 1, 3), normal(k, k, 3, 4, seed=1)
  want = tf.nn.conv2d(x, kernel, stride, 'SAME').numpy()
  seen = reference.windows(np.float64(x), k, stride, 'same', 0.0)
  got = np.einsum('bijcrs,rscd->bijd', seen, kernel)
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
  want = tf.nn.max_pool2d(x, 3, 2, 'SAME').numpy()
  got = reference.windows(np.float64(x), 3, 2, 'same', -np.inf).max((4, 5))
  np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('size', [32, 33])
@pytest.mark.parametrize('changes', [
    dict(padding='symmetric'), dict(padding='same_pool'), dict(padding='same'),
    dict(stem='cifar', padding='same')], ids=str)
def test_our_features_are_those_of_the_reference(changes, size):
  check(changes, size)


@pytest.mark.parametrize('changes', [dict(padding='same'), dict(version='v1')], ids=str)
def test_bottlenecks_are_those_of_the_reference(changes):
  check(dict(depth=50, width=0.0625, **changes), 33)


def check(changes, size):
  card = {
      'model': made_weights.model(**changes),
      'preprocessing': {**PREPROCESSING, 'size': size}}
  made = made_weights.variables(card['model'])
  images = np.random.default_rng(1).random((2, size, size, 3)).astype(np.float32)
  got = jax.jit(weights.forward(card))(made, images)
  want = reference.features(
      names.to_state(made), parity.standardized(images, card),
      **{k: card['model'][k] for k in ('padding', 'version')})
  absolute, relative = parity.differences(got, want)
  assert np.ptp(want) > 0.1 and relative < 1e-5, (absolute, relative)


def test_the_paddings_differ_and_the_report_says_so():
  """Weights of one padding, read as another, are an error and not a small number."""
  card = {'model': made_weights.model(), 'preprocessing': PREPROCESSING}
  made = made_weights.variables(card['model'])
  state = names.to_state(made)
  real = np.random.default_rng(2).random((4, 33, 33, 3)).astype(np.float32)
  found = parity.report(weights.forward(card), made, card, state, real)
  by_numpy = [c for c in found['comparisons'] if c['against'] == 'numpy']
  assert [(c['images'], c['number']) for c in by_numpy] == [('random', 4), ('real', 4)]
  assert found['largest_relative'] < 1e-5
  odd = {**card, 'preprocessing': {**PREPROCESSING, 'size': 32}}
  same = {**odd, 'model': made_weights.model(padding='same')}
  with pytest.raises(ValueError, match='Nothing was written'):
    parity.report(weights.forward(same), made, odd, state, 'none here')


def test_without_torch_the_report_says_what_was_not_compared(monkeypatch):
  monkeypatch.setattr(parity.importlib.util, 'find_spec', lambda name: None)
  card = {'model': made_weights.model(), 'preprocessing': PREPROCESSING}
  made = made_weights.variables(card['model'])
  found = parity.report(
      weights.forward(card), made, card, names.to_state(made), 'no images here')
  assert [c.get('skipped') for c in found['comparisons']] == [
      None, 'not compared: torch is not installed', 'no images here']
  assert 'padding' in parity.torchvision(made_weights.model(padding='same'), {}, None)


def test_a_torchvision_that_fails_is_told(monkeypatch, tmp_path):
  program = tmp_path / 'fails.py'
  program.write_text('raise SystemExit("no such luck")')
  monkeypatch.setattr(parity, 'PROGRAM', program)
  monkeypatch.setattr(parity.importlib.util, 'find_spec', lambda name: True)
  assert parity.torchvision(made_weights.MODEL, {}, np.zeros((1, 8, 8, 3))) == (
      'not compared: torchvision ended with 1, no such luck')


def test_differences_are_relative_to_an_images_largest_feature():
  absolute, relative = parity.differences(
      np.array([[1.0, 0.1], [100.0, 0.0]]), np.array([[1.0, 0.0], [100.0, 1.0]]))
  assert absolute == 1.0 and relative == pytest.approx(0.1)
