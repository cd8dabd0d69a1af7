"""Draws `report.html`, the page that shows a run, from the files of its workdir."""

import base64
import hashlib
import json
import pathlib

import jinja2

from jaxssl import files
from jaxssl.report import galleries
from jaxssl.report import occupancy
from jaxssl.report import overview
from jaxssl.report import panels
from jaxssl.report import pictures
from jaxssl.report import reader
from jaxssl.report import tables
from jaxssl.report import verdicts

HERE = pathlib.Path(__file__).parent


def write(workdir):
  """Writes `report.html` into a workdir: one file that needs nothing else.

  Reads only the workdir and no model, so it can be called at any time: a part that
  is not there yet is said to be missing.

  Args:
    workdir: a run's folder.

  Returns:
    The path of the page.

  Raises:
    ValueError: there is no such folder.
    StorageError: the page cannot be written.
  """
  run = reader.read(workdir)
  script = (HERE / 'page.js').read_text('utf-8')
  script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  templates = jinja2.Environment(
      loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
      lstrip_blocks=True, undefined=jinja2.StrictUndefined)
  html = templates.get_template('page.html').render(
      **contents(run), script=script, script_hash=script_hash,
      style=(HERE / 'style.css').read_text('utf-8'))
  path = pathlib.Path(workdir) / 'report.html'
  # File names need not be valid text; what cannot be written becomes '?'.
  files.write_text(path, html.encode('utf-8', 'replace').decode('utf-8'))
  return path


def contents(run):
  """All that the template shows, by name."""
  mood, verdict, sentence = verdicts.verdict(run)
  curves, more_curves = overview.curves(run)
  health = verdicts.health_cards(run)
  details, problems = panels.panels(run.results)
  every_chart = [
      *curves, *more_curves, *(c['chart'] for c in health if c['chart']),
      *(chart for panel in details for chart in panel['charts'])]
  for number, chart in enumerate(every_chart):
    chart['id'] = number
  found, missed = galleries.galleries(run)
  features = found['map']
  views, broken = pictures.embed_views(run.views)
  return {
      'title': overview.title(run), 'status': overview.status(run),
      'mood': mood, 'verdict': verdict, 'sentence': sentence,
      'scores': tables.scores(run.results),
      'results': run.results, 'latest': list(tables.newest(run.results).values()),
      'tables': tables, 'curves': curves, 'more_curves': more_curves,
      'health': health, 'health_sentence': ' '.join(filter(None, [
          verdicts.health_sentence(run), occupancy.sentence(run)])),
      'details': details, 'views': views, **found,
      'supervised': overview.section(run, 'method').get('name') == 'supervised',
      'terms': overview.terms(run), 'command': overview.command(run),
      'config': json.dumps(run.config, indent=2) if run.config else '',
      'bad_images': run.bad_images,
      'problems': [*run.problems, *problems, *missed, *broken],
      'data': {
          'charts': [
              {'across': chart['across'], 'lines': [
                  {'name': line['name'], 'points': line['points']}
                  for line in chart['lines']]} for chart in every_chart],
          'map': features and features['data']}}
