"""Nested draws, and what is left when some examples are taken out."""

import itertools

import numpy as np
import pytest

from jaxssl import files
from jaxssl.data import building
from jaxssl.data import Source
from jaxssl.data import subsets


def numbers(n):
  """A source whose image i is filled with i."""
  return Source(
      n, read=lambda ids, short_side=None: [np.full((2, 2, 3), i) for i in ids],
      describe=lambda i: f'image {i}', digest=f'numbers {n}', class_names=('a', 'b'),
      labels=np.arange(n, dtype=np.int32) % 2)


def contents(source):
  return [int(x[0, 0, 0]) for x in source.read(range(source.num_examples))]


@pytest.mark.parametrize('seed', [0, 1])
def test_smaller_subsets_are_within_larger_ones(seed):
  source = numbers(100)
  drawn = [set(contents(subsets.take(source, n, seed=seed))) for n in (5, 20, 90)]
  assert [len(d) for d in drawn] == [5, 20, 90]
  assert drawn[0] < drawn[1] < drawn[2]


def test_a_draw_depends_on_its_seed_alone():
  a, b, c = (
      subsets.take(numbers(100), 20, seed=seed) for seed in (0, 0, 1))
  assert contents(a) == contents(b) != contents(c)
  assert a.digest == b.digest != c.digest


def test_draws_are_uniform():
  counts = np.zeros(10)
  for seed in range(400):
    counts[contents(subsets.take(numbers(10), 3, seed=seed))] += 1
  assert abs(counts - 120).max() < 4 * np.sqrt(120 * 0.7)


def test_ids_labels_and_names_go_together():
  part = subsets.take(numbers(50), 10)
  for i, content in enumerate(contents(part)):
    assert part.describe(i) == f'image {content}'
    assert part.labels[i] == content % 2
  assert contents(part) == sorted(contents(part))


@pytest.mark.parametrize('n', [0, 50, 60])
def test_taking_all_is_the_source_itself(n):
  source = numbers(50)
  assert subsets.take(source, n) is source


def test_without_names():
  source = numbers(6)
  assert subsets.without(source, set()) is source
  assert subsets.without(source, {'elsewhere'}) is source
  part = subsets.without(source, {'image 0', 'image 4'})
  assert contents(part) == [1, 2, 3, 5]
  assert part.labels.tolist() == [1, 0, 1, 1]


def test_the_labelled_part():
  source = numbers(6)
  assert subsets.labelled(source) is source
  assert subsets.labelled(source._replace(labels=None)).num_examples == 6
  some = source._replace(labels=np.array([1, -1, 0, -1, -1, 1], np.int32))
  part = subsets.labelled(some)
  assert contents(part) == [0, 2, 5] and part.labels.tolist() == [1, 0, 1]
  several = source._replace(labels=-np.ones((6, 2), np.int8))
  assert subsets.labelled(several) is several


# Subsets of a study.


def drawn(source, n, *, draw='uniform', purpose='pretraining', seed=0, manifest=''):
  return subsets.draw(
      source, num_examples=n, draw=draw, purpose=purpose, seed=seed,
      manifest=str(manifest))


def uneven(*counts):
  """A source with so many examples of each class, shuffled."""
  labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
  labels = np.random.default_rng(0).permutation(labels)
  return numbers(len(labels))._replace(
      labels=labels, class_names=tuple(map(str, range(len(counts)))))


@pytest.mark.parametrize('draw', ['uniform', 'balanced'])
@pytest.mark.parametrize('purpose', ['pretraining', 'labels'])
def test_subsets_nest(draw, purpose):
  source = uneven(60, 30, 9, 1)
  sizes = (5, 12, 25, 50, 99, 100)
  found = [set(contents(drawn(source, n, draw=draw, purpose=purpose))) for n in sizes]
  assert [len(f) for f in found] == list(sizes)
  assert all(a < b for a, b in itertools.pairwise(found))


def test_subsets_are_what_they_were():
  # Golden: a study's subsets must be the same in any version of anything.
  assert contents(drawn(numbers(50), 6)) == [25, 28, 31, 40, 41, 49]
  assert contents(drawn(numbers(50), 6, purpose='labels')) == [
      1, 7, 11, 24, 33, 35]
  assert contents(drawn(numbers(50), 6, draw='balanced', seed=3)) == [
      1, 21, 29, 30, 34, 42]
  assert drawn(numbers(50), 6).digest[:16] == '901d7d26f43d2e01'


def test_uniform_subsets_are_uniform():
  counts, pairs = np.zeros(10), np.zeros((10, 10))
  for seed in range(400):
    ids = contents(drawn(numbers(10), 3, seed=seed))
    counts[ids] += 1
    pairs[np.ix_(ids, ids)] += 1
  assert abs(counts - 120).max() < 4 * np.sqrt(120 * 0.7)
  pairs = pairs[~np.eye(10, dtype=bool)]  # Each pair: 400 * 3/10 * 2/9.
  assert abs(pairs - 400 / 15).max() < 4.5 * np.sqrt(400 / 15)


