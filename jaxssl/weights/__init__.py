"""Weights in and out: other frameworks' files, and ours for other frameworks.

  from jaxssl import weights
  variables, card = weights.load('moco_v2_800ep_pretrain.pth.tar')
  embed = weights.forward(card)               # (variables, images in [0, 1]) -> [b, e]
  weights.save('out', variables, card)        # safetensors, npz, StableHLO, card

`variables` are those of `models.resnet`; a *card* is a dict that JSON can hold, with
`model`, the network's settings, `preprocessing`, and where the weights come from. The
jobs `import_weights` and `export_weights` are in `importing` and `exporting`.
"""

import json
import math
import pathlib

import jax
import numpy as np
from flax import traverse_util
from jax import export
from safetensors import numpy as safetensors

from jaxssl import augment
from jaxssl import color
from jaxssl import files
from jaxssl import plugins
from jaxssl.layers import definition
from jaxssl.weights import architecture
from jaxssl.weights import cards
from jaxssl.weights import layouts
from jaxssl.weights import names
from jaxssl.weights import readers

SIZES = {'imagenet': 224, 'cifar': 32}  # Of images, by the stem.
PLATFORMS = ('cpu', 'cuda', 'tpu')


def load(path, *, layout='auto', version='v1.5'):
  """Reads a file of weights; nothing in it is ever run.

  Args:
    path: see `readers` for the formats.
    layout: a name in `layouts.LAYOUTS`, or 'auto' to go by the names in the file.
    version: see `models.resnet.make`; neither names nor shapes tell it.

  Returns:
    {'params', 'batch_stats'} of nested dicts of float32 NumPy arrays, and the card.

  Raises:
    ValueError: the file is in no known format or layout, or holds another network;
      the message lists the names that are missing or unknown.
    errors.StorageError: it cannot be read.
  """
  contents = readers.read(path)
  layout, state, dropped = layouts.canonical(contents.arrays, layout)
  how = layouts.LAYOUTS[layout]
  notes = about(contents.about)
  model = architecture.infer(
      state, head=notes.get('head') or how.head,
      padding=notes.get('padding', how.padding),
      version=notes.get('version', version))
  variables = names.to_variables(state, model)
  return variables, {
      'model': model,
      'num_features': num_features(model),
      'preprocessing': notes.get(
          'preprocessing', {'size': SIZES[model['stem']], **how.preprocessing}),
      'source': {
          'file': pathlib.Path(path).name, 'sha256': contents.sha256,
          'layout': layout, 'title': how.title, 'paper': how.paper,
          'dropped': dropped}}


def save(folder, variables, card, *, platforms=PLATFORMS):
  """Writes an encoder in formats that other frameworks read.

  Args:
    folder: made if need be; gets
      encoder.safetensors  in torchvision's names, as PyTorch orders axes
      encoder.npz          in our names, as JAX orders axes, with the head if any
      encoder.stablehlo    images [b, size, size, 3] in [0, 1] -> features [b, e], for
                           `jax.export.deserialize`; the preprocessing is inside
      card.json, README.md
    variables: {'params': {'encoder': ..., 'projector': ...}, 'batch_stats': ...}.
    card: with `model` and `preprocessing`, as `load` gives it, and anything else.
    platforms: those that the StableHLO is for.

  Returns:
    The card, with the SHA-256 of every file in `files`.

  Raises:
    ValueError: the variables are not those of `card['model']`.
    errors.StorageError: the disk is full or the folder cannot be made.
  """
  folder = pathlib.Path(folder)
  state = names.to_state(variables)
  names.to_variables(state, card['model'])
  encoder = {k: x for k, x in state.items() if not k.startswith('projector.')}
  notes = json.dumps({
      'preprocessing': card['preprocessing'], 'padding': card['model']['padding'],
      'version': card['model']['version'],
      'head': (card['model']['projector'] or {}).get('name', '')})
  flat = {
      '/'.join(path): np.asarray(x) for path, x in
      traverse_util.flatten_dict(jax.device_get(variables)).items()}
  with files.storage_errors(f'Cannot write to {folder}'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'encoder.safetensors').write_bytes(safetensors.save(
        encoder, metadata={'format': 'pt', 'jaxssl': notes}))
    np.savez(folder / 'encoder.npz', **flat, about=np.str_(notes))
    (folder / 'encoder.stablehlo').write_bytes(
        stablehlo(variables, card, platforms=platforms))
  written = [folder / f'encoder.{kind}' for kind in ('safetensors', 'npz', 'stablehlo')]
  card = {**card, 'num_features': num_features(card['model']), 'files': {
      path.name: {'sha256': files.sha256(path), 'bytes': path.stat().st_size}
      for path in written}}
  cards.write(folder, card)
  return card


def forward(card):
  """The function that a card describes: (variables, images) -> features.

  Images are [b, size, size, 3] in [0, 1], cropped and resized as the card's
  `preprocessing` says; standardising them is part of the function. Features are
  float32 [b, e].
  """
  network = names.make({**card['model'], 'projector': None})
  how = card['preprocessing']

  def features(variables, images):
    if how.get('each_image'):
      images = plugins.load('methods', 'jigsaw').standardize(images)
    else:
      images = color.normalize(
          images, mean=tuple(how['mean']), std=tuple(how['std']))
    encoder = {part: {'encoder': variables[part]['encoder']} for part in variables}
    return network.apply(encoder, images)['h']
  return features


def stablehlo(variables, card, *, platforms=PLATFORMS):
  """The function of a card with its weights inside, as `jax.export` serialises it."""
  size = card['preprocessing']['size']
  features = forward(card)
  batch, = export.symbolic_shape('b')
  with definition.only():  # And not as the machine at hand does it best.
    return export.export(
        jax.jit(lambda images: features(variables, images)), platforms=platforms)(
            jax.ShapeDtypeStruct((batch, size, size, 3), np.float32)).serialize()


def num_features(model):
  """e: how wide the features of a network are."""
  kind, _ = plugins.load('models', 'resnet').DEPTHS[model['depth']]
  return round(64 * model['width']) * 8 * (4 if kind == 'bottleneck' else 1)


def about(text):
  """What we wrote into a file beside its arrays; {} for other people's files.

  Raises:
    ValueError: it is not what we write.
  """
  if not text:
    return {}
  try:
    notes = json.loads(text)
    how = dict(notes['preprocessing'])
    augment.check(augment.center_view, {
        k: how[k] for k in ('size', 'fraction', 'interpolation')}, what='preprocessing')
    each_image = bool(how.get('each_image'))
    numbers = [] if each_image else [*how['mean'], *how['std']]
    if not each_image and (len(numbers) != 6 or min(numbers[3:]) <= 0 or not all(
        math.isfinite(x) for x in numbers)):
      raise ValueError(f'mean and std are {numbers}')
    if not all(
        isinstance(notes.get(k, ''), str) for k in ('padding', 'version', 'head')):
      raise ValueError('padding, version and head must be text')
    return {**notes, 'preprocessing': how}
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(f'The notes in this file are broken: {e}.') from e
