"""What a clustering of the training images looks like, in numbers for people.

In shapes, n is the images and k the clusters.
"""

import numpy as np

QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)


def summary(before, after):
  """Describes the clusterings of a method's state after a refresh.

  Args:
    before, after: the method's `extra` on the host; `clusters` is a dict of parts
      with `assignments` int [n], `concentration` [k], `inertia` and `num_empty`, and
      `has_prototypes` is 0 where those of `before` mean nothing yet.

  Returns:
    {part: dict}, of each part:
      inertia: summed squared distance of the images to their centroids.
      used: share of the clusters that have images.
      num_empty: clusters that k-means found empty and split from others.
      num_single: clusters of one image.
      largest: share of the images that are in the largest cluster.
      concentration: its quantiles, at `QUANTILES`.
      sizes: how many clusters have 1, 2 to 3, 4 to 7, ... images.
      churn: see `churn`; not the first time.
  """
  parts = {}
  for part, found in after['clusters'].items():
    sizes = np.bincount(found['assignments'], minlength=len(found['concentration']))
    parts[part] = {
        'inertia': float(found['inertia']),
        'used': float((sizes > 0).mean()),
        'num_empty': int(found['num_empty']),
        'num_single': int((sizes == 1).sum()),
        'largest': float(sizes.max() / sizes.sum()),
        'concentration': np.quantile(found['concentration'], QUANTILES).tolist(),
        'sizes': np.bincount(np.frexp(sizes[sizes > 0])[1] - 1).tolist()}
    if before['has_prototypes']:
      parts[part]['churn'] = churn(
          before['clusters'][part]['assignments'], found['assignments'])
  return parts


def churn(before, after):
  """Share of the images that are no longer where most of their old cluster is.

  The numbers of clusters mean nothing from one clustering to the next, so each old
  cluster is taken to have moved to where the most of its images are.

  Args:
    before, after: int [n] clusters of the same images.
  """
  width = np.int64(after.max()) + 1  # Of 64 bits, so that no pair overflows.
  pairs, counts = np.unique(before * width + after, return_counts=True)
  most = np.zeros(before.max() + 1, np.int64)
  np.maximum.at(most, pairs // width, counts)
  return float(1 - most.sum() / len(before))
