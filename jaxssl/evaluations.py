"""The evaluations that a recipe names, and the control rows beside them."""

import contextlib
import functools
import logging
import time

import numpy as np
from PIL import Image

from jaxssl import augment
from jaxssl import errors
from jaxssl import features
from jaxssl import hosts
from jaxssl import leaks
from jaxssl import parallel
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import report
from jaxssl import results as results_lib
from jaxssl import scoring
from jaxssl.data import inputs
from jaxssl.data import ledger
from jaxssl.data import pipeline
from jaxssl.data import subsets

log = logging.getLogger(__name__)

ATLAS_IMAGES = 1500

class Evaluations:
  """The evaluations that a recipe names, made once and run on any of its states."""

  def __init__(
      self, recipe, evals, train_ledger, *, train_dataset=None, strict=False):
    """Makes the evaluators.

    Args:
      recipe: a `recipe.Recipe`.
      evals: config.evals: {key: settings}. `train` and `test` in the settings name
        entries of config.eval_data.
      train_ledger: the `ledger.Ledger` of the images to train on. What was bad there
        is left out of evaluations too; any other bad image ends them.
      train_dataset: the data set of a training under way: an evaluation that reads
        the same images shares what is decoded.
      strict: whether a test example that is in the training set, too, is an error;
        otherwise it is warned of, and counted in the results.

    Raises:
      errors.ConfigError: an evaluator does not take its settings.
    """
    self.recipe = recipe
    self.evals = recipes.wanted_evals(evals, recipe.num_classes_of)
    if self.evals.keys() < evals.keys():
      log.info(
          'Without labels there is no %s.', ' and no '.join(evals.keys() - self.evals))
    self.latest_knn = None  # Top-1 of the last kNN that was run, for the log line.
    self._train_ledger = train_ledger
    self._train_dataset = train_dataset
    self._batches = {}
    self._controls = {}
    self._strict = strict
    self._leaked = {}  # (train, test) -> how many test examples both have.

    self.embed = features.with_view(recipe.method.embed, recipe.eval_view)
    self._runs = {}
    for key, settings in self.evals.items():
      make = plugins.load('evals', settings['name']).make
      source = recipe.source_of(settings)
      with errors.user_mistakes(f'config.evals.{key}'):
        self._runs[key] = recipes.call(
            make, self._arguments(settings), f'config.evals.{key}', args=(self.embed,),
            num_classes=source.num_classes, views=self._view_embeds(),
            taxonomy=source.taxonomy, class_names=source.class_names,
            describe=(
                self.batches(settings['train']).dataset.source.describe
                if 'train' in settings else None))

  def batches(self, name):
    """The images of an entry of config.eval_data, in batches, any number of times."""
    if name not in self.recipe.eval_sources:
      raise ValueError(
          f'No {name!r} in config.eval_data. There are: '
          f'{", ".join(self.recipe.eval_sources)}.')
    if name not in self._batches:
      self._batches[name] = self._make_batches(self.recipe.eval_sources[name])
    return self._batches[name]

  def _make_batches(self, source):
    recipe, training = self.recipe, self._train_dataset
    size = recipe.data['batch_size']
    if training is not None and source.digest == training.source.digest:
      return pipeline.in_order(training, size, strict=False)
    # Of several processes each has met its own.
    bad = hosts.gather(np.array(sorted(self._train_ledger.bad), np.int64))
    bad = {recipe.source.describe(i) for i in bad}
    source = subsets.without(source, bad)
    dataset = recipe.dataset(source, ledger.Ledger(source, limit=0))
    # Evaluations look at the same images again and again: decode them once, too.
    way = {'input': recipe.data['input'], 'cache_dir': recipe.data['cache_dir']}
    way['input'], _ = inputs.choose(dataset, **way)
    return pipeline.in_order(inputs.prepare(dataset, **way), size)

  def _arguments(self, settings):
    arguments = {k: v for k, v in settings.items() if k not in recipes.RUNNER_KEYS}
    for name in ('train', 'test'):
      if name in arguments:
        arguments[name] = self.batches(arguments[name])
    if arguments.get('augment'):
      method, protocol = self.recipe.method, plugins.load('evals', settings['name'])
      # Frozen features are those of `embed`; a protocol may train the network instead.
      network = method.tune if getattr(protocol, 'TUNES', False) else method.embed
      arguments['augment'] = self._random_view(
          network, arguments['augment'], settings['seed'])
    return arguments

  def _random_view(self, network, settings, seed):
    with errors.user_mistakes('config.evals'):
      view = functools.partial(
          augment.view, **augment.check(augment.view, settings, what='augment'))
    return features.with_random_view(network, view, seed=seed)

  def _view_embeds(self):
    views = self.recipe.config['views']
    if len(views) != 2:
      return None
    return [
        self._random_view(self.recipe.method.embed, views[v], self.recipe.seed)
        for v in sorted(views)]

  def run(self, params, extra, keys=None):
    """Runs evaluations on a state.

    Args:
      params, extra: replicated parts of a `state.TrainState`.
      keys: which of config.evals; None for all.

    Returns:
      {key: {metric: number or array}}
    """
    results = {}
    with features.shared():
      for key in self._runs if keys is None else keys:
        start = time.perf_counter()
        self._look_for_leaks(key, params, extra)
        with self._mistakes(key):
          results[key] = self._runs[key](params, extra)
        log.info(
            'Evaluated %s in %.0f s: %s', key, time.perf_counter() - start,
            results_lib.described(results[key]))
    self.latest_knn = results.get('knn', {}).get('top1', self.latest_knn)
    return results

  def _mistakes(self, key):
    """A job that only evaluates tells who started it what does not fit."""
    if not self._strict:
      return contextlib.nullcontext()
    return errors.user_mistakes(f'config.evals.{key}')

  def _look_for_leaks(self, key, params, extra):
    names = tuple(self.evals[key].get(name) for name in ('train', 'test'))
    if None in names or names in self._leaked:
      return
    train, test = (
        features.outputs(self.embed, params, extra, self.batches(n), hashed=True)
        for n in names)
    look = leaks.refuse if self._strict else leaks.warn
    self._leaked[names] = look(train, test, what=f'config.evals.{key}') or 0

  def controls(self, key):
    """The control rows of an evaluation: {'random_init': ..., 'chance': ...}."""
    if key not in self._controls:
      log.info('Control: the same evaluations on the network before its first step.')
      initial = self.recipe.create_state()
      results = self.run(*parallel.replicate((initial.params, initial.extra)))
      self._controls = {
          name: {'random_init': metrics, 'chance': self._chance(name, metrics)}
          for name, metrics in results.items()}
    return self._controls[key]

  def _chance(self, key, metrics):
    if 'top1' not in metrics:
      return None
    train, test = (
        self.recipe.eval_sources[self.evals[key][name]] for name in ('train', 'test'))
    return scoring.chance(train.labels, test.labels, train.num_classes)

  def write(self, folder, step, digest, results):
    """Writes `<folder>/<key>/<step>.json` for each result, and prints it as a table.

    Both have the controls beside the result.
    """
    for key, metrics in results.items():
      settings, controls = self.evals[key], self.controls(key)
      num_examples = {
          name: self.batches(settings[name]).dataset.source.num_examples
          for name in ('train', 'test') if name in settings}
      results_lib.write(
          folder, key, settings, metrics, controls, step=step, digest=digest,
          seed=self.recipe.seed, num_classes=self.recipe.num_classes_of(settings),
          num_examples=num_examples,
          num_leaked=self._leaked.get((settings.get('train'), settings.get('test'))))
      hosts.say(results_lib.table(key, metrics, controls, num_examples.get('test')))
      for name, ids in report.pictured(settings, metrics).items():
        report.save_pictures(
            folder / key, step, name, **self._pictures(settings[name], ids))

  def write_atlas(self, workdir, params, extra):
    """Saves what the page shows of the features: a map and neighbours."""
    # Without labels there is no test set to keep apart: show what was trained on.
    sources = self.recipe.eval_sources
    names = [name for name in ('test', 'train') if name in sources]
    if not names:
      return
    name = next((n for n in names if sources[n].num_classes), names[-1])
    found = features.outputs(self.embed, params, extra, self.batches(name))
    kept = np.unique(np.linspace(
        0, len(found.index) - 1, min(ATLAS_IMAGES, len(found.index))).astype(int))
    pictures = self._pictures(name, found.index[kept])
    report.save_atlas(workdir, report.atlas(
        found.features['h'][kept], pictures['thumbnails'], pictures['labels'],
        pictures['class_names'], pictures['names'], seed=self.recipe.seed,
        num_queries=8, num_neighbors=8))

  def _pictures(self, name, ids):
    """Examples of an entry of config.eval_data as people see them."""
    dataset = self.batches(name).dataset
    source = dataset.source
    # Canvases may be large, and are needed only until they are shrunk.
    rows = (
        row for i in range(0, len(ids), 256) for row in dataset.decode(ids[i:i + 256]))
    return dict(
        ids=ids, thumbnails=np.stack([thumbnail(image, size) for image, size in rows]),
        names=[source.describe(int(i)) for i in ids],
        labels=None if source.labels is None else source.labels[ids],
        class_names=source.class_names)


def thumbnail(image, size, side=96):
  """The centre square of a canvas, uint8 [side, side, 3]."""
  height, width = (int(s) for s in size)
  square = min(height, width)
  top, left = (height - square) // 2, (width - square) // 2
  picture = Image.fromarray(image[top:top + square, left:left + square])
  # Without smoothing where it grows: small images should look as small as they are.
  how = Image.Resampling.LANCZOS if square > side else Image.Resampling.NEAREST
  return np.asarray(picture.resize((side, side), how))
