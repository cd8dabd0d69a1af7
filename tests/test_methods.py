"""Every method learns: its features beat those of the network before its first step.

On `shapes`, the images that the package draws: about a minute for each method.
"""

import json

import jax
import pytest

from configs import common
from configs import quickstart
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import train

MARGIN = 0.05  # In the top-1 of kNN among 16 species; three standard errors.


def simclr(c):
  pass


def moco(c):
  c.model.zero_init_residual = False
  c.model.projector = dict(name='moco', hidden=0, out=128, num_layers=1)
  c.method = dict(
      name='moco', temperature=0.1, momentum=0.99, queue_size=1024, num_splits=4,
      symmetric=False)


def pcl(c):
  moco(c)
  c.method = dict(
      common.pcl(
          temperature=0.1, momentum=0.99, queue_size=1024, num_clusters=(16, 32, 64),
          num_negatives=0, warmup_epochs=4),
      num_splits=4)


def byol(c):
  # It needs many steps, and with residual branches that begin at zero still more.
  c.total_epochs, c.model.zero_init_residual = 25.0, False
  c.data.batch_size = 64
  c.model.projector = dict(name='byol', hidden=128, out=64, num_layers=2)
  c.method = dict(name='byol', momentum=0.9, predictor_hidden=128)


def simsiam(c):
  c.model.projector = dict(name='simsiam', hidden=128, out=128, num_layers=2)
  c.method = dict(name='simsiam', predictor_hidden=32)
  c.total_epochs, c.model.zero_init_residual = 20.0, False
  c.optim = dict(
      name='simsiam_sgd', base_lr=0.2, scaling='linear', weight_decay=5e-4,
      momentum=0.9)


def jigsaw(c):
  c.views = dict(a={**common.crop_flip_view(48), 'min_area': 0.6, 'grayscale': 0.66})
  c.model.projector = None
  c.total_epochs, c.model.zero_init_residual = 20.0, False
  c.method = dict(
      name='jigsaw', grid=3, tile_size=12, num_permutations=24, hidden=64, seed=0)


def supervised(c):
  c.views = dict(a=common.crop_flip_view(48))
  c.model.projector = None
  c.method = dict(name='supervised', label_smoothing=0.0)


SETTINGS = {f.__name__: f for f in (
    pcl, simclr, moco, byol, simsiam, jigsaw, supervised)}


def test_no_method_is_left_out():
  # What is imported is not trained.
  assert sorted([*SETTINGS, 'pretrained']) == plugins.names('methods')


@pytest.mark.slow
@pytest.mark.parametrize('name', SETTINGS)
def test_a_method_beats_its_random_initialisation(name, tmp_path, monkeypatch):
  c = quickstart.get_config('epochs=12')
  c.data.batch_size = 128
  c.log.tensorboard = False
  c.save.every_epochs = 0.0
  c.evals = dict(knn=common.knn(k=20))
  SETTINGS[name](c)
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:1])
  train.train(c.to_dict(), tmp_path)
  result, = (tmp_path / 'eval' / 'knn').iterdir()
  result = json.loads(result.read_text())
  trained, random_init = (
      metrics['top1']
      for metrics in (result['metrics'], result['controls']['random_init']))
  print(f'{name}: kNN {trained:.3f}, before the first step {random_init:.3f}')
  assert trained > random_init + MARGIN
