r"""Puts the results of several runs into one table.

  python -m jaxssl.main --config=configs/evaluate/compare.py \
      --config.runs=runs/simclr,runs/moco,runs/pcl --workdir=runs/compare

prints a table of every share of right answers, with 95 % intervals over the test
examples and the untrained network beside it, and writes all numbers to compare.csv and
the table to compare.md. Of each evaluation it takes the newest result.
"""

from ml_collections import ConfigDict


def get_config(arg=''):
  del arg
  c = ConfigDict()
  c.job = 'compare'
  c.runs = ''  # Workdirs, separated by commas.
  return c
