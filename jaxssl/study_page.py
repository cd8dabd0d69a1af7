"""Draws the page of a study: its question, figures, the paper beside, and every run."""

import os
import pathlib

import jinja2

from jaxssl import claims as checks
from jaxssl import costs as estimates
from jaxssl import files
from jaxssl import plots
from jaxssl.report import pictures

HERE = pathlib.Path(__file__).parent / 'report'
MAX_SVG = 1_500_000  # Bytes; a larger figure is shown as PNG.
MAX_LINES = 1000     # Of a table; the CSV beside the page has all.
OPEN_LINES = 30      # A longer table is folded.
VERDICTS = {
    True: ('holds', 'good', '✓'), False: ('does not hold', 'bad', '✕'),
    None: ('unclear', 'open', '?')}


def write(
    workdir, *, title, question, note, drawings, claims, plan, outcomes, costs):
  """Writes `report.html` into a study's folder: one file that needs nothing else.

  Args:
    workdir: the study's folder.
    title: its name.
    question: what it asks, in a sentence.
    note: what to know before comparing its numbers with others', or ''.
    drawings: {name: `plots.Drawing`}.
    claims: {label: settings}, see `claims.check`.
    plan: a `planning.Plan`.
    outcomes: {number of a task: `engines.Outcome`} of those that were run now.
    costs: {folder of a run: `costs.Cost`, or why it is not known}.

  Returns:
    The path of the page.

  Raises:
    ValueError: see `claims.check`.
    StorageError: the page cannot be written.
  """
  workdir = pathlib.Path(workdir)
  templates = jinja2.Environment(
      loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
      lstrip_blocks=True, undefined=jinja2.StrictUndefined)
  tasks = [task_row(task, outcomes, costs, workdir) for task in plan.tasks]
  missing = [cell.name for cell in plan.cells.values() if not cell.done]
  html = templates.get_template('study.html').render(
      title=title, question=question, note=note,
      style=(HERE / 'style.css').read_text('utf-8'),
      num_cells=len(plan.cells), missing=missing, tasks=tasks,
      failed=[task for task in tasks if task['error']],
      total=total(plan, costs), verdicts=VERDICTS,
      findings=checks.check(drawings, claims),
      figures=[figure(name, drawing) for name, drawing in drawings.items()])
  path = workdir / 'report.html'
  files.write_text(path, html.encode('utf-8', 'replace').decode('utf-8'))
  return path


def figure(name, drawing):
  """A drawing for the template: its picture, and its table."""
  kind, content = 'svg+xml', plots.picture(drawing, 'svg')
  if len(content) > MAX_SVG:
    kind, content = 'png', plots.picture(drawing, 'png')
  head, lines = plots.cells_of(
      drawing.rows, columns=drawing.columns, percent=drawing.percent)
  width = 96 * drawing.figure.get_figwidth()
  return {
      'name': name.replace('_', ' '), 'source': pictures.uri(kind, content),
      'width': round(width * 1.25), 'head': head, 'lines': lines[:MAX_LINES],
      'open': len(lines) <= OPEN_LINES, 'num_lines': len(lines)}


def task_row(task, outcomes, costs, workdir):
  """What the table of runs says of a task."""
  outcome = outcomes.get(task.number)
  error = outcome.message if outcome is not None and outcome.code else ''
  state = 'done' if task.done else 'failed' if error else 'missing'
  if not task.done and not error and task.run and task.run.done:
    state = 'trained'
  report = task.run.folder / 'report.html' if task.run else None
  cost = costs.get(task.run.folder) if task.run else None
  return {
      'name': task.name, 'state': state, 'error': error,
      'cells': f'{sum(cell.done for cell in task.cells)}/{len(task.cells)}',
      'link': relative(report, workdir) if report and report.exists() else '',
      **estimates.amounts(cost)}


def relative(path, folder):
  """A path as the page links it, so that both folders can be moved together."""
  return pathlib.Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def total(plan, costs):
  """What all of the study's different pretrainings cost together."""
  folders = {run.folder for run in plan.runs.values()}
  known = [
      costs[folder] for folder in folders
      if isinstance(costs.get(folder), estimates.Cost)]
  cost = sum(known, estimates.Cost())
  return {
      'num_runs': len(folders), 'num_unknown': len(folders) - len(known),
      **estimates.amounts(cost), 'hours': [
          f'{estimates.duration(hours)} on {device}'
          for device, hours in estimates.hours(cost.flops).items()]}
