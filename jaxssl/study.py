"""The job that answers a question by a grid of runs: plan, run what is missing, draw.

  config.json         the study as given
  logs/               what each task printed
  figures/<name>.*    PNG and SVG
  <name>.csv, .md     the numbers of that figure, ours beside the paper's
  report.html         question, figures, ours beside the paper's, and every run

Pretrainings and evaluations lie in a folder that studies share; see `planning`.
"""

import inspect
import logging
import pathlib

from jaxssl import claims as checks
from jaxssl import costs
from jaxssl import errors
from jaxssl import files
from jaxssl import metrics
from jaxssl import planning
from jaxssl import plots
from jaxssl import plugins
from jaxssl import published
from jaxssl import recipe as recipes
from jaxssl import study_page
from jaxssl import workdir as workdirs
from jaxssl.data import building
from jaxssl.report import shown

log = logging.getLogger(__name__)


def study(config, workdir):
  """Runs the job; see `configs/studies/`.

  Args:
    config: nested dicts with `title`, `question` and `note`, for the page; `pretrain`
      and `cells`, see `planning.make`; `figures`, {name: {'name' of a plug-in in
      `plots`, `published`, the name of the paper's numbers or '', and the plug-in's
      settings}}; `claims`,
      {name of a claim: its settings}, see `claims`; `shared`, the folder of
      pretrainings, or '' for `pretrained` beside the workdir; `engine`, a plug-in in
      `engines`, with `index` and `ray`, its settings; and `plan`, whether to stop after
      showing the plan.
    workdir: the study's folder.

  Raises:
    errors.JobError: see `main` for the kinds; after everything else was run and drawn,
      of the first task that failed.
  """
  with errors.user_mistakes('config'):
    settings = plugins.arguments(_study, config, what='config', workdir=workdir)
  _study(**settings)


def _study(
    *, job, title, question, note, pretrain, cells, figures, claims, shared, engine,
    index, ray, plan, workdir):
  with errors.user_mistakes('config'):
    planned = plan_of(dict(pretrain=pretrain, cells=cells, shared=shared), workdir)
    draw = {name: drawer(name, settings) for name, settings in figures.items()}
    nothing = {name: plots.Drawing(None, [], ()) for name in figures}
    checks.check(nothing, claims)
    start = recipes.call(
        plugins.load('engines', engine).make, {}, 'config.engine', index=index, ray=ray)
  metrics.setup_logging(None)
  with building.shared():
    found = {run.folder: cost_of(run) for run in planned.runs.values()}
    print(described(planned, found), flush=True)
    if plan:
      return
    check_cells(planned)
  workdir = workdirs.make_folder(workdir)
  write_config(workdir, dict(
      job=job, title=title, question=question, note=note, pretrain=pretrain,
      cells=cells, figures=figures, claims=claims, shared=shared, engine=engine,
      index=index, ray=ray, plan=plan))
  outcomes = start(workdir, planned)
  path = publish(
      workdir, planned, draw, figures, outcomes, found, title=title,
      question=question, note=note, claims=claims)
  failed = {n: o for n, o in outcomes.items() if o.code}
  if failed:
    number, outcome = next(iter(failed.items()))
    error = errors.JobError(
        f'{len(failed)} of {len(planned.tasks)} tasks failed, the first is '
        f'{planned.tasks[number].name}: {outcome.message} What is there is drawn in '
        f'{path}; the same command tries again.')
    error.exit_code = outcome.code
    raise error
  log.info('Done: %s', path)


def plan_of(config, workdir):
  """The `planning.Plan` of a study's config."""
  shared = config['shared'] or pathlib.Path(workdir).absolute().parent / 'pretrained'
  return planning.make(config['pretrain'], config['cells'], shared)


def write_config(workdir, config):
  """Keeps the study in its folder, for the processes that run its tasks."""
  path = workdir / 'config.json'
  old = files.read_json(path)
  if old is not None and old.get('job') != 'study':
    raise errors.ConfigError(
        f'{workdir} is the folder of a {old.get("job")} job. Take another --workdir.')
  files.write_json(path, config)


def drawer(name, settings):
  """The function that draws a figure of config.figures."""
  settings = {k: v for k, v in settings.items() if k != 'published'}
  make = plugins.load('plots', settings.get('name')).make
  return recipes.call(make, settings, f'config.figures.{name}')


