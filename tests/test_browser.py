"""The page in a real browser: wide and narrow, light and dark, by mouse and finger.

Chromium is driven by its DevTools protocol over a pipe, so no driver is needed.
"""

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time

import made_workdir
import pytest

from jaxssl import report

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
WIDE, NARROW = (1400, 900), (390, 844)
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"

# The protocol's pipes are the file descriptors 3 and 4 by definition; above 10 they
# are out of the way while that is arranged.
START = '''
import fcntl, os, sys
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
'''

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason=f'no browser here: none of {", ".join(NAMES)}')


class Browser:
  """A headless Chromium with one tab."""

  def __init__(self, profile):
    read, their_write = os.pipe()
    their_read, self.write = os.pipe()
    self.process = subprocess.Popen(
        [sys.executable, '-c', START, str(their_read), str(their_write),
         CHROMIUM, '--headless', '--remote-debugging-pipe', '--no-first-run',
         '--disable-gpu', '--disable-dev-shm-usage', f'--user-data-dir={profile}',
         *(['--no-sandbox'] if os.geteuid() == 0 else [])],
        pass_fds=(their_read, their_write), stderr=subprocess.DEVNULL)
    os.close(their_read)
    os.close(their_write)
    self.read, self.buffer = read, b''
    self.numbers, self.session, self.events = itertools.count(), {}, []
    target = self('Target.createTarget', url='about:blank')['targetId']
    session = self('Target.attachToTarget', targetId=target, flatten=True)
    self.session = {'sessionId': session['sessionId']}
    for domain in ('Page', 'Runtime', 'Log', 'Network'):
      self(f'{domain}.enable')

  def __call__(self, method, **params):
    """Sends a command and returns its result; keeps the events before it."""
    number = next(self.numbers)
    message = {'id': number, 'method': method, 'params': params, **self.session}
    os.write(self.write, json.dumps(message).encode() + b'\0')
    while (answer := self.receive()).get('id') != number:
      self.events.append(answer)
    assert 'error' not in answer, answer
    return answer['result']

  def receive(self):
    deadline = time.monotonic() + 60
    while b'\0' not in self.buffer:
      ready, _, _ = select.select([self.read], [], [], deadline - time.monotonic())
      chunk = os.read(self.read, 1 << 20) if ready else b''
      assert chunk, 'The browser does not answer.'
      self.buffer += chunk
    message, _, self.buffer = self.buffer.partition(b'\0')
    return json.loads(message)

  def open(self, path, size, scheme='light'):
    """Loads a page and returns what went wrong and every address it asked for."""
    self('Emulation.setDeviceMetricsOverride', width=size[0], height=size[1],
         deviceScaleFactor=1, mobile=size[0] < 500)
    self('Emulation.setEmulatedMedia',
         features=[{'name': 'prefers-color-scheme', 'value': scheme}])
    self.events = []
    self('Page.navigate', url=path.resolve().as_uri())
    while not any(e.get('method') == 'Page.loadEventFired' for e in self.events):
      self.events.append(self.receive())
    self.run('new Promise(done => setTimeout(done, 200))')
    return self.complaints(), [
        e['params']['request']['url'] for e in self.events
        if e.get('method') == 'Network.requestWillBeSent']

  def complaints(self):
    """Exceptions, what was written to the console, and what the browser logged."""
    methods = (
        'Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded')
    return [e['params'] for e in self.events if e.get('method') in methods]

  def run(self, script):
    """The value of an expression in the page."""
    result = self(
        'Runtime.evaluate', expression=script, returnByValue=True,
        awaitPromise=True)
    assert 'exceptionDetails' not in result, result
    return result['result'].get('value')

  def place(self, selector, x=0.5, y=0.5):
    """Scrolls to an element; a place in it, in shares of its size, in pixels."""
    left, top = self.run(f'''(() => {{
        const element = document.querySelector({json.dumps(selector)});
        element.scrollIntoView({{block: 'center', behavior: 'instant'}});
        const box = element.getBoundingClientRect();
        return [box.left + {x} * box.width, box.top + {y} * box.height];
    }})()''')
    return dict(x=left, y=top)

  def point_at(self, selector, **where):
    point = self.place(selector, **where)
    self('Input.dispatchMouseEvent', type='mouseMoved', **point)

  def tap(self, selector, **where):
    point = self.place(selector, **where)
    self('Input.dispatchTouchEvent', type='touchStart', touchPoints=[point])
    self('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])

  def close(self):
    os.close(self.write)  # The browser ends when its pipe does.
    try:
      self.process.wait(20)
    except subprocess.TimeoutExpired:
      self.process.kill()
      self.process.wait()
    os.close(self.read)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
  browser = Browser(tmp_path_factory.mktemp('profile'))
  yield browser
  browser.close()


@pytest.fixture(scope='module')
def page(tmp_path_factory):
  """The page of a finished, labelled run."""
  workdir = tmp_path_factory.mktemp('full')
  made_workdir.write_all(workdir)
  return report.write(workdir)


@pytest.fixture(scope='module')
def detailed(tmp_path_factory):
  """The page of a run with a result of every protocol."""
  workdir = tmp_path_factory.mktemp('detailed')
  made_workdir.write_all(workdir)
  made_workdir.write_details(workdir)
  return report.write(workdir)


@pytest.fixture(scope='module')
def unlabelled(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('unlabelled')
  made_workdir.write_all(workdir, labelled=False)
  return report.write(workdir)


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
  """The page of an empty folder."""
  return report.write(tmp_path_factory.mktemp('bare'))


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('size', [WIDE, NARROW], ids=['wide', 'narrow'])
@pytest.mark.parametrize('which', ['page', 'detailed', 'unlabelled', 'bare'])
def test_page_fits_and_is_silent(browser, request, which, size, scheme):
  complaints, addresses = browser.open(request.getfixturevalue(which), size, scheme)
  assert complaints == []
  assert addresses and all(a.startswith(('file:', 'data:')) for a in addresses)
  overflow = 'document.documentElement.scrollWidth <= innerWidth'
  assert browser.run(f'innerWidth == {size[0]} && {overflow}')
  browser.run(OPEN_ALL)
  assert browser.run(overflow), 'Opening the details makes the page too wide.'


def test_long_words_do_not_widen_the_page(browser, tmp_path):
  long = 'x' * 300
  made_workdir.write_all(tmp_path)
  made_workdir.write_atlas(
      tmp_path, class_names=(long, 'b', 'c', 'd'), names=[long] * 60)
  made_workdir.write_config(tmp_path, note=long, method={'name': long})
  made_workdir.write_result(tmp_path, long[:200], 1, 0.5, metrics={long: 0.5})
  complaints, _ = browser.open(report.write(tmp_path), NARROW)
  assert complaints == []
  browser.run(OPEN_ALL)
  assert browser.run('document.documentElement.scrollWidth') == NARROW[0]


def test_everything_is_drawn(browser, page):
  browser.open(page, WIDE)
  sections = browser.run(
      "[...document.querySelectorAll('section')].map(s => s.id).join(' ')")
  assert sections == 'evaluation curves map neighbours health views ran'
  assert browser.run("document.querySelectorAll('.empty').length") == 0
  charts = browser.run(
      "[...document.querySelectorAll('#curves > .charts .chart')].map(c => "
      "[c.querySelector('.name').textContent, "
      "c.querySelector('.line').getBoundingClientRect().width > 100])")
  assert charts == [
      [name, True] for name in
      ('Loss', 'kNN accuracy', 'Learning rate', 'Gradient norm')]
  points = "document.querySelectorAll('#field circle:not(#ring)').length"
  assert browser.run(points) == 60
  tiles = "document.querySelectorAll('#neighbours .tile').length"
  assert browser.run(tiles) == 4 * 6
  broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
  assert browser.run(broken) == 0


def test_details_are_drawn(browser, detailed):
  browser.open(detailed, WIDE)
  sections = browser.run(
      "[...document.querySelectorAll('section')].map(s => s.id).join(' ')")
  assert sections == (
      'evaluation details curves map neighbours prototypes health views ran')
  titles = "[...document.querySelectorAll('.panel h3')].map(h => h.innerText)"
  assert browser.run(titles) == [
      'Can its confidence be trusted? linear', 'How fine a distinction it makes '
      'granularity', 'With few labels low_shot', 'Class by class per_class',
      'How large the clusters are clustering']
  assert browser.run(
      "[...document.querySelectorAll('.panel svg .line, .band, .columns')]"
      '.every(path => path.getBoundingClientRect().width > 30)')
  counts = {'.group li': 20, '.strip': 5, '.strip img': 3 + 3 + 2 + 2 + 3,
            '#neighbours .tile': 2 * 3, '#field circle:not(#ring)': 50}
  for selector, number in counts.items():
    assert browser.run(f"document.querySelectorAll('{selector}').length") == number
  broken = '[...document.images].filter(i => !i.complete || !i.naturalWidth).length'
  assert browser.run(broken) == 0


def test_hover_on_named_steps_shows_their_names(browser, detailed):
  browser.open(detailed, WIDE)
  tip = "document.getElementById('tip').innerText"
  browser.point_at('.panel:nth-child(2) .plot', x=0.48)
  assert browser.run(tip) == (
      'level family 7\nthis run 60.0%\ntrained at the level 65.0%\n'
      'untrained 30.0%\nchance 20.0%')
  # The result has three points, and the diagonal these and its ends.
  for x, told in (
      (0.8, '84\nthis run 70.0%\ncalibrated 84.0%'), (0.1, '0\ncalibrated 0.0%')):
    browser.point_at('.panel:nth-child(1) .plot', x=x)
    assert browser.run(tip) == f'confidence in % {told}'
  dots = "[...document.querySelectorAll('.panel .dot')].filter(d => !d.hidden).length"
  assert browser.run(dots) == 1
  browser.point_at('#field circle:nth-of-type(8)')
  assert browser.run(tip) == 'palm\nphoto 7.jpg'


def test_hover_on_a_curve_shows_its_values(browser, page):
  browser.open(page, WIDE)
  assert browser.run("document.getElementById('tip').hidden")
  browser.point_at('#curves .plot', x=0.999)
  assert browser.run("document.getElementById('tip').innerText") == (
      'step 120\nloss 1.65')  # 4.8 exp(-2) + 1
  browser.point_at('h1')
  assert browser.run("document.getElementById('tip').hidden")


def test_hover_on_the_map_shows_thumbnail_and_label(browser, page):
  browser.open(page, WIDE)
  for number in (0, 41):  # In the first row of the sheet of thumbnails, the second.
    browser.point_at(f'#field circle:nth-of-type({number + 1})')
    assert not browser.run("document.getElementById('tip').hidden")
    assert browser.run("document.getElementById('tip').innerText") == (
        f'{made_workdir.CLASSES[number % 4]}\nphoto {number}.jpg')
    image = made_workdir.image_for(number % 4, number)
    for row in (number % 24, 12):  # Its own white line, its class's colour.
      pixel = browser.run(
          "[...document.querySelector('#tip canvas').getContext('2d')"
          f".getImageData(60, {4 * row + 2}, 1, 1).data]")
      want = image[row, 15].tolist()
      assert all(abs(a - b) < 60 for a, b in zip(pixel, want)), (pixel, want)
  same = browser.run("document.querySelectorAll('#field .same').length")
  assert same == 60 // 4


def test_a_tap_shows_what_a_pointer_would(browser, page):
  browser.open(page, NARROW)
  tip = "(t => t.hidden ? null : t.innerText)(document.getElementById('tip'))"
  browser.tap('#field circle:nth-of-type(8)')
  assert browser.run(tip) == 'palm\nphoto 7.jpg'
  browser.tap('#curves .plot', x=0.001)
  assert browser.run(tip) == 'step 1\nloss 5.721'  # 4.8 exp(-1 / 60) + 1
  browser.tap('h1')
  assert browser.run(tip) is None


def test_map_without_colours_and_as_pictures(browser, page):
  browser.open(page, WIDE)
  fill = "getComputedStyle(document.querySelector('#field circle')).fill"
  by_class = browser.run(fill)
  browser.run("document.querySelector('input[name=color][value=none]').click()")
  assert browser.run(fill) != by_class
  browser.run("document.querySelector('input[name=show][value=pictures]').click()")
  # The first picture is never left out; its point is at its centre.
  pixel = browser.run('''(() => {
      const canvas = document.getElementById('pictures');
      const view = document.querySelector('#field svg').viewBox.baseVal;
      const point = document.querySelector('#field circle');
      const scale = canvas.width / view.width;
      return [...canvas.getContext('2d').getImageData(
          (point.cx.baseVal.value - view.x) * scale,
          (point.cy.baseVal.value - view.y) * scale, 1, 1).data];
  })()''')
  want = [*made_workdir.image_for(0, 0)[12, 12].tolist(), 255]
  assert all(abs(a - b) < 40 for a, b in zip(pixel, want)), (pixel, want)
  assert browser.complaints() == []


def test_a_class_can_be_highlighted(browser, page):
  browser.open(page, WIDE)
  browser.run("document.querySelector('[data-class=\"2\"]').click()")
  assert browser.run(
      "document.querySelector('[data-class=\"2\"]').getAttribute('aria-pressed')"
      ) == 'true'
  fills = browser.run(
      "[...new Set([...document.querySelectorAll('#field .same')]"
      ".map(c => c.getAttribute('fill')))].length")
  assert fills == 1
  browser.run("document.querySelector('[data-class=\"2\"]').click()")
  focused = "document.getElementById('field').classList.contains('focus')"
  assert not browser.run(focused)


def test_unlabelled_map_has_no_classes(browser, unlabelled):
  browser.open(unlabelled, NARROW)
  browser.point_at('#field circle:nth-of-type(8)')
  assert browser.run("document.getElementById('tip').innerText") == 'photo 7.jpg'
  assert browser.run("document.querySelector('input[name=color]')") is None
