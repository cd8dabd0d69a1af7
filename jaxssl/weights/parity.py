"""How far our features are from those of the framework that weights belong to.

Two references: `reference`, a network in NumPy and float64; and torchvision's own,
with the state loaded into it, where it is installed and the padding is its own.
In shapes, b is images and e the width of the features.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import jax
import numpy as np

from jaxssl import plugins
from jaxssl.data import ledger
from jaxssl.weights import cards
from jaxssl.weights import reference

TOLERANCE = 1e-3  # Of the largest feature of an image.
NUM_IMAGES = 4
PROGRAM = pathlib.Path(__file__).with_name('in_torchvision.py')


def report(features, variables, card, state, real):
  """Compares our features with those of each reference, on random and real images.

  Args:
    features: (variables, images in [0, 1]) -> [b, e]; see `weights.forward`.
    variables: for it.
    card: with `model` and `preprocessing`.
    state: the same weights in torchvision's names.
    real: images [b, size, size, 3] in [0, 1], or text that says why there are none.

  Returns:
    {'tolerance', 'largest_relative', 'comparisons': [...]}: each comparison with
    `against`, `images`, and either `number`, `largest_absolute` and
    `largest_relative` or `skipped`, the reason.

  Raises:
    ValueError: a difference is above the tolerance.
  """
  size, own = card['preprocessing']['size'], {
      k: card['model'][k] for k in ('padding', 'version')}
  sets = {'random': np.random.default_rng(0).random(
      (NUM_IMAGES, size, size, 3), dtype=np.float32)}
  if not isinstance(real, str):
    sets['real'] = real
  images = np.concatenate([*sets.values()])
  with jax.default_matmul_precision('highest'):  # Accelerators round by default.
    got = np.asarray(jax.jit(features)(variables, images))
  seen, ends = standardized(images, card), np.cumsum([*map(len, sets.values())])[:-1]
  comparisons = []
  for against, want in (
      ('numpy', reference.features(state, seen, **own)),
      ('torchvision', torchvision(card['model'], state, seen))):
    if isinstance(want, str):
      comparisons.append({'against': against, 'images': 'all', 'skipped': want})
      continue
    for name, ours, theirs in zip(sets, np.split(got, ends), np.split(want, ends)):
      absolute, relative = differences(ours, theirs)
      comparisons.append({
          'against': against, 'images': name, 'number': len(ours),
          'largest_absolute': absolute, 'largest_relative': relative})
  if isinstance(real, str):
    comparisons.append({'against': 'all', 'images': 'real', 'skipped': real})
  relative = [c['largest_relative'] for c in comparisons if 'number' in c]
  largest = float(np.max(relative))  # Of not a number, which Python's max may miss.
  if not largest <= TOLERANCE:
    raise ValueError(
        f'Our features differ from the reference by {largest:.2g} of the largest, more '
        f'than {TOLERANCE:g}. Nothing was written.')
  return {
      'tolerance': TOLERANCE, 'largest_relative': largest, 'comparisons': comparisons}


def differences(got, want):
  """The largest absolute difference, and the largest relative one.

  An image's relative difference is its largest absolute one, divided by the largest
  of its features.

  Args:
    got: [b, e].
    want: [b, e].
  """
  absolute = np.abs(np.float64(got) - want).max(1)                # [b]
  scale = np.maximum(np.abs(want).max(1), np.finfo(np.float32).tiny)
  return float(absolute.max()), float((absolute / scale).max())


def standardized(images, card):
  """Images [b, h, w, 3] as the network gets them, in float64."""
  how, images = card['preprocessing'], np.float64(images)
  if how.get('each_image'):
    centred = images - images.mean((1, 2), keepdims=True)
    return centred / np.sqrt((centred**2).mean((1, 2), keepdims=True) + 1e-4)
  return (images - how['mean']) / how['std']


def torchvision(model, state, images):
  """The features of torchvision's network, by `in_torchvision`.

  Args:
    model: settings of the network.
    state: its weights.
    images: [b, h, w, 3], standardised.

  Returns:
    [b, e], or text that says why there are none.
  """
  if model['padding'] != 'symmetric' or model['version'] != 'v1.5':
    return "torchvision has no network with these weights' padding or strides"
  for package in ('torch', 'torchvision'):
    if importlib.util.find_spec(package) is None:
      return f'not compared: {package} is not installed'
  kind, counts = plugins.load('models', 'resnet').DEPTHS[model['depth']]
  with tempfile.TemporaryDirectory(prefix='jaxssl-') as folder:
    folder = pathlib.Path(folder)
    np.savez(folder / 'given.npz', images=np.float32(images), **{
        name: x for name, x in state.items() if not name.startswith('projector.')})
    (folder / 'model.json').write_text(json.dumps(dict(
        depth=model['depth'], kind=kind, counts=counts,
        channels=round(64 * model['width']), large=model['stem'] == 'imagenet',
        own=cards.in_torchvision(model))))
    ran = subprocess.run(
        [sys.executable, PROGRAM, folder], capture_output=True, text=True, check=False)
    if ran.returncode:
      last = (ran.stderr.strip().splitlines() or ['without a word'])[-1]
      return f'not compared: torchvision ended with {ran.returncode}, {last}'
    return np.load(folder / 'features.npy').astype(np.float64)


def real_images(recipe):
  """The first images that a recipe evaluates on, as evaluations see them.

  Args:
    recipe: a `recipe.Recipe`.

  Returns:
    float32 [b, size, size, 3] in [0, 1].
  """
  sources = recipe.eval_sources
  source = sources.get('test') or next(iter(sources.values()), recipe.source)
  dataset = recipe.dataset(source, ledger.Ledger(source, limit=0))
  number = min(NUM_IMAGES, source.num_examples)
  batch = dataset.read(np.linspace(0, source.num_examples - 1, number).astype(int))
  return np.asarray(recipe.eval_view(batch['image'], batch['size']), np.float32)