def cost_of(run):
  """The `costs.Cost` of a run, or why it is not known."""
  try:
    return costs.of(recipes.build(run.config, training=False))
  except (errors.JobError, OSError) as e:
    return str(e)


def check_cells(plan):
  """Finds mistakes in evaluations before anything is trained for them.

  Raises:
    errors.ConfigError: an evaluation does not take its settings or its data.
  """
  for cell in plan.cells.values():
    run = plan.runs[cell.runs[0]]
    if not cell.done and len(cell.runs) == 1:
      try:
        recipes.build({
            **run.config, 'evals': cell.job['evals'],
            'eval_data': cell.job['eval_data']}, training=False)
      except errors.ConfigError as e:
        raise errors.ConfigError(f'cells.{cell.name}: {e}') from e


def described(plan, found):
  """The plan as text: every task, then what is left of it altogether."""
  rows = [('task', 'stage', 'name', 'state', 'cells', 'images', 'FLOPs', 'disk')]
  left = costs.Cost()
  unknown = {}
  for task in plan.tasks:
    num_done = sum(cell.done for cell in task.cells)
    cost = found[task.run.folder] if task.run else None
    if isinstance(cost, str):
      unknown[task.name] = cost
    elif task.run and not task.run.done:
      left += cost
    state = 'done' if task.done else 'to do'
    if task.run and task.run.done and not task.done:
      state = 'trained'
    rows.append((
        str(task.number), str(task.stage), task.name, state,
        f'{num_done}/{len(task.cells)}', *costs.amounts(cost).values()))
  widths = [max(map(len, column)) for column in zip(*rows)]
  lines = ['  '.join(map(str.ljust, row, widths)).rstrip() for row in rows]
  runs = {run.folder for run in plan.runs.values()}
  lines += [
      f'{len(plan.runs)} pretrainings, {len(runs)} of them different; '
      f'{len(plan.cells)} cells.',
      'Left to train: {images} images, {flops} FLOPs, {disk} of checkpoints.'.format(
          **costs.amounts(left)) if left.images else 'All is trained.']
  if left.images:
    lines.append(
        'Estimated from peak rates, one device, no evaluations: ' + ', '.join(
            f'{costs.duration(h)} on {device}'
            for device, h in costs.hours(left.flops).items()) + '.')
  lines += [f'The cost of {name} is not known: {why}' for name, why in unknown.items()]
  return '\n'.join(lines)


def collect(plan):
  """What is known: a `plots.Cell` for each cell, or for each of its steps.

  With `step` 'all' a cell has the axes `step` and `epoch` as well.
  """
  found = []
  for cell in plan.cells.values():
    if not cell.done:
      continue
    runs = [plan.runs[name].folder for name in cell.runs]
    for step, results in sorted(planning.results(cell).items(), key=str):
      axes = dict(cell.axes)
      if cell.job['step'] == 'all':
        axes |= {'step': step, 'epoch': epoch_of(plan.runs[cell.runs[0]], step)}
      found.append(plots.Cell(cell.name, axes, results, runs))
  return found


def epoch_of(run, step):
  """The epochs that a run had at a step."""
  steps = files.read_json(run.folder / 'DONE')['step']
  total = run.config['total_epochs']
  return round(step / steps * total, 2) if total else step


def images_of(plan):
  """Makes images(cell, evaluation, ids): test images that lie beside a result."""
  def images(cell, evaluation, ids):
    folder = plan.cells[cell.name].folder / 'eval' / evaluation
    found = shown.load(
        shown.place(folder, cell.results[evaluation]['step'], 'test'))
    return [found[i][0] for i in ids]

  return images


def publish(workdir, plan, draw, figures, outcomes, found, **said):
  """Draws what there is, and writes the page; returns its path."""
  cells = collect(plan)
  num_missing = sum(not cell.done for cell in plan.cells.values())
  drawings = {}
  for name, function in draw.items():
    numbers = figures[name].get('published', '')
    takes_images = 'images' in inspect.signature(function).parameters
    drawings[name] = function(
        cells, published.read(numbers), num_missing=num_missing,
        **({'images': images_of(plan)} if takes_images else {}))
    plots.save(drawings[name], workdir, name)
  return study_page.write(
      workdir, drawings=drawings, plan=plan, outcomes=outcomes, costs=found, **said)
