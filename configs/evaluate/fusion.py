r"""Features of several networks side by side, beside each alone and each widened.

  python -m jaxssl.main --config=configs/evaluate/fusion.py \
      --config.features=inat_train.npz,imagenet_train.npz \
      --config.test_features=inat_test.npz,imagenet_test.npz --workdir=runs/fusion

Each file holds one network's features of the same images, with the same `ids`; of
checkpoints, `job='embed'` writes such files. Table 3 of Cole et al. 2022
(https://arxiv.org/abs/2105.05837): a linear classifier on concatenated features.

Ours: each source at unit length; the widened sources, as wide as all together; and
L-BFGS with a choice of decays, so that no width has a luckier learning rate.
"""

from configs import common
from configs.evaluate import standard


def get_config(arg=''):
  arg = common.parse_arg(arg, iterations=500)
  c = standard.get_config()
  c.evals = dict(fusion=dict(
      name='fusion', every_epochs=0.0, every_steps=0, train='train', test='test',
      optimizer='lbfgs', schedule='none', rates=(), batch_size=0, seed=0,
      decays=(1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2), epochs=arg.iterations,
      standardize=False))
  return c
