"""The job that writes features: what a checkpoint says of every image, in files.

  features/<step>/<set>.npz   see `feature_store`; every protocol reads them again
"""

import logging
import pathlib

from jaxssl import errors
from jaxssl import evaluate
from jaxssl import evaluations
from jaxssl import feature_store
from jaxssl import features
from jaxssl import files
from jaxssl import hosts
from jaxssl import metrics
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import workdir as workdirs
from jaxssl.data import ledger

log = logging.getLogger(__name__)


def embed(config, workdir):
  """Runs the job; see `configs/embed.py`.

  Args:
    config: nested dicts with `checkpoint`, the workdir of a run; `step`, a number or
      'last'; `sets`, names in `eval_data`; `eval_data`, or an empty dict for the
      run's own; `data_root`, where its images are now, or '' if they have not moved;
      and `format`, 'npz' or 'zarr'.
    workdir: files are written to its `features/<step>/`.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_embed, config, what='config', workdir=workdir)
  _embed(**settings)


def _embed(*, job, checkpoint, step, sets, eval_data, data_root, format, workdir):
  with errors.user_mistakes('config'):
    if format not in feature_store.FORMATS:
      raise ValueError(
          f'No format {format!r}. There are: {", ".join(feature_store.FORMATS)}.')
    run = pathlib.Path(checkpoint)
    recipe = recipes.build(
        evaluate.trained_config(run, {}, eval_data, data_root), training=False)
    unknown = sorted(set(sets) - set(recipe.eval_sources))
    if unknown or not sets:
      raise ValueError(
          f'sets is {tuple(sets)}; eval_data has {", ".join(recipe.eval_sources)}.')
    checkpoints = evaluate.open_checkpoints(run)
    steps = checkpoints.steps()
    if step in ('all', 'follow'):
      raise ValueError(f'step is {step!r}; here it must be a number or last.')
    evaluate.check_step(step, steps, run)
  metrics.setup_logging(None)
  found = evaluate.restore(checkpoints, recipe, None if step == 'last' else int(step))
  if found is None:
    raise errors.ConfigError(f'Step {step} of {run} was deleted before it was read.')
  step, digest, params, extra = found
  evaluator = evaluations.Evaluations(
      recipe, {}, ledger.Ledger(recipe.source, run / 'bad_images.jsonl'))
  folder = workdir / 'features' / str(step)
  with files.storage_errors(f'Cannot make {folder}'):
    folder.mkdir(parents=True, exist_ok=True)
  for name in sets:
    batches = evaluator.batches(name)
    source = batches.dataset.source
    found = features.outputs(evaluator.embed, params, extra, batches)
    if not hosts.is_first():
      continue
    path = feature_store.save(
        folder / f'{name}.{format}', found.features, labels=found.labels,
        ids=found.index, class_names=source.class_names, taxonomy=source.taxonomy,
        provenance={
            'run': str(run.resolve().name), 'step': step, 'digest': digest,
            'data': source.digest, 'eval_view': recipe.config['eval_view'],
            'versions': workdirs.versions()})
    n, d = found.features['h'].shape
    log.info('Wrote %s: %s images, %d wide', path, f'{n:,}', d)
