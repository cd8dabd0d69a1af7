"""Whether a run learns, from the files that it left."""

import json

import made_workdir
import numpy as np
import pytest

from jaxssl import report
from jaxssl.report import overview
from jaxssl.report import reader
from jaxssl.report import verdicts


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


def write_clusters(workdir, **parts):
  row = {
      f'clusters/{part}/{metric}': value for part, values in parts.items()
      for metric, value in values.items()}
  with (workdir / 'metrics.jsonl').open('a') as file:
    for step in (100, 120):
      file.write(json.dumps({'step': step, **row}) + '\n')


def test_the_line_says_learning_and_from_which_numbers(tmp_path):
  made_workdir.write_metrics(tmp_path)
  made_workdir.write_result(tmp_path, 'knn', 120, 0.8)
  write_clusters(
      tmp_path, k9={'used': 1.0, 'largest': 0.25}, seconds={'features': 3.0})
  line = report.verdict(tmp_path)
  assert line.startswith('Verdict: learning. Classifying by the nearest neighbours')
  assert '80.0%' in line and '31.0%' in line and 'RankMe 15 of 16' in line
  assert line.endswith('Clusters in use: 100.0% of 9, the largest with 25.0% of the '
                       'images.')


@pytest.mark.parametrize('row, state', [
    ({'train/loss': 1.2, 'train/chance': 4.8}, 'learning'),
    ({'train/loss': 4.9, 'train/chance': 4.8}, 'not yet learning'),
    ({'train/loss': 1.2, 'train/chance': 4.8, 'eval/health/spread_h': 0.001,
      'eval/health/rankme_h': 1.0, 'eval/health/dims_h': 16}, 'collapsed')])
def test_the_line_without_labels(tmp_path, row, state):
  (tmp_path / 'metrics.jsonl').write_text(
      json.dumps({'step': 9, **row}) + '\n')
  assert report.verdict(tmp_path).startswith(f'Verdict: {state}. The loss went from')


def test_charts_of_clusters_have_a_line_for_each_granularity(tmp_path):
  write_clusters(tmp_path, k3={'used': 1.0}, k6={'used': 0.5}, seconds={'k': 1.0})
  drawn, more = overview.curves(reader.read(tmp_path))
  (chart,) = [c for c in drawn if c['title'] == 'Clusters in use']
  assert [line['name'] for line in chart['lines']] == ['k3', 'k6']
  assert [c['title'] for c in more] == ['clusters/seconds/k']
