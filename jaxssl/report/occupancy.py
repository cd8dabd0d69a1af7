"""How a run's clusters are filled, for runs of methods that have an E-step."""

import collections

from jaxssl.report import charts

PREFIX = 'clusters/'
CHARTS = {  # Metric of `clusters.summary` -> title, kind, note.
    'used': ('Clusters in use', 'percent', 'the share that has images'),
    'largest': ('Largest cluster', 'percent', 'its share of the images'),
    'churn': (
        'Images that moved', 'percent',
        'away from most of their cluster, from one E-step to the next'),
    'inertia': ('Objective of k-means', 'number', 'summed squared distances'),
}


def sentence(run):
  """How full the clusters of the last E-step are, or '' where there are none."""
  parts = collections.defaultdict(dict)
  for key, (_, values) in run.curves.items():
    if key.startswith(PREFIX):
      part, _, metric = key.removeprefix(PREFIX).partition('/')
      parts[part][metric] = values[-1]
  said = [
      f'{charts.percent(found["used"])} of {part.removeprefix("k")}, the largest with '
      f'{charts.percent(found["largest"])} of the images'
      for part, found in sorted(parts.items(), key=coarse_first)
      if {'used', 'largest'} <= found.keys()]
  return f'Clusters in use: {"; ".join(said)}.' if said else ''


def take_charts(curves):
  """The charts of the clusters, whose curves are taken out of a dict of all."""
  found = collections.defaultdict(dict)
  for key in [k for k in curves if k.startswith(PREFIX)]:
    part, _, metric = key.removeprefix(PREFIX).partition('/')
    if part != 'seconds' and metric in CHARTS:
      found[metric][part] = curves.pop(key)
  return [
      charts.chart(
          title, dict(sorted(found[metric].items(), key=coarse_first)), kind=kind,
          note=note)
      for metric, (title, kind, note) in CHARTS.items() if found[metric]]


def coarse_first(item):
  """Orders ('k50', ...) before ('k100', ...)."""
  return len(item[0]), item[0]
