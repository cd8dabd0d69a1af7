"""The job that writes a run's encoder in formats that other frameworks read.

  export/<step>/encoder.safetensors, encoder.npz, encoder.stablehlo
  export/<step>/card.json, README.md, parity.json

The images that the run was trained on need not be there. Where its evaluation images
are, the exported encoder is compared on them, too.
"""

import logging
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from jaxssl import errors
from jaxssl import evaluate
from jaxssl import files
from jaxssl import metrics
from jaxssl import plugins
from jaxssl import recipe as recipes
from jaxssl import weights as weights_lib
from jaxssl.weights import cards
from jaxssl.weights import names
from jaxssl.weights import parity

log = logging.getLogger(__name__)

ENCODERS = {  # Which of its networks a method's `embed` reads.
    'moco': 'the query encoder, which its gradient trains; the momentum encoder is not '
            'exported',
    'pcl': 'the query encoder, which its gradient trains; the momentum encoder, whose '
           'features are clustered, is not exported',
    'byol': 'the online network, which its gradient trains; the target is not '
            'exported'}


def export_weights(config, workdir):
  """Runs the job; see `configs/export_weights.py`.

  Args:
    config: nested dicts with `checkpoint`, the workdir of a run; `step`, a number or
      'last'; `eval_data` and `data_root`, as for evaluations; `platforms`, for the
      StableHLO; and `licence`, text for the card.
    workdir: files are written to its `export/<step>/`.

  Raises:
    errors.JobError: see `main` for the kinds.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_export, config, what='config', workdir=workdir)
  _export(**settings)


def _export(
    *, job, checkpoint, step, eval_data, data_root, platforms, licence, workdir):
  run = pathlib.Path(checkpoint)
  config = evaluate.trained_config(run, {}, eval_data, data_root)
  checkpoints = evaluate.open_checkpoints(run)
  if config['model']['name'] != 'resnet':
    raise errors.ConfigError(
        f'{run} has a model {config["model"]["name"]!r}; only resnet has names '
        'in other frameworks.')
  if step in ('all', 'follow'):
    raise errors.ConfigError(f'config.step is {step!r}; it must be a number or last.')
  evaluate.check_step(step, checkpoints.steps(), run)
  number = max(checkpoints.steps()) if step == 'last' else int(step)
  manifest = checkpoints.manifest(number)
  params, extra = restore(checkpoints, number, manifest)
  metrics.setup_logging(None)

  variables = {
      part: {k: tree[k] for k in ('encoder', 'projector') if k in tree}
      for part, tree in (('params', params), ('batch_stats', extra['batch_stats']))}
  card = card_of(run, config, number, manifest, licence)
  card['parity'] = parity.report(
      weights_lib.forward(card), variables, card, names.to_state(variables),
      images_of(config))
  card['parity']['comparisons'].append(
      beside_the_run(config, card, variables, params, extra))
  folder = workdir / 'export' / str(number)
  weights_lib.save(folder, variables, card, platforms=tuple(platforms))
  files.write_json(folder / 'parity.json', card['parity'])
  for line in cards.parity(card)[3:]:
    log.info('%s', line.removeprefix('- '))
  log.info('Done: %s', folder)


def restore(checkpoints, step, manifest):
  """Reads and verifies a checkpoint's parameters and other state, whatever they are.

  The manifest says what is in it, so neither the images nor the method are needed.
  """
  wanted = traverse_util.unflatten_dict({
      path: jax.ShapeDtypeStruct(leaf['shape'], jnp.dtype(leaf['dtype']))
      for path, leaf in manifest['leaves'].items()
      if path.split('/')[0] in ('params', 'extra')}, sep='/')
  _, parts, _ = checkpoints.restore(wanted, step, partial=True, replicated=False)
  return parts['params'], parts['extra']


def card_of(run, config, step, manifest, licence):
  """The card of a run's encoder."""
  model = {k: v for k, v in config['model'].items() if k != 'name'}
  model = {'version': 'v1.5', 'padding': 'symmetric', **model, 'dtype': 'float32'}
  method = config['method']
  imported = files.read_json(run / 'card.json') or {}
  standardized = (
      {'each_image': True} if method['name'] == 'jigsaw' else
      {'mean': method.get('mean', [0.0] * 3), 'std': method.get('std', [1.0] * 3)})
  came = {'source': imported.get('source')} if method['name'] == 'pretrained' else {
      'training': {
          'run': run.resolve().name, 'method': method['name'], 'steps': step,
          'encoder': ENCODERS.get(method['name'], 'the only one'),
          'data': manifest['info'].get('data', ''), 'checkpoint': manifest['digest']}}
  return {
      'model': model, 'num_features': weights_lib.num_features(model),
      'preprocessing': {**config['eval_view'], **standardized}, **came,
      'metrics': metrics_of(run, step),
      'licence': licence or imported.get('licence') or cards.NOT_STATED}


def metrics_of(run, step):
  """{evaluation: its numbers, and those of a random start} at a step."""
  found = {}
  for path in sorted((run / 'eval').glob(f'*/{step}.json')):
    result = files.read_json(path)
    found[path.parent.name] = {
        name: {
            k: v for k, v in (values or {}).items() if isinstance(v, int | float)}
        for name, values in (
            ('metrics', result['metrics']),
            ('random_init', result['controls']['random_init']))}
  return found


def images_of(config):
  """Real images for `parity.report`, or why there are none."""
  try:
    return parity.real_images(recipes.build(config, training=False))
  except errors.JobError as e:
    return f'not compared: {" ".join(str(e).split())}'


def beside_the_run(config, card, variables, params, extra):
  """Compares the exported encoder with the run's own `embed`, on random images."""
  network = names.make({**card['model'], 'dtype': config['model']['dtype']})
  make = plugins.load('methods', config['method']['name']).make
  # What only a training knows does not matter to `embed`.
  method = recipes.call(
      make, config['method'], 'config.method', args=(network,), num_classes=2,
      num_examples=1, total_steps=1, batch_size=config['data']['batch_size'])
  size = card['preprocessing']['size']
  images = np.random.default_rng(1).random((2, size, size, 3), dtype=np.float32)
  got, want = (np.asarray(jax.jit(f)(*state, images)) for f, state in (
      (weights_lib.forward(card), (variables,)),
      (lambda p, e, x: method.embed(p, e, x)['h'], (params, extra))))
  absolute, relative = parity.differences(got, want)
  dtype = config['model']['dtype']  # In bfloat16 the run rounds, and the export not.
  if dtype == 'float32' and not relative <= parity.TOLERANCE:
    raise ValueError(
        f'The exported encoder differs from the run by {relative:.2g}: this is a bug.')
  return {
      'against': f'the run itself, in {dtype}', 'images': 'random',
      'number': len(images), 'largest_absolute': absolute,
      'largest_relative': relative}
