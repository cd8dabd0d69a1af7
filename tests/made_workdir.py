"""Makes workdirs with known contents, as runs would leave them, for the page.

Numbers and pictures are made up; nothing is trained.
"""

import functools
import json
import math

import numpy as np

from jaxssl import figures
from jaxssl import report

CLASSES = ('fern', 'moss', 'orchid', 'palm')


def image_for(label, i, side=24):
  """A picture of one colour for each class, with a mark of its own."""
  image = np.zeros((side, side, 3), np.uint8)
  image[:] = [(200, 60, 60), (60, 180, 60), (70, 90, 210), (210, 190, 60)][label]
  image[i % side, :] = 255
  return image


def features(n, seed=0):
  """[n, 16] features in four clusters, their labels [n], and thumbnails."""
  rng = np.random.default_rng(seed)
  labels = np.arange(n) % len(CLASSES)
  centers = rng.standard_normal((len(CLASSES), 16)) * 3
  h = centers[labels] + rng.standard_normal((n, 16))
  return h, labels, np.stack([image_for(c, i) for i, c in enumerate(labels)])


def write_config(workdir, **changes):
  view = dict(size=24, min_area=0.2, jitter=0.5)
  config = dict(
      seed=0, total_epochs=20.0,
      data=dict(name='shapes', domain='species', split='train', batch_size=64),
      views=dict(a=view, b=view),
      model=dict(name='resnet', depth=18, projector=dict(hidden=512, out=128)),
      method=dict(name='simclr', temperature=0.5),
      optim=dict(name='lars', base_lr=0.3)) | changes
  (workdir / 'config.json').write_text(json.dumps(config))


def write_metrics(workdir, *, labelled=True, num_steps=120):
  with (workdir / 'metrics.jsonl').open('w') as file:
    for step in range(1, num_steps + 1):
      line = {
          'step': step, 'train/loss': 4.8 * math.exp(-step / 60) + 1,
          'train/chance': math.log(127), 'train/lr': 0.3 * step / num_steps,
          'train/grad_norm': 10 / step, 'train/images_per_second': 500 + step}
      if step % 30 == 0:
        line |= {
            'eval/health/rankme_h': 3 + step / 10, 'eval/health/spread_h': 0.21,
            'eval/health/dims_h': 16}
        if labelled:
          line['eval/knn/top1'] = 0.25 + step / 250
      file.write(json.dumps(line) + '\n')


def write_result(workdir, name, step, top1, /, *, control=0.31, **changes):
  """An evaluation of 400 test images of four classes."""
  folder = workdir / 'eval' / name
  folder.mkdir(parents=True, exist_ok=True)
  result = {
      'protocol': name, 'version': 1, 'step': step, 'digest': 'fa' * 32,
      'seeds': {'run': 0, 'seed': 1}, 'num_examples': {'train': 900, 'test': 400},
      'settings': {},
      'metrics': {'top1': top1, 'rate': 0.3, 'decay': 0, 'holdout_grid': [[0.5]]},
      'controls': {'random_init': {'top1': control}, 'chance': {'top1': 0.25}}}
  (folder / f'{step}.json').write_text(json.dumps(result | changes))


@functools.cache
def atlas(labelled):
  """The map of 60 images: 4 queries with 5 neighbours each."""
  h, labels, thumbnails = features(60)
  return report.atlas(
      h, thumbnails, labels if labelled else None, CLASSES if labelled else None,
      [f'photo {i}.jpg' for i in range(60)], seed=0, num_queries=4, num_neighbors=5)


def write_atlas(workdir, *, labelled=True, **changes):
  report.save_atlas(
      workdir, atlas(labelled) | {k: np.asarray(v) for k, v in changes.items()})


def write_all(workdir, *, labelled=True):
  """Everything that a finished run leaves for the page."""
  workdir.mkdir(exist_ok=True)
  write_config(workdir)
  (workdir / 'run.json').write_text(json.dumps({
      'attempts': 1, 'versions': {'python': '3.11.7', 'jax': '0.10.2'},
      'devices': {'platform': 'cpu', 'kind': 'cpu', 'count': 4, 'processes': 1},
      'argv': ['/x/jaxssl/main.py', '--config=configs/x.py:epochs=2,smoke'],
      'data_digest': 'ab' * 32, 'git_commit': None}))
  write_metrics(workdir, labelled=labelled)
  write_atlas(workdir, labelled=labelled)
  if labelled:
    write_result(workdir, 'knn', 60, 0.5)
    write_result(workdir, 'knn', 120, 0.71)
    write_result(workdir, 'linear', 120, 0.83)
  _, _, pictures = features(3)
  figures.contact_sheet(
      workdir / 'figures/views.png', pictures,
      [{'a': pictures / 255, 'b': pictures / 255}] * 2, tile=96)
  (workdir / 'bad_images.jsonl').write_text(
      json.dumps({
          'index': 7, 'name': 'broken.jpg', 'reason': 'truncated', 'detail': '',
          'source': 'ab' * 32}) + '\n')
  (workdir / 'DONE').write_text(json.dumps({'step': 120, 'digest': 'fa' * 32}))
