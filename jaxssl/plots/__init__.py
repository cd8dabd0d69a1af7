"""Figures of studies, one plug-in for each kind.

A plug-in has one public `make`: from the settings of `config.figure` it makes
draw(cells, published, *, num_missing) -> `Drawing`. Cells that are not there yet are
absent, and `num_missing` says how many: the figure shows what there is and says that
it is partial. See `jaxssl.tidy` for how settings name numbers.

Settings that several kinds share:

  names       {axis, value of one or metric: what the figure calls it}; 'y' is the
              label of the measure
  order       values of axes, all together, in the order to show them
  stands_for  {our value of an axis: the paper's}, to compare with its numbers
  where       {axis: value, or several} of the cells to draw
  percent     whether numbers are shares, written as percentages
"""

import csv
import io
import pathlib
from typing import Any
from typing import NamedTuple

from jaxssl import figures
from jaxssl import files
from jaxssl import looks
from jaxssl import tidy

MAX_LINES = 500  # Of a table in Markdown; the CSV has all.


class Cell(NamedTuple):
  """One cell of a study's grid, with what was measured."""
  name: str
  axes: dict[str, Any]     # Text or numbers, among them perhaps `seed`.
  results: dict[str, Any]  # Evaluation -> its result, as `results.write` has it.
  runs: tuple[str, ...]    # Workdirs of its pretrainings.


class Drawing(NamedTuple):
  """A figure, and the numbers that it draws."""
  figure: Any           # A matplotlib Figure.
  rows: list[dict]      # See `comparison.collect`.
  columns: tuple        # The keys of the rows, in order.
  percent: bool = True  # Whether values are shares.


def save(drawing, folder, name):
  """Writes a drawing as files.

  Args:
    drawing: what a plug-in's draw has returned.
    folder: of the study.
    name: of the figure.

  Returns:
    {'png': path, 'svg': path, 'csv': path, 'md': path}: `figures/<name>.png` and
    `.svg`, its numbers as `<name>.csv`, and as `<name>.md` the table of ours beside
    the paper's.

  Raises:
    StorageError: the disk is full or the folder cannot be made.
  """
  folder = pathlib.Path(folder)
  paths = {kind: folder / f'figures/{name}.{kind}' for kind in ('png', 'svg')} | {
      kind: folder / f'{name}.{kind}' for kind in ('csv', 'md')}
  for kind in ('png', 'svg'):
    with figures.replacing(paths[kind]) as temporary:
      temporary.write_bytes(picture(drawing, kind))
  files.write_text(paths['csv'], table(drawing))
  files.write_text(
      paths['md'],
      markdown(drawing.rows, columns=drawing.columns, percent=drawing.percent))
  return paths


def picture(drawing, kind):
  """A figure as the bytes of a 'png' or an 'svg', the same for the same numbers."""
  target = io.BytesIO()
  # No date and no version of the library, so that equal figures are equal files.
  metadata = {'png': {'Software': None}, 'svg': {'Date': None, 'Creator': None}}
  with looks.settings():
    drawing.figure.savefig(target, format=kind, metadata=metadata[kind])
  return target.getvalue()


def table(drawing):
  """The rows as CSV."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(drawing.columns)
  for row in drawing.rows:
    writer.writerow([plain(row.get(column)) for column in drawing.columns])
  return text.getvalue()


def plain(value):
  """A field of the CSV; the numbers of seeds are written as '0: 0.51; 1: 0.53'."""
  if isinstance(value, dict):
    return '; '.join(f'{k}: {plain(v)}' for k, v in value.items())
  return f'{value:.6g}' if isinstance(value, float) else '' if value is None else value


def markdown(rows, *, columns=(), percent=True):
  """A table of our numbers beside the paper's, with '—' for what is not there.

  Args:
    rows: of a `Drawing`.
    columns: keys of the rows in order; () for those of the first row.
    percent: whether values are shares, written as percentages.

  Returns:
    A table in Markdown.
  """
  head, lines = cells_of(rows, columns=columns, percent=percent)
  shown = [head, ['---'] * len(head), *lines[:MAX_LINES]]
  text = '\n'.join(f'| {" | ".join(line)} |' for line in shown) + '\n'
  if len(lines) > MAX_LINES:
    text += f'\n{len(lines) - MAX_LINES:,} more rows are in the CSV.\n'
  return text


def cells_of(rows, *, columns=(), percent=True):
  """The head and the lines of the table, as text."""
  columns = columns or (list(rows[0]) if rows else tidy.NUMBERS)
  axes = [column for column in columns if column not in tidy.NUMBERS]
  compared = any(row.get('published') is not None for row in rows)
  head = [axis.replace('_', ' ') for axis in axes]
  if 'value' in columns:
    head.append('ours, %' if percent else 'ours')
  if 'low' in columns:
    head += ['95 %', 'seeds']
  if compared:
    head += ['paper, %' if percent else 'paper', 'difference', 'certainty']
  scale = 100 if percent else 1

  def written(value, form='.1f' if percent else '.4g'):
    if not tidy.finite(value):
      return '—'
    return format(scale * value, form).replace('-', '−')

  lines = []
  for row in rows:
    line = [short(row.get(axis)) for axis in axes]
    if 'value' in columns:
      line.append(written(row.get('value')))
    if 'low' in columns:
      between = tidy.finite(row['low']) and tidy.finite(row['high'])
      line += [
          f'{written(row["low"])} to {written(row["high"])}' if between else '—',
          str(row['num_seeds'] or '—')]
    if compared:
      line += [
          written(row['published']),
          written(row['difference'], '+.1f' if percent else '+.4g'),
          row['certainty'] or '—']
    lines.append([field.replace('|', '/') for field in line])
  return head, lines


def short(value):
  """A value of an axis in a table."""
  if value is None or value == '':
    return '—'
  if isinstance(value, (int, float)):
    return f'{value:,}' if isinstance(value, int) else f'{value:.4g}'
  return str(value)
