import json
import re

import numpy as np
import pytest

from jaxssl import taxonomy

# Five classes; two orders have no family, so the branches differ in length.
LIFE = {
    'kingdom': ('animals', 'animals', 'animals', 'plants', 'plants'),
    'family': ('cats', 'cats', '', 'grasses', ''),
    'species': ('lynx', 'lion', 'worm', 'rye', 'moss')}
# Classes that end early are carried down, as in a WordNet tree cut at depths.
WORDS = {
    '0': ('thing', 'thing', 'thing', 'thing'),
    '1': ('animal', 'animal', 'cup', 'thing that grows'),
    '2': ('dog', 'animal that sings', 'cup', 'tree'),
    '3': ('poodle', 'animal that sings', 'cup', 'tree')}


def test_levels():
  levels = taxonomy.levels(LIFE, 5)
  assert list(levels) == ['kingdom', 'family', 'species']
  assert levels['kingdom'].names == ('animals', 'plants')
  assert levels['family'].names == ('cats', 'grasses')
  assert levels['species'].names == LIFE['species']
  np.testing.assert_array_equal(levels['kingdom'].of_class, [0, 0, 0, 1, 1])
  np.testing.assert_array_equal(levels['family'].of_class, [0, 0, -1, 1, -1])
  np.testing.assert_array_equal(levels['species'].of_class, range(5))


@pytest.mark.parametrize('tree, want', [
    # animals > cats > lynx: a kingdom is two above a species, the root three.
    (LIFE, [[0, 1, 2, 3, 3], [1, 0, 2, 3, 3], [2, 2, 0, 3, 3], [3, 3, 3, 0, 2],
            [3, 3, 3, 2, 0]]),
    # thing > animal > dog > poodle; a cup is a class and one edge below the top.
    (WORDS, [[0, 2, 3, 3], [2, 0, 3, 3], [3, 3, 0, 3], [3, 3, 3, 0]]),
    ({'class': ('a', 'b')}, [[0, 1], [1, 0]])])
def test_heights_by_hand(tree, want):
  k = len(want)
  a, b = np.divmod(np.arange(k * k), k)
  got = taxonomy.common_heights(tree, a, b)
  np.testing.assert_array_equal(got.reshape(k, k), want)


def test_heights_on_random_deep_trees_against_walks():
  """Trees of eight levels with gaps, against walks over edges to the parent."""
  rng = np.random.default_rng(0)
  k = 40
  digits = np.sort(rng.integers(0, 2, (k, 7)), axis=1)
  gaps = {  # Whether a node is skipped: a function of the node, so it is a tree.
      tuple(row[:i]): rng.random() < 0.3 for row in digits for i in range(1, 8)}
  tree = {
      str(i): tuple(
          '' if gaps[tuple(row[:i])] else f'n{"".join(map(str, row[:i]))}'
          for row in digits) for i in range(1, 8)}
  tree['class'] = tuple(f'c{i}' for i in range(k))
  taxonomy.levels(tree, k)
  parent, below = {}, {}
  for i in range(k):
    line = ['root', *(names[i] for names in tree.values() if names[i])]
    parent |= dict(zip(line[1:], line))
    for depth, node in enumerate(line):
      below[node] = max(below.get(node, 0), len(line) - 1 - depth)

  def line_up(node):
    while node:
      yield node
      node = parent.get(node)

  a, b = rng.integers(0, k, (2, 300))
  want = [
      below[next(n for n in line_up(f'c{i}') if n in set(line_up(f'c{j}')))]
      for i, j in zip(a, b)]
  got = taxonomy.common_heights(tree, a, b)
  np.testing.assert_array_equal(got, want)
  assert len(set(want)) > 4
  assert taxonomy.common_heights(tree, a[:0], b[:0]).shape == (0,)


@pytest.mark.parametrize('changes, message', [
    (dict(species=('lynx', 'lion', 'worm', 'rye')), "'species'.* 4 names for 5"),
    (dict(kingdom=('animals',) * 6), "'kingdom'.* 6 names for 5"),
    (dict(species=('lynx', 'lion', '', 'rye', 'moss')), 'Class 2 has no name'),
    (dict(species=('lynx', 'lynx', 'a', 'b', 'c')), "2 classes are called 'lynx'"),
    (dict(family=('',) * 5), "'family' of the taxonomy has no name at all"),
    (dict(family=('cats', '', '', 'cats', '')),
     "'cats' is below animals and below plants"),
    (dict(kingdom=('animals', '', 'animals', 'plants', 'plants')),
     "'cats' is below animals and below nothing")])
def test_what_is_no_tree_over_the_classes_is_an_error(changes, message):
  with pytest.raises(ValueError, match=message):
    taxonomy.levels({**LIFE, **changes}, 5)


@pytest.mark.parametrize('missing', [None, {}])
def test_no_taxonomy_is_an_error(missing):
  with pytest.raises(ValueError, match='have no taxonomy'):
    taxonomy.levels(missing, 5)


def test_a_file_keeps_the_order_of_levels(tmp_path):
  path = tmp_path / 'tree.json'
  path.write_text(json.dumps({'z': ['ü', 'ü'], 'a': ['b', 'c']}))
  got = taxonomy.read(path)
  assert got == {'z': ('ü', 'ü'), 'a': ('b', 'c')} and list(got) == ['z', 'a']


@pytest.mark.parametrize('text', [None, '{', '[1]', '{"a": "bc"}', '{"a": [1]}'])
def test_a_file_that_is_no_taxonomy_is_an_error(text, tmp_path):
  path = tmp_path / 'tree.json'
  if text is not None:
    path.write_text(text)
  with pytest.raises(ValueError, match=re.escape(str(path))):
    taxonomy.read(path)
