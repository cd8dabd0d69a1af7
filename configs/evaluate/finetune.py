r"""Fine-tuning of all weights with a linear classifier on the encoder.

  python -m jaxssl.main --config=configs/evaluate/finetune.py:size=224 \
      --config.checkpoint=runs/simclr_imagenet --config.step=last

It needs images. `size` is the side of the random crops: 32 on CIFAR. The training
images that it reads are held in memory, 3 * canvas * canvas bytes each, so all of
ImageNet is out of reach; set `max_examples` in `eval_data.train`, or see
`semi_supervised.py`.

The settings are SimCLR's for labels of ImageNet (https://arxiv.org/abs/2002.05709,
Appendix B.5): a rate of 0.05 per 256 images for all weights, Nesterov momentum, a
cosine without warm-up, no decay, crops and flips, 30 epochs.

`--config.evals.finetune.feature=z1` fine-tunes from the first layer of the projector,
as SimCLR v2 does with a projector of three layers (https://arxiv.org/abs/2006.10029,
Section 2.1).

Ours: batches of 256 where SimCLR's are of 4096, which are also what batch norms see;
the classifier starts from zero. A rate of its own for the classifier is `head_rate`.
The row of the untrained network is training from scratch with these settings;
`supervised_imagenet.py` has longer ones that suit it.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, epochs=30, batch_size=256, size=224)
  c = standard.get_config()
  c.evals = dict(finetune=dict(
      name='finetune', every_epochs=0.0, every_steps=0, train='train', test='test',
      augment=common.crop_flip_view(arg.size), rate=0.05, head_rate=0.05, decay=0.0,
      epochs=arg.epochs, batch_size=arg.batch_size, seed=0, feature='h'))
  return c
