"""The tiny run as PCL: three epochs of 8 steps, prototypes from the second on.

Its network is that of `tiny_method`, which `patch` puts in the place of ResNets. Run
as a program, it kills itself without a warning in its n-th call of k-means, as soon
as a checkpoint is there:

  python tests/tiny_pcl.py <n> <checkpoint> --config=tests/tiny_pcl.py --workdir=...
"""

import os
import pathlib
import signal
import sys
import time

import tiny_method
import tiny_run

from configs import common
from jaxssl import kmeans
from jaxssl import main as main_lib
from jaxssl.models import resnet


def get_config(arg=''):
  c = tiny_run.get_config(arg)
  c.method = dict(
      common.pcl(
          temperature=0.2, momentum=0.9, queue_size=40, num_clusters=(3, 6),
          num_negatives=0, warmup_epochs=1),
      num_splits=2, kmeans_restarts=2)
  c.model = dict(name='resnet', dtype='float32', width=12, out=6)
  c.save.every_steps = 6  # In the middle of epochs.
  return c


def config():
  return get_config().to_dict()


def network(*, dtype, width, out):
  del dtype
  return tiny_method.Network(width, out)


def patch(set_attribute=setattr):
  set_attribute(resnet, 'make', network)


def call_in_kmeans(act, number):
  """kmeans.fit that calls `act` before its n-th clustering."""
  fit, calls = kmeans.fit, []

  def fit_after_it(*args, **kwargs):
    calls.append(1)
    if len(calls) == number:
      act()
    return fit(*args, **kwargs)

  return fit_after_it


def main():
  def kill_this_process():
    while not pathlib.Path(sys.argv[2]).exists():
      time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

  patch()
  kmeans.fit = call_in_kmeans(kill_this_process, int(sys.argv[1]))
  return main_lib.main([sys.argv[0], *sys.argv[3:]])


if __name__ == '__main__':
  sys.exit(main())