def test_draws_for_two_purposes_are_independent():
  # The overlap of two independent draws of n/2 is hypergeometric around n/4.
  n = 4000
  a, b = (
      set(contents(drawn(numbers(n), n // 2, purpose=p)))
      for p in ('pretraining', 'labels'))
  assert abs(len(a & b) - n / 4) < 5 * np.sqrt(n) / 4
  epochs = np.random.Generator(np.random.Philox(key=0, counter=[0, 0, 0, 0]))
  assert a != set(epochs.permutation(n)[:n // 2].tolist())


def test_balanced_subsets_have_as_many_of_each_class_as_there_are():
  source = uneven(60, 30, 9, 1)
  for n, want in [(4, [1, 1, 1, 1]), (10, [3, 3, 3, 1]), (28, [9, 9, 9, 1]),
                  (50, [20, 20, 9, 1]), (90, [50, 30, 9, 1])]:
    labels = drawn(source, n, draw='balanced').labels
    counts = np.bincount(labels, minlength=4)
    assert counts.sum() == n and abs(counts - want).max() <= 1
  some = source._replace(labels=np.where(source.labels == 0, -1, source.labels))
  assert 0 not in drawn(some, 40, draw='balanced').labels
  with pytest.raises(ValueError, match='there are 40 images to draw from'):
    drawn(some, 41, draw='balanced')


def test_a_manifest_gives_the_same_subset_again(tmp_path):
  source = uneven(30, 20, 3)._replace(
      describe=lambda i: f'/data/set/{i % 3}/{i}.png')
  part = drawn(source, 9, draw='balanced', seed=5, purpose='labels')
  subsets.write(tmp_path / 'm.json', part)
  found = files.read_json(tmp_path / 'm.json')
  assert found['ids'] == contents(part) and found['digest'] == part.digest
  assert found['folder'] == '/data/set'
  assert found['names'] == [f'{i % 3}/{i}.png' for i in contents(part)]
  assert (found['classes_present'], found['num_classes']) == (3, 3)
  assert (found['draw'], found['purpose'], found['seed']) == ('balanced', 'labels', 5)
  for n in (0, 9):
    again = drawn(source, n, manifest=tmp_path / 'm.json')
    assert contents(again) == contents(part) and again.digest == part.digest
    assert again.labels.tolist() == part.labels.tolist()
  assert again.subset(False)['file'].endswith('m.json')
  with pytest.raises(ValueError, match=r'num_examples is 8; .* has 9'):
    drawn(source, 8, manifest=tmp_path / 'm.json')
  with pytest.raises(ValueError, match='is a part of other data'):
    drawn(source._replace(digest='other'), 9, manifest=tmp_path / 'm.json')
  for change in ({'ids': found['ids'][::-1]}, {'ids': [*found['ids'], 999]},
                 {'ids': found['ids'][1:]}, {'ids': []}, {'ids': [[1]]}):
    files.write_json(tmp_path / 'bad.json', {**found, **change})
    with pytest.raises(ValueError, match='is damaged'):
      drawn(source, 0, manifest=tmp_path / 'bad.json')
  files.write_json(tmp_path / 'bad.json', {'ids': ['x']})
  with pytest.raises(ValueError, match='is no manifest'):
    drawn(source, 0, manifest=tmp_path / 'bad.json')
  with pytest.raises(ValueError, match='There is no manifest'):
    drawn(source, 0, manifest=tmp_path / 'gone.json')


def test_what_a_subset_cannot_be():
  source = numbers(50)
  assert drawn(source, 0) is source
  assert drawn(source, 50).num_examples == 50
  for settings, message in [
      (dict(draw='best'), "draw is 'best' .* uniform, balanced"),
      (dict(purpose='test'), "purpose 'test'.*pretraining, labels")]:
    with pytest.raises(ValueError, match=message):
      drawn(source, 5, **settings)
  with pytest.raises(ValueError, match='is 51; there are 50 images'):
    drawn(source, 51)
  with pytest.raises(ValueError, match='is -1; give 0 or more'):
    drawn(source, -1)
  with pytest.raises(ValueError, match="'balanced', which needs one class"):
    drawn(source._replace(labels=np.zeros((50, 3), np.int8)), 5, draw='balanced')
  with pytest.raises(ValueError, match='Only a source that a subset was drawn from'):
    subsets.write('unused.json', source)


def test_classes_present_of_several_labels():
  labels = np.zeros((50, 3), np.int8)
  labels[:, 1] = 1
  source = numbers(50)._replace(labels=labels, class_names=('a', 'b', 'c'))
  assert drawn(source, 5).subset(False)['classes_present'] == 1
  assert drawn(source._replace(labels=None), 5).subset(False)['classes_present'] is None


def test_equal_settings_share_a_source_only_where_asked():
  settings = dict(name='digits', split='train', size=16, max_examples=20)
  assert building.source(settings) is not building.source(settings)
  with building.shared():
    one, same = building.source(settings), building.source(dict(settings))
    other = building.source({**settings, 'max_examples': 10})
  assert one is same and other.num_examples == 10
