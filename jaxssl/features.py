"""Runs a model over a whole data set, for evaluators and for E-steps.

Every example exactly once and in order, on any number of devices. In shapes, n is
the examples, m those of one batch, d the width of a feature, c the side of a canvas
and s that of a view.

`batches` is always an iterable of dicts of host arrays: `image` [m, ...], `index`
[m] the examples' ids, and `label` [m] (or [m, classes]) where there are labels. An
embed is given the `image` array. Where a batch holds more than these three, as
canvases with their `size` do, it is given the dict of all but the labels, and
`with_view` or `with_random_view` makes the embed that takes it. Images can as well
be features [m, d] made elsewhere; `lambda params, extra, x: {'h': x}` is an embed.

Of what an embed gives, 'z1', 'z2', ... are layers inside the projector, as wide as the
encoder's output or wider. They are computed and kept where one is asked for, only.
"""

import collections
import contextlib
import contextvars
import functools
import hashlib
import operator
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import hosts
from jaxssl import parallel
from jaxssl import preemption

LAYER = re.compile(r'z\d+')  # Inside the projector.


class Outputs(NamedTuple):
  """What a model says about a data set, on the host; not to be written to."""
  features: dict     # Name ('h', 'z') -> float32 [n, d].
  labels: np.ndarray | None
  index: np.ndarray  # [n] ids.
  hashes: np.ndarray | None  # uint64 [n] of the examples' bytes, if asked for.


_remembered = contextvars.ContextVar('remembered', default=None)


@contextlib.contextmanager
def shared(most=4):
  """Within it, what was extracted once is not extracted again.

    with features.shared():
      results = {name: run(params, extra) for name, run in evaluators.items()}

  An extraction is known by its embed, its `batches` and the arrays of its
  parameters, each the very same object; a generator, which runs out, is never kept.
  All is forgotten at the end of the block; a block within another is part of it.

  Args:
    most: extractions kept in host memory at a time, the latest: train and test of
      two data sets.
  """
  if _remembered.get() is not None:
    yield
    return
  token = _remembered.set(collections.deque(maxlen=most))
  try:
    yield
  finally:
    _remembered.reset(token)


def extract(embed, params, extra, batches, feature):
  """One of the features of every example.

  Args:
    embed, params, extra, batches: see `outputs`.
    feature: 'h', the encoder's output; 'z', the projector's; or 'z1', 'z2', ..., those
      of its layers before the last.

  Returns:
    float32 [n, d] features, and the [n] labels or None, on the host.

  Raises:
    ValueError: the embed does not give this feature; and see `outputs`.
  """
  found = outputs(embed, params, extra, batches, feature=feature)
  if feature not in found.features:
    raise ValueError(
        f'The model gives no feature {feature!r}. '
        f'It gives: {", ".join(sorted(found.features))}.')
  return found.features[feature], found.labels


def outputs(embed, params, extra, batches, *, hashed=False, feature=None):
  """All features of every example, but for layers inside the projector.

  With several processes each works on its share, where the batches can be shared out
  by a `shared()`, and has all features in the end.

  Args:
    embed: (params, extra, images) -> dict of [m, d] features; pure, and the same
      object from call to call, for it is compiled once.
    params: the parameters, on any device.
    extra: the method's other state.
    batches: see the top of the file. Where it has a `num_examples`, so many there
      must be.
    hashed: whether to hash what stands for each example, too: for `leaks`. It takes
      a second for a gigabyte.
    feature: None, or what has to be among the features, such as the layer 'z1'.

  Raises:
    ValueError: no examples, one missing or there twice, labels in some of the
      batches only, or features that are not finite.
  """
  layer = feature if feature and LAYER.fullmatch(feature) else None
  remembered = _remembered.get()
  if remembered is None or isinstance(batches, collections.abc.Iterator):
    return _outputs(embed, params, extra, batches, hashed, layer)
  key = (embed, batches, *jax.tree.leaves((params, extra)))
  for other, found in remembered:
    if len(other) == len(key) and all(map(operator.is_, other, key)) and (
        found.hashes is not None or not hashed) and (
            layer is None or layer in found.features):
      return _asked_for(found, layer)
  found = _outputs(embed, params, extra, batches, hashed, layer)
  remembered.append((key, found))
  return found


def _asked_for(found, layer):
  """Without the layers that another evaluation has asked for."""
  kept = {name: x for name, x in found.features.items() if _is_kept(name, layer)}
  return found if len(kept) == len(found.features) else found._replace(features=kept)


def _is_kept(name, layer):
  return name == layer or not LAYER.fullmatch(name)


def with_view(embed, view):
  """The embed of canvases that looks at one view of each, such as the centre.

  Args:
    embed: takes images [m, s, s, 3].
    view: (canvases uint8 [m, c, c, 3], sizes [m, 2]) -> [m, s, s, 3], as
      `augment.make_eval_view` makes it.
  """
  def embed_canvases(params, extra, canvases):
    return embed(params, extra, view(canvases['image'], canvases['size']))
  return embed_canvases


