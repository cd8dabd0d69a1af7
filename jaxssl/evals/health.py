"""Whether features have collapsed: numbers that need no labels."""

from jaxssl import features
from jaxssl import geometry

PROTOCOL = 'health'
VERSION = 1


def make(embed, *, test, views=None):
  """Spread and rank of the features, uniformity, and the alignment of views.

  The formulas and their papers are in `geometry`; `geometry.verdict` puts the
  result into a sentence.

  Args:
    embed: see `features`.
    test: batches; labels are not looked at.
    views: None, or two embeds of random views (`features.with_random_view`), one
      for each view of training, perhaps the same. Without them there is no
      alignment.

  Returns:
    run(params, extra) -> dict of `spread_h`, `rankme_h`, `dims_h` (the most RankMe
    could be), the same of z if there is a projector; and of z, or else of h,
    `uniformity` and `alignment`, as `uniformity_z`.
  """
  if views is not None and len(views) != 2:
    raise ValueError(f'Alignment needs two views; there are {len(views)}.')

  def run(params, extra):
    found = features.outputs(embed, params, extra, test).features
    metrics = {}
    for name, x in sorted(found.items()):
      metrics[f'spread_{name}'] = geometry.spread(x)
      metrics[f'rankme_{name}'] = geometry.rankme(x)
      metrics[f'dims_{name}'] = min(x.shape)
    last = 'z' if 'z' in found else 'h'
    metrics[f'uniformity_{last}'] = geometry.uniformity(found[last])
    if views is not None:
      # Two epochs, or one embed given twice would see the same view twice.
      xa, xb = (
          features.extract(
              view, params, extra, features.in_epoch(test, epoch), last)[0]
          for epoch, view in enumerate(views))
      metrics[f'alignment_{last}'] = geometry.alignment(xa, xb)
    return metrics

  return run
