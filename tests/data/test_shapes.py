import hashlib
import itertools
import tracemalloc

import numpy as np
import pytest
from sklearn import discriminant_analysis
from sklearn import neighbors

from jaxssl import plugins
from jaxssl.data.procedural import geometry as geo
from jaxssl.data.procedural import sheet
from jaxssl.data.sources import shapes

# SHA-256 of the first 36 images of 48 pixels of (train, seed 0). Whoever changes an
# image on purpose counts shapes.VERSION up and writes the new ones here.
GOLDEN = {
    'objects':
        '19ecefb94c08a3c020466f4acb32be5929779114f5af9c95696cafef04e6fdcf',
    'species':
        'ac6870afc6d592364734f629c1f1f4f806c4bb39a6687ec35fadc5bd8d09fe0f',
    'scenes':
        '5a6eb7bbef0f8da851c8bbffe391ee7ed392d1c198c7dcf93906eda8cf2c7ad2',
    'landcover':
        '71dc89a51da6f6f23326df239f32dde99e65fa9b6dc668c523cf748cca3b44da'}


def make(domain='species', split='train', num_examples=48, size=16, seed=0):
  return shapes.make(
      domain=domain, split=split, num_examples=num_examples, size=size, seed=seed)


def read(source, indices=None):
  return np.stack(source.read(
      range(source.num_examples) if indices is None else indices))


@pytest.mark.parametrize('domain', shapes.DOMAINS)
def test_images_are_the_same_on_every_machine(domain):
  images = read(make(domain, num_examples=36, size=48))
  assert hashlib.sha256(images.tobytes()).hexdigest() == GOLDEN[domain]


def test_hash_is_splitmix64():  # The first three outputs of the generator seeded 0.
  state = np.uint64([0, 0x9E3779B97F4A7C15, 0x3C6EF372FE94F82A])
  want = np.uint64([0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F])
  np.testing.assert_array_equal(sheet.splitmix64(state), want)


def test_numbers_are_uniform_and_independent():
  keys = sheet.splitmix64(np.arange(2000, dtype=np.uint64))
  page = sheet.Sheet(keys, 8)
  x = np.concatenate([page.lattice(1, 1)[:, 0] for _ in range(5)], axis=1)
  assert x.min() >= 0 and x.max() < 1
  counts = np.histogram(x, 20, (0, 1))[0]
  assert ((counts - 500)**2 / 500).sum() < 43.8  # 1 in 1,000 for chi squared of 19.
  correlation = np.corrcoef(x.T) - np.eye(5)
  assert abs(correlation).max() < 0.09           # Four standard deviations.
  np.testing.assert_array_equal(sheet.Sheet(keys, 8).lattice(1, 5)[:, 0], x)


@pytest.mark.parametrize('domain', shapes.DOMAINS)
@pytest.mark.parametrize('size', [16, 33])  # 33: no row begins where vectors do.
def test_an_image_is_a_function_of_its_index(domain, size):
  source = make(domain, size=size)
  images = read(source)
  assert images.shape == (48, size, size, 3) and images.dtype == np.uint8
  order = np.random.default_rng(0).permutation(48)
  np.testing.assert_array_equal(read(source, order), images[order])
  for i in 0, 7, 47:
    np.testing.assert_array_equal(source.read([i], short_side=8)[0], images[i])
  np.testing.assert_array_equal(read(source, [5, 9, 5]), images[[5, 9, 5]])
  more = make(domain, num_examples=500, size=size)
  np.testing.assert_array_equal(read(more, range(48)), images)
  np.testing.assert_array_equal(more.labels[:48], source.labels)
  assert source.read([]) == []


def test_size_is_only_the_resolution():
  small, large = make(size=32), make(size=96)
  np.testing.assert_array_equal(small.labels, large.labels)
  shrunk = read(large).reshape(48, 32, 3, 32, 3, 3).mean((2, 4))
  assert abs(shrunk - read(small)).mean() < 10  # Of 255; other images differ by 60.


