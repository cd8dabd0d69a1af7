"""The map of the features, and the page drawn from made-up workdirs."""

import base64
import hashlib
import html.parser
import json
import re

import made_workdir
import numpy as np
import pytest
from sklearn import neighbors

from jaxssl import report
from jaxssl.report import charts
from jaxssl.report import features_map
from jaxssl.report import overview
from jaxssl.report import pictures
from jaxssl.report import reader
from jaxssl.report import tables
from jaxssl.report import verdicts

VOID = {'meta', 'link', 'img', 'input', 'br'}


class Page(html.parser.HTMLParser):
  """Checks that tags are balanced, and keeps the text and the tags."""

  def __init__(self, path):
    super().__init__()
    self.open, self.tags, self.text, self.scripts = [], [], [], []
    self.source = path.read_text('utf-8')
    self.feed(self.source)
    self.close()
    assert self.open == [], f'never closed: {self.open}'

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    if tag not in VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_endtag(self, tag):
    assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
    self.open.pop()

  def handle_data(self, data):
    if self.open[-1:] == ['script']:
      self.scripts.append(data)
    elif self.open[-1:] != ['style'] and data.strip():
      self.text.append(' '.join(data.split()))

  @property
  def words(self):
    return ' '.join(self.text)

  @property
  def data(self):
    return json.loads(self.scripts[0])


def atlas_of(n, *, labelled=True, num_queries=4, num_neighbors=5, **changes):
  h, labels, thumbnails = made_workdir.features(n)
  arguments = dict(
      h=h, thumbnails=thumbnails, labels=labels if labelled else None,
      class_names=made_workdir.CLASSES if labelled else None,
      names=[f'{i}' for i in range(n)]) | changes
  return report.atlas(
      **arguments, seed=0, num_queries=num_queries, num_neighbors=num_neighbors)


def test_neighbours_agree_with_sklearn():
  h, _, _ = made_workdir.features(80)
  a = atlas_of(80)
  reference = neighbors.NearestNeighbors(n_neighbors=6, metric='cosine').fit(h)
  distances, ids = reference.kneighbors(h[a['queries']])
  np.testing.assert_array_equal(ids[:, 0], a['queries'])
  np.testing.assert_array_equal(ids[:, 1:], a['neighbors'])
  np.testing.assert_allclose(1 - distances[:, 1:], a['similarity'], atol=1e-5)


def test_an_image_is_not_its_own_neighbour_even_beside_copies():
  h = np.ones((6, 4))
  a = atlas_of(6, h=h, num_queries=6)
  for query, row in zip(a['queries'], a['neighbors']):
    assert set(row) == set(range(6)) - {query}


def test_queries_cover_the_classes():
  a = atlas_of(80)
  assert sorted(a['labels'][a['queries']]) == [0, 1, 2, 3]
  few = atlas_of(80, num_queries=2)
  assert len(set(few['labels'][few['queries']])) == 2
  rare = np.zeros(80, int)
  rare[70] = 3  # One image of its class must be among two queries.
  assert 70 in atlas_of(80, labels=rare, num_queries=2)['queries']


def test_queries_without_labels_are_spread_evenly():
  a = atlas_of(81, labelled=False, num_queries=5)
  assert a['queries'].tolist() == [0, 20, 40, 60, 80]
  assert 'labels' not in a and 'class_names' not in a


def test_classes_without_names_are_numbered():
  a = atlas_of(9, class_names=None)
  assert a['class_names'].tolist() == ['0', '1', '2', '3']


def test_the_map_keeps_neighbours_together():
  a = atlas_of(120)
  assert a['method'] == 'tsne'
  assert a['points'].min() >= 0 and a['points'].max() <= 1
  assert np.ptp(a['points'], axis=0).max() == pytest.approx(1)
  classifier = neighbors.KNeighborsClassifier(5).fit(a['points'], a['labels'])
  assert classifier.score(a['points'], a['labels']) > 0.95
  shuffled = np.random.default_rng(1).permutation(a['labels'])
  classifier.fit(a['points'], shuffled)
  assert classifier.score(a['points'], shuffled) < 0.7


