"""Parts of a source, drawn once and the same for every method that uses them.

A subset holds the first of its source's examples in an order that depends on nothing
but their number, the seed and the purpose (and, if balanced, the labels). So smaller
subsets lie within larger ones, and what is pretrained on and what is labelled are
drawn independently. A manifest is a subset as JSON; n counts a source's examples.
"""

import os

import numpy as np

from jaxssl import files
from jaxssl import plugins
from jaxssl.data import digest_of

# Blocks of the generator's counter; the orders of epochs and `take` have others.
STREAMS = {'pretraining': 2, 'labels': 3}
DRAWS = ('uniform', 'balanced')


def take(source, num_examples, *, seed=0):
  """A uniform random subset; smaller ones are contained in larger ones.

  Args:
    source: a `data.Source`.
    num_examples: how many to keep; 0, or at least as many as there are, keeps all.
    seed: of the draw.

  Returns:
    A source of the kept examples in their old order, with new ids from 0.
  """
  if not 0 < num_examples < source.num_examples:
    return source
  bits = np.random.Philox(key=seed, counter=[0, 0, 1, 0])
  drawn = np.random.Generator(bits).permutation(source.num_examples)
  kept = np.sort(drawn[:num_examples])

  return only(source, kept)


def draw(source, *, num_examples, draw, purpose, seed, manifest=''):
  """The subset of a study: see the top of the file.

  Args:
    source: a `data.Source`.
    num_examples: how many to keep, at most as many as there are; 0 keeps all, or
      what the manifest names.
    draw: 'uniform' over the examples, as in https://arxiv.org/abs/2105.05837, or
      'balanced': as many of each class as of any other, as long as there are any.
    purpose: 'pretraining' or 'labels'. Their draws are independent.
    seed: of the draw.
    manifest: a file to take the examples from instead, or ''.

  Returns:
    A source of the kept examples in their old order, with new ids from 0.

  Raises:
    ValueError: an argument is out of its range, or the manifest is of other data.
  """
  if draw not in DRAWS or purpose not in STREAMS:
    raise ValueError(
        f'subset.draw is {draw!r} and subset.purpose {purpose!r}. There are: '
        f'{", ".join(DRAWS)}; {", ".join(STREAMS)}.')
  if num_examples < 0:
    raise ValueError(f'subset.num_examples is {num_examples}; give 0 or more.')
  if manifest:
    kept = _listed(source, manifest, num_examples)
  elif num_examples:
    ids = order(source.num_examples, seed=seed, purpose=purpose)
    if draw == 'balanced':
      ids = _balanced(ids, source.labels)
    if num_examples > len(ids):
      raise ValueError(
          f'subset.num_examples is {num_examples:,}; there are {len(ids):,} images '
          'to draw from.')
    kept = np.sort(ids[:num_examples])
  else:
    return source
  part = only(source, kept)
  how = {'draw': draw, 'purpose': purpose, 'seed': seed}
  return part._replace(
      subset=lambda names: _manifest(
          source, part, kept, {'file': manifest} if manifest else how, names))


def of_settings(source, settings):
  """`draw` with a config's sub-dict; an empty one keeps all."""
  if not settings:
    return source
  return draw(
      source, **plugins.arguments(draw, settings, what='config.data.subset'))


def order(num_examples, *, seed, purpose):
  """The order in which examples come into subsets: [n] ids.

  NumPy promises the raw numbers of a generator for all its versions, and not what
  `permutation` makes of them.
  """
  bits = np.random.Philox(key=seed, counter=[0, 0, STREAMS[purpose], 0])
  return np.argsort(bits.random_raw(num_examples), kind='stable')


def _balanced(ids, labels):
  """The first of every class, in the given order, then the second of every class ..."""
  if labels is None or labels.ndim != 1:
    raise ValueError("subset.draw is 'balanced', which needs one class an image.")
  ids = ids[labels[ids] >= 0]
  by_class = np.argsort(labels[ids], kind='stable')
  ordered = labels[ids][by_class]
  place = np.empty(len(ids), np.int64)  # Of each among those of its class.
  place[by_class] = np.arange(len(ids)) - np.searchsorted(ordered, ordered)
  return ids[np.argsort(place, kind='stable')]


def _manifest(source, part, ids, how, names):
  present = None
  if part.labels is not None:
    present = (
        len(np.unique(part.labels[part.labels >= 0])) if part.labels.ndim == 1
        else int((part.labels > 0).any(0).sum()))
  manifest = {
      'version': 1, **how, 'source': source.digest,
      'source_examples': source.num_examples, 'digest': part.digest,
      'num_examples': part.num_examples, 'num_classes': part.num_classes,
      'classes_present': present, 'ids': ids.tolist()}
  if not names:
    return manifest
  shown = [part.describe(i) for i in range(part.num_examples)]
  folder = os.path.commonpath([os.path.dirname(name) for name in shown])
  return {
      **manifest, 'folder': folder,
      'names': [name.removeprefix(folder).lstrip('/') for name in shown]}


def write(path, source, *, names=True):
  """Writes the manifest of a drawn source, for `draw` to read.

  Args:
    path: of the JSON file.
    source: what `draw` has returned, or a pool of such sources.
    names: whether to name each example, as `describe` does, for people; a million
      names are a hundred megabytes.

  Raises:
    ValueError: the source was not drawn.
  """
  if source.subset is None:
    raise ValueError('Only a source that a subset was drawn from has a manifest.')
  files.write_json(path, source.subset(names))


def _listed(source, path, num_examples):
  """The ids in a manifest, once they are known to be of this source."""
  manifest = files.read_json(path)
  if manifest is None:
    raise ValueError(f'There is no manifest {path!r}.')
  try:
    ids = np.array(manifest['ids'], np.int64)
    digest, of = manifest['digest'], manifest['source']
  except (KeyError, TypeError, ValueError, OverflowError) as e:
    raise ValueError(f'{path} is no manifest of one subset.') from e
  if of != source.digest:
    raise ValueError(
        f'{path} is a part of other data: its source has the digest {of}, and this '
        f'one {source.digest}.')
  if ids.ndim != 1 or not len(ids) or (np.diff(ids) <= 0).any() or (
      ids[0] < 0 or ids[-1] >= source.num_examples) or (
          only(source, ids).digest != digest):
    raise ValueError(f'{path} is damaged: its ids are not those of its digest.')
  if num_examples not in (0, len(ids)):
    raise ValueError(
        f'subset.num_examples is {num_examples:,}; {path} has {len(ids):,}. Give '
        'the same number, or 0.')
  return ids


def without(source, names):
  """A source without the examples of these names, as its `describe` gives them."""
  if not names:
    return source
  ids = [i for i in range(source.num_examples) if source.describe(i) not in names]
  return source if len(ids) == source.num_examples else only(source, np.array(ids))


def labelled(source):
  """A source without the examples whose class nobody has said."""
  if source.labels is None or source.labels.ndim != 1 or (source.labels >= 0).all():
    return source
  return only(source, np.flatnonzero(source.labels >= 0))


def only(source, ids):
  """A source of some examples, [m] ids in the order in which they are to be."""
  def read(indices, short_side=None):
    return source.read(ids[np.asarray(indices, np.int64)], short_side=short_side)

  return source._replace(
      num_examples=len(ids),
      read=read,
      describe=lambda index: source.describe(int(ids[index])),
      digest=digest_of([('subset', source.digest, ids.astype('<i8').tobytes().hex())]),
      labels=None if source.labels is None else source.labels[ids],
      encoded=source.encoded and (lambda index: source.encoded(int(ids[index]))),
      subset=None)
