"""How figures of studies look: sizes, colours, panels, labels, notes.

Figures are matplotlib's objects, drawn by Agg; nothing global is left changed.
"""

import contextlib
import textwrap

import matplotlib
import matplotlib.backends.backend_agg as agg
import numpy as np
from matplotlib import figure as figures
from matplotlib import lines
from matplotlib import patches

from jaxssl import tidy
from jaxssl.report import charts

# Okabe and Ito's, told apart by those who see few colours, without its yellow, which
# is too light for a line; then two neutral ones. Markers tell them apart as well.
COLORS = (
    '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#5d3a9b',
    '#8c6d31', '#4d4d4d', '#999999')
MARKERS = 'osD^vPX*<>'
LETTER = 0.075  # Inches, of a tick's label.
INK, MUTED, RULE, PAPER = '#1d2127', '#5d646f', '#dcdfe4', '#9aa1ab'
SETTINGS = {
    'font.family': 'sans-serif', 'font.size': 8.5, 'axes.titlesize': 9.5,
    'axes.labelsize': 9, 'xtick.labelsize': 8, 'ytick.labelsize': 8,
    'legend.fontsize': 8, 'legend.title_fontsize': 8.5, 'legend.frameon': False,
    'text.color': INK, 'axes.labelcolor': INK, 'axes.titlecolor': INK,
    'axes.edgecolor': MUTED, 'xtick.color': MUTED, 'ytick.color': MUTED,
    'xtick.labelcolor': INK, 'ytick.labelcolor': INK, 'axes.linewidth': 0.8,
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True,
    'axes.grid.axis': 'y', 'grid.color': RULE, 'grid.linewidth': 0.6,
    'axes.axisbelow': True, 'lines.linewidth': 1.7, 'lines.markersize': 4.5,
    'lines.markeredgewidth': 0, 'figure.facecolor': 'white', 'savefig.dpi': 200,
    # Text stays text, and the same numbers give the same file.
    'svg.fonttype': 'none', 'svg.hashsalt': 'jaxssl'}


@contextlib.contextmanager
def settings():
  """The look, while something is drawn or saved."""
  with matplotlib.rc_context():
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(SETTINGS)
    yield


def panels(num_rows, num_columns, *, width, height, sharey='row', title=''):
  """A figure with a grid of panels.

  Args:
    num_rows, num_columns: of the grid.
    width, height: of one panel, in inches, without legend and title.
    sharey: as in matplotlib.
    title: of the figure.

  Returns:
    The figure, and its axes [num_rows, num_columns].
  """
  figure = figures.Figure(
      figsize=(num_columns * width + 0.5, num_rows * height + 0.7),
      layout='constrained')
  agg.FigureCanvasAgg(figure)
  axes = figure.subplots(num_rows, num_columns, squeeze=False, sharey=sharey)
  if title:
    figure.suptitle(
        wrapped(title, int(11 * figure.get_figwidth())), x=0.01, ha='left',
        fontsize=10.5, fontweight='bold', color=INK)
  return figure, axes


def facets(
    rows, panel, row, *, order, names, width, height, title, x_label, y_label,
    sharey='row'):
  """A figure with a panel for each value of two axes of its rows.

  Args:
    rows: dicts.
    panel: the axis with a column of panels for each value, or ''.
    row: the axis with a row of panels for each value, or ''.
    order, names: see `jaxssl.plots`.
    width, height, title, sharey: see `panels`.
    x_label, y_label: of the panels below and of those at the left.

  Returns:
    The figure, and for each panel its axes and its rows.
  """
  across, down = (
      tidy.ordered([r[axis] for r in rows], order) if axis and rows else ['']
      for axis in (panel, row))
  if len(across) == 1:  # Alone it can be as wide as a column of text.
    width = max(width, 3.4)
  figure, grid = panels(
      len(down), len(across), width=width, height=height, sharey=sharey, title=title)
  found = []
  for i, j in np.ndindex(grid.shape):
    axes = grid[i, j]
    here = [
        r for r in rows
        if (not row or r[row] == down[i]) and (not panel or r[panel] == across[j])]
    if panel and i == 0:
      bare = tidy.finite(across[j]) and str(across[j]) not in names
      axes.set_title(
          (f'{called(panel, names)} = ' if bare else '') + called(across[j], names),
          loc='left')
    if i == len(down) - 1:
      axes.set_xlabel(x_label)
    if j == 0:
      above = f'{called(down[i], names)}\n' if row else ''
      axes.set_ylabel(above + y_label)
    if not here:
      nothing(axes)
    found.append((axes, here))
  return figure, found


def nothing(axes):
  """What a panel without a number says."""
  axes.text(
      0.5, 0.5, 'no result yet', transform=axes.transAxes, ha='center', va='center',
      color=MUTED)
  axes.set(xticks=[], yticks=[])


def partial(figure, num_missing, cells):
  """A visible note where cells of the study are missing."""
  if num_missing:
    total = num_missing + len({cell.name for cell in cells})
    figure.supxlabel(
        f'partial: {num_missing} of {total} missing', x=0.01,
        ha='left', fontsize=9, fontweight='bold', color='#b3372c')