def test_splits_seeds_and_domains_share_no_image():
  sources = [
      make(domain, split, num_examples=192, seed=seed) for domain in shapes.DOMAINS
      for split in ('train', 'test') for seed in (0, 1, 2**40)]
  images = np.concatenate([read(source) for source in sources])
  assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
  assert len({source.digest for source in sources}) == len(sources)
  assert make().digest == make().digest


@pytest.mark.parametrize('domain', shapes.DOMAINS)
def test_classes_are_balanced_and_shuffled(domain):
  source = make(domain, num_examples=10_007)
  assert source.labels.shape == (10_007,) and source.labels.dtype == np.int32
  counts = np.bincount(source.labels, minlength=source.num_classes)
  assert len(counts) == source.num_classes and counts.max() - counts.min() <= 1
  runs = source.labels[:100 * source.num_classes].reshape(100, -1)
  np.testing.assert_array_equal(
      np.sort(runs), np.tile(np.arange(source.num_classes), (100, 1)))
  assert len(np.unique(runs, axis=0)) == 100


@pytest.mark.parametrize('domain', shapes.DOMAINS)
def test_taxonomy_is_a_tree(domain):
  source = make(domain)
  levels = list(source.taxonomy.values())
  assert levels[-1] == source.class_names
  assert len(set(source.class_names)) == source.num_classes
  for coarse, fine in itertools.pairwise(levels):
    assert len(coarse) == len(fine) == source.num_classes
    assert len(set(zip(coarse, fine))) == len(set(fine)) > len(set(coarse)) > 1


def test_species_has_four_levels():
  taxonomy = make('species').taxonomy
  assert {level: len(set(names)) for level, names in taxonomy.items()} == {
      'kingdom': 2, 'family': 4, 'genus': 8, 'species': 16}


def raw_pixel_knn(domain, seed):
  """Top-1 of 20 cosine neighbours among 3,000 images, for 1,000 others."""
  train = make(domain, 'train', 3000, 32, seed)
  test = make(domain, 'test', 1000, 32, seed)
  pixels = [read(source).reshape(-1, 32 * 32 * 3) / 255 for source in (train, test)]
  knn = neighbors.KNeighborsClassifier(20, metric='cosine', weights='distance')
  return knn.fit(pixels[0], train.labels).score(pixels[1], test.labels)


@pytest.mark.parametrize('domain, seed, bound', [
    ('species', 0, 0.25), ('species', 1, 0.25), ('species', 2, 0.25),
    ('objects', 0, 0.35), ('scenes', 0, 0.42), ('landcover', 0, 0.25)])
def test_raw_pixels_tell_little(domain, seed, bound):
  assert raw_pixel_knn(domain, seed) < bound


def hues_lighter_and_darker(images):
  """Chroma of each of 16 hues in all pixels, and in those lighter than the mean."""
  x = images.reshape(len(images), -1, 3) / np.float32(255)
  lighter = x.mean(2) > x.mean((1, 2))[:, None]
  a, b = x[..., 0] - x[..., 1], (x[..., 0] + x[..., 1]) / 2 - x[..., 2]
  chroma, hue = np.hypot(a, b), np.floor(np.arctan2(b, a) / (2 * np.pi) * 16) % 16
  sums = [(chroma * (hue == h) * where).mean(1)
          for h in range(16) for where in (1, lighter)]
  return np.sqrt(np.stack(sums, axis=1))                          # [n, 32]


def test_the_right_features_tell_much():
  train = make('species', 'train', 2000, 32)
  test = make('species', 'test', 1000, 32)
  model = discriminant_analysis.LinearDiscriminantAnalysis()
  model.fit(hues_lighter_and_darker(read(train)), train.labels)
  assert model.score(hues_lighter_and_darker(read(test)), test.labels) > 0.65


@pytest.mark.parametrize('domain', shapes.DOMAINS)
def test_light_varies_within_every_class(domain):
  source = make(domain, num_examples=600)
  brightness = read(source).mean((1, 2, 3))
  for label in range(source.num_classes):
    low, high = np.percentile(brightness[source.labels == label], [10, 90])
    assert high - low > 40, source.class_names[label]


def test_large_requests_are_painted_in_chunks():
  source = make(num_examples=600, size=64)
  source.read([0])
  tracemalloc.start()
  images = source.read(range(600))
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < sum(image.nbytes for image in images) + 16 * 2**20


