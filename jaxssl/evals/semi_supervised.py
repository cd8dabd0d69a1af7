"""Fine-tuning on a small fixed part of the labels, such as 1 % or 10 %.

As in SimCLR (https://arxiv.org/abs/2002.05709, Section 6 and Appendix B.5).
"""

import hashlib

import numpy as np

from jaxssl import finetuning
from jaxssl import labelled

PROTOCOL = 'semi_supervised'
VERSION = 2
TUNES = True


def make(
    embed, *, train, test, num_classes, augment, fraction, list_file, rate, head_rate,
    decay, epochs, batch_size, seed, feature='h', describe=None):
  """Fine-tunes as `finetune` does, on some examples of `train` alone.

  They are the same in every run, on every machine and for every checkpoint: those of
  a list, or those that `labelled.balanced` takes by a hash of their ids. In
  balanced parts every class has the same number as far as it has them, and at least
  one, and that of 1 % lies inside that of 10 %. An id is the place of an example in
  the training set.

  A list may as well hold names of files, as SimCLR's for ImageNet do. The departure
  of `finetune` is this protocol's too.

  Args:
    embed, train, test, num_classes, augment: see `finetune`; only the chosen
      examples are held in host memory.
    fraction: of the training examples, such as 0.01; 0 with a list.
    list_file: a text file of ids or of names, one a line (see `labelled.find`); ''
      with a fraction.
    rate, head_rate, decay, epochs, batch_size, feature: see `finetune`.
    seed: of the order, and of the balanced parts.
    describe: id -> the path of an example of `train`, or None: then a list has ids.

  Returns:
    run(params, extra) -> the dict of `finetune`, and `num_labelled`, how many
    examples were trained on, and `labelled_sha256` [1], of their ids in ascending
    order, each with a newline behind it.

  Raises:
    ValueError: see `finetune`; `fraction` or the list is not as above; and, from
      `run`, something listed is not in the training set, or a class has no example.
    errors.StorageError: the list cannot be read.
  """
  settings = finetuning.check(
      augment, num_classes=num_classes, rate=rate, head_rate=head_rate, decay=decay,
      epochs=epochs, batch_size=batch_size, seed=seed, feature=feature)
  if bool(fraction) == bool(list_file):
    raise ValueError(
        f'fraction is {fraction} and list_file {list_file!r}; give one of them.')
  if not 0 <= fraction <= 1:
    raise ValueError(f'fraction is {fraction}; it must be above 0 and at most 1.')
  listed = labelled.read_list(list_file) if list_file else None

  def choose(ids, labels):
    if listed is None:
      chosen = labelled.balanced(
          ids, labels, fraction=fraction, num_classes=num_classes, seed=seed)
    else:
      chosen = labelled.find(listed, ids, describe, what=list_file)
    counts = np.bincount(labels[np.isin(ids, chosen)], minlength=num_classes)
    if not counts.all():
      raise ValueError(
          f'{(counts == 0).sum()} of {num_classes} classes have no labelled example, '
          f'the first is class {counts.argmin()}.')
    return chosen

  def run(params, extra):
    finetuning.check_params(params)
    chosen = choose(*labelled.ids_and_labels(
        train, num_classes, what='The training set'))
    metrics = finetuning.evaluate(
        embed, augment, settings, params, extra, labelled.gather(train, chosen), test)
    text = ''.join(f'{i}\n' for i in chosen)
    # In an array, as what is no number is kept out of tables.
    digest = np.array([hashlib.sha256(text.encode()).hexdigest()])
    return {**metrics, 'num_labelled': len(chosen), 'labelled_sha256': digest}

  return run
