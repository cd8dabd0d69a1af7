r"""Puts the results of several runs into one table.

  python -m jaxssl.main --config=configs/evaluate/compare.py \
      --config.runs=runs/simclr,runs/moco,runs/pcl --workdir=runs/compare

prints a table of every share of right answers, and of AMI and the like in hundredths,
with 95 % intervals over the test examples and the untrained network beside it; and a
table of how the runs differ from the first one. Where both results say which test
examples were right, as those of `linear`, `knn`, `finetune` and others do, the
difference has the interval of a paired bootstrap and the p-value of McNemar's exact
test: two runs can differ clearly though their own intervals overlap. All numbers go to
compare.csv, the tables to compare.md. Of each evaluation it takes the newest result.
"""

from ml_collections import ConfigDict


def get_config(arg=''):
  del arg
  c = ConfigDict()
  c.job = 'compare'
  c.runs = ''  # Workdirs, separated by commas.
  return c
