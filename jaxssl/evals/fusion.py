"""Linear classification of several networks' features side by side.

Table 3 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837), with the controls that
tell a gain from different networks apart from a gain from more columns. In shapes, n
is the examples, d the width of one source.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import features
from jaxssl import linear_probe
from jaxssl import paired
from jaxssl import probes
from jaxssl import scoring

PROTOCOL = 'fusion'
VERSION = 1


def make(
    embed, *, train, test, num_classes, optimizer, schedule, rates, decays, epochs,
    batch_size, seed, standardize):
  """Trains a linear classifier on two or more features together, and on each alone.

  Every example's features of each source are brought to unit length, so that no
  source weighs more by its scale. All classifiers are trained in the same way, each
  with its own choice from the grid; see `linear_probe`.

  More columns alone can help a linear classifier. So each source is also widened to
  the width of all together: in place of every other source stands a random map of
  this one, as wide as that: its product with fixed Gaussian weights, a ReLU, and
  unit length again. Without the ReLU the columns would add nothing that a linear
  classifier could use. What fusion gains over the widened sources it gains from
  what the networks see differently.

  Args:
    embed: see `features`; all that it gives are sources: 'h0', 'h1', ... of several
      features files, 'h' and 'z' of a checkpoint.
    train: batches with labels.
    test: batches with labels.
    num_classes: how many classes there are.
    optimizer, schedule, rates, decays, epochs, batch_size, standardize: see
      `linear_probe.check`.
    seed: of the order, the held-out part, the random maps and the intervals.

  Returns:
    run(params, extra) -> dict of `top1` and, with more than 5 classes, `top5` of
    all sources together; the same of each alone, as `top1_h0`, and widened, as
    `top1_h0_widened`; `gain`, the top-1 together less that of the best source
    alone, with its interval `gain_lower` and `gain_upper` (95 %, see `paired`);
    `gain_over_width`, less the best widened source, with its interval; `width` of
    all together; and `on_edge`, how many of the classifiers were chosen on the edge
    of the grid. The best source is the best on the test set: a gain is never too
    large for that.

  Raises:
    ValueError: a setting is out of range; and, from `run`, there is one source
      only, labels are missing or out of range, or widths differ.
  """
  settings = linear_probe.check(
      num_classes=num_classes, optimizer=optimizer, schedule=schedule, rates=rates,
      decays=decays, epochs=epochs, batch_size=batch_size, seed=seed,
      standardize=standardize)

  def run(params, extra):
    found = features.outputs(embed, params, extra, train)
    found_test = features.outputs(embed, params, extra, test)
    labels = scoring.check_labels(found.labels, num_classes, what='The training set')
    truth = scoring.check_labels(found_test.labels, num_classes, what='The test set')
    names = sorted(found.features)
    if len(names) < 2:
      raise ValueError(
          f'Fusion needs two or more sources; there is {", ".join(names)}. Several '
          'features files are separated by commas.')
    for name in names:
      scoring.check_widths(found.features[name], found_test.features[name])
    widths = {name: found.features[name].shape[1] for name in names}

    metrics, on_edge = {}, []

    def score(columns, suffix):
      """Adds the accuracies of some columns; returns who was right."""
      head, chosen = linear_probe.fit(settings, columns(found.features), labels)
      ranks = probes.score(head, columns(found_test.features), truth)[0][:, 0]
      for name, accuracy in scoring.accuracies(ranks, num_classes).items():
        metrics[name + suffix] = accuracy
      on_edge.append(chosen['on_edge'])
      return ranks == 0

    together = score(functools.partial(_beside, names), '')
    alone = [score(functools.partial(_beside, [name]), f'_{name}') for name in names]
    widened = [
        score(
            functools.partial(
                _widened, name, [widths[n] for n in names if n != name], (seed, i)),
            f'_{name}_widened')
        for i, name in enumerate(names)]
    for name, others in (('gain', alone), ('gain_over_width', widened)):
      gain = paired.differences(
          max(others, key=np.sum), together, np.zeros(len(truth), int), seed)
      metrics |= {
          name: gain['difference'], f'{name}_lower': gain['lower'],
          f'{name}_upper': gain['upper']}
    return {**metrics, 'width': sum(widths.values()), 'on_edge': sum(on_edge)}

  return run


def _beside(names, found):
  """Some of the [n, d] features, each at unit length, side by side."""
  return np.concatenate([_unit(found[name]) for name in names], axis=1)


def _widened(name, widths, seeds, found):
  """One of the [n, d] features and a random map of it for each width; see `make`."""
  x = found[name]
  # The old generator: its stream is the same in every version of NumPy.
  random = np.random.RandomState(seeds)
  weights = [
      random.standard_normal((x.shape[1], width)).astype(np.float32)
      for width in widths]
  whole = np.empty((len(x), x.shape[1] + sum(widths)), np.float32)
  for rows in scoring.blocks(len(x), 8192):
    unit = _unit(x[rows])
    maps = [_unit(np.asarray(_random_map(unit, w))) for w in weights]
    whole[rows] = np.concatenate([unit, *maps], axis=1)
  return whole


def _unit(x):
  norms = np.sqrt(np.einsum('nd,nd->n', x, x))[:, None]
  return x / np.maximum(norms, np.float32(1e-12))


@jax.jit
def _random_map(x, weights):
  return jax.nn.relu(jnp.matmul(x, weights, precision='highest'))
