"""Jigsaw puzzles (https://arxiv.org/abs/1603.09246), with a ResNet as in Goyal et al.
2019 (https://arxiv.org/abs/1905.01235): in which order do an image's tiles lie?

In shapes, b is the images on this device, s the tiles of an image, t the side of a
tile in pixels, e the encoder's width and p the permutations.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxssl import methods
from jaxssl import permutations
from jaxssl.layers import norm


class Head(nn.Module):
  """A layer on each tile's features, then one on those of all tiles."""
  num_tiles: int
  hidden: int
  num_permutations: int

  @nn.compact
  def __call__(self, h, train):
    """[b * s, e] features -> [b, p] logits."""
    x = nn.Dense(self.hidden, use_bias=False, name='tile_dense')(h)
    x = nn.relu(norm.BatchNorm('float32', name='tile_bn')(x, train))
    x = x.reshape(-1, self.num_tiles * self.hidden)
    return nn.Dense(self.num_permutations, name='classifier')(x)


def make(model, *, grid, tile_size, num_permutations, hidden, seed):
  """Jigsaw on one view.

  The encoder sees every tile alone, normalised by its own mean and deviation, and a
  whole image in `embed` likewise. The head is that of Goyal et al.'s code (VISSL),
  with batch norm on the tiles' layer.

  Args:
    model: see `jaxssl.methods`; its 'h' of each tile goes into the head.
    grid: rows and columns of cells: 3.
    tile_size: side of the tile that is cut at random out of each cell. Smaller than
      the cell, so that edges which go on in the next tile give nothing away.
    num_permutations: p, orders to tell apart: 2000; see `permutations.far_apart`.
    hidden: width of the layer on each tile: 1000.
    seed: of the set of permutations, which is the same in every run with this seed.

  Raises:
    ValueError: a number is out of its range, or, from `init`, there is more than one
      view, or its cells or tiles are not whole.
  """
  for name, value, least in (
      ('grid', grid, 2), ('tile_size', tile_size, 1), ('hidden', hidden, 1),
      ('num_permutations', num_permutations, 2)):
    if not isinstance(value, int) or value < least:
      raise ValueError(
          f'{name} is {value!r}; it must be a whole number, {least} or more.')
  orders = permutations.far_apart(grid**2, num_permutations, seed=seed)  # [p, s]
  apply_train, embed_model = methods.model_functions(model)
  head = Head(grid**2, hidden, num_permutations)

  def init(rng, views):
    if len(views) != 1:
      raise ValueError(f'Jigsaw needs one view; there are {sorted(views)}.')
    (images,) = views.values()
    side = images.shape[1]
    if side % grid or tile_size > side // grid:
      raise ValueError(
          f'A view of {side} pixels has no {grid} x {grid} whole cells with room for '
          f'tiles of {tile_size}.')
    tiles = images[:, :tile_size, :tile_size]
    variables = model.init(rng, tiles)
    h = jax.eval_shape(lambda: model.apply(variables, tiles))['h']
    head_variables = head.init(
        jax.random.fold_in(rng, 1), jnp.zeros((grid**2, h.shape[1])), train=False)
    return (
        {**variables['params'], 'head': head_variables['params']},
        {'batch_stats': variables['batch_stats'],
         'head_stats': head_variables['batch_stats']})

  def puzzle(rng, index, image):
    """[h, h, 3] -> [s, t, t, 3] tiles in one of the orders, and which it is."""
    # Keyed by the example, so that the devices make no difference.
    rngs = jax.random.split(jax.random.fold_in(rng, index))
    target = jax.random.randint(rngs[0], (), 0, num_permutations)
    tiles = cut_tiles(rngs[1], image, grid=grid, tile_size=tile_size)
    return tiles[jnp.asarray(orders)[target]], target

  def loss(params, extra, batch):
    (images,) = batch['views'].values()
    tiles, target = jax.vmap(puzzle, (None, 0, 0))(
        batch['rng'], batch['index'], images)         # [b, s, t, t, 3], [b]
    out, extra = apply_train(params, extra, tiles.reshape(-1, *tiles.shape[2:]))
    logits, new = head.apply(
        {'params': params['head'], 'batch_stats': extra['head_stats']}, out['h'],
        train=True, mutable=['batch_stats'])                             # [b, p]
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(
        logits, target).mean()
    metrics = {
        'loss': cross_entropy,
        'chance': jnp.log(float(num_permutations)),
        'permutation_top1': (logits.argmax(1) == target).mean()}
    return cross_entropy, ({**extra, 'head_stats': new['batch_stats']}, metrics)

  def embed(params, extra, images):
    return embed_model(params, extra, standardize(images))

  def tune(params, extra, images, groups=None):
    return apply_train(params, extra, standardize(images), groups)

  return methods.Method(init, loss, embed, tune)


def cut_tiles(rng, image, *, grid, tile_size):
  """Cuts a tile out of each cell of an image, at a random place in the cell.

  Args:
    rng: key.
    image: [h, h, 3].
    grid: rows and columns of cells.
    tile_size: t.

  Returns:
    float32 [s, t, t, 3] in reading order, each with mean 0 and deviation 1.
  """
  cell = len(image) // grid
  starts = jnp.mgrid[:grid, :grid].reshape(2, -1).T * cell               # [s, 2]
  starts += jax.random.randint(rng, starts.shape, 0, cell - tile_size + 1)
  tiles = jax.vmap(
      lambda start: jax.lax.dynamic_slice(
          image, (*start, 0), (tile_size, tile_size, image.shape[2])))(starts)
  return standardize(tiles)


def standardize(images):
  """Images [..., h, w, c] with mean 0 and deviation 1 in every channel of each."""
  images = images.astype(jnp.float32)
  centred = images - images.mean((-3, -2), keepdims=True)
  variance = (centred * centred).mean((-3, -2), keepdims=True)
  # A deviation below a hundredth of the range is noise: it is not blown up to 1.
  return centred * jax.lax.rsqrt(variance + 1e-4)
