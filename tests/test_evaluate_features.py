"""Jobs that score features files by the recipes of `configs/evaluate/`."""

import importlib
import json

import numpy as np
import pytest

from jaxssl import errors
from jaxssl import evaluate
from jaxssl import feature_store


def write(path, n, seed, ids):
  """Features of two bits of four classes, a part of them in each file."""
  rng = np.random.default_rng(seed)
  labels = ids % 4
  for name, bit in (('a', labels // 2), ('b', labels % 2)):
    x = 0.1 * rng.standard_normal((n, 3)).astype(np.float32)
    x[np.arange(n), bit] += 1
    order = rng.permutation(n)
    np.savez(path / f'{name}_{seed}.npz', features=x[order], labels=labels[order],
             ids=ids[order])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp('features')
  write(path, 240, 0, np.arange(240))
  write(path, 120, 1, 1000 + np.arange(120))
  return path


def job(folder, name, arg='', files='a', **changes):
  c = importlib.import_module(f'configs.evaluate.{name}').get_config(arg)
  c.features, c.test_features = (
      ','.join(str(folder / f'{f}_{seed}.npz') for f in files) for seed in (0, 1))
  for key, value in changes.items():
    c.evals[name][key] = value
  return c.to_dict()


def result(workdir, name):
  return json.loads((workdir / 'eval' / name / 'features.json').read_text())


def test_two_networks_that_each_know_half(folder, tmp_path):
  config = job(folder, 'fusion', 'iterations=50', 'ab', decays=(1e-4,))
  evaluate.evaluate(config, tmp_path)
  found = result(tmp_path, 'fusion')
  assert found['metrics']['top1'] == 1 and found['metrics']['gain_over_width'] > 0.3
  assert found['controls']['chance']['top1'] == 0.25
  sums = [
      feature_store.sha256(folder / f'{f}_{seed}.npz') for seed in (0, 1) for f in 'ab']
  assert found['features']['sha256'] == ', '.join(sums)
  assert found['num_examples'] == {'train': 240, 'test': 120}


@pytest.mark.parametrize('source', ['simclr', 'moco', 'pcl', 'byol'])
def test_a_linear_classifier_by_each_source(source, folder, tmp_path):
  evaluate.evaluate(
      job(folder, 'linear', f'source={source}', batch_size=64, epochs=10), tmp_path)
  metrics = result(tmp_path, 'linear')['metrics']
  assert 0.35 < metrics['top1'] < 0.65  # One bit of two.
  assert metrics['rate'] == dict(simclr=0.1, moco=30, pcl=5, byol=0.2)[source]


def test_knn_of_many_settings(folder, tmp_path):
  evaluate.evaluate(job(folder, 'knn'), tmp_path)
  metrics = result(tmp_path, 'knn')['metrics']
  assert len(metrics) == 23 and {
      'top1', 'top1_k200_majority', 'top1_k20_t0.07', 'top1_k1_t0.1'} <= metrics.keys()
  evaluate.evaluate(job(folder, 'knn', 'max_k=20'), tmp_path / 'few')
  few = result(tmp_path / 'few', 'knn')['metrics']
  assert few['top1'] == metrics['top1_k1_t0.1'] and len(few) == 14


@pytest.mark.parametrize('config, told', [
    (dict(name='linear', arg='augmented'), 'needs images'),
    (dict(name='linear', arg='source=transfer', rates=(0.1,)), 'L-BFGS has no rates')])
def test_settings_that_do_not_fit_are_refused(config, told, folder, tmp_path):
  with pytest.raises(errors.ConfigError, match=told):
    evaluate.evaluate(job(folder, **config), tmp_path)


def test_sources_have_names():
  linear = importlib.import_module('configs.evaluate.linear')
  with pytest.raises(ValueError, match='simclr, moco, pcl, byol, transfer'):
    linear.get_config('source=swav')


def spoiled(folder, path, **changes):
  """A job of kNN on the training file with some arrays changed, None to drop one."""
  with np.load(folder / 'a_0.npz') as file:
    arrays = {k: v for k, v in ({**file} | changes).items() if v is not None}
  np.savez(path, **arrays)
  return job(folder, 'knn', 'max_k=20') | {'features': str(path)}


@pytest.mark.parametrize('changes, told', [
    ({'features': np.full((240, 3), np.nan, np.float32)}, 'is not finite'),
    ({'features': np.zeros((0, 3), np.float32)}, 'has no examples'),
    ({'labels': None}, 'has no labels, and knn need'),
    ({'labels': np.arange(240) % 4 + 0.5}, 'not integers'),
    ({'labels': np.arange(240) % 4 - 1}, 'from -1'),
    ({'class_names': np.array(['x', 'y'])}, 'there are 2 class_names'),
    ({'about': np.str_('[1]')}, 'not a JSON object'),
    ({'about': np.str_('{')}, 'not a JSON object')])
def test_features_that_cannot_be_scored_end_in_a_line(changes, told, folder, tmp_path):
  config = spoiled(folder, tmp_path / 'bad.npz', **changes)
  with pytest.raises(errors.ConfigError, match=told) as caught:
    evaluate.evaluate(config, tmp_path / 'run')
  assert '\n' not in str(caught.value) and not (tmp_path / 'run').exists()


def test_a_planted_leak_is_refused(folder, tmp_path):
  config = job(folder, 'knn', 'max_k=20')
  with np.load(folder / 'a_1.npz') as leaked, np.load(folder / 'a_0.npz') as file:
    x, test = file['features'], leaked['features'].copy()
    test[5] = x[7]
    np.savez(
        tmp_path / 'test.npz', features=test, labels=leaked['labels'],
        ids=leaked['ids'])
    leaked_id = leaked['ids'][5]
  config['test_features'] = str(tmp_path / 'test.npz')
  with pytest.raises(errors.DataError, match=f'1 of 120 .* ids {leaked_id}'):
    evaluate.evaluate(config, tmp_path / 'run')


def test_classes_that_no_example_has_still_count(folder, tmp_path):
  names = np.array([f'class {i}' for i in range(9)])
  evaluate.evaluate(
      spoiled(folder, tmp_path / 'named.npz', class_names=names), tmp_path)
  assert result(tmp_path, 'knn')['num_classes'] == 9