@pytest.mark.parametrize('wrong, message', [
    (dict(domain='birds'), "'birds'.*objects, species, scenes, landcover"),
    (dict(split='val'), "'val'.*train, test"),
    (dict(num_examples=0), 'num_examples.*0.*1 or more'),
    (dict(size=7), 'size.*7.*8 to 512'), (dict(size=513), 'size.*513.*8 to 512')])
def test_mistakes_are_explained(wrong, message):
  with pytest.raises(ValueError, match=message):
    make(**wrong)


@pytest.mark.parametrize('index', [-1, 48])
def test_an_index_out_of_range_is_refused(index):
  with pytest.raises(IndexError, match=f'No example {index} .* 0 to 47'):
    make().read([3, index])


def test_is_found_by_its_name():
  assert plugins.load('data.sources', 'shapes') is shapes
  assert 'species/test/5' in make(split='test').describe(5)


def test_waves_are_sines():
  t = np.linspace(-3, 3, 1001, dtype=np.float32)
  np.testing.assert_allclose(geo.sine(t), np.sin(2 * np.pi * t), atol=1.2e-3)
  cos, sin = geo.circle(t)
  np.testing.assert_allclose(cos**2 + sin**2, 1, rtol=1e-6)
  np.testing.assert_allclose(cos, np.cos(2 * np.pi * t), atol=1.2e-3)
  np.testing.assert_allclose(
      geo.triangle(t), 2 / np.pi * np.arcsin(np.cos(2 * np.pi * t)), atol=1e-5)


@pytest.mark.parametrize('lab, linear', [  # Pairs of Ottosson's page, as sRGB.
    ((0.62796, 0.22486, 0.12585), (1, 0, 0)),
    ((0.86644, -0.23389, 0.17950), (0, 1, 0)),
    ((0.45201, -0.03246, -0.31153), (0, 0, 1)), ((1, 0, 0), (1, 1, 1))])
def test_colours_are_oklab(lab, linear):
  lightness, a, b = lab
  got = geo.colour(
      lightness, np.hypot(a, b), np.float32(np.arctan2(b, a) / (2 * np.pi)))
  np.testing.assert_allclose(got**2, linear, atol=0.01)


def areas():
  """Shapes and how large they are."""
  u = (np.arange(400, dtype=np.float32) + 0.5) / 200 - 1
  u, v = u[None, None, :], u[None, :, None]
  corners = (-0.6, -0.5), (0.4, -0.7), (0.8, 0.3), (-0.2, 0.6)
  shoelace = 0.5 * sum(
      a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, corners[1:] + corners[:1]))
  half = np.arctan2(0.8, (0.64 - 0.09) / 0.6)    # Half the angle of a lens's arc.
  radius = (0.64 + 0.09) / 0.6
  return [
      (geo.disc(u, v, 0.6), np.pi * 0.36),
      (geo.ellipse(u, v, 0.8, 0.3), np.pi * 0.24),
      (geo.box(u, v, 0.7, 0.4), 4 * 0.28),
      (geo.box(u, v, 0.7, 0.4, 0.2), 4 * 0.28 - (4 - np.pi) * 0.04),
      (geo.stroke(u, v, (-0.3, -0.4), (0.3, 0.4), 0.2), 0.4 + np.pi * 0.04),
      (geo.polygon(u, v, *corners), shoelace),
      (geo.lens(u, v, 0.8, 0.3), radius**2 * (2 * half - np.sin(2 * half))),
      (geo.union(geo.disc(u - 0.4, v, 0.3), geo.disc(u + 0.4, v, 0.3)),
       np.pi * 0.18)]


@pytest.mark.parametrize('i', range(8))
@pytest.mark.parametrize('blur', [0.0, 0.05])
def test_shapes_cover_their_area(i, blur):
  distance, area = areas()[i]
  cover = sheet.Sheet(np.uint64([0]), 400).cover(distance, blur=blur)
  np.testing.assert_allclose(cover.mean() * 4, area, rtol=0.005 + 0.2 * blur)