def legend(figure, entries, title=''):
  """One legend for all panels, at their right.

  Args:
    figure: its figure.
    entries: {text: the artist that stands for it}.
    title: above it.
  """
  if entries:
    found = figure.legend(
        entries.values(), entries.keys(), loc='outside right center', title=title,
        alignment='left', handlelength=1.8, borderaxespad=0.2)
    found.get_title().set_fontweight('bold')


def along(axes, rows, x, *, width, log=False, order=(), names):
  """Prepares the axis of x and returns place(row), where on it a row lies.

  Values that are all numbers lie at their places, others side by side: in their
  order, or with a `count` in the rows from coarse to fine. Labels that have no room
  beside each other in `width` inches are slanted.
  """
  values = tidy.ordered([r[x] for r in rows], order)
  counts = {str(r[x]): r.get('count') for r in rows}
  if any(counts.values()):
    values.sort(key=lambda v: counts[str(v)] or 0)
  elif all(isinstance(v, (int, float)) for v in values):
    if log:
      axes.set_xscale('log')
    ticks = spread_out([np.log(v) if log else v for v in values])
    axes.set_xticks(
        [values[i] for i in ticks], [called(values[i], names) for i in ticks])
    axes.set_xticks([], minor=True)
    return lambda row: row[x]
  slot = width / len(values) if values else width
  labels = [wrapped(called(v, names), 11) for v in values]
  added = [f'{counts[str(v)]:,}' if counts[str(v)] else '' for v in values]
  lines = [line for text in labels for line in text.split('\n')]
  slanted = max(map(len, lines + added), default=0) * LETTER > slot
  if slanted:
    labels = [' '.join(text.split('\n')) for text in labels]
  labels = [
      (f'{text} ({more})' if slanted else f'{text}\n{more}') if more else text
      for text, more in zip(labels, added)]
  step = max(1, round(2 * LETTER / slot))  # A slanted line of text has some height.
  shown = range((len(values) - 1) % step, len(values), step)
  axes.set_xticks(
      list(shown), [labels[i] for i in shown],
      **(dict(rotation=35, ha='right', rotation_mode='anchor') if slanted else {}))
  places = {str(v): i for i, v in enumerate(values)}
  return lambda row: places[str(row[x])]


def spread_out(places):
  """Which of ascending places keep a label: the last, and those with enough room."""
  if len(places) < 2:
    return list(range(len(places)))
  room = 0.16 * (places[-1] - places[0])
  kept = [len(places) - 1]
  for i in reversed(range(len(places) - 1)):
    if places[kept[-1]] - places[i] >= room:
      kept.append(i)
  return kept[::-1]


def bounded(panels, rows, percent):
  """Lets no axis go below 0, or above 100 %, for the sake of an interval alone."""
  values = [
      v for r in rows for v in (r['value'], r['published']) if v is not None]
  for axes, here in panels:
    low, high = axes.get_ylim()
    if here and low < 0 and min(values, default=0) >= 0:
      axes.set_ylim(bottom=0)
    if here and percent and high > 104:
      axes.set_ylim(top=104)


def frame(x, y, side, color):
  """A square of a colour's outline."""
  return patches.Rectangle(
      (x, y), side, side, fill=False, edgecolor=color, linewidth=1.6)


def paper_line():
  """What stands for the paper in a legend."""
  return lines.Line2D([], [], color=PAPER, linewidth=1, marker='.', markersize=4)


def colors(values):
  """A colour for each value of an axis: from light to dark where all are numbers."""
  numeric = [v for v in values if isinstance(v, (int, float))]
  if len(numeric) > 1:
    shades = matplotlib.colormaps['viridis_r'](np.linspace(0.18, 0.95, len(numeric)))
    ramp = dict(zip(sorted(numeric), map(tuple, shades)))
    return {v: ramp.get(v, INK) for v in values}
  return {v: COLORS[i % len(COLORS)] for i, v in enumerate(values)}


def pale(color):
  """The colour of the paper's curve behind ours."""
  return tuple(0.45 * np.array(matplotlib.colors.to_rgb(color)) + 0.55)


def text_on(color):
  """Black or white, whichever is read better on a colour."""
  red, green, blue = matplotlib.colors.to_rgb(color)
  return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else 'white'


def called(value, names):
  """What a value, an axis or a measure is called in a figure."""
  if str(value) in names:
    return str(names[str(value)])
  if isinstance(value, int) and abs(value) < 10_000:
    return f'{value:,}'
  if isinstance(value, (int, float)):
    return charts.compact(value)
  return str(value).replace('_', ' ')


def wrapped(text, width=13):
  """A text in lines of so many letters, whole words."""
  return '\n'.join(textwrap.wrap(text, width, break_long_words=False)) or text


def metric_label(y, names):
  """What the axis of a measure says: `names['y']`, or what the metric is called."""
  if 'y' in names:
    return names['y']
  measures = list(next(iter(y.values())).values()) if isinstance(y, dict) else [y]
  metric = measures[0].split(' or ')[0].partition('/')[2]
  if metric in names:
    return str(names[metric])
  stem = metric.split('{')[0].strip('_')
  known = {'top1': 'top-1 accuracy', 'top5': 'top-5 accuracy',
           'accuracy': 'accuracy', 'map': 'mAP', 'mi': 'mutual information'}
  found = [text for key, text in known.items() if stem.startswith(key)]
  return names.get(stem, found[0] if found else stem.replace('_', ' '))
