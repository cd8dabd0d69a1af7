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


def write_details(workdir):
  """A result of every protocol that the page draws, with made-up numbers.

  The images of their ids are those of `features`: image i has id i.
  """
  h, labels, thumbnails = features(60)
  pictures = dict(
      ids=np.arange(60), thumbnails=thumbnails,
      names=[f'photo {i}.jpg' for i in range(60)], labels=labels, class_names=CLASSES)

  def result(protocol, metrics, untrained=None, key=None, settings=None, **changes):
    write_result(
        workdir, key or protocol, 120, 0, protocol=protocol, metrics=metrics,
        controls={'random_init': untrained or {}, 'chance': None},
        settings={'name': protocol, **(settings or {})}, **changes)

  empty = [None] * 12
  result('linear', {
      'top1': 0.83, 'ece': 0.0625, 'reliability_num': [0] * 12 + [100, 100, 200],
      'reliability_confidence': [*empty, 0.84, 0.9, 0.97],
      'reliability_accuracy': [*empty, 0.7, 0.8, 0.91]}, {'top1': 0.31})
  result('granularity', {
      'top1': 0.4, 'top1_kingdom': 0.9, 'top1_family': 0.6, 'top1_species': 0.4,
      'top1_kingdom_trained': 0.95, 'top1_family_trained': 0.65,
      'top1_species_trained': 0.4, 'chance_kingdom': 0.5, 'chance_family': 0.2,
      'chance_species': 0.1, 'num_classes_kingdom': 2, 'num_classes_family': 7,
      'num_classes_species': 1200}, {
          'top1_kingdom': 0.6, 'top1_family': 0.3, 'top1_species': 0.15}, intervals={
          'top1_kingdom': [0.85, 0.94], 'top1_family': [0.55, 0.66],
          'top1_species': [0.35, 0.45]})
  shots = {1: 0.2, 2: 0.3, 4: 0.37, 16: 0.5}
  result('svm', {
      'chance_top1': 0.1, **{f'top1_k{k}_mean': v for k, v in shots.items()},
      **{f'top1_k{k}_std': 0.02 for k in shots}}, key='low_shot')
  result('clustering', {
      'ami': 0.4, 'sizes': [30, 20, 10], 'sizes_k3': [40, 15, 5],
      'sizes_k3_phi': [22, 20, 18]})
  result('per_class', {
      'top1': 0.5, 'names': [f'class {c}' for c in range(30)],
      'accuracy': [c / 30 for c in range(30)], 'num': [50] * 30,
      'lower': [max(0, c / 30 - 0.1) for c in range(30)],
      'upper': [min(1, c / 30 + 0.1) for c in range(30)]},
      {'accuracy': [0.1] * 30})
  result('prototypes', {
      'granularities': 2, 'gallery_coarse': [1, 0], 'gallery_fine': [[4, 2], [0, -1]],
      'gallery_random': [[0, 1, 2], [3, 4, -1]],
      'gallery': [[[8, 12, 16], [5, 9, -1]], [[20, 21, 23], [-1, -1, -1]]]})
  result('embedding', {
      'coordinates': h[:50, :2].tolist(), 'ids': list(range(50)),
      'labels': labels[:50].tolist(), 'trustworthiness': 0.93, 'continuity': 0.95,
      'accuracy_map': 0.75, 'accuracy_features': 0.8},
      settings={'by': {'name': 'umap'}})
  result('neighbors', {
      'queries': [40, 7], 'neighbors': [[0, 5], [3, 11]],
      'similarity': [[0.9, 0.8], [0.7, 0.6]], 'precision_at_1': 1.0,
      'precision_at_2': 0.75, 'chance': 0.25}, {'precision_at_2': 0.375},
      settings={'train': 'train'})
  for key, data in (
      ('prototypes', 'test'), ('embedding', 'test'), ('neighbors', 'test'),
      ('neighbors', 'train')):
    report.save_pictures(workdir / 'eval' / key, 120, data, **pictures)


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
