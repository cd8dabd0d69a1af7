"""Views a second here: ours, and torchvision's and kornia's where installed.

  python -m tests.benchmarks.views
  python -m tests.benchmarks.views --sizes 224 --parts
  python -m tests.benchmarks.views --sizes 224 --corruptions

SimCLR's views of uint8 images in memory, with blur from 96 pixels up. Everybody has
all cores: ours and kornia's take batches, with threads of their own; torchvision's
take images, in one process for each core, as the workers of a data loader do. They
take turns, so that other load on the machine falls on all, and each has its median.
The limit is the two matrix products of each crop at the rate of a large one.
`--parts` says what parts of our views cost and `--corruptions` what each corruption
adds to them; nobody else is measured then.
"""

import concurrent.futures
import multiprocessing
import os

import numpy as np

from jaxssl import huge_pages
from tests.benchmarks import stopwatch
from tests.benchmarks import table

CANVAS = {32: 48, 96: 128, 224: 256}
BATCH = {32: 256, 96: 64, 224: 32}


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
  return lambda: stopwatch.rate(
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
  return stopwatch.rate(lambda: view(image), 1)


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
  return lambda: stopwatch.rate(step, BATCH[size])


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


def print_parts(sizes):
  """Views a second of ours without some of their operations."""
  for size in sizes:
    print(f'{size} px: {ours(size)():,.0f} views/s')
    for name, changes in dict(
        blur=dict(blur=0.0), jitter=dict(jitter=0.0),
        crop=dict(flip=0.0, jitter=0.0, grayscale=0.0, blur=0.0)).items():
      verb = 'only the crop' if name == 'crop' else f'without {name}'
      print(f'  {verb}: {ours(size, **changes)():,.0f} views/s', flush=True)


def crop_operations(size):
  """Of the two products that resize a crop: [s, h] with [h, w], then with [w, s]."""
  canvas = CANVAS[size]
  return 2 * 3 * size * canvas * (canvas + size)


def compare(size, turns):
  """A row beside each peer."""
  multiply = stopwatch.product()
  runs = {'ours': ours(size), stopwatch.PRODUCT: multiply}
  missing = {}
  for make in (torchvision, kornia):
    try:
      runs[make.__name__] = make(size)
    except ImportError as e:
      missing[make.__name__] = f'{make.__name__}: {e}'
  rates = stopwatch.rates_by_turns(runs, turns)
  return [
      table.Row(
          f'views: {size} px, all of SimCLR\'s', 'views/s', rates['ours'],
          missing.get(peer, peer), rates.get(peer), ('ratio', '>=', 1.5),
          multiply() / crop_operations(size), stopwatch.PRODUCT)
      for peer in ('kornia', 'torchvision')]


def rows(quick, sizes=tuple(CANVAS)):
  return [row for size in sizes for row in compare(size, 3 if quick else 7)]


def main():
  parser = table.parser(__doc__)
  parser.add_argument(
      '--sizes', nargs='+', type=int, choices=tuple(CANVAS), default=tuple(CANVAS))
  parser.add_argument('--parts', action='store_true', help='what parts cost')
  parser.add_argument('--corruptions', action='store_true', help='what they add')
  args = parser.parse_args()
  if args.corruptions:
    corruptions(args.sizes)
  elif args.parts:
    print_parts(args.sizes)
  else:
    table.deliver(rows(args.quick, args.sizes), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
