"""The files that others have published: how they name things, and what goes with them.

A layout is found by names that only it has; several that share all names are told
apart by nothing, so all but the first are for `layout=...`. `canonical` gives every
layout torchvision's names (see `names`); what belongs to heads that are not ours,
to other encoders, optimisers, prototypes and queues is dropped by name and listed.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from jaxssl import color
from jaxssl.weights import architecture
from jaxssl.weights import names
from jaxssl.weights import renaming

BODY = (
    r'(conv1\.weight|bn1\.\w+'
    r'|layer\d\.\d+\.(?:conv\d\.weight|bn\d\.\w+|downsample\.[01]\.\w+))')
BOOKKEEPING = (
    (r'.*num_batches_tracked', 'counters of batch norms'),
    (r'(optimizer|opt_state|amp|scheduler|lr_scheduler|fp16_scaler|dino_loss)[/.].*'
     r'|best_acc1|epoch|(global_)?step|rng', 'optimiser and bookkeeping'))
TORCH = dict(
    fraction=224 / 256, interpolation='bilinear', mean=color.MEAN, std=color.STD)
BICUBIC = {**TORCH, 'interpolation': 'bicubic'}
SIMCLR = {**BICUBIC, 'mean': (0.0, 0.0, 0.0), 'std': (1.0, 1.0, 1.0)}


class Layout(NamedTuple):
  """How a kind of file is read."""
  title: str
  paper: str               # Where it is from.
  sign: str                # Matches a name that only this layout has, or the first.
  rename: Callable         # See `renaming`.
  drop: tuple = ()         # (pattern, what it is)
  preprocessing: dict = TORCH
  padding: str = 'symmetric'
  head: str = ''           # Whose design the head is; '' where it is not one of ours.
  order: Callable = renaming.plain  # Brings an array into PyTorch's order of axes.
  fix: Callable = renaming.plain    # What is left to do to the state.


def body(prefix):
  return (prefix + BODY, r'\1')


def head(prefix, **modules):
  """Renames modules of a head: dense1=0 is `<prefix>0` -> `projector.dense1`."""
  return tuple(
      (rf'{prefix}{old}\.(\w+)', rf'projector.{new}.\1')
      for new, old in modules.items())


THREE_LAYERS = dict(dense1=0, bn1=1, dense2=3, bn2=4, dense3=6, bn3=7)
MODULE = r'(?:module\.)?'
CONTRAST = dict(
    sign=MODULE + r'encoder_q\.conv1\.weight',
    rename=renaming.patterns(
        body(MODULE + r'encoder_q\.'),
        (MODULE + r'encoder_q\.fc\.(weight|bias)', r'projector.dense1.\1'),
        *head(MODULE + r'encoder_q\.fc\.', dense1=0, dense2=2)),
    drop=(
        (MODULE + r'encoder_k\..*', 'the key encoder'),
        (MODULE + r'queue(_ptr)?', 'the queue')),
    head='moco')
PLAIN = dict(
    sign=MODULE + r'conv1\.weight', rename=renaming.patterns(body(MODULE)),
    drop=((MODULE + r'fc\.(weight|bias)', 'the classifier'),))
SEPARIUS = r'(?:resnet/)?net\.'
BLOCK = SEPARIUS + r'(\d)\.blocks\.(\d+)\.'

LAYOUTS = {
    'jaxssl': Layout(
        'jaxssl', '', r'params/encoder/stem_conv/kernel', renaming.ours,
        order=renaming.transposed),
    'simclr_tf': Layout(
        'SimCLR v1 or v2, TensorFlow checkpoint', 'https://arxiv.org/abs/2002.05709',
        r'base_model/conv2d/kernel', renaming.tensorflow,
        drop=(
            (r'.*/(Momentum|ExponentialMovingAverage)(_\d+)?', 'optimiser'),
            (r'head_supervised/.*', 'the classifier'),
            (r'ema_model/.*', 'the moving average of the network')),
        preprocessing=SIMCLR, padding='same_pool', head='simclr',
        order=renaming.transposed),
    'byol': Layout(
        'BYOL, JAX checkpoint', 'https://arxiv.org/abs/2006.07733',
        r'online_params/.*/initial_conv(_1)?/w', renaming.haiku,
        drop=(
            (r'target_\w+/.*', 'the target network'),
            (r'online_\w+/(predictor|classifier)/.*', 'predictor and classifier'),
            (r'.*/(counter|hidden)', 'counters of batch norms')),
        preprocessing=BICUBIC, padding='same', head='byol',
        order=renaming.from_haiku),
    'simclr_v2_pytorch': Layout(
        'SimCLR v2, converted to PyTorch', 'https://arxiv.org/abs/2006.10029',
        SEPARIUS + r'0\.0\.weight',
        renaming.patterns(
            (SEPARIUS + r'0\.0\.weight', r'conv1.weight'),
            (SEPARIUS + r'0\.1\.0\.(\w+)', r'bn1.\1'),
            (BLOCK + r'projection\.shortcut\.weight',
             r'layer\1.\2.downsample.0.weight'),
            (BLOCK + r'projection\.bn\.0\.(\w+)', r'layer\1.\2.downsample.1.\3'),
            *((BLOCK + rf'net\.{2 * i}\.weight', rf'layer\1.\2.conv{i + 1}.weight')
              for i in range(3)),
            *((BLOCK + rf'net\.{2 * i + 1}\.0\.(\w+)', rf'layer\1.\2.bn{i + 1}.\3')
              for i in range(3)),
            *head(r'head/layers\.', **THREE_LAYERS)),
        drop=((r'(resnet/)?fc\.(weight|bias)', 'the classifier'),),
        preprocessing=SIMCLR, padding='same_pool', head='simclr',
        fix=renaming.drop_zero_offset),
    'moco': Layout(
        'MoCo v1 or v2, or PCL', 'https://arxiv.org/abs/2003.04297', **CONTRAST),
    'pcl': Layout('PCL v1 or v2', 'https://arxiv.org/abs/2005.04966', **CONTRAST),
    'simsiam': Layout(
        'SimSiam', 'https://arxiv.org/abs/2011.10566',
        MODULE + r'encoder\.conv1\.weight',
        renaming.patterns(
            body(MODULE + r'encoder\.'),
            *head(MODULE + r'encoder\.fc\.', **THREE_LAYERS)),
        drop=((MODULE + r'predictor\..*', 'the predictor'),), head='simsiam',
        fix=renaming.fold_bias),
    'swav': Layout(
        'SwAV', 'https://arxiv.org/abs/2006.09882',
        MODULE + r'(projection_head|prototypes)\..*',
        renaming.patterns(body(MODULE)),
        drop=(
            (MODULE + r'projection_head\..*', 'the head, which is not one of ours'),
            (MODULE + r'prototypes\..*', 'the prototypes')),
        preprocessing={**TORCH, 'std': (0.228, 0.224, 0.225)}),  # As they have it.
    'dino': Layout(
        'DINO', 'https://arxiv.org/abs/2104.14294',
        rf'teacher/{MODULE}(backbone\.)?conv1\.weight',
        renaming.patterns(body(rf'(?:teacher/)?{MODULE}(?:backbone\.)?')),
        drop=(
            (r'student/.*', 'the student'),
            (rf'teacher/{MODULE}head\..*', 'the head, which is not one of ours')),
        preprocessing=BICUBIC),
    'torchvision': Layout(
        'torchvision', 'https://arxiv.org/abs/1512.03385', **PLAIN),
    'timm': Layout(
        'timm', 'https://arxiv.org/abs/1512.03385', **PLAIN,
        preprocessing={**BICUBIC, 'fraction': 0.95}),
    'simclr_pytorch': Layout(
        'SimCLR v1, converted to PyTorch', 'https://arxiv.org/abs/2002.05709', **PLAIN,
        preprocessing=SIMCLR, padding='same_pool')}


def detect(found):
  """The name of the layout that some names are in.

  Raises:
    ValueError: they are in none.
  """
  for name, layout in LAYOUTS.items():
    pattern = re.compile(layout.sign)
    if any(pattern.fullmatch(_bare(n)) for n in found):
      return name
  architecture.refuse(found)
  raise ValueError(
      f'No layout has the names {names.listed(sorted(found))}. There are: '
      f'{", ".join(LAYOUTS)}.')


def canonical(arrays, layout):
  """Arrays in torchvision's names and PyTorch's order of axes.

  Args:
    arrays: {name: array} as a file has them.
    layout: a name in `LAYOUTS`, or 'auto'.

  Returns:
    The layout's name; the state, see `names`; and what was dropped, as {what it is:
    names}.

  Raises:
    ValueError: there is no such layout, or the file has names that are not its; the
      message lists them.
  """
  if layout not in ('auto', *LAYOUTS):
    raise ValueError(
        f'No layout {layout!r}. There are: auto, {", ".join(LAYOUTS)}.')
  layout = detect(arrays) if layout == 'auto' else layout
  how = LAYOUTS[layout]
  rename = how.rename(arrays)
  state, dropped, unknown = {}, {}, []
  for name, x in arrays.items():
    bare = _bare(name)
    what = next(
        (what for pattern, what in (*how.drop, *BOOKKEEPING)
         if re.fullmatch(pattern, bare)), None)
    new = None if what else rename(bare)
    if what:
      dropped.setdefault(what, []).append(name)
    elif new is None:
      unknown.append(name)
    elif new in state:
      raise ValueError(f'The file has {new} twice, once as {names.listed([name])}.')
    else:
      state[new] = how.order(x)
  if unknown:
    architecture.refuse(arrays)
    raise ValueError(
        f'The layout {layout} has no names such as {names.listed(sorted(unknown))}.')
  return layout, how.fix(state), dropped


def _bare(name):
  return re.sub(r'^(state_dict|model)/', '', name)
