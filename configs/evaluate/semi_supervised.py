r"""Fine-tuning on 1 % or 10 % of the labels.

  python -m jaxssl.main --config=configs/evaluate/semi_supervised.py:percent=10 \
      --config.checkpoint=runs/simclr_imagenet --config.step=last

  python -m jaxssl.main \
      --config=configs/evaluate/semi_supervised.py:list_file=1percent.txt,percent=1 \
      --config.checkpoint=runs/simclr_imagenet --config.step=last

The settings are SimCLR's (https://arxiv.org/abs/2002.05709, Appendix B.5): those of
`finetune.py`, for 60 epochs with 1 % and 30 from 10 % on. On ImageNet with a
ResNet-50 it has top-5 of 75.5 and 87.8 %, and PCL (https://arxiv.org/abs/2005.04966)
75.3 and 85.6 %.

Which examples are labelled is fixed by `seed`: as many of each class, and those of 1 %
are among those of 10 %. Or `list_file` names them, one a line, and `percent` only tells
the epochs. A line is a file's name as in SimCLR's own lists, n01440764_10026.JPEG, with
or without folders, or an id: the image's place among all training images, sorted by
path. The result has the ids' SHA-256.

Ours, beside what `finetune.py` says: equally many of each class, 13 with 1 % of
ImageNet, where SimCLR has 12.8 on average; one rate and a cosine, where the code that
PCL's author points to has 40 epochs in steps and keeps the best of them. Labelled
images are held in memory: 1 % of ImageNet on canvases of 384 pixels is 5.8 GB.
"""

from configs import common
from configs.evaluate import finetune


def get_config(arg=''):
  arg = common.parse_arg(
      arg, percent=1, list_file='', epochs=0, batch_size=256, size=224)
  c = finetune.get_config(f'batch_size={arg.batch_size},size={arg.size}')
  settings = c.evals.finetune.to_dict()
  settings.update(
      name='semi_supervised', list_file=arg.list_file,
      fraction=0.0 if arg.list_file else arg.percent / 100,
      epochs=arg.epochs or (30 if arg.percent >= 10 else 60))
  c.evals = dict(semi_supervised=settings)
  return c
