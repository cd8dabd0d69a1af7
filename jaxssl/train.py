"""The training loop, the same for every method."""

import contextlib
import logging
import time

import jax
import numpy as np
import optax

from jaxssl import checkpoint
from jaxssl import corruptions
from jaxssl import errors
from jaxssl import estep
from jaxssl import evaluations
from jaxssl import features
from jaxssl import figures
from jaxssl import hosts
from jaxssl import metrics
from jaxssl import parallel
from jaxssl import preemption
from jaxssl import recipe as recipes
from jaxssl import report
from jaxssl import results as results_lib
from jaxssl import state as state_lib
from jaxssl import workdir as workdirs
from jaxssl.data import ledger
from jaxssl.data import pipeline
from jaxssl.data import subsets

log = logging.getLogger(__name__)


def make_train_step(method, tx, views, *, steps_per_epoch, way='pmap'):
  """Makes the compiled step of a run.

  Args:
    method: a `methods.Method`.
    tx: an optax gradient transformation.
    views: (rng, images, sizes, index) -> dict of views; see `augment.make_views`.
    steps_per_epoch: tells the epoch of a step: the views of an image are keyed by it.
    way: 'pmap' or 'shard_map'; the results are equal.

  Returns:
    (state, batch) -> (state, metrics). The state is replicated and donated; `batch`
    is split over the devices: `image`, `size`, `index` and, where there are, `label`.
  """
  def train_step(state, batch):
    epoch = state.step // steps_per_epoch
    inputs = {
        **{k: v for k, v in batch.items() if k not in ('image', 'size')},
        'views': views(
            state_lib.view_key(state.rng, epoch),
            batch['image'], batch['size'], batch['index']),
        'step': state.step,
        'rng': state_lib.step_key(state.rng, state.step)}

    def loss_fn(params):
      loss, (extra, metrics) = method.loss(params, state.extra, inputs)
      # Averaged here and the gradient again below: right under pmap and shard_map.
      return parallel.mean(loss), (extra, metrics)

    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (_, (extra, metrics)), grads = grad_fn(state.params)
    grads, metrics = parallel.mean((grads, metrics))
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = {**metrics, 'grad_norm': optax.tree.norm(grads)}
    return state._replace(
        step=state.step + 1, params=params, extra=extra, opt_state=opt_state), metrics

  return parallel.mapped(
      train_step, (None, 0), (None, None), way=way, donate=(0,))


