"""A figure's rows: our numbers, those of the controls, and the paper's beside them."""

import itertools

from jaxssl import tidy


def beside(ours, published, axes, *, x='', stands_for=None, where=None, known=None):
  """Joins rows with the paper's numbers.

  A row of the paper belongs to the figure if along each axis but `x` it has one of our
  values, or one that ours stand for. Along an `x` of numbers the paper's rows are
  left out altogether where its range and ours do not overlap.

  Args:
    ours: from `rows`.
    published: rows of `published.read`. An empty value of an axis holds for all of
      ours; an axis that they lack for the only one of ours.
    axes: of the rows.
    x: the axis to be drawn along, if any.
    stands_for: {our value: the paper's value of the same axis}, of all axes.
    where: as in `points`, in our values.
    known: {axis: values} that the figure has whether or not there are rows yet.

  Returns:
    The rows, each with `published`, `difference` (ours less the paper's) and
    `certainty`, None where the paper has no number; after them, with None for their
    value, the paper's rows that we have no number for, in our values.

  Raises:
    ValueError: the paper has two numbers for one row.
  """
  names = {str(k): v for k, v in (stands_for or {}).items()}
  have = {axis: list(dict.fromkeys(row[axis] for row in ours)) for axis in axes}
  have |= known or {}
  asked = {
      axis: [
          v for mine in tidy.several(value) for v in (mine, names.get(str(mine), mine))]
      for axis, value in (where or {}).items()}
  behind = [
      {**row, **dict(zip(axes, values))} for row in published
      for values in itertools.product(*(
          our_values(row.get(axis), have[axis], names, axis == x) for axis in axes))]
  behind = [row for row in behind if tidy.taken(row, asked)]
  if x and not overlap([row[x] for row in ours], [row[x] for row in behind]):
    behind = []
  joined, used = [], set()
  for row in ours:
    found = [p for p in behind if all(tidy.same(p[axis], row[axis]) for axis in axes)]
    if len(found) > 1:
      at = ', '.join(f'{axis} {row[axis]}' for axis in axes)
      raise ValueError(
          f'The paper has {len(found)} numbers for {at}; choose one by `where`.')
    used.update(map(id, found))
    joined.append({**row, **compared(row['value'], found[0] if found else None)})
  return joined + [
      {**{axis: p[axis] for axis in axes}, **tidy.NO_VALUE, **compared(None, p),
       **({'count': p['count'] or None} if 'count' in p else {})}
      for p in behind if id(p) not in used]


def compared(value, row):
  """What a row says of the paper's number, or of there being none."""
  if row is None:
    return dict.fromkeys(('published', 'difference', 'certainty'))
  difference = None if value is None else value - row['value']
  return {
      'published': row['value'], 'difference': difference,
      'certainty': row['certainty']}


def our_values(value, ours, names, along):
  """What a value of the paper is called by us; none where it is not in the figure."""
  if value is None:
    return ours if len(ours) <= 1 else []
  if tidy.same(value, ''):
    return ours
  found = [mine for mine in ours if tidy.same(names.get(str(mine), mine), value)]
  named = [
      tidy.number(mine) for mine, theirs in names.items() if tidy.same(theirs, value)]
  numbers = all(isinstance(v, (int, float)) for v in [value, *ours])
  return found or named[:1] or ([value] if not ours or (along and numbers) else [])


def overlap(ours, theirs):
  """Whether two lists of numbers have a range in common; what is no number, always."""
  if not (ours and theirs and all(tidy.finite(v) for v in [*ours, *theirs])):
    return True
  return max(min(ours), min(theirs)) <= min(max(ours), max(theirs))


def collect(
    cells, published, axes, y, *, x='', hue='', controls=None, counts='', where=None,
    stands_for=None, items='', relative_to=None, order=()):
  """All rows of a figure: ours, the controls', and those that only the paper has.

  Args:
    cells: list of `plots.Cell`.
    published: rows of `published.read`.
    axes: names of the axes that the figure shows.
    y, where, items: see `points`.
    x, stands_for: see `beside`.
    hue: the axis along which the controls are beside the others.
    controls: {'random_init' or 'chance': what it is called along `hue`}.
    counts: a measure of the same form as `y`, such as
      'granularity/num_classes_{level}'; rows get it as `count`.
    relative_to: None, or see `relative`.
    order: of values of all axes, as far as it is to be another than `ordered`'s.

  Returns:
    A list of dicts, see `rows` and `beside`, sorted along the axes.

  Raises:
    ValueError: see `rows` and `beside`.
  """
  found = tidy.points(cells, y, where=where, items=items)
  if relative_to:
    found = tidy.relative(found, relative_to)
  ours = tidy.rows(found, axes)
  for control, name in (controls or {}).items():
    ours += tidy.rows([
        {**point, 'value': point[control], 'low': None, 'high': None,
         # An untrained network is the same whatever the others were trained on.
         'axes': {k: point['axes'].get(k, '') for k in axes} | {hue: name}}
        for point in found if tidy.finite(point[control])], axes)
  # A value that all cells share holds for the paper's numbers, too.
  hidden = {
      axis: value for point in found[:1] for axis, value in point['axes'].items()
      if axis not in axes
      and all(tidy.same(p['axes'].get(axis), value) for p in found)}
  joined = beside(
      ours, published, axes, x=x, stands_for=stands_for,
      where={**hidden, **(where or {})},
      known={a: list(m) for a, m in y.items()} if isinstance(y, dict) else None)
  if counts:
    sizes = {
        tuple(str(p['axes'].get(a, '')) for a in axes if a != hue): p['value']
        for p in tidy.points(cells, counts, where=where)}
    for row in joined:
      key = tuple(str(row[a]) for a in axes if a != hue)
      row['count'] = sizes.get(key) or row.get('count')
  for axis in reversed(axes):
    place = {v: i for i, v in enumerate(tidy.ordered([r[axis] for r in joined], order))}
    joined.sort(key=lambda row: place[row[axis]])
  return joined
