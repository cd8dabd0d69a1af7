"""The job that makes a run's workdir of weights that were trained elsewhere.

  checkpoints/0/   parameters and batch statistics
  config.json      a recipe of the method `pretrained`, as evaluations read it
  card.json, README.md, parity.json
"""

import contextlib
import logging

from jaxssl import checkpoint
from jaxssl import errors
from jaxssl import files
from jaxssl import metrics
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import train
from jaxssl import weights as weights_lib
from jaxssl import workdir as workdirs
from jaxssl.weights import cards
from jaxssl.weights import names
from jaxssl.weights import parity

log = logging.getLogger(__name__)


def import_weights(config, workdir):
  """Runs the job; see `configs/import_weights.py`.

  Args:
    config: nested dicts with `weights`, a file; `layout`, its layout or 'auto';
      `version`, see `models.resnet.make`; `licence`, text for the card; and a recipe
      without `model` and `method`. A size of 0, a `fraction` of 0 and an
      `interpolation` of '' are those of the weights.
    workdir: a new folder.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_prepare, config, what='config')
  recipe, variables, card = _prepare(**settings)
  metrics.setup_logging(None)
  log.info(
      '%s: %s, %s', card['source']['file'], card['source']['title'],
      cards.architecture(card['model']))
  for what, dropped in card['source']['dropped'].items():
    log.info(
        'Left out: %s (%d), such as %s', what, len(dropped), names.listed(dropped[:1]))
  with errors.user_mistakes('config.weights'):
    card['parity'] = parity.report(
        weights_lib.forward(card), variables, card, names.to_state(variables),
        parity.real_images(recipe))
  for line in cards.parity(card)[3:]:
    log.info('%s', line.removeprefix('- '))
  write(recipe, variables, card, workdir)


def _prepare(
    *, job, weights, layout, version, licence, seed, parallel, total_epochs,
    total_steps, data, views, eval_view, eval_data, optim, log, save, evals):
  """The recipe of the workdir, the variables and the card."""
  with errors.user_mistakes('config.weights'):
    variables, card = weights_lib.load(weights, layout=layout, version=version)
  how = card['preprocessing']
  if how.get('each_image'):
    raise errors.ConfigError(
        f'config.weights: {weights} takes images that are standardised one by one '
        '(Jigsaw): evaluate the run that it came from.')
  view = {k: eval_view[k] or how[k] for k in ('size', 'fraction', 'interpolation')}
  size = view['size']
  # The central square then has the view's size: images are resized once, by the host.
  short_side = data['short_side'] or round(size / view['fraction'])
  recipe = recipes.build({
      'job': 'pretrain', 'seed': seed, 'parallel': parallel,
      'total_epochs': total_epochs, 'total_steps': total_steps,
      'data': {
          **data, 'short_side': short_side,
          'canvas': data['canvas'] or short_side * 3 // 2,
          'interpolation': data.get('interpolation') or view['interpolation']},
      'views': {k: {**v, 'size': v['size'] or size} for k, v in views.items()},
      'eval_view': view, 'eval_data': eval_data,
      'model': {'name': 'resnet', **card['model']},
      'method': {
          'name': 'pretrained', 'weights': card['source']['sha256'],
          'mean': list(how['mean']), 'std': list(how['std'])},
      'optim': optim, 'log': log, 'save': save, 'evals': evals}, training=False)
  return recipe, variables, {
      **card, 'licence': licence or cards.NOT_STATED,
      'preprocessing': {**how, **view}}


def write(recipe, variables, card, workdir):
  """Makes the workdir."""
  with workdirs.open_run(
      workdir, recipe.config, free_keys=recipes.FREE,
      data_digest=recipe.source.digest) as workdir:
    if workdirs.read_done(workdir):
      log.info('These weights are here already: %s', workdir)
      return
    checkpoints = checkpoint.Checkpoints(workdir / 'checkpoints', keep=1)
    with contextlib.closing(checkpoints):
      digest = checkpoints.save(0, {
          'params': variables['params'],
          'extra': {'batch_stats': variables['batch_stats']}}, train.info(recipe))
    files.write_json(workdir / 'parity.json', card['parity'])
    cards.write(workdir, card)
    workdirs.write_done(workdir, 0, digest)
    log.info('Done: %s', workdir)
