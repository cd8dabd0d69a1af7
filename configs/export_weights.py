r"""Writes a run's encoder in formats that other frameworks read.

  python -m jaxssl.main --config=configs/export_weights.py \
      --config.checkpoint=runs/quickstart

writes runs/quickstart/export/<step>/: encoder.safetensors in the names of torchvision
and timm, encoder.npz in ours, encoder.stablehlo, a program from images to features
with the weights inside, and card.json with README.md, which say what it is, how images
are prepared, and how to load it. The images that the run was trained on need not be
there. See docs/weights.md.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg=''):
  common.parse_arg(arg)
  c = ConfigDict()
  c.job = 'export_weights'
  c.checkpoint = ''  # The workdir of a run.
  c.step = 'last'    # Or a number.
  c.eval_data = {}   # Empty: what the run itself evaluates on.
  c.data_root = ''   # Empty: the images are where they were.
  c.platforms = ('cpu', 'cuda', 'tpu')
  c.licence = ''     # For the card, such as 'CC-BY-4.0'.
  return c
