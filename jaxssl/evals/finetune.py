"""Fine-tuning of the whole encoder with a linear classifier on it.

As in SimCLR (https://arxiv.org/abs/2002.05709, Appendix B.5). `semi_supervised` does
it on a fixed part of the labels.
"""

from jaxssl import finetuning
from jaxssl import labelled

PROTOCOL = 'finetune'
VERSION = 2
TUNES = True


def make(
    embed, *, train, test, num_classes, augment, rate, head_rate, decay, epochs,
    batch_size, seed, feature='h'):
  """Trains all weights on random views of `train` and scores them on `test`.

  What is trained, and how, is in `finetuning.fit`; the rate of the first step is
  rate * batch_size / 256. The last weights are scored, once; nothing is chosen by
  the test set. The checkpoint stays as it is.

  Batch norms go on with the statistics of each minibatch, as in SimCLR's code; the
  test set is seen with the running ones. The control row of random initialisation
  is this same training from scratch, batch norm and all, though as short and at the
  same rate: supervised pretraining may be given longer. Running statistics learn a
  tenth of each minibatch's: after less than some 40 steps they lag behind, and both
  rows, this one more than the other, are too low.

  The departure from SimCLR: the classifier starts from zero. Version 1 kept the batch
  norms at the statistics of pretraining, and learned much less.

  SimCLR v2 (https://arxiv.org/abs/2006.10029, Section 2.1) fine-tunes from the first
  of its projector's three layers: `feature` 'z1'. That layer is trained too, and the
  classifier sees what it gives behind batch norm and ReLU.

  Args:
    embed: see `features`.
    train: batches with labels. They are held in host memory; see
      `labelled.gather`.
    test: batches with labels.
    num_classes: how many classes there are.
    augment: the `tune` of a method on random views; see `finetuning.check`, as for
      the following.
    rate: the encoder's learning rate, per 256 examples.
    head_rate: the classifier's.
    decay: weight decay of kernels.
    epochs: passes over the training examples.
    batch_size: of a minibatch, at most; 3 or more.
    seed: of the order.
    feature: 'h', 'z', or a layer of the projector such as 'z1'.

  Returns:
    run(params, extra) -> the dict of `finetuning.evaluate`: `top1`, with more than 5
    classes `top5`, `train_loss` and `diverged`.

  Raises:
    ValueError: a setting is out of range; and, from `run`, labels are missing or out
      of range, or there are no parameters, as with features.
  """
  settings = finetuning.check(
      augment, num_classes=num_classes, rate=rate, head_rate=head_rate, decay=decay,
      epochs=epochs, batch_size=batch_size, seed=seed, feature=feature)

  def run(params, extra):
    finetuning.check_params(params)
    ids, _ = labelled.ids_and_labels(train, num_classes, what='The training set')
    return finetuning.evaluate(
        embed, augment, settings, params, extra, labelled.gather(train, ids), test)

  return run
