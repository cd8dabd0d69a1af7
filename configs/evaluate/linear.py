r"""Linear classification with the settings of one paper's code: `:source=simclr`.

  python -m jaxssl.main --config=configs/evaluate/linear.py:source=moco,augmented \
      --config.checkpoint=runs/moco_imagenet --config.step=last

  python -m jaxssl.main --config=configs/evaluate/linear.py:source=transfer \
      --config.features=train.npz --config.test_features=test.npz --workdir=runs/linear

The sources, all for ImageNet and without warm-up:

- `simclr`: https://arxiv.org/abs/2002.05709, Appendix B.6, and its code.
- `moco`: https://arxiv.org/abs/1911.05722, Section 4.1, and its code.
- `pcl`: https://arxiv.org/abs/2005.04966, its code.
- `byol`: https://arxiv.org/abs/2006.07733, Appendix C.1; the rate is its code's.
- `transfer`: L-BFGS, as SimCLR's Appendix B.8 has it for other data sets.

Ours: weights start from zero where MoCo's and PCL's are drawn; a tenth of the training
examples chooses among rates and decays where there are several, as BYOL and SimCLR's
transfer do. `transfer` has 12 decays for SimCLR's 45.

`augmented` trains on random crops and flips as all but `transfer` do: the encoder then
runs in every epoch, and it needs images. `size` is the side of a crop.
"""

from configs import common
from configs.evaluate import standard

SOURCES = dict(
    simclr=dict(
        optimizer='nesterov', schedule='cosine', rates=(0.1,), decays=(1e-6,),
        epochs=90, batch_size=4096),
    moco=dict(
        optimizer='momentum', schedule='steps', rates=(30.0,), decays=(0.0,),
        epochs=100, batch_size=256),
    pcl=dict(
        optimizer='momentum', schedule='steps', rates=(5.0,), decays=(0.0,),
        epochs=100, batch_size=256),
    byol=dict(
        optimizer='nesterov', schedule='cosine', rates=(0.2,), decays=(0.0,),
        epochs=80, batch_size=1024),
    transfer=dict(
        optimizer='lbfgs', schedule='none', rates=(), epochs=1000, batch_size=0,
        decays=tuple(10.0 ** i for i in range(-9, 3))))


def get_config(arg=''):
  arg = common.parse_arg(arg, source='simclr', augmented=False, size=224)
  if arg.source not in SOURCES:
    raise ValueError(f'No source {arg.source!r}. There are: {", ".join(SOURCES)}.')
  c = standard.get_config()
  c.evals = dict(linear=common.linear(
      **SOURCES[arg.source],
      augment=common.crop_flip_view(arg.size) if arg.augmented else None))
  return c
