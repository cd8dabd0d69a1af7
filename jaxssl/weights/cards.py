"""A card: what weights are, `card.json` for programs and `README.md` for people."""

import pathlib

from jaxssl import files

NOT_STATED = 'not stated'


def write(folder, card):
  """Writes `card.json` and `README.md`.

  Args:
    folder: of the weights.
    card: see `weights.load`, `importing` and `exporting` for what is in it.
  """
  folder = pathlib.Path(folder)
  files.write_json(folder / 'card.json', card)
  files.write_text(folder / 'README.md', readme(card))


def readme(card):
  """A card as Markdown."""
  parts = [
      f'# {architecture(card["model"])}', *source(card), *training(card), *facts(card),
      *metrics(card), *parity(card), *listing(card), *loading(card)]
  return '\n'.join(parts) + '\n'


def architecture(model):
  """'ResNet-50, width 2' and the like."""
  width = f', width {model["width"]:g}' if model['width'] != 1 else ''
  stem = ', 3x3 stem' if model['stem'] == 'cifar' else ''
  return f'ResNet-{model["depth"]}{width}{stem}'


def source(card):
  """Where imported weights came from, and what of their file was left out."""
  came = card.get('source')
  if not came:
    return []
  lines = [
      '', f'Imported from `{came["file"]}`, read as: {came["title"]}'
      + (f' ({came["paper"]}).' if came['paper'] else '.'),
      f'SHA-256 `{came["sha256"]}`.']
  if came['layout'] in ('torchvision', 'timm'):
    lines += [
        '', 'Names alone do not tell torchvision, timm, DINO and converted SimCLR '
        'weights apart, whose preprocessing differs: `layout` says which it is.']
  for what, names in came['dropped'].items():
    lines += ['', f'Left out: {what} ({len(names)}).']
  return lines


def training(card):
  """How exported weights were trained."""
  how = card.get('training')
  if not how:
    return []
  return [
      '', f'Trained by jaxssl: {how["method"]}, {how["steps"]:,} steps.',
      '', f'- encoder: {how["encoder"]}', f'- images: digest `{how["data"]}`',
      f'- checkpoint: digest `{how["checkpoint"]}`']


def facts(card):
  """Input, preprocessing, licence."""
  how = card['preprocessing']
  if how.get('each_image'):
    standardized = 'each image by its own mean and deviation in every channel'
  else:
    standardized = f'mean {list(how["mean"])}, deviation {list(how["std"])}'
  return [
      '', '| | |', '|---|---|',
      f'| features | {card["num_features"]:,} |',
      f'| images | {how["size"]} x {how["size"]}, RGB, in [0, 1] |',
      f'| crop | the central {how["fraction"]:g} of the shorter side, resized by '
      f'{how["interpolation"]} |',
      f'| standardised | {standardized} |',
      f'| padding | {card["model"]["padding"]} |',
      f'| licence | {card.get("licence") or NOT_STATED} |']


def metrics(card):
  """The newest evaluations, beside a random start."""
  if not card.get('metrics'):
    return []
  lines = [
      '', '| evaluation | metric | here | random start |', '|---|---|---|---|']
  for key, found in card['metrics'].items():
    start = found['random_init']
    lines += [
        f'| {key} | {name} | {value:.4g} | '
        f'{f"{start[name]:.4g}" if name in start else ""} |'
        for name, value in found['metrics'].items()]
  return lines


def parity(card):
  """How far the features are from the reference's."""
  found = card.get('parity')
  if not found:
    return []
  lines = ['', 'Features beside the reference (`parity.json`):', '']
  for row in found['comparisons']:
    beside = f'{row["images"]} images, {row["against"]}'
    lines.append(
        f'- {beside}: {row["skipped"]}' if 'skipped' in row else
        f'- {beside}: {row["number"]} images, largest difference '
        f'{row["largest_absolute"]:.2g}, relative {row["largest_relative"]:.2g}')
  return lines


def listing(card):
  """The files and their digests."""
  if not card.get('files'):
    return []
  return ['', '| file | bytes | SHA-256 |', '|---|---|---|', *(
      f'| `{name}` | {f["bytes"]:,} | `{f["sha256"]}` |'
      for name, f in card['files'].items())]


def loading(card):
  """How to load exported files, in a few lines for each framework."""
  if not card.get('files'):
    return []
  model, size = card['model'], card['preprocessing']['size']
  lines = [
      '', '```python', '# JAX, without jaxssl: preprocessing and weights are inside.',
      'import numpy as np', 'from jax import export',
      "data = bytearray(open('encoder.stablehlo', 'rb').read())",
      f'images = np.zeros((8, {size}, {size}, 3), np.float32)  # In [0, 1].',
      'features = export.deserialize(data).call(images)', '',
      '# JAX, with jaxssl:', 'from jaxssl import weights',
      "variables, card = weights.load('encoder.npz')",
      'features = weights.forward(card)(variables, images)', '```', '']
  names = 'the names and the order of axes of torchvision'
  if model['padding'] != 'symmetric' or model['version'] != 'v1.5':
    return [
        *lines, f'`encoder.safetensors` has {names}, whose ResNet pads otherwise: with '
        f'padding {model["padding"]!r}, version {model["version"]}, its features '
        'differ.']
  if not in_torchvision(model):
    return [
        *lines, f'`encoder.safetensors` has {names}, which has no '
        f'{architecture(model)}: build one of its blocks.']
  name = f'resnet{model["depth"]}'
  return [
      *lines, '```python',
      '# PyTorch; images [b, 3, height, width], standardised as above.',
      'import safetensors.torch, torch, torchvision',
      f'network = torchvision.models.{name}(weights=None)',
      'network.fc = torch.nn.Identity()',
      f"# Or timm's: network = timm.create_model('{name}', num_classes=0)",
      "network.load_state_dict(safetensors.torch.load_file('encoder.safetensors'))",
      'network.eval()', '```']


def in_torchvision(model):
  """Whether torchvision has a ResNet of this depth, width and stem."""
  return (model['width'], model['stem']) == (1, 'imagenet') and (
      model['depth'] in (18, 34, 50, 101, 152))
