"""The interface of a method: pure functions, tied together by name.

Every module here has one public `make(model, **config.method) -> Method`. `model` is a
flax module, images [b, h, w, c] -> {'h': [b, e] features, 'z': [b, d] unit projections
where it has a projector, with what its layers before the last give as 'z1', 'z2', ...,
'p': [b, d] unit predictions of them where a method has put its own head in the module's
field `predictor`}.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple


class Method(NamedTuple):
  """A method of representation learning.

  `loss` runs on each device inside the mapped axis `parallel.AXIS`. Its `batch` has
  `views`, a dict of name -> [b, h, w, c]; `index` [b], the examples' ids; `label` [b]
  where there are labels; `step`; and `rng`, a key that is equal on all devices. It
  returns the loss of this device's examples; the step takes the mean over devices.
  `metrics` has 'loss' and, where it is known, 'chance': the loss of a network that has
  learned nothing.

  `tune` is what `embed` is in training, for `finetuning`: batch norms use the
  statistics of the batch over all devices, and those that `embed` reads move on. It
  runs inside the mapped axis, too.

  `refresh` runs on the host and may use all devices. Its `embed_train` is
  (params, extra) -> {'h': [n, e], 'z': [n, d]}, float32 on the host: the features of
  the evaluation views of all n training images, row i those of example i.
  """
  init: Callable[..., Any]   # (rng, views) -> params, extra
  loss: Callable[..., Any]   # (params, extra, batch) -> loss, (extra, metrics)
  embed: Callable[..., Any]  # (params, extra, images) -> {'h': [b, e], 'z': [b, d]}
  tune: Callable[..., Any]
  # (params, extra, images, groups=None) -> what `embed` gives, extra; see above
  refresh: Callable[..., Any] | None = None
  # (rng, params, extra, embed_train) -> extra, before the first step of an epoch
  warmup_epochs: int = 0  # Epochs before the first refresh.
  summarize: Callable[..., Any] | None = None
  # (extra before, extra after) a refresh -> {part: {name: number, array or None}}


def model_functions(model):
  """The two uses of a model that every method shares.

  Returns:
    apply_train: (params, extra, images, groups=None) -> {'h', 'z', ...}, extra with
      new statistics; `params` may hold more than the model's own; `groups` are those
      of `norm.BatchNorm`.
    embed: (params, extra, images) -> {'h', 'z', 'z1', ...} with the kept statistics.
  """
  def variables(params, extra):
    return {'params': params, 'batch_stats': extra['batch_stats']}

  def apply_train(params, extra, images, groups=None):
    out, new = model.apply(
        variables(params, extra), images, train=True, groups=groups,
        mutable=['batch_stats'])
    return out, {**extra, **new}

  def embed(params, extra, images):
    return model.apply(variables(params, extra), images)

  return apply_train, embed
