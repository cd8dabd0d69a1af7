"""SimSiam (https://arxiv.org/abs/2011.10566)."""

from jaxssl import losses
from jaxssl import methods
from jaxssl.layers import heads


def make(model, *, predictor_hidden):
  """SimSiam on a model with a projector.

  A network predicts, from one view, what it makes of the other; no gradient goes
  through the second. That is all that keeps its outputs from becoming equal, which
  would have the best loss there is: `z_std` in the metrics tells.

  Args:
    model: see `jaxssl.methods`.
    predictor_hidden: width of the predictor's hidden layer: a quarter of the
      projection's in the paper.

  Raises:
    ValueError: the width is not a whole number, or, from `init`, the views are not two
      or the model has no projector.
  """
  predicting = model.clone(
      predictor=heads.predictor(name='simsiam', hidden=predictor_hidden))
  apply_predicting, _ = methods.model_functions(predicting)
  apply_train, embed = methods.model_functions(model)

  def init(rng, views):
    if len(views) != 2:
      raise ValueError(f'SimSiam needs two views; there are {sorted(views)}.')
    variables = predicting.init(rng, next(iter(views.values())))
    if 'projector' not in variables['params']:
      raise ValueError('SimSiam needs a projector; config.model.projector is None.')
    return variables['params'], {'batch_stats': variables['batch_stats']}

  def loss(params, extra, batch):
    view_a, view_b = (batch['views'][name] for name in sorted(batch['views']))
    # One at a time: each has its own batch statistics.
    a, extra = apply_predicting(params, extra, view_a)
    b, extra = apply_predicting(params, extra, view_b)
    cosine = (
        losses.negative_cosine(a['p'], b['z'])
        + losses.negative_cosine(b['p'], a['z'])).mean() / 2
    metrics = {'loss': cosine, 'chance': 0.0, 'z_std': heads.spread(a['z'])}
    return cosine, (extra, metrics)

  return methods.Method(init, loss, embed, apply_train)
