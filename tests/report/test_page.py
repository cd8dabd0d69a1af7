"""The page drawn from made-up workdirs, whole, empty, broken and hostile."""

import base64
import hashlib
import html.parser
import json
import re

import made_workdir
import numpy as np
import pytest

from jaxssl import report

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
  assert '25.0% decay 0 · rate 0.3 ' in words
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


def test_every_evaluation_is_drawn(tmp_path):
  made_workdir.write_all(tmp_path)
  made_workdir.write_details(tmp_path)
  drawn = Page(report.write(tmp_path))
  words = drawn.words
  assert 'could not be read' not in words
  assert 'the two differ by 6.2% (expected calibration error)' in words
  assert 'kingdom 2' in words and 'species 1,200' in words
  images = [attrs.get('aria-label', '') for tag, attrs in drawn.tags if tag == 'svg']
  assert (
      'Accuracy by level, level kingdom 2 to species 1,200: this run from 90.0% to '
      '40.0%; trained at the level from 95.0% to 40.0%; untrained from 60.0% to '
      '15.0%; chance from 50.0% to 10.0%.') in images
  assert (
      'Accuracy, images a class 1 to 16: this run from 20.0% to 50.0%; chance is '
      '10.0%.') in images
  assert (
      'Prototypes, 3, cluster 1 to 3: by cosine from 40 to 5; with concentration from '
      '22 to 18; even is 20.') in images
  # Of 30 classes the ten best and the ten worst.
  assert 'class 29 96.7% 87 to 100% of 50 class 28' in words
  assert 'The worst 10 class 0 0.0% 0 to 10% of 50 class 1' in words
  assert 'class 15' not in words
  assert '50 images, each a point' in words
  assert 'alike lie close (UMAP, cosine)' in words
  assert 'Trustworthiness 0.93 and continuity 0.95' in words
  assert '75.0% of images get their class right on the map, and 80.0%' in words
  assert (
      'Over 2 images drawn at random, 75.0% of the 2 nearest are of the same class; '
      'before training it was 37.5%, and at random it would be 25.0%.') in words
  assert 'drawn at random: fern, 1 of 3' in words
  assert 'near a fine prototype: fern, 3 of 3' in words
  images = [attrs['alt'] for tag, attrs in drawn.tags if tag == 'img']
  place = images.index('photo 8.jpg, fern')
  assert images[place:place + 3] == [
      'photo 8.jpg, fern', 'photo 12.jpg, fern', 'photo 16.jpg, fern']
  place = images.index('Query photo 40.jpg, fern')
  assert images[place:place + 3] == [
      'Query photo 40.jpg, fern', 'Neighbour photo 0.jpg, fern',
      'Neighbour photo 5.jpg, moss']
  assert len(drawn.source) < 1_000_000


@pytest.mark.parametrize('metrics', [
    {'reliability_num': 'x'}, {'reliability_num': [[1], 2]}, {'reliability_num': [1]},
    {'num_classes_a': 3}, {'top1_k1_mean': 0.3}, {'sizes': ['a']}, {'sizes': []},
    {'accuracy': [None], 'names': [1]}, {'num_classes_a': float('nan')},
    {'reliability_num': [0], 'reliability_confidence': [0],
     'reliability_accuracy': [0]}, {'gallery': 3, 'gallery_fine': [[0]]},
    {'coordinates': [[0]], 'ids': [1]}, {'queries': [999], 'neighbors': [[0]]}])
def test_a_broken_evaluation_costs_only_its_part(tmp_path, metrics):
  made_workdir.write_all(tmp_path)
  made_workdir.write_details(tmp_path)
  names = (
      'linear', 'granularity', 'svm', 'clustering', 'per_class', 'prototypes',
      'embedding', 'neighbors')
  for name in names:
    made_workdir.write_result(tmp_path, name, 120, 0, metrics=metrics)
  drawn = Page(report.write(tmp_path))
  assert 'kNN, top-1' in drawn.words
  assert '60 images, each a point' in drawn.words  # The map of the run's end.


def test_pictures_that_do_not_fit_together_are_refused(tmp_path):
  made_workdir.write_details(tmp_path)
  folder = tmp_path / 'eval/prototypes'
  np.savez(folder / '120.test.npz', ids=np.arange(3), names=np.array(['a'] * 3))
  drawn = Page(report.write(tmp_path))
  assert 'eval/prototypes/120.test.npz: ' in drawn.words
  assert 'near a fine prototype' not in drawn.words
  np.savez(
      folder / '120.test.npz', ids=np.arange(3), names=np.array(['a'] * 3),
      thumbnails=np.zeros((2, 8, 8, 3), np.uint8))
  assert 'ids is not integer [2]' in Page(report.write(tmp_path)).words


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


def test_result_of_a_features_file(tmp_path):
  made_workdir.write_result(
      tmp_path, 'linear', 'features', 0.5, step=None, digest=None,
      features={'path': 'x.npz', 'sha256': 'cd' * 32},
      controls={'random_init': None, 'chance': {'top1': 0.25}})
  words = Page(report.write(tmp_path)).words
  assert 'of a features file · features cdcdcdcdcdcd' in words
  assert 'top-1 50.0% – – 25.0%' in words