def train(config, workdir):
  """Trains what a config describes, goes on where it stopped, and evaluates it.

  Args:
    config: nested dicts; see `recipe` and `configs/`.
    workdir: the run's folder; nothing is made or touched if the config is wrong.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  recipe = recipes.build(config)
  with (workdirs.open_run(
      workdir, config, free_keys=recipes.FREE,
      data_digest=recipe.source.digest) as folder, workdirs.written(folder) as workdir):
    metrics.setup_logging(workdir)
    if recipe.source.subset:
      subsets.write(workdir / 'subset.json', recipe.source, names=False)
    done = hosts.on_first(lambda: workdirs.read_done(folder))
    if done:
      log.info('This run is finished, at step %d: %s', done['step'], folder)
      return
    checkpoints = checkpoint.Checkpoints(
        folder / 'checkpoints', keep=recipe.config['save']['keep'])
    with contextlib.closing(checkpoints), preemption.listening() as notice:
      run(recipe, workdir, checkpoints, notice)


def run(recipe, workdir, checkpoints, notice):
  """One attempt at a run, from its newest checkpoint to DONE."""
  state = restore_or_create(recipe, checkpoints)
  first = int(state.step)
  dataset = recipe.dataset(
      recipe.source, ledger.Ledger(recipe.source, workdir / 'bad_images.jsonl'))
  with pipeline.train_batches(
      dataset, seed=recipe.seed, batch_size=recipe.data['batch_size'],
      first_step=first, last_step=recipe.total_steps, input=recipe.data['input'],
      way=recipe.way, cache_dir=recipe.data['cache_dir'],
      window=recipe.data['window']) as batches, metrics.Writer(
          workdir, step=first,
          tensorboard=recipe.config['log']['tensorboard']) as writer:
    describe(recipe, state, batches, workdir)
    draw_views(recipe, batches.dataset, workdir)
    evaluator = evaluations.Evaluations(
        recipe, recipe.config['evals'], batches.dataset.ledger,
        train_dataset=batches.dataset)
    state = fit(
        recipe, state, batches, checkpoints, notice, writer, evaluator, workdir)
    if batches.dataset.ledger.bad or batches.dataset.ledger.num_cropped:
      log.info('%s', batches.dataset.ledger.summary())
    finish(recipe, workdir, state, checkpoints, writer, evaluator)


def restore_or_create(recipe, checkpoints):
  """The state to go on from, on all devices."""
  found = checkpoints.restore(recipe.abstract_state())
  if found is None:
    return parallel.replicate(recipe.create_state())
  step, state, info = found
  if info['order'] != order_digest(recipe):
    raise errors.ConfigError(
        'This version of NumPy draws other random orders than the one that the run '
        f'began with, {info["versions"]["numpy"]}. Go on with that one.')
  log.info('Going on from the checkpoint of step %d.', step)
  return state


def order_digest(recipe):
  return pipeline.order_digest(
      recipe.seed, recipe.source.num_examples, recipe.data['window'])


def fit(recipe, state, batches, checkpoints, notice, writer, evaluator, workdir):
  """Takes the steps that are left.

  Returns:
    The state after the last one, which is saved.

  Raises:
    errors.Preempted: a signal has come; the state is saved.
    errors.DivergedError: a loss was not finite; it is in no checkpoint.
  """
  first, last = int(state.step), recipe.total_steps
  every, saved = recipe.config['log']['every_steps'], first
  train_step = make_train_step(
      recipe.method, recipe.tx, recipe.views,
      steps_per_epoch=recipe.steps_per_epoch, way=recipe.way)
  pending = metrics.Pending()

  def save(step):
    checkpoints.save(step, parallel.to_global(state), info(recipe))

  try:
    with metrics.progress(last, first) as bar:
      meter = Meter(recipe, batches, writer, evaluator)
      for step, batch in enumerate(batches, first + 1):
        if estep.due(recipe, step - 1):
          with meter.paused():
            meter.write(pending.flush(), every)
            state = estep.run(
                recipe, state, evaluator.embed, batches.dataset, writer, workdir)
        state, values = train_step(state, batch)
        pending.put(step, values)
        meter.write(pending.ready(), every)
        bar.update(1)

        if notice.due(step):
          raise errors.Preempted
        keys = [] if step == last else [
            key for key, settings in recipe.config['evals'].items()
            if recipe.due(step, **recipes.interval(settings))]
        with meter.paused():
          if recipe.due(step, **recipes.interval(recipe.config['save'])):
            meter.write(pending.flush(), every)
            save(step)
            saved = step
          if keys:
            meter.write(pending.flush(), every)
            results = evaluator.run(state.params, state.extra, keys)
            writer.write(step, results_lib.flat(results))
  except errors.Preempted:
    # Between two steps or in what does not change the state: it is whole.
    meter.write(pending.flush(), every)
    step = int(state.step)
    if step != saved:
      save(step)
    checkpoints.wait()
    raise errors.Preempted(
        f'Stopped by a signal after step {step}, which is saved: the same command '
        'goes on from there.') from None
  return state


def info(recipe):
  """What a checkpoint says beside the state."""
  return {
      'seed': recipe.seed, 'data': recipe.source.digest, 'order': order_digest(recipe),
      'config': recipe.config, 'versions': {
          'jax': jax.__version__, 'numpy': np.__version__}}


def finish(recipe, workdir, state, checkpoints, writer, evaluator):
  """Evaluates the last state beside its controls, draws the page, writes DONE."""
  checkpoints.wait()
  step = int(state.step)
  digest = checkpoints.manifest(step)['digest']
  with features.shared():
    for key in evaluator.evals:
      results = evaluator.run(state.params, state.extra, [key])
      writer.write(step, results_lib.flat(results))
      evaluator.write(workdir / 'eval', step, digest, results)
    evaluator.write_atlas(workdir, state.params, state.extra)
  workdirs.write_done(workdir, step, digest)
  if hosts.is_first():
    log.info('%s', report.verdict(workdir))
    log.info('Done: %s', report.write(workdir))


class Meter:
  """Writes the metrics of steps and tells how fast they go."""

  def __init__(self, recipe, batches, writer, evaluator):
    self._recipe = recipe
    self._batches = batches
    self._writer = writer
    self._evaluator = evaluator
    self._step = None  # The last one written; None before the first, which compiles.
    self._start = time.perf_counter()
    self._waited = batches.waited

  @contextlib.contextmanager
  def paused(self):
    """Leaves out of the speed the time that is spent inside."""
    start = time.perf_counter()
    try:
      yield
    finally:
      # What is written inside begins anew: of that only what came after it counts.
      self._start += time.perf_counter() - max(start, self._start)

  def write(self, steps, every):
    """Writes those of `steps`, [(step, values)], that are due every so many."""
    for step, values in steps:
      if self._step is None or step % every == 0 or step == self._recipe.total_steps:
        self._write(step, {k: float(v) for k, v in values.items()})

  def _write(self, step, values):
    recipe = self._recipe
    lr = float(recipe.schedule(step - 1))
    seconds = time.perf_counter() - self._start
    waited = self._batches.waited - self._waited
    speed = {}
    if self._step is not None and step > self._step:
      per_step = seconds / (step - self._step)
      speed = dict(
          images_per_second=recipe.data['batch_size'] / per_step,
          wait=min(1.0, waited / seconds),
          seconds_left=per_step * (recipe.total_steps - step))
    self._step, self._start = step, time.perf_counter()
    self._waited = self._batches.waited
    memory = metrics.memory_in_use()
    self._writer.write(step, {
        **{f'train/{k}': v for k, v in values.items()}, 'train/lr': lr,
        'train/epoch': step / recipe.steps_per_epoch, 'sys/memory': memory,
        **{f'sys/{k}': v for k, v in speed.items() if k != 'seconds_left'}})
    log.info('%s', metrics.log_line(
        step=step, total_steps=recipe.total_steps, epoch=step / recipe.steps_per_epoch,
        loss=values.pop('loss'), chance=values.pop('chance', None), lr=lr,
        grad_norm=values.pop('grad_norm'), terms=values,
        knn=self._evaluator.latest_knn, memory=memory, **speed))


def describe(recipe, state, batches, workdir):
  """Says what is about to happen, for who reads the log."""
  devices = parallel.devices()
  num_params = sum(x.size for x in jax.tree.leaves(state.params))
  source, data = recipe.source, recipe.data
  peak = max(
      float(recipe.schedule(s))
      for s in np.linspace(0, recipe.total_steps - 1, 101).astype(int))
  log.info('Workdir %s', workdir)
  log.info(
      '%s: %d x %s, mapped by %s; %s parameters', recipe.config['method']['name'],
      len(devices), devices[0].device_kind, recipe.way, f'{num_params:,}')
  log.info(
      '%s images, %s; %d steps of %d images, %d an epoch; learning rate up to %.3g',
      f'{source.num_examples:,}',
      f'{source.num_classes} classes' if source.num_classes else 'no labels',
      recipe.total_steps, data['batch_size'], recipe.steps_per_epoch, peak)
  log.info('%s', batches.reason)


def draw_views(recipe, dataset, workdir, num_examples=8):
  """Draws what the network gets to see of some images, to `figures/views.png`."""
  path = workdir / 'figures' / 'views.png'
  if path.exists():
    return
  batch = dataset.read(
      np.linspace(0, recipe.source.num_examples - 1, num_examples).astype(int))
  draw = jax.jit(recipe.views)
  rng = jax.random.PRNGKey(recipe.seed)
  draws = [
      jax.device_get(draw(
          state_lib.view_key(rng, epoch), batch['image'], batch['size'],
          batch['index']))
      for epoch in (0, 1)]
  corrupt = corruptions.make(recipe.config.get('corruption'), seed=recipe.seed)
  images, sizes = jax.device_get(jax.jit(jax.vmap(corrupt))(
      batch['image'].astype(np.float32) / 255, batch['size'], batch['index']))
  originals = [
      np.round(255 * image[:height, :width]).astype(np.uint8)
      for image, (height, width) in zip(images, sizes)]
  figures.contact_sheet(path, originals, draws, tile=96)
  log.info('A look at the views: %s', path)
