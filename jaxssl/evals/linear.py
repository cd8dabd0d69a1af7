"""Linear classification of frozen features.

The usual measure of a representation, as in SimCLR
(https://arxiv.org/abs/2002.05709, Appendix B.6), but for a grid of learning rates
and weight decays that are trained side by side.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import features
from jaxssl import linear_probe
from jaxssl import paired
from jaxssl import probes
from jaxssl import scoring

PROTOCOL = 'linear'
VERSION = 1


def make(
    embed, *, train, test, num_classes, optimizer, schedule, rates, decays, epochs,
    batch_size, seed, standardize, feature='h', augment=None):
  """Trains a linear classifier on features of `train` and scores it on `test`.

  By SGD as in the papers' code, or by L-BFGS; weights from zero, decay of the
  weights but not of the biases, no warm-up. The rate of the first step is
  rate * batch_size / 256. What each paper does is in
  `configs/evaluate/linear.py`.

  A tenth of the training examples, fixed by the seed, is held out; the cell of the
  grid with the highest top-1 there, then the lowest cross-entropy, is trained on
  all of them. The test examples are seen once, at the end. Scores that are no
  longer finite are never right.

  Frozen features are extracted once. With `augment` they are extracted anew for
  each epoch, from random views; to choose and to test, the images are still seen as
  `embed` sees them. The encoder is then what takes the time, so every cell is
  trained with and without the held-out part in the one pass.

  Args:
    embed: see `features`.
    train: batches with labels.
    test: batches with labels.
    num_classes: how many classes there are.
    optimizer: 'nesterov', 'momentum' or 'lbfgs'; see `linear_probe.check`, as for
      the following six.
    schedule: 'cosine' or 'steps'; 'none' with L-BFGS.
    rates: learning rates to choose from, per 256 examples; () with L-BFGS.
    decays: weight decays to choose from.
    epochs: passes over the training examples; with L-BFGS, iterations at most.
    batch_size: of a minibatch, at most; 0 with L-BFGS.
    seed: of the order and the held-out part.
    standardize: whether each feature is first given mean 0 and variance 1 over the
      training examples.
    feature: 'h' or 'z'.
    augment: None, or the embed of random views (`features.with_random_view`).

  Returns:
    run(params, extra) -> dict of `top1` and, with more than 5 classes, `top5` on
    the test set; how far its probabilities there can be trusted
    (`scoring.reliability`); which of them were right (`paired.record`);
    `train_top1`; and what `linear_probe.fit` says of the
    choice.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing or
      out of range, or the features of train and test differ in width.
  """
  settings = linear_probe.check(
      num_classes=num_classes, optimizer=optimizer, schedule=schedule, rates=rates,
      decays=decays, epochs=epochs, batch_size=batch_size, seed=seed,
      standardize=standardize)
  if augment and optimizer == 'lbfgs':
    raise ValueError(
        'L-BFGS sees the same features at each iteration; augment is for SGD.')

  def run(params, extra):
    x, labels = features.extract(embed, params, extra, train, feature)
    labels = scoring.check_labels(labels, num_classes, what='The training set')
    with features.shared():
      x_test, truth = features.extract(embed, params, extra, test, feature)
      ids = features.outputs(embed, params, extra, test).index
    truth = scoring.check_labels(truth, num_classes, what='The test set')
    scoring.check_widths(x, x_test)

    def features_of(epoch):
      views = features.in_epoch(train, epoch)
      return features.extract(augment, params, extra, views, feature)[0]

    head, chosen = linear_probe.fit(
        settings, x, labels, features_of=features_of if augment else None)
    trained = linear_probe.accuracies(head, x, labels, num_classes)
    ranks = probes.score(head, x_test, truth)[0][:, 0]
    return {
        **scoring.accuracies(ranks, num_classes),
        **scoring.reliability(confidences(head, x_test), ranks == 0),
        **paired.record(ranks == 0, ids, truth),
        'train_top1': trained['top1'], **chosen}

  def confidences(head, x):
    most = max(1, min(8192, probes.LOGITS // num_classes))
    found = np.empty(len(x), np.float32)
    for place in scoring.blocks(len(x), most):
      found[place] = _confidences(head, x[place])
    return found

  return run


@jax.jit
def _confidences(head, x):
  """[m, d] features -> [m] probabilities of the predicted class; 0 without any."""
  logits = jnp.matmul(x, head.weights[:, 0], precision='highest') + head.biases[0]
  return jnp.nan_to_num(jax.nn.softmax(logits).max(-1))
