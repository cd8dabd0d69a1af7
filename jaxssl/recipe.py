"""Builds what a config names, and finds every mistake in it before any work.

The last place, with `train` and `evaluate`, that sees a config: below are functions
with plain arguments.
"""

import inspect
import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import augment
from jaxssl import errors
from jaxssl import optim as optim_lib
from jaxssl import parallel as parallel_lib
from jaxssl import plugins
from jaxssl import state as state_lib
from jaxssl.data import building
from jaxssl.data import pipeline
from jaxssl.data import subsets

# Changing these does not change what is trained, so a run may go on with new ones.
FREE = ('log', 'save', 'evals', 'eval_data', 'eval_view', 'parallel', 'data.root',
        'data.parts', 'data.input', 'data.cache_dir')

PIPELINE_KEYS = (
    'batch_size', 'input', 'short_side', 'canvas', 'interpolation', 'cache_dir',
    'window')
RUNNER_KEYS = ('name', 'every_epochs', 'every_steps')  # Of an entry of config.evals.


class Recipe(NamedTuple):
  """What a config builds."""
  seed: int
  way: str               # How steps are mapped over devices; see `parallel`.
  source: Any            # A `data.Source` of the images to train on.
  data: dict             # The pipeline's part of config.data.
  views: Any             # See `augment.make_views`.
  model: Any             # A flax module.
  method: Any            # A `methods.Method`.
  tx: Any                # The optimiser, and ...
  schedule: Any          # ... its learning rate at a step.
  steps_per_epoch: int
  total_steps: int
  eval_sources: dict     # {'train', 'test'}: the sources that evaluations read.
  eval_view: Any         # See `augment.make_eval_view`.
  config: dict           # All of it, as given.

  def due(self, step, *, every_steps=0, every_epochs=0.0):
    """Whether something with this interval is due after `step` steps.

    It is due at the end of each interval and of the run, but not within the last half
    interval before the end of the run.
    """
    interval = every_steps or round(every_epochs * self.steps_per_epoch)
    if step == self.total_steps:
      return True
    return (
        interval > 0 and step % interval == 0
        and self.total_steps - step >= interval / 2)

  def dataset(self, source, book):
    """A source's images on the canvases of this recipe; `book` is its ledger."""
    how = {k: self.data[k] for k in ('short_side', 'canvas', 'interpolation')}
    return pipeline.Dataset(source, ledger=book, **how)

  def source_of(self, settings):
    """The source that an entry of config.evals is about; its classes count."""
    name = settings.get('train', settings.get('test'))
    if name not in self.eval_sources:
      raise ValueError(
          f'No {name!r} in eval_data. There are: {", ".join(self.eval_sources)}.')
    return self.eval_sources[name]

  def num_classes_of(self, settings):
    """How many classes there are for an entry of config.evals."""
    return self.source_of(settings).num_classes

  def create_state(self):
    """The state before the first step; equal in every process."""
    views = jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), self.view_shapes())
    return jax.jit(self._create)(views)

  def abstract_state(self):
    """Shapes and types of the state, without computing it."""
    return jax.eval_shape(self._create, self.view_shapes())

  def _create(self, views):
    return state_lib.create(self.seed, self.method, self.tx, views)

  def view_shapes(self):
    """{name: shape and type of that view of two images}."""
    canvas = self.data['canvas']
    return jax.eval_shape(
        self.views, jax.random.PRNGKey(0),
        jax.ShapeDtypeStruct((2, canvas, canvas, 3), jnp.uint8),
        jax.ShapeDtypeStruct((2, 2), jnp.int32), jax.ShapeDtypeStruct((2,), jnp.int32))


