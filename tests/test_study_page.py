"""The page of a study: everything is on it, and nothing comes from elsewhere."""

import html.parser

import made_cells
import pytest

from jaxssl import costs
from jaxssl import engines
from jaxssl import planning
from jaxssl import study_page
from jaxssl.plots import matrix


class Reader(html.parser.HTMLParser):
  """What the page shows: texts, links, addresses of pictures, table fields."""

  def __init__(self, text):
    super().__init__()
    self.texts, self.links, self.sources, self.open = [], [], [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    attrs = dict(attrs)
    self.links += [attrs['href']] if tag == 'a' else []
    self.sources += [attrs['src']] if 'src' in attrs else []
    if tag not in ('meta', 'link', 'img', 'br'):
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] != 'style' and data.strip():
      self.texts.append(' '.join(data.split()))


def planned(tmp_path, done):
  """A plan of a pretraining for each name in `done`, with one cell each."""
  runs, cells, tasks = {}, {}, []
  for number, (name, is_done) in enumerate(done.items()):
    folders = [
        tmp_path / 'pretrained' / kind / name for kind in ('runs', 'evaluations')]
    for folder in folders:
      folder.mkdir(parents=True)
      if is_done:
        (folder / 'DONE').write_text('{}')
        (folder / 'report.html').write_text('')
    runs[name] = planning.Run(name, {}, folders[0])
    cells[name] = planning.Cell(name, {}, (name,), {}, folders[1])
    tasks.append(planning.Task(number, name, runs[name], (cells[name],), ()))
  return planning.Plan(tuple(tasks), runs, cells)


def write(tmp_path, done, *, outcomes=None, claims=None, value=0.5):
  workdir = tmp_path / 'study'
  workdir.mkdir()
  cells = made_cells.grid(
      lambda pretraining, target, seed: value + (pretraining == target) / 4,
      dict(pretraining=('a', 'b'), target=('a', 'b')), interval=0.02)
  drawing = matrix.make(
      down='pretraining', across='target', y='linear/top1', title='Domains')(
          cells, [], num_missing=0)
  plan = planned(tmp_path, done)
  path = study_page.write(
      workdir, title='Domain <1>', question='Does it matter?', note='Toys.',
      plan=plan,
      drawings={'domain_matrix': drawing}, outcomes=outcomes or {},
      claims=claims or {}, costs={
          plan.runs[name].folder:
          costs.Cost(1000, 2e12, 3 * 2 ** 20) if is_done else 'no such folder'
          for name, is_done in done.items()})
  text = path.read_text('utf-8')
  return text, Reader(text)


def test_everything_is_there(tmp_path):
  _, page = write(tmp_path, {'simclr_a': True, 'simclr_b': True}, claims={
      'in_domain_beats_cross_domain': {}})
  for said in (
      'Domain <1>', 'Does it matter?', '2 of 2 cells measured', 'domain matrix',
      'holds', 'Everything that was planned has been measured.', '75.0',
      '73.0 to 77.0', '1,000',
      '2.0e+12', '3 MiB', 'on a, its own against b: 75.0 and 50.0, difference +25.0 '
      '(+22.2 to +27.8)'):
    assert said in page.texts, said
  assert any(t.startswith('2 different pretrainings: 2,000 images') for t in page.texts)
  assert '../pretrained/runs/simclr_a/report.html' in page.links
  assert 'Missing' not in page.texts


def test_one_file_without_script_that_needs_no_network(tmp_path):
  text, page = write(tmp_path, {'simclr_a': True})
  assert page.sources and all(s.startswith('data:image/') for s in page.sources)
  assert page.open == [] and '<script' not in text and "default-src 'none'" in text
  assert all(link[:1] in '#.' for link in page.links)


def test_what_failed_and_what_is_missing(tmp_path):
  _, page = write(
      tmp_path, {'simclr_a': True, 'simclr_b': False, 'simclr_c': False},
      outcomes={0: engines.Outcome(0), 1: engines.Outcome(76, 'The loss is <inf>.')})
  assert '1 of 3 cells measured' in page.texts
  assert any(t.startswith('1 of 3 tasks failed.') for t in page.texts)
  assert 'failed: The loss is <inf>.' in page.texts
  assert '2 of 3 cells without a result' in page.texts
  assert [t for t in page.texts if t in ('done', 'failed', 'missing')] == [
      'done', 'failed', 'missing']
  assert not any('simclr_b/report' in link for link in page.links)
  assert any(t.endswith('The cost of 2 is not known. A name with a link leads to the '
                        "run's own page.") for t in page.texts)


def test_a_partial_study_says_so(tmp_path):
  _, page = write(tmp_path, {'simclr_a': True, 'simclr_b': False})
  assert 'This is partial: 1 of 2 cells have no result yet.' in page.texts


@pytest.mark.parametrize('value, claims, said', [
    (0.5, {'one_source_is_best_elsewhere': dict(source='a')}, 'unclear'),
    (0.5, {'pooled_is_below_in_domain': dict(pairs={'a': 'b'})}, 'does not hold')])
def test_verdicts(tmp_path, value, claims, said):
  _, page = write(tmp_path, {'simclr_a': True}, claims=claims, value=value)
  assert said in page.texts


def test_a_large_figure_is_a_picture(tmp_path, monkeypatch):
  monkeypatch.setattr(study_page, 'MAX_SVG', 10)
  _, page = write(tmp_path, {'simclr_a': True})
  assert page.sources[0].startswith('data:image/png;')
