"""A study of two networks on digits, of seconds: for tests of its engines."""

import tiny_run

from configs import common


def config(**changes):
  """Two pretrainings, kNN on each, and both side by side; `changes` at its top."""
  pretrain = {}
  for seed in (0, 1):
    run = tiny_run.config()
    run.update(seed=seed, total_steps=6)
    run['save'].update(every_steps=2)
    run['evals'] = {}
    pretrain[f'run_{seed}'] = run
  cells = {
      f'cell_{seed}': dict(
          axes=dict(features='alone', seed=seed), run=f'run_{seed}', eval_data={},
          evals=dict(knn=common.knn(k=5)), step='last') for seed in (0, 1)}
  cells['both'] = dict(
      axes=dict(features='both', seed=0), run=('run_0', 'run_1'), eval_data={},
      step='last', evals=dict(fusion=dict(
          name='fusion', every_epochs=0.0, every_steps=0, train='train', test='test',
          optimizer='lbfgs', schedule='none', rates=(), batch_size=0, seed=0,
          decays=(1e-4, 1e-2), epochs=20, standardize=False)))
  return dict(
      job='study', title='Two', question='Do two see more than one?', note='A toy.',
      pretrain=pretrain, cells=cells, figures=dict(two=figure()), claims={},
      shared='', engine='local', index=-1,
      ray=dict(address='', num_cpus=1.0, num_gpus=0.0, resources={}),
      plan=False) | changes


def get_config(arg=''):
  """The same for a command line."""
  del arg
  from ml_collections import ConfigDict

  return ConfigDict(config())


def figure():
  return dict(
      name='bars', published='', title='Two networks', x='features', y={
          'protocol': {'kNN': 'knn/top1', 'linear': 'fusion/top1'}}, hue='protocol')
