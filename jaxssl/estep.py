"""What methods do between epochs: PCL's E-step, timed, logged and written down.

  clusters/<epoch>/summary.json   what the method says of it, and seconds by part
"""

import logging
import time

import jax
import numpy as np

from jaxssl import features
from jaxssl import files
from jaxssl import parallel
from jaxssl import results as results_lib
from jaxssl import state as state_lib
from jaxssl.data import pipeline

log = logging.getLogger(__name__)


def due(recipe, step):
  """Whether the method refreshes its state before the step after `step`."""
  if recipe.method.refresh is None or step % recipe.steps_per_epoch:
    return False
  return step // recipe.steps_per_epoch >= recipe.method.warmup_epochs


def run(recipe, state, embed, dataset, writer, workdir):
  """Refreshes the method's state from features of all training images.

  Args:
    recipe: a `recipe.Recipe`.
    state: the replicated `state.TrainState` at the start of an epoch.
    embed: the method's embed behind the evaluation view; see `features`.
    dataset: a `pipeline.Dataset` of the images that are trained on.
    writer: a `metrics.Writer`.
    workdir: the run's folder, which gets `clusters/<epoch>/summary.json`.

  Returns:
    The state with new `extra`.

  Raises:
    errors.Preempted: a signal has come; nothing has changed.
  """
  start, seconds = time.perf_counter(), {'features': 0.0}
  step = int(state.step)
  epoch = step // recipe.steps_per_epoch
  batches = pipeline.in_order(dataset, recipe.data['batch_size'], strict=False)

  def embed_train(params, extra):
    begin = time.perf_counter()
    found = features.outputs(embed, params, extra, batches)
    seconds['features'] += time.perf_counter() - begin
    # Nothing is trained on a bad image: it gets the row of a neighbour.
    rows = np.searchsorted(found.index, np.arange(recipe.source.num_examples))
    rows = rows.clip(max=len(found.index) - 1)
    return {name: x[rows] for name, x in found.features.items()}

  extra = recipe.method.refresh(
      state_lib.refresh_key(state.rng, epoch), state.params, state.extra, embed_train)
  extra = parallel.replicate(extra)
  seconds['clustering'] = time.perf_counter() - start - seconds['features']

  summary = recipe.method.summarize(*jax.device_get((state.extra, extra)))
  folder = workdir / 'clusters' / str(epoch)
  with files.storage_errors(f'Cannot make {folder}'):
    folder.mkdir(parents=True, exist_ok=True)
  files.write_json(folder / 'summary.json', results_lib.plain(
      {'epoch': epoch, 'step': step, 'seconds': seconds, **summary}))
  flat = {
      f'clusters/{part}/{name}': value for part, values in summary.items()
      for name, value in values.items() if np.ndim(value) == 0}
  writer.write(step, {
      **flat, **{f'clusters/seconds/{part}': s for part, s in seconds.items()}})
  log.info(
      'E-step of epoch %d in %.1f s (features %.1f, clustering %.1f)', epoch,
      sum(seconds.values()), seconds['features'], seconds['clustering'])
  for part, values in summary.items():
    log.info('  %s: %s', part, results_lib.described(values))
  return state._replace(extra=extra)
