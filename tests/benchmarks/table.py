"""The rows that a benchmark gives, and the Markdown table of all of them."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import Any
from typing import NamedTuple

PACKAGES = (
    'jax', 'flax', 'optax', 'numpy', 'Pillow', 'torch', 'torchvision', 'kornia',
    'faiss-cpu', 'scikit-learn', 'tensorflow')
HEADER = ('what', 'ours', 'peer', 'ratio', 'target', 'limit', 'our share')


class Row(NamedTuple):
  """A figure of ours beside others in the same unit; None where there is none.

  More is better where the unit ends in '/s', otherwise less.
  """
  what: str
  unit: str = ''
  ours: Any = None
  peer: str = ''       # Who else was measured, or why nobody was.
  theirs: Any = None
  target: Any = None   # ('ratio' or 'ours', '<=' or '>=', number).
  limit: Any = None    # What this machine could do at best.
  limit_by: str = ''   # What sets that limit.
  note: str = ''


def ratio(row):
  """Ours over theirs, or None."""
  return row.ours / row.theirs if row.ours and row.theirs else None


def share(row):
  """How much of what the machine could do is reached, or None."""
  if not row.ours or not row.limit:
    return None
  return row.ours / row.limit if row.unit.endswith('/s') else row.limit / row.ours


def met(row):
  """Whether the target is met; None where there is none or nothing was measured."""
  value = row.ours if row.target and row.target[0] == 'ours' else ratio(row)
  if not row.target or value is None:
    return None
  return value >= row.target[2] if row.target[1] == '>=' else value <= row.target[2]


def number(x):
  return f'{x:,.0f}' if abs(x) >= 100 else f'{x:.3g}'


def cells(row):
  """The row as text, for each column of `HEADER`."""
  target = ''
  if row.target:
    of, sign, value = row.target
    verdict = {True: 'met', False: '**not met**', None: 'not measured'}[met(row)]
    target = (
        f'{"ratio" if of == "ratio" else row.unit} '
        f'{"≥" if sign == ">=" else "≤"} {value:g}: {verdict}')
  return (
      row.what + (f'; {row.note}' if row.note else ''),
      '' if row.ours is None else f'{number(row.ours)} {row.unit}',
      row.peer + ('' if row.theirs is None else f': {number(row.theirs)}'),
      '' if ratio(row) is None else f'{ratio(row):.2f}',
      target,
      '' if row.limit is None else f'{number(row.limit)} ({row.limit_by})',
      '' if share(row) is None else f'{share(row):.0%}')


def markdown(rows):
  lines = [HEADER, ('---',) * len(HEADER), *map(cells, rows)]
  return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def machine():
  """The processor, its cores and the memory, in words."""
  model = platform.machine()
  info, memory = pathlib.Path('/proc/cpuinfo'), ''
  if info.exists():
    lines = dict(
        map(str.strip, line.split(':', 1))
        for line in info.read_text().splitlines() if ':' in line)
    model = lines.get('model name', model)
    wide = 'AVX-512' if 'avx512f' in lines.get('flags', '') else 'no AVX-512'
    model = f'{model} ({wide})'
    size = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    memory = f', {size / 2**30:.0f} GiB'
  return f'{os.cpu_count()} cores of {model}{memory}'


def versions():
  """Names and versions of what was compared, but for what is not installed."""
  found = [f'Python {platform.python_version()}']
  for name in PACKAGES:
    try:
      found.append(f'{name} {importlib.metadata.version(name)}')
    except importlib.metadata.PackageNotFoundError:
      continue
  return ', '.join(found)


def footer(device, load, quick):
  """What the figures were measured on, with and when.

  Args:
    device: kind of the device that jax uses.
    load: processes that ran on average in the minute before the first benchmark.
    quick: whether the sizes were the small ones.
  """
  date = datetime.datetime.now(datetime.UTC).date()
  return (
      f'{date}; {machine()}; jax on {device}; {versions()}.\n'
      f'Before the first benchmark {load:.1f} processes ran on average'
      f'{"; with --quick" if quick else ""}. Ratio: ours over the peer\'s. Limit: what '
      'the machine could do at best, by a rate that was measured in turn with the '
      'others.')


def parser(doc):
  """The command line of a benchmark."""
  made = argparse.ArgumentParser(
      description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
  made.add_argument('--quick', action='store_true', help='small sizes, few turns')
  made.add_argument('--rows', help='write the rows to this JSON file')
  return made


def deliver(rows, args):
  """Prints what a benchmark found; `read` gives back what it writes."""
  print(markdown(rows), flush=True)
  if args.rows:
    pathlib.Path(args.rows).write_text(json.dumps(rows))


def read(path):
  return [Row(*values) for values in json.loads(pathlib.Path(path).read_text())]