def test_the_same_arguments_give_the_same_map():
  first, second = atlas_of(60), atlas_of(60)
  assert first.keys() == second.keys()
  for key, value in first.items():
    np.testing.assert_array_equal(value, second[key])


@pytest.mark.parametrize('n', [1, 2, 3, 4, 5, 6, 9])
def test_few_images(n):
  a = atlas_of(n)
  assert a['points'].shape == (n, 2) and np.isfinite(a['points']).all()
  assert a['neighbors'].shape == (min(4, n), min(5, n - 1))
  assert a['method'] == ('none' if n == 1 else 'pca' if n < 5 else 'tsne')
  if 2 <= n < 5:
    # Two directions hold all of two or three points: distances stay in proportion.
    h, _, _ = made_workdir.features(n)
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    def distances(x):
      d = np.linalg.norm(x[:, None] - x[None], axis=-1)[np.triu_indices(n, 1)]
      return d / d.max()
    if n < 4:
      np.testing.assert_allclose(
          distances(a['points']), distances(unit), atol=1e-4)


@pytest.mark.parametrize('h', [
    np.ones((40, 8)), np.zeros((40, 8)), np.repeat(np.eye(2, 8), 20, axis=0),
    np.vstack([np.zeros((1, 8)), np.eye(39, 8) + np.eye(39, 8, 3)])],
    ids=['all the same', 'all zero', 'two points', 'one zero'])
def test_degenerate_features(h):
  a = atlas_of(40, h=h)
  assert np.isfinite(a['points']).all() and np.isfinite(a['similarity']).all()
  assert (a['method'] == 'none') == (np.ptp(h, axis=0).max() == 0)