def build(config, *, training=True):
  """Builds a `Recipe` from a pretraining's config, as nested dicts.

  Args:
    config: see `configs/`.
    training: whether it is to be trained here, not only evaluated.

  Raises:
    errors.ConfigError: a key is unknown or missing, a value is out of its range, or
      parts do not fit each other. Nothing has been written.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_build, config, what='config')
    if training:
      check_devices(config['data']['batch_size'])
    return _build(**settings)._replace(config=config)


def _build(*, job, seed, parallel, total_epochs, total_steps, data, views, eval_view,
           eval_data, model, method, optim, log, save, evals, corruption=None):
  check_number('seed', seed, low=0, whole=True)
  check_number('total_epochs', total_epochs, low=0)
  check_number('total_steps', total_steps, low=0, whole=True)
  if bool(total_epochs) == bool(total_steps):
    raise ValueError(
        f'total_epochs is {total_epochs} and total_steps {total_steps}; one of them '
        'must be above 0 and the other 0.')
  check_number('log.every_steps', log['every_steps'], low=1, whole=True)
  check_number('save.keep', save['keep'], low=1, whole=True)
  if parallel not in parallel_lib.WAYS:
    raise ValueError(
        f'parallel is {parallel!r}. There are: {", ".join(parallel_lib.WAYS)}.')

  batch_size = data.get('batch_size')
  check_number('data.batch_size', batch_size, low=1, whole=True)
  dtype = jnp.dtype(model['dtype'])
  views = augment.make_views(views, dtype=dtype, corruption=corruption, seed=seed)
  eval_view = augment.make_eval_view(eval_view, dtype=dtype)
  network = call(plugins.load('models', model['name']).make, model, 'config.model')

  settings = {k: v for k, v in data.items() if k not in PIPELINE_KEYS}
  pipeline_settings = {
      'window': 0, 'interpolation': 'bicubic',
      **{k: data[k] for k in data if k in PIPELINE_KEYS}}
  call(pipeline.check, pipeline_settings, 'config.data')
  source = make_source(settings)
  make_method = plugins.load('methods', method['name']).make
  if 'num_classes' in inspect.signature(make_method).parameters:
    check_labelled(source, method['name'])
  steps_per_epoch = pipeline.steps_per_epoch(source.num_examples, batch_size)
  total_steps = total_steps or round(total_epochs * steps_per_epoch)
  tx, schedule = optim_lib.make(
      **{'name': None, **optim}, total_steps=total_steps,
      steps_per_epoch=steps_per_epoch, batch_size=batch_size)
  recipe = Recipe(
      seed=seed, way=parallel, source=source, data=pipeline_settings, views=views,
      model=network,
      method=call(
          make_method, method, 'config.method', args=(network,),
          num_classes=source.num_classes,
          num_examples=source.num_examples, total_steps=total_steps,
          batch_size=batch_size),
      tx=tx, schedule=schedule, steps_per_epoch=steps_per_epoch,
      total_steps=total_steps,
      eval_sources=make_eval_sources(settings, eval_data, source),
      eval_view=eval_view, config={})
  check_evals(wanted_evals(evals, recipe.num_classes_of), recipe.eval_sources)
  recipe.abstract_state()  # The views fit the model, and the model the method.
  return recipe


def check_labelled(source, method):
  """Who learns from labels needs exactly one for each image."""
  if source.labels is None:
    return  # The method itself says that there are no classes.
  if source.labels.ndim > 1:
    raise ValueError(
        f'The images have several labels each, and {method} learns from one.')
  num = (source.labels < 0).sum()
  if num:
    raise ValueError(
        f'{num:,} of the {source.num_examples:,} images have no label, and {method} '
        'learns from labels; data.labelled_only=True leaves them out.')


def check_devices(batch_size):
  num_devices = len(parallel_lib.devices())
  if isinstance(batch_size, int) and batch_size % num_devices:
    raise ValueError(
        f'data.batch_size is {batch_size}, which does not divide over the '
        f'{num_devices} devices.')


def interval(settings):
  """The part of a sub-dict that says how often; see `Recipe.due`."""
  return {k: settings[k] for k in ('every_steps', 'every_epochs')}


def call(function, given, what, *, args=(), **supplied):
  """Calls a `make` with a sub-dict of the config; see `plugins.arguments`."""
  return function(*args, **plugins.arguments(function, given, what=what, **supplied))


def make_source(settings):
  """A source from config.data without the pipeline's keys."""
  return building.source(settings)


def make_eval_sources(settings, eval_data, source):
  """The sources of evaluations: config.data with what config.eval_data changes.

  An entry with a `name` is a source of its own: it takes nothing from config.data; and
  none takes its subset. Images that nobody has labelled, where others are, are left
  out.
  """
  def without_zero(settings):
    return {k: v for k, v in settings.items() if k != 'max_examples' or v}

  inherited = {k: v for k, v in settings.items() if k != 'subset'}
  sources = {}
  for name, changes in eval_data.items():
    own = 'name' in changes
    changed = without_zero(changes if own else {**inherited, **changes})
    same = changed == without_zero(settings)
    sources[name] = subsets.labelled(source if same else make_source(changed))
  return sources


def wanted_evals(evals, num_classes_of):
  """The entries of config.evals that the data allow: some need labels.

  Args:
    evals: config.evals.
    num_classes_of: the number of classes for an entry, 0 without labels.
  """
  def needs_labels(settings):
    make = plugins.load('evals', settings.get('name')).make
    return 'num_classes' in inspect.signature(make).parameters

  return {
      key: settings for key, settings in evals.items()
      if not needs_labels(settings) or num_classes_of(settings)}


def check_evals(evals, eval_sources):
  """Each entry of config.evals names an evaluator that takes its settings."""
  for key, settings in evals.items():
    make = plugins.load('evals', settings.get('name')).make
    for interval in ('every_epochs', 'every_steps'):
      check_number(f'evals.{key}.{interval}', settings.get(interval), low=0)
    for name in ('train', 'test'):
      if name in settings and settings[name] not in eval_sources:
        raise ValueError(
            f'evals.{key}.{name} is {settings[name]!r}; eval_data has '
            f'{", ".join(eval_sources)}.')
    bank, test = (eval_sources.get(settings.get(n)) for n in ('train', 'test'))
    if bank and test and bank.class_names != test.class_names:
      raise ValueError(
          f'evals.{key} trains on {bank.num_classes} classes, from '
          f'{ends(bank.class_names)}, and is tested on {test.num_classes}, from '
          f'{ends(test.class_names)}: they must be the same.')
    most = np.max(settings.get('k', 0), initial=0)
    if bank and most > bank.num_examples:
      raise ValueError(
          f'evals.{key}.k is {most}; there are {bank.num_examples:,} images to search '
          'in.')
    call(
        make, {
            k: eval_sources[v] if k in ('train', 'test') else v
            for k, v in settings.items() if k not in RUNNER_KEYS},
        f'config.evals.{key}', args=(None,), num_classes=2, views=None,
        taxonomy=None, class_names=None)


def ends(names):
  """The first and the last of some names."""
  return f'{names[0]} to {names[-1]}' if names else 'no names'


def check_number(name, value, *, low, whole=False):
  kinds = int if whole else (int, float)
  if isinstance(value, bool) or not isinstance(value, kinds) or not (
      math.isfinite(value) and value >= low):
    raise ValueError(
        f'{name} is {value!r}; it must be a {"whole " if whole else ""}number of at '
        f'least {low}.')
