"""Images decoded as training goes, by tf.data. Nothing here outlives a run."""

import contextlib

import numpy as np


def tensorflow():
  """Imports tensorflow and keeps it off the GPU, whose memory it would take.

  Raises:
    ValueError: it is not installed.
  """
  try:
    import tensorflow as tf
  except ImportError as e:
    raise ValueError(
        "data.input='streamed' needs tensorflow, which is not installed here; "
        "'resident' and 'cached' work without it.") from e
  with contextlib.suppress(RuntimeError):  # It is in use already: too late.
    tf.config.set_visible_devices([], 'GPU')
  return tf


def options(tf):
  """Options of a pipeline whose settings are all given.

  Its tuner would find nothing to tune, and at the end of the iteration tensorflow waits
  until the tuner wakes, up to as long again as the pipeline has run.
  """
  found = tf.data.Options()
  found.autotune.enabled = False
  return found


CHUNK = 16  # Images that a thread decodes before it hands them on: calls are dear.


def host_batches(dataset, ids_of, *, steps, workers):
  """Yields the batches of this process, decoded ahead.

  Args:
    dataset: a `dataset.Dataset`.
    ids_of: gives the example ids of a step: int32 [m].
    steps: the range of steps.
    workers: threads that decode.

  Yields:
    NumPy batches, as `dataset.Dataset.read` returns them.

  Raises:
    What reading raised, as itself and not as tensorflow wraps it.
  """
  tf = tensorflow()
  # A dict does not come through a numpy_function, so its values go in this order.
  example = dataset.read([ids_of(steps.start)[0]])
  failures = []

  def call(function, argument, dtypes):
    def guarded(argument):
      try:
        return function(argument)
      except BaseException as e:
        failures.append(e)
        raise
    return tf.numpy_function(guarded, [argument], dtypes)

  def read(ids):
    return list(dataset.read(ids).values())

  def chunks_of(step):
    return tf.reshape(call(ids_of, step, np.int32), [-1, chunk])

  def shaped(ids):
    values = call(read, ids, [x.dtype for x in example.values()])
    return {name: tf.ensure_shape(value, (chunk, *x.shape[1:]))
            for (name, x), value in zip(example.items(), values)}

  def joined(chunks):
    return {name: tf.reshape(x, (batch_size, *x.shape[2:]))
            for name, x in chunks.items()}

  batch_size = len(ids_of(steps.start))
  chunk = max(n for n in range(1, CHUNK + 1) if batch_size % n == 0)
  batches = (
      tf.data.Dataset.range(steps.start, steps.stop)
      .map(chunks_of)
      .unbatch()
      .map(shaped, num_parallel_calls=workers, deterministic=True)
      .batch(batch_size // chunk, drop_remainder=True)
      .map(joined)
      .prefetch(2))
  try:
    yield from batches.with_options(options(tf)).as_numpy_iterator()
  except tf.errors.OpError:
    if failures:
      raise failures[0] from None
    raise
