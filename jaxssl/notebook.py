"""What a workdir holds, for the cells of a notebook: figures, tables, the page.

They read files alone and leave the accelerator to the program.
"""

import html
import io
import pathlib

import numpy as np
from PIL import Image
from PIL import ImageOps

from jaxssl import looks
from jaxssl import plots
from jaxssl.plots import gallery
from jaxssl.plots import scatter
from jaxssl.report import reader
from jaxssl.report import tables

HEAD = 'evaluation', 'measure', 'result', '95 %', 'before training', 'chance'
FRAME = 4  # Pixels around a small picture.


class Page(str):
  _repr_html_ = str.__str__
  __repr__ = object.__repr__  # Else a notebook would keep all of it twice.


class Picture(bytes):
  _repr_png_ = bytes.__bytes__
  __repr__ = object.__repr__


def curves(workdir):
  """The loss beside its chance value, accuracies beside the untrained network."""
  run = reader.read(workdir)
  needed('train/loss' in run.curves, workdir, 'loss yet')
  accuracies = {
      key.split('/')[1]: curve for key, curve in run.curves.items()
      if key.startswith('eval/') and key.endswith('/top1') and len(curve[0]) > 1}
  untrained = {r['name']: r['controls']['random_init'] for r in run.results}
  with looks.settings():
    figure, ((loss, *more),) = looks.panels(
        1, 2 if accuracies else 1, width=3.6, height=2.6, sharey=False)
    loss.plot(*run.curves['train/loss'], color=looks.COLORS[0], linewidth=1)
    loss.plot(*run.curves.get('train/chance', ([], [])), color=looks.MUTED, ls=':')
    loss.set(title='loss; dotted: tells nothing apart', xlabel='step')
    for color, (name, (steps, values)) in zip(looks.COLORS, accuracies.items()):
      more[0].plot(steps, np.multiply(values, 100), 'o-', color=color, label=name)
      if 'top1' in untrained.get(name, {}):
        more[0].axhline(100 * untrained[name]['top1'], color=color, linestyle='--')
      more[0].set(title='top-1 in %; dashed: before training', xlabel='step')
      more[0].legend()
  return drawn(figure)


def scores(workdir, *names):
  """The newest result of each evaluation, or of those named, beside controls."""
  newest, lines = tables.newest(reader.read(workdir).results), [HEAD]
  needed(newest, workdir, 'results yet')
  for name in names or newest:
    needed(name in newest, workdir, f'result of {name}')
    for row in tables.rows(newest[name]):
      ends = (newest[name].get('intervals') or {}).get(row['metric'], ())
      scale, form = (100, '.1f') if row['fraction'] else (1, '.3g')
      interval = ' to '.join(format(scale * end, form) for end in ends)
      lines.append((
          name, row['label'], row['value_text'], interval, row['control_text'],
          row['chance_text']))
  return Page('<table>' + ''.join(
      f'<tr>{"".join(f"<td>{html.escape(text)}</td>" for text in line)}</tr>'
      for line in lines) + '</table>')


def features_map(workdir):
  """The map of an `embedding` evaluation, or else that of the end of the run."""
  run = reader.read(workdir)
  result, atlas = tables.newest(run.results).get('embedding'), run.atlas
  needed(result or atlas, workdir, 'map: the run has not come to its end')
  metrics = {**result['metrics'], **result['arrays']} if result else {
      'ids': range(len(atlas['points'])), 'coordinates': atlas['points'], **{
          k: atlas[k].tolist() for k in ('labels', 'class_names') if k in atlas}}
  cell = plots.Cell('', {'run': run.name}, {'embedding': {'metrics': metrics}}, ())
  draw = scatter.make(panel='run', title='Map of the features')
  figure = draw([cell], None, num_missing=0).figure
  figure.set_size_inches(7.5, 4.4)  # Room for long names of classes beside the map.
  return drawn(figure)


def neighbors(workdir):
  """Images and the nearest to each; green is the same class, orange another."""
  atlas = reader.read(workdir).atlas
  needed(atlas, workdir, 'neighbours: the run has not come to its end')
  places = np.column_stack([atlas['queries'], atlas['neighbors']])
  labels = atlas['labels'][places] if 'labels' in atlas else None
  step = atlas['gallery'].shape[2] + 3 * FRAME
  sheet = Image.new(
      'RGB', (step * places.shape[1] + 2 * FRAME, step * len(places)), 'white')
  for i, j in np.ndindex(places.shape):
    color = 'white' if labels is None or j == 0 else looks.COLORS[
        2 if labels[i, j] == labels[i, 0] else 1]
    tile = ImageOps.expand(Image.fromarray(atlas['gallery'][i, j]), FRAME, color)
    sheet.paste(tile, (step * j + (2 * FRAME if j else 0), step * i))
  content = io.BytesIO()
  sheet.save(content, format='PNG')
  return Picture(content.getvalue())


def prototypes(workdir):
  """Fine clusters inside coarse ones, as a `prototypes` evaluation chose them."""
  run = reader.read(workdir)
  found = tables.newest(run.results).get('prototypes', {}).get('arrays', {})
  needed('gallery' in found, workdir, 'gallery: see configs/evaluate/prototypes.py')
  pictures = run.pictures['prototypes', 'test']
  cell = plots.Cell('', {}, {'prototypes': {'metrics': found}}, ())
  draw = gallery.make(title='Fine prototypes inside coarse clusters')
  return drawn(draw([cell], None, num_missing=0, images=lambda cell, key, ids: [
      pictures[i][0] for i in ids]).figure)


def page(workdir, *, height=800):
  """The run's report.html, in a frame of its own so that styles do not mix."""
  path = pathlib.Path(workdir) / 'report.html'
  needed(path.exists(), workdir, 'report.html yet')
  text = html.escape(path.read_text('utf-8'))
  return Page(f'<iframe srcdoc="{text}" width="100%" height="{height}"></iframe>')


def needed(there, workdir, what):
  if not there:
    raise ValueError(f'{workdir} has no {what}.')


def drawn(figure):
  return Picture(plots.picture(plots.Drawing(figure, [], ()), 'png'))
