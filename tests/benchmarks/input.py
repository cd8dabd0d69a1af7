"""Images a second of the streamed pipeline, and what a step asks of the host.

  python -m tests.benchmarks.input
  python -m tests.benchmarks.input --images=DIR   # JPEGs of your own.

`streamed` reads, decodes and shrinks JPEGs of 500x375 to a shorter side of 256 and
puts them on canvases, by the bilinear filter that the recipes for such images have, up
to the batch on the host. Beside it tf.data does the same by decode_jpeg and
tf.image.resize(antialias=True), and, which is the limit, decode_jpeg alone; all have as
many threads as there are cores. The difference of ours from antialiased resizing of the
whole picture is the mean over all pixels, in grey levels.

`resident` and `cached` then give batches of 256 small images; counted is the time that
the thread which takes the steps spends on a batch, not what the device does.
"""

import os
import pathlib
import tempfile
import time

import jax
import numpy as np
from PIL import Image

from jaxssl import huge_pages
from jaxssl.data import canvas
from jaxssl.data import decode
from jaxssl.data import in_memory
from jaxssl.data import ledger
from jaxssl.data import pipeline
from jaxssl.data import streamed
from jaxssl.data import threads
from jaxssl.data.sources import folder as folders
from tests.benchmarks import stopwatch
from tests.benchmarks import table

SIDE, BATCH, FILTER = 256, 32, 'bilinear'
EPOCHS = 4  # In a turn: the pipelines take a tenth of a second or two to set up.


def draw_jpegs(folder, n):
  """Writes n pictures of 500x375, about 50 KB each: smooth colours, edges, grain."""
  rng = np.random.default_rng(0)
  y, x = np.mgrid[:375, :500][..., None] / 100
  for i in range(n):
    slope, phase = rng.uniform(-3, 3, (2, 3)), rng.uniform(0, 6, 3)
    smooth = np.sin(slope[0] * x + slope[1] * y + phase)
    edges = np.sign(np.sin(3 * slope[1] * x - 2 * slope[0] * y + phase))
    grain = rng.standard_normal((375, 500, 1))
    pixels = np.clip(128 + 70 * smooth + 25 * edges + 6 * grain, 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{i:05}.jpg', quality=85)


def by_tensorflow(paths, resized):
  """Decodes all images, and perhaps shrinks them; nothing is kept."""
  tf = streamed.tensorflow()

  def one(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    return shrink(image) if resized else tf.reduce_sum(tf.shape(image))

  def shrink(image):
    shape = tf.shape(image)[:2]
    scale = SIDE / tf.reduce_min(shape)
    size = tf.cast(tf.round(tf.cast(shape, tf.float64) * scale), tf.int32)
    image = tf.image.resize(image, size, antialias=True)[:SIDE, :SIDE]
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)

  batches = tf.data.Dataset.from_tensor_slices(paths).repeat(EPOCHS).map(
      one, num_parallel_calls=threads.WORKERS).batch(BATCH).prefetch(2).with_options(
          streamed.options(tf))

  def run():
    for _ in batches.as_numpy_iterator():
      pass

  return run


def by_us(dataset, n):
  """The first n images, on canvases."""
  def ids_of(step):
    return np.arange(step * BATCH, (step + 1) * BATCH, dtype=np.int32) % n

  def run():
    for _ in streamed.host_batches(
        dataset, ids_of, steps=range(EPOCHS * n // BATCH),
        workers=threads.WORKERS):
      pass

  return run


def difference(paths):
  """Mean difference from antialiased resizing of all pixels, in grey levels."""
  tf = streamed.tensorflow()
  found = []
  for path in paths:
    ours, (height, width) = canvas.place(
        decode.from_file(path, short_side=SIDE), short_side=SIDE, canvas=2 * SIDE,
        interpolation=FILTER)
    whole = tf.io.decode_jpeg(
        tf.io.read_file(path), channels=3, dct_method='INTEGER_ACCURATE')
    theirs = tf.image.resize(whole, (height, width), antialias=True)
    theirs = np.clip(theirs.numpy(), 0, 255)
    found.append(np.abs(ours[:height, :width] - theirs).mean())
  return float(np.mean(found))


def compare(root, turns):
  """Rows of the streamed pipeline on a folder of JPEGs."""
  source = folders.make(root=str(root), split='', labels='none')
  n = source.num_examples // BATCH * BATCH
  paths = [source.describe(i) for i in range(n)]
  paths = [p if os.path.isabs(p) else str(pathlib.Path(root, p)) for p in paths]
  dataset = pipeline.Dataset(
      source, SIDE, SIDE, ledger.Ledger(source), interpolation=FILTER)
  runs = {
      'ours': by_us(dataset, n), 'resized': by_tensorflow(paths, True),
      'decoded': by_tensorflow(paths, False)}
  for run in runs.values():
    run()
  times, _ = stopwatch.by_turns(runs, turns)
  rates = {name: EPOCHS * n / float(t[0]) for name, t in times.items()}
  cpu = {
      name: f'{1000 * float(t[1]) / EPOCHS / n:.1f}' for name, t in times.items()}
  what = f'input: streamed, {n} JPEGs to a canvas of {SIDE}'
  return [
      table.Row(
          what, 'images/s', rates['ours'], 'tf.image.resize, antialiased',
          rates['resized'], ('ours', '>=', 900), rates['decoded'], 'bare decode',
          f'CPU ms an image: {cpu["ours"]}, peer {cpu["resized"]}, bare decode '
          f'{cpu["decoded"]}'),
      table.Row(
          f'{what}: mean difference from antialiased resizing', 'grey levels',
          difference(paths[:64]), target=('ours', '<=', 2))]


def host_work(input, n, steps, cache):
  """Milliseconds that the calling thread is busy with a batch of 256, by `input`."""
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (n, 48, 48, 3), np.uint8)
  source = in_memory.source(images, name='pixels')
  dataset = pipeline.Dataset(source, 48, 48, ledger.Ledger(source))
  spent = []
  with pipeline.train_batches(
      dataset, seed=0, batch_size=256, first_step=0, last_step=steps + 3, input=input,
      cache_dir=cache) as batches:
    for _ in range(steps + 3):
      start = time.thread_time()
      batch = next(batches)
      spent.append(time.thread_time() - start)
      jax.block_until_ready(batch)
  return 1000 * float(np.median(spent[3:]))  # The first ones compile.


def resident(quick):
  """One row: the host's work with images on the device, beside `cached`."""
  n, steps = (4096, 15) if quick else (16384, 60)
  with tempfile.TemporaryDirectory() as folder:
    ms = {way: host_work(way, n, steps, folder) for way in ('resident', 'cached')}
  return table.Row(
      'input: resident, busy time of the host\'s thread for a batch of 256', 'ms',
      ms['resident'], 'cached', ms['cached'], ('ours', '<=', 1))


def rows(quick, root=None):
  turns = 3 if quick else 5
  try:
    streamed.tensorflow()
  except ValueError as e:
    return [table.Row('input: streamed', note=str(e)), resident(quick)]
  if root:
    return [*compare(root, turns), resident(quick)]
  with tempfile.TemporaryDirectory() as folder:
    draw_jpegs(pathlib.Path(folder), 256 if quick else 512)
    return [*compare(folder, turns), resident(quick)]


def main():
  parser = table.parser(__doc__)
  parser.add_argument('--images', help='folder of JPEGs, instead of drawn ones')
  args = parser.parse_args()
  table.deliver(rows(args.quick, args.images), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
