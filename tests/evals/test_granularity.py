import json

import jax
import numpy as np
import pytest

from jaxssl import parallel
from jaxssl.evals import granularity

KNN = dict(name='knn', k=1, temperature=0.1)
LINEAR = dict(
    name='linear', optimizer='nesterov', schedule='cosine', rates=(10.0,),
    decays=(0.0,), epochs=30, batch_size=64, seed=0, standardize=False)
# Six classes; the moss has no family.
LIFE = {
    'kingdom': ('animals', 'animals', 'animals', 'animals', 'plants', 'plants'),
    'family': ('cats', 'cats', 'dogs', 'worms', 'grasses', ''),
    'species': ('lynx', 'lion', 'wolf', 'earthworm', 'rye', 'moss')}
# (class, what it is taken for), and so often; all the planted encoder's doing.
PLANTED = [
    (0, 0, 6), (0, 1, 3), (0, 2, 2), (0, 4, 1), (1, 1, 5), (1, 5, 2), (2, 2, 4),
    (2, 1, 1), (3, 3, 2), (3, 0, 4), (4, 4, 7), (4, 5, 1), (5, 5, 3), (5, 4, 2)]


def embed(params, extra, x):
  return {'h': x}


def batches(x, labels=None, size=16):
  rows = np.arange(len(x))
  return [
      {'image': np.asarray(x[part], np.float32), 'index': part}
      | ({} if labels is None else {'label': labels[part]})
      for part in np.split(rows, range(size, len(rows), size))]


def planted():
  """An encoder that sees one class as another, as often as planned."""
  truth, seen = np.repeat(
      [(t, p) for t, p, _ in PLANTED], [m for *_, m in PLANTED], axis=0).T
  # Of unequal numbers in training, so that there is a most frequent class.
  labels = np.repeat(range(6), [20, 10, 10, 10, 40, 10])
  return (np.eye(6)[labels], labels), (np.eye(6)[seen], truth), seen


def score(train, test, *, taxonomy=LIFE, by=KNN, per_level=True, num_classes=6):
  return granularity.make(
      embed, train=batches(*train), test=batches(*test), num_classes=num_classes,
      taxonomy=taxonomy, by=by, per_level=per_level)({}, {})


@pytest.mark.parametrize('by', [KNN, LINEAR])
def test_planted_mistakes_count_at_the_levels_that_they_cross(by):
  train, test, _ = planted()
  got = score(train, test, by=by, per_level=False)
  assert got == {
      # Three cats are taken for another cat, one rye for moss, which has no family,
      # and three cats for plants.
      'top1': 27 / 43, 'top1_species': 27 / 43,
      'top1_family': (6 + 3 + 5 + 4 + 2 + 7) / 38, 'top1_kingdom': 40 / 43,
      'num_species': 43, 'num_family': 38, 'num_kingdom': 43,
      'num_classes_species': 6, 'num_classes_family': 4, 'num_classes_kingdom': 2,
      # The most frequent in training: rye; grasses; and, with as many examples as
      # the plants, the animals.
      'chance_species': 8 / 43, 'chance_family': 8 / 38, 'chance_kingdom': 30 / 43,
      # Three within a family, seven within animals, three within plants (rye has a
      # family, so height 2), three across the root.
      'mistake_height': (3 * 1 + 7 * 2 + 3 * 2 + 3 * 3) / 16}


def test_a_classifier_of_each_level_against_a_nearest_neighbour():
  rng = np.random.default_rng(0)
  labels, truth = np.arange(60) % 6, np.arange(90) % 6
  means = rng.standard_normal((6, 5))
  x, x_test = (
      means[c] + 0.8 * rng.standard_normal((len(c), 5)) for c in (labels, truth))
  got = score((x, labels), (x_test, truth))
  for level, names in LIFE.items():
    bank, asked = (
        [i for i, c in enumerate(classes) if names[c]]
        for classes in (labels, truth))
    hits = 0
    for i in asked:
      cosine = [x[j] @ x_test[i] / np.linalg.norm(x[j]) for j in bank]
      hits += names[labels[bank[np.argmax(cosine)]]] == names[truth[i]]
    assert got[f'top1_{level}_trained'] == hits / len(asked)
  assert got['top1_species_trained'] == got['top1']
  # Without the moss that it may be taken for, a family is easier to know.
  assert got['top1_family_trained'] > got['top1_family']


def test_a_linear_classifier_knows_a_coarse_level_where_the_fine_one_is_hidden():
  rng = np.random.default_rng(0)
  labels, truth = rng.integers(0, 4, (2, 400))
  tree = {'side': ('left', 'left', 'right', 'right'), 'class': tuple('abcd')}
  x, x_test = (
      np.stack([c // 2 - 0.5, rng.standard_normal(400)], 1)
      for c in (labels, truth))
  got = score(
      (x, labels), (x_test, truth), taxonomy=tree, by=LINEAR, num_classes=4)
  assert got['top1_side_trained'] == got['top1_side'] == 1
  assert 0.35 < got['top1'] < 0.65  # Its two classes cannot be told apart.
  assert got['mistake_height'] == 1


def test_nothing_wrong_and_a_level_of_one_node():
  x, labels = np.eye(3).repeat(4, axis=0), np.arange(3).repeat(4)
  tree = {'all': ('thing',) * 3, 'class': ('a', 'b', 'c')}
  got = score((x, labels), (x, labels), taxonomy=tree, num_classes=3)
  assert np.isnan(got.pop('mistake_height'))
  assert {v for k, v in got.items() if k.startswith('top1')} == {1.0}
  assert got['num_classes_all'] == 1 and got['chance_all'] == 1


def test_a_taxonomy_from_a_file(tmp_path):
  path = tmp_path / 'tree.json'
  path.write_text(json.dumps(LIFE))
  train, test, _ = planted()
  assert score(train, test, taxonomy=str(path)) == score(train, test)
  with pytest.raises(ValueError, match=r'other\.json'):
    score(train, test, taxonomy=str(tmp_path / 'other.json'))


@pytest.mark.parametrize('num_devices', [1, 2])
def test_any_number_of_devices_gives_the_same(num_devices, monkeypatch):
  train, test, _ = planted()
  on_four = score(train, test)
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  assert score(train, test) == on_four


def without(examples, c):
  x, labels = examples
  return x[labels != c], labels[labels != c]


@pytest.mark.parametrize('change, message', [
    (dict(taxonomy=None), 'have no taxonomy'),
    (dict(taxonomy={'species': ('a', 'b')}), '2 names for 6 classes'),
    (dict(taxonomy={**LIFE, 'family': ('',) * 5 + ('mosses',)}),
     "No training example has an ancestor at level 'family'"),
    (dict(train=(np.eye(6), None)), 'training set has no labels'),
    (dict(test=(np.eye(6), None)), 'test set has no labels'),
    (dict(test=(np.eye(6), np.arange(1, 7))), 'from 1 to 6'),
    (dict(by=dict(name='tree')), "by.name is 'tree'")])
def test_what_cannot_be_scored_is_an_error(change, message):
  train, test, _ = planted()
  with pytest.raises(ValueError, match=message):
    score(**{'train': without(train, 5), 'test': test, **change})


def test_a_level_that_no_test_example_has_is_an_error():
  train, test, _ = planted()
  only = {**LIFE, 'family': ('',) * 5 + ('mosses',)}
  with pytest.raises(ValueError, match=r"No test example .* 'family'"):
    score(train, without(test, 5), taxonomy=only)
