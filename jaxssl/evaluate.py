"""The job that evaluates: checkpoints of a run, or features from anywhere.

Of a run it takes one checkpoint, all of them, or each as it appears. Several runs are
taken one after the other, or in turns as their checkpoints appear.
"""

import contextlib
import logging
import pathlib
import time

from jaxssl import checkpoint
from jaxssl import errors
from jaxssl import evaluations
from jaxssl import feature_files
from jaxssl import feature_store
from jaxssl import features as features_lib
from jaxssl import files
from jaxssl import hosts
from jaxssl import leaks
from jaxssl import metrics
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import report
from jaxssl import results as results_lib
from jaxssl import scoring
from jaxssl import workdir as workdirs
from jaxssl.data import ledger

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0  # Between two looks at a job that is still training.
DONE = object()


def evaluate(config, workdir):
  """Runs the job; see `configs/evaluate/`.

  Args:
    config: nested dicts with `evals` and either `checkpoint`, the workdir of a run, or
      those of several, separated by commas; or `features`, an .npz file, with perhaps
      `test_features`; the other is ''. With a checkpoint: `step`, a number, 'last',
      'all' or 'follow' (every checkpoint as it appears, until all runs are done);
      `eval_data`, or an empty dict for the run's own; and `data_root`, where the
      run's images are now, or '' if they have not moved.
    workdir: results are written to its `eval/`; of several runs see
      `folders_of_results`.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    plugins.arguments(_evaluate_run, config, what='config', workdir=workdir)
    if bool(config['checkpoint']) == bool(config['features']):
      raise ValueError(
          f'checkpoint is {config["checkpoint"]!r} and features '
          f'{config["features"]!r}; give one of them.')
  job = _evaluate_features if config['features'] else _evaluate_run
  with contextlib.ExitStack() as stack:
    if config['features']:
      workdir = stack.enter_context(workdirs.written(workdir))
    job(**config, workdir=workdir)


def _evaluate_features(*, features, test_features, evals, workdir, **_):
  with errors.user_mistakes('config'):
    sets = dict(zip(
        ('train', 'test'), feature_files.train_and_test(features, test_features)))
    num_classes = feature_files.num_classes(*sets.values())
    wanted = recipes.wanted_evals(evals, lambda _: num_classes)
    if not wanted:
      raise ValueError(
          f'{features} has no labels, and {" and ".join(evals)} need them.')
    for key, settings in evals.items():
      if settings.get('augment'):
        raise ValueError(
            f'config.evals.{key}.augment needs images, and these are features.')
    batches = {name: s.batches() for name, s in sets.items()}
    runs = {
        key: recipes.call(
            plugins.load('evals', settings['name']).make, {
                k: batches.get(k, v)
                for k, v in settings.items() if k not in recipes.RUNNER_KEYS},
            f'config.evals.{key}', args=(sets['train'].embed,),
            num_classes=num_classes, views=None, taxonomy=sets['train'].taxonomy,
            class_names=sets['train'].class_names)
        for key, settings in wanted.items()}
  metrics.setup_logging(None)
  paths = feature_files.paths(features) + feature_files.paths(test_features)
  if wanted.keys() < evals.keys():
    log.info('Without labels there is no %s.', ' and no '.join(evals.keys() - wanted))
  with errors.user_mistakes('config.features'):
    leaks.refuse(
        *(features_lib.outputs(
            sets['train'].embed, {}, {}, batches[name], hashed=True)
          for name in ('train', 'test')), what='config.test_features')
  for key, run in runs.items():
    # What is wrong shows only now: labels that do not fit, one class, too few rows.
    with errors.user_mistakes(f'config.evals.{key}'):
      result = run({}, {})
    chance = scoring.chance(
        sets['train'].labels, sets['test'].labels, num_classes
    ) if 'top1' in result and sets['train'].labels.ndim == 1 else None
    controls = {'random_init': None, 'chance': chance}
    results_lib.write(
        workdir / 'eval', key, evals[key], result, controls, step='features',
        digest=None, seed=None, num_classes=num_classes,
        num_examples={k: len(s.ids) for k, s in sets.items()},
        features={
            'path': ', '.join(paths),
            'sha256': ', '.join(map(feature_store.sha256, paths))})
    hosts.say(results_lib.table(key, result, controls, len(sets['test'].ids)))


def _evaluate_run(
    *, job, checkpoint, features, test_features, step, evals, eval_data, data_root,
    workdir):
  jobs = []
  for run, folder in folders_of_results(checkpoint, workdir).items():
    config = trained_config(run, evals, eval_data, data_root)
    checkpoints = open_checkpoints(run)
    check_step(step, checkpoints.steps(), run)
    jobs.append(_evaluate_one(run, folder, config, checkpoints, step, evals))
  metrics.setup_logging(None)
  # Each goes on to its end, or until it has to wait for a checkpoint.
  while jobs := [job for job in jobs if next(job, DONE) is not DONE]:
    time.sleep(POLL_SECONDS)


def folders_of_results(checkpoint, workdir):
  """Where the results of each run go: {its workdir: a folder}.

  Those of several runs go to each of them, or if `workdir` is another than what
  `checkpoint` says, as `main` has it by default, to a folder in it of the run's name.
  """
  if ',' not in checkpoint or pathlib.Path(checkpoint).is_dir():
    return {pathlib.Path(checkpoint): workdir}
  runs = [pathlib.Path(path) for path in feature_files.paths(checkpoint)]
  if workdir == pathlib.Path(checkpoint):
    return {run: run for run in runs}
  names = [run.resolve().name for run in runs]
  twice = [name for name in names if names.count(name) > 1]
  if twice:
    raise errors.ConfigError(
        f'config.checkpoint has two runs of the name {twice[0]!r}, whose results would '
        f'lie in one folder of {workdir}.')
  return {run: workdir / name for run, name in zip(runs, names)}


def _evaluate_one(run, folder, config, checkpoints, step, evals):
  """Evaluates a run; a generator that yields where there is nothing to do yet."""
  with workdirs.written(folder) as folder:
    yield from _evaluated(run, folder, config, checkpoints, step, evals)


def _evaluated(run, folder, config, checkpoints, step, evals):
  recipe = recipes.build(config, training=False)
  evaluator = evaluations.Evaluations(
      recipe, evals, ledger.Ledger(recipe.source, run / 'bad_images.jsonl'),
      strict=True)
  if step == 'follow':
    looks = follow(checkpoints, run)
  else:
    looks = [hosts.on_first(checkpoints.steps)] if step == 'all' else [
        [None if step == 'last' else int(step)]]
  for numbers in looks:
    for number in numbers:
      found = restore(checkpoints, recipe, number)
      if found is None:
        continue
      number, digest, params, extra = found
      log.info('Step %d of %s, digest %s.', number, run, digest[:12])
      results = evaluator.run(params, extra)
      evaluator.write(folder / 'eval', number, digest, results)
    if not numbers:
      yield
  if (folder / 'config.json').exists():
    report.write(folder)


def trained_config(run, evals, eval_data, data_root):
  """The config that a run was trained with, set up for this evaluation."""
  if not str(run).strip() or not (run / 'config.json').exists():
    raise errors.ConfigError(
        f'config.checkpoint is {str(run)!r}; it must be the workdir of a run, which '
        'has a config.json.')
  config = files.read_json(run / 'config.json')
  config['evals'] = evals
  if eval_data:
    config['eval_data'] = eval_data
  if data_root:
    config['data']['root'] = data_root
  return config


def open_checkpoints(run):
  return checkpoint.Checkpoints(run / 'checkpoints', keep=1, read_only=True)


def check_step(step, steps, run):
  if step in ('last', 'all') and not steps:
    raise errors.ConfigError(f'{run} has no checkpoint yet.')
  if step not in ('last', 'all', 'follow') and str(step) not in map(str, steps):
    raise errors.ConfigError(
        f'config.step is {step!r}. It can be last, all, follow, or one of '
        f'{", ".join(map(str, steps)) or "no steps yet"}.')


def follow(checkpoints, run):
  """Yields the steps of a running job that are new at each look, until it is done."""
  seen = set()
  while True:
    done = hosts.on_first(lambda: workdirs.read_done(run))
    new = [s for s in hosts.on_first(checkpoints.steps) if s not in seen]
    if done and not new:
      return
    yield new
    seen.update(new)


def restore(checkpoints, recipe, step):
  """Reads and verifies what an evaluation needs of a checkpoint.

  Returns:
    (step, digest, params, extra), or None if the step was deleted meanwhile, as a
    running job does with old ones.
  """
  state = recipe.abstract_state()
  wanted = {'params': state.params, 'extra': state.extra}
  try:
    found = checkpoints.restore(wanted, step, partial=True)
  except checkpoint.GoneError:
    log.info('Checkpoint %s was deleted before it was evaluated.', step)
    return None
  step, parts, info = found
  return step, info['digest'], parts['params'], parts['extra']
