import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import features
from jaxssl import parallel

W = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)


class Batches:
  """Examples with the given ids, in batches; counts how often it is read."""

  def __init__(self, ids, rows, labels=True, image=None, **more):
    self.ids, self.rows = np.asarray(ids), rows
    self.labels, self.more = labels, more
    self.image = np.stack([example(i) for i in ids]) if image is None else image
    self.reads = 0

  def __iter__(self):
    self.reads += 1
    for i in range(0, len(self.ids), self.rows):
      some = slice(i, i + self.rows)
      ids = self.ids[some].astype(np.int32)
      batch = {'image': self.image[some], 'index': ids}
      if self.labels:
        batch['label'] = ids % 7
      yield batch | {k: x[some] for k, x in self.more.items()}


def example(i):
  return np.array([i, i ** 2 % 11, 1], np.float32)


def make_embed():
  """A linear map to h and a unit z, and the list of shapes it was traced for."""
  traced = []

  def embed(params, extra, x):
    traced.append(x.shape)
    h = x @ params['w'] + extra
    return {'h': h, 'z': h / jnp.linalg.norm(h, axis=1, keepdims=True)}
  return embed, traced


@pytest.fixture(params=[1, 2, 4])
def devices(request, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:request.param])


@pytest.mark.parametrize('n, size', [(37, 10), (40, 8), (3, 64), (13, 1)])
def test_every_example_once_in_order_on_any_number_of_devices(devices, n, size):
  embed, _ = make_embed()
  ids = np.random.default_rng(1).permutation(100)[:n]
  found = features.outputs(embed, {'w': W}, 0.5, Batches(ids, size))
  want = np.stack([example(i) @ W + 0.5 for i in ids])
  np.testing.assert_allclose(found.features['h'], want, rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(found.index, ids)
  np.testing.assert_array_equal(found.labels, ids % 7)
  z, labels = features.extract(embed, {'w': W}, 0.5, Batches(ids, size), 'z')
  np.testing.assert_allclose(
      z, want / np.linalg.norm(want, axis=1, keepdims=True), rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(labels, ids % 7)


def test_one_compilation_for_short_batches_other_sets_and_other_parameters():
  embed, traced = make_embed()
  for n, w in ((37, W), (40, 2 * W), (7, W)):
    features.extract(embed, {'w': w}, 0., Batches(range(n), 10), 'h')
  assert len(traced) == 1


def test_plain_features_pass_through_as_float32():
  x = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float16)
  got, labels = features.extract(
      lambda params, extra, x: {'h': x}, {}, {},
      Batches(range(9), 4, labels=False, image=x), 'h')
  assert got.dtype == np.float32 and labels is None
  np.testing.assert_array_equal(got, x)


@pytest.mark.parametrize('batches, message', [
    (Batches([4, 5, 6, 5], 2), '1 of 4 examples are there more than once.*id 5'),
    (Batches([], 2, image=np.zeros((0, 3), np.float32)), 'no examples'),
    (Batches([1, 2, 3], 2, image=np.float32([[1] * 3, [1] * 3, [1, np.nan, 1]])),
     'example 3 is not finite'),
    ([*Batches([1], 1), *Batches([2], 1, labels=False)],
     '1 of 2 batches have labels'),
    ([{'image': np.zeros((2, 3), np.float32), 'index': np.arange(3)}],
     '2 images and 3 ids'),
    ([{'image': np.zeros((0, 3), np.float32), 'index': np.arange(0)}],
     '0 images and 0 ids')])
def test_broken_batches_are_errors(batches, message):
  embed, _ = make_embed()
  with pytest.raises(ValueError, match=message):
    features.extract(embed, {'w': W}, 0., batches, 'h')


def test_a_missing_example_is_an_error_where_the_number_is_known():
  embed, _ = make_embed()
  batches = Batches(range(5), 2)
  batches.num_examples = 6
  with pytest.raises(ValueError, match='5 examples where 6 should be'):
    features.extract(embed, {'w': W}, 0., batches, 'h')


def test_an_unknown_feature_is_an_error_that_lists_what_there_is():
  embed, _ = make_embed()
  with pytest.raises(ValueError, match=r"no feature 'y'. It gives: h, z"):
    features.extract(embed, {'w': W}, 0., Batches(range(5), 2), 'y')


def test_evaluators_share_an_extraction():
  embed, _ = make_embed()
  params, extra, train = {'w': jnp.asarray(W)}, jnp.zeros(()), Batches(range(9), 4)
  with features.shared():
    h, _ = features.extract(embed, params, extra, train, 'h')
    with features.shared():
      features.extract(embed, params, extra, train, 'z')
    again, _ = features.extract(embed, dict(params), extra, train, 'h')
    assert train.reads == 1 and again is h
    with pytest.raises(ValueError):
      h[0] = 0  # It is shared.
    other, _ = features.extract(embed, {'w': jnp.asarray(2 * W)}, extra, train, 'h')
    assert train.reads == 2
    np.testing.assert_allclose(other, 2 * h, rtol=1e-6)
    features.extract(embed, params, extra, Batches(range(9), 4), 'h')
    features.extract(embed, params, extra, train, 'h')
    assert train.reads == 2
  features.extract(embed, params, extra, train, 'h')
  assert train.reads == 3


def test_a_layer_inside_the_projector_is_extracted_where_it_is_asked_for():
  def embed(params, extra, x):
    h = x @ params['w']
    return {'h': h, 'z1': 2 * h, 'z2': 3 * h, 'z': -h}
  params, batches = {'w': jnp.asarray(W)}, Batches(range(9), 4)
  h = features.outputs(embed, params, {}, batches)
  assert list(h.features) == ['h', 'z']
  with features.shared():
    z1, labels = features.extract(embed, params, {}, batches, 'z1')
    assert batches.reads == 2
    np.testing.assert_allclose(z1, 2 * h.features['h'])
    np.testing.assert_array_equal(labels, h.labels)
    # It is there for all that follow, and whoever did not ask for it does not see it.
    kept = features.outputs(embed, params, {}, batches)
    assert list(kept.features) == ['h', 'z'] and batches.reads == 2
    assert features.extract(embed, params, {}, batches, 'z1')[0] is z1
    assert batches.reads == 2
    found = features.outputs(embed, params, {}, batches, feature='z2')
    assert set(found.features) == {'h', 'z', 'z2'} and batches.reads == 3
    with pytest.raises(ValueError, match="no feature 'z3'"):
      features.extract(embed, params, {}, batches, 'z3')


def test_what_is_shared_is_bounded_and_generators_are_never_kept():
  embed, _ = make_embed()
  params, extra = {'w': jnp.asarray(W)}, jnp.zeros(())
  a, b, c = (Batches(range(4), 2) for _ in range(3))
  with features.shared(most=2):
    for batches in (a, b, iter(b), iter(b), c, b, a):
      features.extract(embed, params, extra, batches, 'h')
  assert (a.reads, b.reads, c.reads) == (2, 3, 1)


def canvases(n, size=6):
  rng = np.random.default_rng(2)
  image = rng.integers(0, 256, (n, size, size, 3), np.uint8)
  sizes = rng.integers(2, size + 1, (n, 2)).astype(np.int32)
  return image, sizes


def embed_mean(params, extra, images):
  return {'h': images.mean((1, 2)) * params}


def test_with_view_sees_the_image_on_its_canvas():
  image, sizes = canvases(11)

  def middle(images, sizes):
    row, column = sizes[:, 0] // 2, sizes[:, 1] // 2
    pixel = images[jnp.arange(len(images)), row, column]
    return jnp.broadcast_to(pixel[:, None, None] / 255., (len(images), 2, 2, 3))

  batches = Batches(range(11), 4, image=image, size=sizes)
  got, _ = features.extract(
      features.with_view(embed_mean, middle), jnp.float32(2), {}, batches, 'h')
  want = [im[h // 2, w // 2] / 255. * 2 for im, (h, w) in zip(image, sizes)]
  np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_random_view_is_a_function_of_seed_epoch_and_id():
  image, sizes = canvases(11)

  def pixel(rng, image, size):
    row, column = jax.random.randint(rng, (2,), 0, size)
    return image[row, column][None, None]

  embeds = {
      seed: features.with_random_view(embed_mean, pixel, seed=seed)
      for seed in (3, 4)}

  def get(seed, epoch, ids, rows):
    batches = Batches(ids, rows, image=image[ids], size=sizes[ids])
    return features.extract(
        embeds[seed], jnp.float32(1), {}, features.in_epoch(batches, epoch), 'h')[0]

  ids = np.arange(11)
  got = get(3, 5, ids, 4)
  for i, x in enumerate(got):
    rng = jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(3), 5), i)
    row, column = jax.random.randint(rng, (2,), 0, sizes[i])
    np.testing.assert_allclose(x, image[i, row, column] / 255, rtol=1e-6)
  np.testing.assert_array_equal(get(3, 5, ids[::-1], 8)[::-1], got)
  assert (get(3, 6, ids, 4) != got).any() and (get(4, 5, ids, 4) != got).any()