def test_many_images_are_thinned_but_neighbours_are_not(monkeypatch):
  monkeypatch.setattr(features_map, 'MAX_POINTS', 50)
  n = 300
  h, labels, _ = made_workdir.features(n)
  # The picture tells which image it is.
  codes = np.arange(n, dtype=np.uint16)
  thumbnails = np.stack([codes % 256, codes // 256, codes * 0], -1).astype(np.uint8)
  a = atlas_of(n, thumbnails=np.tile(thumbnails[:, None, None], (1, 16, 16, 1)))
  assert a['num_images'] == n and len(a['points']) == 50
  code = a['thumbnails'][:, 0, 0].astype(int)
  ids = code[:, 0] + 256 * code[:, 1]
  assert len(set(ids)) == 50
  assert a['names'].tolist() == [str(i) for i in ids]
  np.testing.assert_array_equal(a['labels'], labels[ids])
  unit = h / np.linalg.norm(h, axis=1, keepdims=True)
  for row, query in enumerate(a['queries']):
    want = np.argsort(-unit @ unit[ids[query]])[1:6]
    np.testing.assert_array_equal(ids[a['neighbors'][row]], want)
    code = a['gallery'][row, :, 0, 0].astype(int)
    shown = code[:, 0] + 256 * code[:, 1]
    np.testing.assert_array_equal(shown, [ids[query], *want])


def test_large_thumbnails_are_shrunk():
  thumbnails = np.full((9, 200, 200, 3), 77, np.uint8)
  a = atlas_of(9, thumbnails=thumbnails)
  assert a['thumbnails'].shape == (9, 48, 48, 3) and (a['thumbnails'] == 77).all()
  assert a['gallery'].shape == (4, 6, 96, 96, 3) and (a['gallery'] == 77).all()


@pytest.mark.parametrize('changes, message', [
    (dict(names=['a']), "'names': 1"),
    (dict(labels=np.zeros(3)), "'labels': 3"),
    (dict(h=np.full((9, 4), np.nan)), '9 of 9 images'),
    (dict(num_queries=0), 'num_queries is 0'),
    (dict(labels=np.arange(9)), 'from 0 to 8; there are 4 classes'),
])
def test_mistakes_in_a_map(changes, message):
  with pytest.raises(ValueError, match=message):
    atlas_of(9, **changes)


def test_a_saved_map_is_read_back_without_pickle(tmp_path):
  a = atlas_of(30, names=['é\n<b>'] * 30)
  path = report.save_atlas(tmp_path, a)
  assert path == tmp_path / 'figures/atlas.npz'
  with np.load(path, allow_pickle=False) as file:
    assert all(file[name].dtype != object for name in file.files)
  loaded = features_map.load(path)
  assert loaded.keys() == a.keys()
  for key, value in a.items():
    np.testing.assert_array_equal(loaded[key], value)


@pytest.mark.parametrize('changes', [
    dict(neighbors=np.full((4, 5), 99)), dict(labels=np.full(30, -1)),
    dict(queries=np.zeros(3, int)), dict(points=np.full((30, 2), np.inf)),
    dict(gallery=np.zeros((4, 6, 8, 8, 3))), dict(names=np.array(['a'] * 29)),
    dict(neighbors=np.zeros(3)), dict(similarity=np.full((4, 5), 'x')),
    dict(points=np.zeros(()))])
def test_a_map_that_does_not_fit_together_is_refused(tmp_path, changes):
  path = report.save_atlas(tmp_path, atlas_of(30) | changes)
  with pytest.raises(ValueError):
    features_map.load(path)


def test_full_page(tmp_path):
  made_workdir.write_all(tmp_path)
  path = report.write(tmp_path)
  assert path == tmp_path / 'report.html'
  drawn = Page(path)
  words = drawn.words
  assert 'SimCLR on shapes species' in words
  assert 'It learns: +52.0 points over an untrained network' in words  # 83 - 31.
  assert (
      'A linear classifier on the frozen features gets 83.0% of test images right. '
      'The same network before training gets 31.0%; guessing would get 25.0%.'
      ) in words
  assert 'finished step 120 checkpoint fafafafafafa' in words
  assert (
      'kNN knn version 1 · step 120 · checkpoint fafafafafafa · '
      'seeds: run 0, seed 1 · 400 test images') in words
  assert 'top-1 71.0% 31.0% +40.0 pt 25.0%' in words
  assert 'All 3 results' in words and 'top-1 50.0% 31.0% +19.0 pt 25.0%' in words
  assert '25.0% rate 0.3 · decay 0 ' in words
  assert 'python -m jaxssl.main --config=configs/x.py:epochs=2,smoke' in words
  assert 'platform cpu kind cpu count 4 processes 1' in words
  assert 'index 7 name broken.jpg reason truncated' in words
  assert 'Healthy: h has spread 0.21 ' in words
  assert 'RankMe 15 features h' in words  # 3 + 120 / 10.
  assert '1 image could not be decoded and was replaced: truncated (1).' in words
  assert 'python 3.11.7' in words and 'ab' * 32 in words
  assert 'could not be read' not in words
  assert '"temperature": 0.5' in words
  images = [attrs for tag, attrs in drawn.tags if tag == 'img']
  assert all('alt' in attrs for attrs in images)
  assert len(drawn.source) < 1_000_000


def test_page_holds_everything_and_asks_for_nothing(tmp_path):
  made_workdir.write_all(tmp_path)
  drawn = Page(report.write(tmp_path))
  for tag, attrs in drawn.tags:
    for name in ('src', 'href', 'action', 'data', 'poster'):
      value = attrs.get(name) or ''
      assert value == '' or value.startswith(('#', 'data:')), (tag, value)
  assert not re.search(r'url\(|@import|https?://', drawn.source)
  policy = next(a['content'] for _, a in drawn.tags if 'http-equiv' in a)
  digest = base64.b64encode(hashlib.sha256(drawn.scripts[1].encode()).digest())
  assert policy == (
      "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
      f"script-src 'sha256-{digest.decode()}'")


def test_chance_of_same_class_neighbours_is_stated(tmp_path):
  made_workdir.write_atlas(tmp_path)
  words = Page(report.write(tmp_path)).words
  # 60 images, 15 of each class: 14 of the 59 others, for each of 4 x 5 neighbours.
  assert f'at random it would be about {20 * 14 / 59:.1f}' in words


def test_empty_workdir(tmp_path):
  words = Page(report.write(tmp_path)).words
  assert 'Nothing measured yet' in words and 'not started' in words
  for sentence in (
      'No evaluation yet', 'No curves yet', 'No map yet', 'No neighbours yet',
      'No health numbers', 'No view grid', 'No description'):
    assert sentence in words
  assert 'could not be read' not in words
  with pytest.raises(ValueError, match='no workdir'):
    report.write(tmp_path / 'missing')


def test_unlabelled_page(tmp_path):
  made_workdir.write_all(tmp_path, labelled=False)
  drawn = Page(report.write(tmp_path))
  assert 'No labels: there is no accuracy to measure.' in drawn.words
  assert 'The loss is below chance, 4.844' in drawn.words
  assert 'No labels: judge by eye.' in drawn.words
  assert drawn.data['map']['labels'] is None
  classes = {a.get('class') for t, a in drawn.tags if t == 'figure'}
  assert not classes & {'tile same', 'tile other'}


def test_names_are_never_markup(tmp_path):
  evil = '</script><script>alert(1)</script><img src=x onerror=alert(2)>"\'&{{7*7}}'
  made_workdir.write_all(tmp_path)
  made_workdir.write_atlas(
      tmp_path, class_names=(evil, evil + '2', 'c', 'd'), names=[evil] * 60)
  made_workdir.write_config(
      tmp_path, method={'name': evil, evil: evil},
      data={'name': evil, 'root': evil})
  made_workdir.write_result(
      tmp_path, 'knn', 200, 0.9, protocol=evil, digest=evil, seeds=[evil],
      version=evil, metrics={evil: 0.5, 'top1': 0.9})
  (tmp_path / 'run.json').write_text(
      json.dumps({evil: {evil: evil}, 'argv': [evil]}))
  (tmp_path / 'bad_images.jsonl').write_text(
      json.dumps({'reason': evil, evil: evil}))
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    for step in (1, 2):
      line = {'step': step, evil: step, f'eval/{evil}/top1': 0.1}
      file.write(json.dumps(line) + '\n')
  drawn = Page(report.write(tmp_path))
  assert [a for t, a in drawn.tags if t == 'script'] == [
      {'type': 'application/json', 'id': 'data'}, {}]
  assert not [a for _, a in drawn.tags if any(k.startswith('on') for k in a)]
  assert evil in drawn.words
  assert drawn.data['map']['names'] == [evil] * 60
  assert drawn.data['map']['classes'][0] == evil


def test_names_that_are_not_text(tmp_path):
  made_workdir.write_atlas(tmp_path, names=['broken \udcff name'] * 60)
  assert 'broken ? name' in Page(report.write(tmp_path)).source


@pytest.mark.parametrize(
    'content', [b'', b'\xff\xfe\x00garbage', b'[1, 2]', b'{"a": '])
@pytest.mark.parametrize('name', [
    'config.json', 'run.json', 'DONE', 'metrics.jsonl', 'bad_images.jsonl',
    'figures/views.png', 'figures/atlas.npz', 'eval/knn/120.json'])
def test_a_broken_file_costs_only_its_part(tmp_path, name, content):
  made_workdir.write_all(tmp_path)
  (tmp_path / name).write_bytes(content)
  drawn = Page(report.write(tmp_path))
  if name.endswith('.jsonl'):  # Its lines count one by one, and none is good.
    assert 'could not be read' not in drawn.words
  else:
    assert 'Files that could not be read' in drawn.words
    assert f'{name}: ' in drawn.words
  assert 'Linear classifier, top-1' in drawn.words


def test_values_of_the_wrong_kind_do_no_harm(tmp_path):
  made_workdir.write_config(
      tmp_path, method='simclr', data=None, views=[1], model={'name': None})
  made_workdir.write_result(
      tmp_path, 'knn', 3, 0.5, step='three', seeds=7, digest=None,
      num_examples='many', features=1,
      metrics={'top1': 0.5, 'per_class': [0.1], 'flag': True, 'nan': None},
      controls={'random_init': None})
  (tmp_path / 'metrics.jsonl').write_text(
      '{"step": null, "train/loss": 1}\n{"step": 1, "train/loss": "high"}\n7\n'
      '{"step": 2, "train/loss": NaN}\n{"step": 1e400, "train/loss": 3}\n')
  words = Page(report.write(tmp_path)).words
  assert 'Evaluated, with nothing to compare' in words
  assert 'could not be read' not in words


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  path.write_text('{"step": 1, "train/loss": 5.0}\n{"step": 2, "train/loss": 4.')
  assert reader.curves(path) == {'train/loss': ([1], [5.0])}


def test_of_a_step_done_twice_the_later_line_counts(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  lines = [(1, 5.0), (2, 4.0), (3, 9.0), (2, 4.5), (3, 3.5)]
  path.write_text(''.join(
      json.dumps({'step': s, 'train/loss': v}) + '\n' for s, v in lines))
  assert reader.curves(path) == {'train/loss': ([1, 2, 3], [5.0, 4.5, 3.5])}


def test_results_are_in_the_order_of_their_steps(tmp_path):
  for step in (1000, 90, 200):
    made_workdir.write_result(tmp_path, 'knn', step, step / 2000)
  results = reader.read(tmp_path).results
  assert [r['step'] for r in results] == [90, 200, 1000]
  assert tables.newest(results)['knn']['metrics']['top1'] == 0.5


@pytest.mark.parametrize('top1, count, mood, title', [
    (0.50, 400, 'good', 'It learns: +19.0 points'),
    (0.35, 400, 'bad', 'No better than an untrained network'),
    (0.35, 40_000, 'good', 'It learns: +4.0 points'),
    (0.20, 400, 'bad', 'It is worse than an untrained network'),
    (0.305, 400, 'bad', 'No better than an untrained network')])
def test_verdict_minds_the_number_of_images(tmp_path, top1, count, mood, title):
  made_workdir.write_result(tmp_path, 'linear', 9, top1, num_examples=count)
  got = verdicts.verdict(reader.read(tmp_path))
  assert got[0] == mood and got[1].startswith(title)
  assert (f'with {count} test images' in got[2]) == title.startswith('No better')


def test_margin_is_two_standard_errors():
  rng = np.random.default_rng(0)
  a, b = rng.binomial(500, 0.7, 20_000), rng.binomial(500, 0.4, 20_000)
  assert verdicts.margin(0.7, 0.4, 500) == pytest.approx(
      2 * np.std((a - b) / 500), rel=0.02)


def test_verdict_before_any_evaluation(tmp_path):
  made_workdir.write_metrics(tmp_path)
  mood, title, sentence = verdicts.verdict(reader.read(tmp_path))
  assert (mood, title) == ('open', 'Not evaluated yet')
  assert 'went from 37.0% at step 30 to 73.0% at step 120' in sentence
  (tmp_path / 'metrics.jsonl').write_text(
      '{"step": 1, "train/loss": 4.9, "train/chance": 4.8}\n')
  mood, title, _ = verdicts.verdict(reader.read(tmp_path))
  assert (mood, title) == ('bad', 'The loss is not below chance, 4.8')


@pytest.mark.parametrize('data, title', [
    (dict(name='shapes', domain='species'), 'SimCLR on shapes species'),
    (dict(name='folder', root='/photos/birds/'), 'SimCLR on birds'),
    (dict(name='cifar10', root='/data/cifar10'), 'SimCLR on cifar10'),
    (dict(name='tfds', dataset='cifar100'), 'SimCLR on cifar100'),
    (dict(name='arrays'), 'SimCLR on arrays'), ({}, 'SimCLR')])
def test_title(tmp_path, data, title):
  made_workdir.write_config(tmp_path, data=data)
  assert overview.title(reader.read(tmp_path)) == title


def test_main_metrics_come_first(tmp_path):
  # As files have it: keys in the order of the alphabet.
  made_workdir.write_result(
      tmp_path, 'linear', 1, 0.5,
      metrics={'holdout_top1': 0.4, 'rate': 0.3, 'top1': 0.5, 'train_top1': 0.6})
  (result,) = reader.read(tmp_path).results
  assert [row['label'] for row in tables.rows(result)] == [
      'top-1', 'holdout top-1', 'train top-1']
  assert tables.others(result) == 'rate 0.3'


def test_result_of_a_features_file(tmp_path):
  made_workdir.write_result(
      tmp_path, 'linear', 'features', 0.5, step=None, digest=None,
      features={'path': 'x.npz', 'sha256': 'cd' * 32},
      controls={'random_init': None, 'chance': {'top1': 0.25}})
  words = Page(report.write(tmp_path)).words
  assert 'of a features file · features cdcdcdcdcdcd' in words
  assert 'top-1 50.0% – – 25.0%' in words


def test_curve_lies_where_its_values_say():
  chart = charts.chart(
      'loss', {'loss': ([0, 50, 100], [1.0, 2.0, 3.0])}, levels=[('chance', 4.0)])
  left, top, step, text = zip(*chart['lines'][0]['points'])
  assert left == (0, 50, 100) and step == ('0', '50', '100')
  assert text == ('1', '2', '3')
  # Equal steps of value are equal steps of height, and the level is one more.
  assert top[0] - top[1] == pytest.approx(top[1] - top[2], abs=0.02)
  assert chart['levels'][0]['top'] == pytest.approx(2 * top[2] - top[1], abs=0.02)
  ticks = {t['text']: t['top'] for t in chart['y_ticks']}
  assert ticks['2'] == pytest.approx(top[1], abs=0.01)
  assert chart['summary'] == 'loss, steps 0 to 100: loss from 1 to 3; chance is 4.'


def test_logarithmic_curve():
  values = [1000.0, 100.0, 10.0, 1.0]
  chart = charts.chart('norm', {'norm': (range(4), values)}, kind='log')
  tops = [p[1] for p in chart['lines'][0]['points']]
  np.testing.assert_allclose(np.diff(tops), np.diff(tops)[0], atol=0.02)
  assert [t['text'] for t in chart['y_ticks']] == ['1', '10', '100', '1k']
  flat = charts.chart('norm', {'norm': (range(2), [1.0, 2.0])}, kind='log')
  assert not flat['log']


def test_curve_breaks_where_a_value_is_missing():
  nan = float('nan')
  chart = charts.chart('x', {'x': (range(6), [1.0, 2.0, nan, 4.0, 5.0, nan])})
  assert chart['lines'][0]['path'].count('M') == 2
  assert chart['lines'][0]['last'] == '5'
  assert charts.chart('x', {'x': ([1], [nan])}) is None
  assert charts.chart('x', {}) is None


def test_a_long_curve_is_averaged():
  x = np.arange(100_000)
  short_x, short_y = charts.thinned(x, x.astype(float))
  assert len(short_x) == charts.MAX_POINTS == 400
  np.testing.assert_allclose(short_y, short_x - 124.5)  # Means of 250 steps each.


@pytest.mark.parametrize('low, high, want', [
    (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 4000, [0, 1000, 2000, 3000, 4000]),
    (-3.7, -0.2, [-3, -2, -1]), (0.0, 0.03, [0, 0.01, 0.02, 0.03]),
    (99.5, 101.5, [99.5, 100, 100.5, 101, 101.5])])
def test_ticks_are_round(low, high, want):
  np.testing.assert_allclose(charts.steps_between(low, high, 4), want, atol=1e-12)


@pytest.mark.parametrize('value, want', [
    (0.78512, '78.5%'), (1.0, '100.0%'), (0.0, '0.0%'), (0.0004, '0.0%')])
def test_percent(value, want):
  assert charts.percent(value) == want


@pytest.mark.parametrize('value, want', [
    (3, '3'), (3.0, '3'), (6.23611, '6.236'), (-3.59141, '−3.591'), (1e-6, '1e−6'),
    (4000.0, '4,000'), (123456.7, '123,457'), (0.0, '0'), (float('inf'), 'inf')])
def test_number(value, want):
  assert charts.number(value) == want


@pytest.mark.parametrize('value, want', [
    (0.352, '+35.2'), (-0.021, '−2.1'), (0.0, '+0.0'), (-0.0001, '0.0')])
def test_points(value, want):
  assert charts.points(value) == want


@pytest.mark.parametrize('num', [1, 10, 11, 300])
def test_class_colours_differ(num):
  colors = pictures.class_colors(num)
  assert len(set(colors)) == num
  assert all(re.fullmatch('#[0-9a-f]{6}', c) for c in colors)
