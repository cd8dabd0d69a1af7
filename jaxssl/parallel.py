"""The one place that knows how arrays lie on devices.

A step is written for one device, with the named axis `AXIS` for collectives, and
`mapped` runs it on all of them. Arrays are replicated (`None` in `in_axes` and
`out_axes`, no device axis) or split by their first axis over the devices (`0`).
The two ways to map, 'pmap' and 'shard_map', give equal results; they differ in how
split arrays lie: [devices, b, ...] for pmap, [devices * b, ...] for shard_map. Only
`split` and `join` need to know.
"""

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

AXIS = 'batch'  # The mapped axis, for collectives and for batch norm.
WAYS = ('pmap', 'shard_map')


def devices():
  """All devices of all processes, in the order in which batches are split."""
  return jax.devices()


def local_devices():
  """Those of this process."""
  return [d for d in devices() if d.process_index == jax.process_index()]


def mesh(over):
  return Mesh(np.asarray(over()), (AXIS,))


def replicate(tree, over=None):
  """Copies a pytree to every device, as the mapped steps take and return it.

  Do this before the first step: a state that is not replicated yet makes the second
  step compile again, and with several processes it cannot be donated. A tree that is
  replicated already is returned as it is.

  Args:
    tree: arrays, equal in all processes.
    over: None for all devices, or `local_devices` for what `mapped` runs on these.
  """
  sharding = NamedSharding(mesh(over or devices), PartitionSpec())
  if all(getattr(x, 'sharding', None) == sharding for x in jax.tree.leaves(tree)):
    return tree
  tree = jax.tree.map(np.asarray, jax.device_get(tree))
  if sharding.is_fully_addressable:
    return jax.device_put(tree, sharding)
  return jax.tree.map(
      lambda x: jax.make_array_from_callback(x.shape, sharding, lambda i: x[i]), tree)


def split(tree, way='pmap'):
  """Puts host arrays [b, ...] of this process on its devices, b / devices on each."""
  num_devices = len(local_devices())

  def put(x):
    if len(x) % num_devices:
      raise ValueError(
          f'A batch of {len(x)} does not divide over {num_devices} devices.')
    if way == 'shard_map':
      sharding = NamedSharding(mesh(devices), PartitionSpec(AXIS))
      return jax.make_array_from_process_local_data(sharding, x)
    return x.reshape(num_devices, -1, *x.shape[1:])

  tree = jax.tree.map(lambda x: put(np.asarray(x)), tree)
  if way == 'shard_map':
    return tree
  return jax.device_put(
      tree, NamedSharding(mesh(local_devices), PartitionSpec(AXIS)))


def join(tree, way='pmap'):
  """Brings split arrays back to the host as [b, ...] of this process, in order."""
  def get(x):
    if way == 'shard_map':
      shards = sorted(x.addressable_shards, key=lambda s: s.index[0].start or 0)
      return np.concatenate([np.asarray(s.data) for s in shards])
    x = np.asarray(x)
    return x.reshape(-1, *x.shape[2:])
  return jax.tree.map(get, tree)


def mapped(function, in_axes, out_axes, *, way='pmap', donate=(), over=None):
  """Maps a per-device function over all devices and compiles it.

  Args:
    function: takes and returns pytrees; collectives name `AXIS`.
    in_axes: for each argument, None (replicated) or 0 (split).
    out_axes: the same for each output, or one for a single output. A replicated
      output must be equal on all devices (reduce it with `pmean`).
    way: 'pmap' or 'shard_map'.
    donate: numbers of the arguments whose memory the outputs may take.
    over: None for all devices, or `local_devices`: then each process is on its own,
      and the others need not call it.
  """
  over = over or devices
  if way == 'pmap':
    # jax 0.10 gives the axes to the wrong arrays where there are as many leaves as
    # arguments but not one in each: put such arguments into one tuple.
    return jax.pmap(
        function, AXIS, in_axes=in_axes, out_axes=out_axes, donate_argnums=donate,
        devices=over())
  if way != 'shard_map':
    raise ValueError(f'No way {way!r} to map a step. There are: {", ".join(WAYS)}.')

  def specs(axes):
    if isinstance(axes, tuple):
      return tuple(map(specs, axes))
    return PartitionSpec() if axes is None else PartitionSpec(AXIS)

  # Gathered arrays count as different on each device, so the check for replicated
  # outputs would refuse right programs.
  return jax.jit(
      jax.shard_map(
          function, mesh=mesh(over), in_specs=specs(in_axes),
          out_specs=specs(out_axes), check_vma=False),
      donate_argnums=donate)


def mean(tree):
  """Means over the devices, inside a mapped function."""
  if jax.lax.psum(1, AXIS) == 1:
    return tree  # XLA would copy it.
  return jax.lax.pmean(tree, AXIS)


def to_global(tree):
  """A replicated state as arrays that Orbax can save from any number of processes."""
  if jax.process_count() == 1:
    return tree
  return replicate(jax.tree.map(lambda x: x.addressable_data(0), tree))


def fold_in_device(rng):
  """A key that differs on each device, inside a mapped function."""
  return jax.random.fold_in(rng, jax.lax.axis_index(AXIS))
