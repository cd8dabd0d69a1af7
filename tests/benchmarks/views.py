"""Views a second here: ours, and torchvision's and kornia's where installed.

  python tests/benchmarks/views.py 32 96 224
  python tests/benchmarks/views.py --corruptions 224

SimCLR's views of uint8 images in memory, with blur from 96 pixels up. Everybody has
all cores: ours and kornia's take batches, with threads of their own; torchvision's
take images, in one process for each core, as the workers of a data loader do. They
take turns, so that other load on the machine falls on all, and each has its median.
The last lines say what parts of our views cost. With `--corruptions` they say what
each corruption adds to our views, and nobody else is measured.
"""

import concurrent.futures
import multiprocessing
import os
import sys
import time

import numpy as np

SECONDS, TURNS = 2, 5
CANVAS = {32: 48, 96: 128, 224: 256}
BATCH = {32: 256, 96: 64, 224: 32}


def rate(step, views_per_step, seconds=SECONDS):
  """Views a second of a function that is called over and over."""
  step()  # Whatever the first call does more than others.
  steps, start = 0, time.perf_counter()
  while time.perf_counter() < start + seconds:
    step()
    steps += 1
  return steps * views_per_step / (time.perf_counter() - start)


def images(size, batch):
  canvas = CANVAS[size]
  return np.random.default_rng(0).integers(
      0, 256, (batch, canvas, canvas, 3), dtype=np.uint8)


def ours(size, corruption=None, **changes):
  """Returns () -> views a second."""
  import jax

  from jaxssl import augment
  settings = dict(
      size=size, min_area=0.08, max_area=1.0, interpolation='bicubic', flip=0.5,
      jitter=0.8, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2,
      grayscale=0.2, blur=0.5 * (size >= 96), solarize=0.0, normalize='none')
  settings.update(changes)
  views = jax.jit(augment.make_views(
      dict(a=settings, b=dict(settings)), dtype='float32', corruption=corruption))
  canvases = jax.device_put(images(size, BATCH[size]))
  sizes = np.full((BATCH[size], 2), CANVAS[size])
  ids = np.arange(BATCH[size])
  return lambda: rate(
      lambda: jax.block_until_ready(views(jax.random.key(0), canvases, sizes, ids)),
      2 * BATCH[size])


def torchvision_worker(size):
  import torch
  from torchvision.transforms import v2
  torch.set_num_threads(1)
  transforms = [
      v2.RandomResizedCrop(
          size, (0.08, 1.0), interpolation=v2.InterpolationMode.BICUBIC),
      v2.RandomHorizontalFlip(),
      v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
      v2.RandomGrayscale(0.2)]
  if size >= 96:
    blur = v2.GaussianBlur(size // 10 // 2 * 2 + 1, (0.1, 2.0))
    transforms.append(v2.RandomApply([blur], 0.5))
  view = v2.Compose([*transforms, v2.ToDtype(torch.float32, scale=True)])
  image = torch.from_numpy(images(size, 1)[0]).movedim(-1, 0).contiguous()
  return rate(lambda: view(image), 1)


def torchvision(size):
  import torchvision.transforms.v2  # noqa: F401
  workers = os.cpu_count()
  pool = concurrent.futures.ProcessPoolExecutor(
      workers, multiprocessing.get_context('spawn'))
  return lambda: sum(pool.map(torchvision_worker, [size] * workers))


def kornia(size):
  import torch
  from kornia import augmentation as k
  transforms = [
      k.RandomResizedCrop((size, size), (0.08, 1.0), resample='bicubic'),
      k.RandomHorizontalFlip(),
      k.ColorJiggle(0.8, 0.8, 0.8, 0.2, p=0.8),
      k.RandomGrayscale(p=0.2)]
  if size >= 96:
    kernel_size = size // 10 // 2 * 2 + 1
    transforms.append(
        k.RandomGaussianBlur((kernel_size, kernel_size), (0.1, 2.0), p=0.5))
  view = torch.nn.Sequential(*transforms)
  batch = torch.from_numpy(images(size, BATCH[size])).movedim(-1, 1).contiguous()

  @torch.no_grad()
  def step():
    view(batch.float() / 255)
  return lambda: rate(step, BATCH[size])


def corruptions(sizes):
  """Milliseconds that a corruption adds to two views of 128 images."""
  severe = {name: dict(severity=3) for name in (
      'gaussian_noise', 'gaussian_blur', 'pixelate', 'contrast', 'brightness')}
  for size in sizes:
    plain = 256_000 / ours(size)()
    print(f'{size} px: two views of 128 images take {plain:,.0f} ms')
    for name, settings in dict(
        salt_and_pepper=dict(p=0.01), jpeg=dict(quality=10),
        resize=dict(size=CANVAS[size] // 2), downsample=dict(factor=2),
        **severe).items():
      both = 256_000 / ours(size, corruption=dict(name=name, **settings))()
      print(f'  {name}: {both - plain:+,.0f} ms')


def main(sizes):
  for size in sizes:
    runners = {}
    for make in (ours, torchvision, kornia):
      try:
        runners[make.__name__] = make(size)
      except ImportError as e:
        print(f'{size} px: no {make.__name__} ({e})')
    turns = [{name: run() for name, run in runners.items()} for _ in range(TURNS)]
    median = {name: np.median([t[name] for t in turns]) for name in runners}
    print(f'{size} px: ' + ', '.join(
        f'{name} {value:,.0f} views/s' + (
            f' (ours is {median["ours"] / value:.1f} times as fast)'
            if name != 'ours' else '')
        for name, value in median.items()))
    for name, changes in dict(
        blur=dict(blur=0.0), jitter=dict(jitter=0.0),
        crop=dict(flip=0.0, jitter=0.0, grayscale=0.0, blur=0.0)).items():
      verb = 'only the crop' if name == 'crop' else f'without {name}'
      print(f'  {verb}: {ours(size, **changes)():,.0f} views/s')


if __name__ == '__main__':
  wanted = [int(s) for s in sys.argv[1:] if s != '--corruptions'] or list(CANVAS)
  corruptions(wanted) if '--corruptions' in sys.argv else main(wanted)