def with_random_view(embed, view, *, seed):
  """The embed of canvases that takes a random view of each, another in each epoch.

  What else it is given, it passes on: `embed` may as well be the `tune` of a method.

  A view is a function of the seed, the epoch and the example's id; the batches come
  from `in_epoch`.

  Args:
    embed: takes images [m, s, s, 3].
    view: (rng, image float32 [c, c, 3] in [0, 1], size [2]) -> [s, s, 3], such as
      `augment.view` with its settings bound.
    seed: of the views.
  """
  def one_view(image, size, index, epoch):
    rng = jax.random.fold_in(jax.random.PRNGKey(seed), epoch)
    image = image.astype(jnp.float32) / 255
    return view(jax.random.fold_in(rng, index), image, size)

  def embed_canvases(params, extra, canvases, *more):
    keys = ('image', 'size', 'index', 'epoch')
    views = jax.vmap(one_view)(*(canvases[k] for k in keys))
    return embed(params, extra, views, *more)
  return embed_canvases


def in_epoch(batches, epoch):
  """The batches, once, each saying which epoch it is for `with_random_view`."""
  for batch in batches:
    yield {**batch, 'epoch': np.full(len(batch['index']), epoch, np.int32)}


@functools.lru_cache(maxsize=16)  # One compilation for all evaluators.
def _mapped(embed, devices, layer):
  """The embed on these devices, and the batch sizes that it is compiled for."""
  del devices  # Part of what the cache goes by.

  # One argument for parameters and extra: pmap takes `in_axes` for the leaves where
  # there are as many leaves as arguments, as with no parameters and three arrays.
  def embed_float32(state, images):
    found = embed(*state, images)
    return {
        name: x.astype(jnp.float32) for name, x in found.items()
        if _is_kept(name, layer)}
  mapped = parallel.mapped(
      embed_float32, (None, 0), 0, over=parallel.local_devices)
  return mapped, set()


def _outputs(embed, params, extra, batches, hashed, layer):
  parts, labels = collections.defaultdict(list), []
  index, hashes = [], []
  is_shared = hosts.count() > 1 and hasattr(batches, 'shared')
  mine = batches.shared() if is_shared else batches
  for batch, found in _embedded(embed, params, extra, mine, layer):
    ids = np.asarray(batch['index'])
    for name, x in found.items():
      finite = np.isfinite(x).reshape(len(x), -1).all(1)
      if not finite.all():
        raise ValueError(
            f'Feature {name!r} of example {ids[~finite][0]} is not finite.')
      parts[name].append(x)
    index.append(ids)
    if hashed:
      hashes.append(np.array([_hash(row) for row in batch['image']], np.uint64))
    if 'label' in batch:
      labels.append(np.asarray(batch['label']))
  if not index:
    raise ValueError('There are no examples to extract features of.')
  if 0 < len(labels) < len(index):
    raise ValueError(
        f'{len(labels)} of {len(index)} batches have labels; all or none must.')
  whole = _everyone if is_shared else _whole
  index = whole(index)
  _check_index(index, getattr(batches, 'num_examples', len(index)))
  return Outputs(
      {name: whole(x) for name, x in sorted(parts.items())},
      whole(labels) if labels else None, index,
      whole(hashes) if hashed else None)


def _hash(row):
  row = np.ascontiguousarray(row)
  return int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), 'little')


def _embedded(embed, params, extra, batches, layer):
  """Yields each batch with its features {name: [m, d]}, one batch behind."""
  mapped, sizes = _mapped(embed, tuple(parallel.devices()), layer)
  # Not replicated, they would be sent anew with each batch.
  state = parallel.replicate((params, extra), over=parallel.local_devices)
  ready = None
  for batch in batches:
    preemption.heed()
    m = len(batch['index'])
    if len(batch['image']) != m or not m:
      raise ValueError(f'A batch has {len(batch["image"])} images and {m} ids.')
    rows = min(
        (size for size in sizes if size >= m),
        default=m + -m % len(parallel.local_devices()))
    sizes.add(rows)
    out = mapped(state, parallel.split(_padded(_images(batch), rows)))
    # Fetched only when the next batch is under way, so that no device is idle.
    if ready:
      yield _fetched(*ready)
    ready = batch, out
  if ready:
    yield _fetched(*ready)


def _fetched(batch, out):
  return batch, {
      name: x[:len(batch['index'])] for name, x in parallel.join(out).items()}


def _images(batch):
  if set(batch) <= {'image', 'index', 'label'}:
    return batch['image']
  return {k: x for k, x in batch.items() if k != 'label'}


def _padded(images, rows):
  """Repeats the last row up to `rows`: a canvas of size zero would have no view."""
  def pad(x):
    x = np.asarray(x)
    return np.concatenate([x, np.repeat(x[-1:], rows - len(x), axis=0)])
  return jax.tree.map(pad, images)


def _check_index(index, num_examples):
  ids, counts = np.unique(index, return_counts=True)
  if len(index) != num_examples:
    raise ValueError(
        f'There are {len(index)} examples where {num_examples} should be.')
  if len(ids) < len(index):
    raise ValueError(
        f'{len(index) - len(ids)} of {len(index)} examples are there more than '
        f'once, the first with id {ids[counts > 1][0]}.')


def _everyone(parts):
  """What all processes have, in their order."""
  whole = hosts.gather(_whole(parts))
  whole.flags.writeable = False
  return whole


def _whole(parts):
  """Concatenates, dropping each part once it is copied: never twice in memory."""
  whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
  start = 0
  for i, part in enumerate(parts):
    whole[start:start + len(part)] = part
    start += len(part)
    parts[i] = None
  whole.flags.writeable = False  # Several evaluators read the same array.
  return whole
