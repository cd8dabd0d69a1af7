import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import features
from jaxssl import geometry
from jaxssl.evals import health


def batches(images, size):
  class Batches:
    def __iter__(self):
      for i in range(0, len(images), size):
        rows = np.arange(i, min(i + size, len(images)), dtype=np.int32)
        sizes = np.full((len(rows), 2), 4)
        yield {'image': images[rows], 'index': rows, 'size': sizes}
  return Batches()


def embed(params, extra, images):
  h = images.reshape(len(images), -1) @ params
  return {'h': h, 'z': h[:, :5] / jnp.linalg.norm(h[:, :5], axis=1, keepdims=True)}


def center(images, sizes):
  return images[:, 1:3, 1:3] / 255.


def brighter(rng, image, size):
  return image[1:3, 1:3] + jax.random.uniform(rng)


IMAGES = np.random.default_rng(0).integers(0, 256, (90, 4, 4, 3), np.uint8)
PARAMS = np.random.default_rng(1).standard_normal((12, 8)).astype(np.float32)


def test_numbers_are_those_of_the_features():
  embed_center = features.with_view(embed, center)
  embed_random = features.with_random_view(embed, brighter, seed=0)
  got = health.make(
      embed_center, test=batches(IMAGES, 32), views=(embed_random, embed_random))(
          PARAMS, {})
  h = (IMAGES[:, 1:3, 1:3].reshape(90, 12) / 255) @ PARAMS
  z = h[:, :5]
  # Random views of all images in epochs 0 and 1: one number is added to an image.
  za, zb = (
      (z + np.array([
          jax.random.uniform(jax.random.fold_in(
              jax.random.fold_in(jax.random.PRNGKey(0), epoch), i))
          for i in range(90)])[:, None] * PARAMS.sum(0)[:5])
      for epoch in (0, 1))
  want = {
      'spread_h': geometry.spread(h), 'rankme_h': geometry.rankme(h), 'dims_h': 8,
      'spread_z': geometry.spread(z),
      'rankme_z': geometry.rankme(z / np.linalg.norm(z, axis=1, keepdims=True)),
      'dims_z': 5, 'uniformity_z': geometry.uniformity(z),
      'alignment_z': geometry.alignment(za, zb)}
  assert got == pytest.approx(want, rel=1e-4)
  assert got['alignment_z'] > 0.01  # One embed given twice is still two views.
  assert all(type(x) in (float, int) for x in got.values())
  assert geometry.verdict(got).startswith('Healthy')


def test_without_projector_and_views():
  def only_h(params, extra, images):
    return {'h': embed(params, extra, images)['h']}
  got = health.make(features.with_view(only_h, center), test=batches(IMAGES, 32))(
      PARAMS, {})
  assert sorted(got) == ['dims_h', 'rankme_h', 'spread_h', 'uniformity_h']


def test_collapse_is_seen():
  got = health.make(features.with_view(embed, center), test=batches(
      np.repeat(IMAGES[:1], 40, 0), 32))(PARAMS, {})
  assert got['spread_h'] == pytest.approx(0, abs=1e-6)
  assert got['rankme_z'] == pytest.approx(1, abs=1e-6)
  assert got['uniformity_z'] == pytest.approx(0, abs=1e-6)
  assert geometry.verdict(got).startswith('Collapsed, h and z')


def test_a_number_of_views_other_than_two_is_an_error():
  with pytest.raises(ValueError, match='two views; there are 1'):
    health.make(embed, test=[], views=(embed,))
