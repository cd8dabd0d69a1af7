"""What a run says, after kills, on full disks and with hostile names."""

import io
import json
import logging
import math
import os
import resource
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import errors
from jaxssl import metrics
from jaxssl import parallel


def write(path, rows, step=0, **settings):
  with metrics.Writer(path, step=step, tensorboard=False, **settings) as writer:
    for row_step, values in rows:
      writer.write(row_step, values)


def lines(path):
  return (path / metrics.FILE).read_text().splitlines()


def test_one_line_a_step_with_exact_values(tmp_path):
  write(tmp_path, [
      (1, {'train/loss': np.float32(0.3), 'train/lr': 0.1}),
      (2, {'train/loss': jnp.float32(1 / 3), 'n': np.int64(7), 'ok': np.True_}),
      (2, {'eval/knn/top1': 0.5}),
      (3, {'half': jnp.bfloat16(1.5), 'array': np.ones((1, 1))})])
  assert lines(tmp_path) == [
      '{"step": 1, "train/loss": 0.3, "train/lr": 0.1}',
      '{"step": 2, "train/loss": 0.33333334, "n": 7, "ok": true, '
      '"eval/knn/top1": 0.5}',
      '{"step": 3, "half": 1.5, "array": 1.0}']
  assert np.float32(metrics.read(tmp_path)[1]['train/loss']) == np.float32(1 / 3)


def test_every_line_is_there_at_once(tmp_path):
  with metrics.Writer(tmp_path, step=0, tensorboard=False) as writer:
    for step in (1, 2):
      writer.write(step, {'x': step})
      assert metrics.read(tmp_path)[-1] == {'step': step, 'x': step}
    writer.write(2, {'x': 3.25, 'longer': 'than before'})
    writer.write(2, {'x': 3, 'longer': ''})
    assert lines(tmp_path)[1:] == ['{"step": 2, "x": 3, "longer": ""}']


def test_not_finite_is_valid_json_and_comes_back(tmp_path):
  write(tmp_path, [(1, {
      'a': np.float32('nan'), 'b': -math.inf, 'c': jnp.inf, 'd': 'inflated'})])

  def refuse(constant):
    raise AssertionError(f'{constant} is not JSON')

  json.loads(lines(tmp_path)[0], parse_constant=refuse)
  row, = metrics.read(tmp_path)
  assert math.isnan(row['a']) and row['b'] == -math.inf and row['c'] == math.inf
  assert row['d'] == 'inflated'


def test_resume_replaces_what_is_replayed(tmp_path):
  write(tmp_path, [(s, {'x': s}) for s in range(1, 8)])
  with open(tmp_path / metrics.FILE, 'a') as f:
    f.write('{"step": 8, "x": ')  # As a kill leaves it.
  assert [row['step'] for row in metrics.read(tmp_path)] == list(range(1, 8))
  write(tmp_path, [(4, {'eval': 1}), (5, {'x': 50}), (6, {'x': 60})], step=4)
  assert metrics.read(tmp_path) == [
      {'step': 1, 'x': 1}, {'step': 2, 'x': 2}, {'step': 3, 'x': 3},
      {'step': 4, 'x': 4, 'eval': 1}, {'step': 5, 'x': 50}, {'step': 6, 'x': 60}]
  write(tmp_path, [], step=0)  # From scratch: nothing of the old run stays.
  assert lines(tmp_path) == []


def test_junk_lines_are_left_out_and_named(tmp_path, caplog):
  (tmp_path / metrics.FILE).write_bytes(
      b'{"step": 2, "x": 1}\n[]\n\xff\xfe\n{"x": 1}\n{"step": Infinity}\n'
      b'{"step": 1}\n{"step": 2, "y": 2}\n')
  assert metrics.read(tmp_path) == [{'step': 1}, {'step': 2, 'x': 1, 'y': 2}]
  assert [n for n in range(1, 8) if f'jsonl:{n} ' in caplog.text] == [2, 3, 4, 5]


def test_reading_what_is_not_there(tmp_path):
  assert metrics.read(tmp_path) == []


def test_mistakes_in_calls(tmp_path):
  with metrics.Writer(tmp_path, step=0, tensorboard=False) as writer:
    writer.write(5, {'x': 1})
    with pytest.raises(ValueError, match='Step 4 is written after step 5'):
      writer.write(4, {'x': 1})
    with pytest.raises(ValueError, match=r'x has shape \(2,\)'):
      writer.write(6, {'x': np.ones(2)})
  assert [row['step'] for row in metrics.read(tmp_path)] == [5]


def test_full_disk_is_one_error_and_loses_one_line(tmp_path):
  writer = metrics.Writer(tmp_path, step=0, tensorboard=False)
  writer.write(1, {'x': 1})
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
  try:
    with pytest.raises(errors.StorageError, match=r'jsonl: File too large'):
      writer.write(2, {'x': 'y' * 200})
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  writer.close()
  assert metrics.read(tmp_path) == [{'step': 1, 'x': 1}]


def test_tensorboard_holds_the_same_numbers(tmp_path):
  pytest.importorskip('tensorflow')
  pytest.importorskip('clu.metric_writers')
  from tensorboard.backend.event_processing import event_accumulator
  from tensorboard.util import tensor_util
  with metrics.Writer(tmp_path, step=0, tensorboard=True) as writer:
    writer.write(3, {'train/loss': np.float32(0.25), 'name': 'text'})
  board = event_accumulator.EventAccumulator(
      str(tmp_path / 'tensorboard'), size_guidance={'tensors': 0})
  board.Reload()
  event, = board.Tensors('train/loss')
  assert (event.step, tensor_util.make_ndarray(event.tensor_proto)) == (3, 0.25)


def test_without_tensorflow_one_line_says_so(tmp_path, monkeypatch, caplog):
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  with caplog.at_level(logging.INFO), metrics.Writer(
      tmp_path, step=0, tensorboard=True) as writer:
    writer.write(1, {'x': 1})
  assert len(caplog.records) == 1 and 'No TensorBoard' in caplog.text
  assert not (tmp_path / 'tensorboard').exists()


class Slow:
  """A number that is not there before the device has got to it."""

  def __init__(self, value):
    self.value, self.copied, self.waited = value, False, False

  def copy_to_host_async(self):
    self.copied = True

  def __array__(self, dtype=None, copy=None):
    self.waited = True
    return np.asarray(self.value, np.float32)


def test_newest_steps_are_not_waited_for():
  pending = metrics.Pending(in_flight=2)
  values = [Slow(s) for s in range(6)]
  got = []
  for step, value in enumerate(values):
    pending.put(step, {'loss': value})
    got += pending.ready()
    assert all(v.copied for v in values[:step + 1])
    assert [v.waited for v in values] == [s <= step - 2 for s in range(6)]
  assert [(s, m['loss']) for s, m in got] == [(s, s) for s in range(4)]
  assert [s for s, _ in pending.flush()] == [4, 5]
  assert pending.flush() == pending.ready() == []


def test_values_of_a_mapped_step_come_back_in_order():
  def step(x, batch):
    loss = x + parallel.mean(batch.sum())
    return x + 1, {'loss': loss, 'half': loss.astype(jnp.bfloat16)}

  step = parallel.mapped(step, (None, 0), (None, None))
  batch = parallel.split(np.ones(4, np.float32))
  pending, x, got = metrics.Pending(), parallel.replicate(jnp.float32(0)), []
  for i in range(5):
    x, values = step(x, batch)
    pending.put(i, values)
    got += pending.ready()
  got += pending.flush()
  assert [(s, float(m['loss']), float(m['half'])) for s, m in got] == [
      (i, i + 1, i + 1) for i in range(5)]


@pytest.mark.parametrize('key', ['loss', 'grad_norm'])
@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_divergence_names_its_step(key, value):
  pending = metrics.Pending(in_flight=3)
  for step in range(10):
    good = {'loss': jnp.float32(1.5), 'grad_norm': jnp.float32(2), 'x': math.nan}
    pending.put(step, good | ({key: jnp.float32(value)} if step == 7 else {}))
    if step < 9:
      pending.ready()
  with pytest.raises(errors.DivergedError, match=f'step 7: .*{key} is {value}'):
    pending.flush()


@pytest.fixture
def logger():
  found = logging.getLogger('jaxssl')
  before = found.handlers[:], found.propagate, found.level
  yield found
  for handler in found.handlers[:]:
    found.removeHandler(handler)
    handler.close()
  found.handlers, found.propagate = before[:2]
  found.setLevel(before[2])


def test_log_goes_to_file_and_terminal_once(tmp_path, logger, capsys):
  metrics.setup_logging(tmp_path)
  metrics.setup_logging(tmp_path)
  logging.getLogger('jaxssl.train').info('step %d', 7)
  logging.getLogger('jaxssl.train').warning('careful: ä')
  text = (tmp_path / 'train.log').read_text('utf-8')
  assert [line[15:] for line in text.splitlines()] == [
      'step 7', 'WARNING: careful: ä']
  assert capsys.readouterr().err == text
  metrics.setup_logging()
  logging.getLogger('jaxssl.train').info('elsewhere')
  assert (tmp_path / 'train.log').read_text('utf-8') == text


def test_hostile_names_cannot_forge_lines(tmp_path, logger):
  metrics.setup_logging(tmp_path)
  name = 'a\n11-22 10:00:00 ERROR: all lost\x1b[31m\r\u2028.jpg' + '\udcff'
  logging.getLogger('jaxssl.data').info('bad image %s', name)
  try:
    raise ValueError(name)
  except ValueError:
    logging.getLogger('jaxssl.data').exception('while reading')
  first, *rest = (tmp_path / 'train.log').read_text('utf-8').splitlines()
  assert first.endswith(
      r'bad image a\n11-22 10:00:00 ERROR: all lost\x1b[31m\r\u2028.jpg\udcff')
  assert rest[0].endswith('ERROR: while reading')
  assert len(rest) > 3 and all(line.startswith('  | ') for line in rest[1:])
  assert '\x1b' not in '\n'.join(rest)


class Terminal(io.StringIO):

  def isatty(self):
    return True


@pytest.mark.parametrize(
    'stream, shown', [(Terminal(), True), (io.StringIO(), False)])
def test_progress_bar_on_a_terminal_only(stream, shown, logger, monkeypatch):
  monkeypatch.setattr(sys, 'stderr', stream)
  metrics.setup_logging()
  with metrics.progress(20, initial=5) as bar:
    for _ in range(15):
      bar.update(1)
    logging.getLogger('jaxssl').info('a line')
  text = stream.getvalue()
  assert ('/20' in text) == shown
  assert sum(line.endswith('a line') for line in text.splitlines()) == 1


def test_log_line_says_everything():
  line = metrics.log_line(
      step=1200, total_steps=20000, epoch=6, loss=4.8123, chance=6.2364,
      terms={'nt_xent': 4.5}, lr=0.3, grad_norm=np.float32(0.8249), knn=0.612,
      images_per_second=2310.4, wait=0.012, memory=1.2 * 2**30, seconds_left=2530.4)
  assert line == (
      'step  1200/20000  epoch 6.00  loss 4.812 (chance 6.236)  nt_xent 4.500  '
      'lr 0.300  grad 0.825  knn 61.2%  2310 img/s  wait 1%  mem 1.2G  eta 0:42:10')
  assert metrics.log_line(
      step=1, total_steps=5, epoch=0.2, loss=0.01234, memory=5e8) == (
          'step 1/5  epoch 0.20  loss 0.01234  mem 477M')


def test_memory_is_that_of_this_process():
  before = metrics.memory_in_use()
  block = np.ones(10 * 2**20)
  assert 70 * 2**20 < metrics.memory_in_use() - before < 130 * 2**20
  assert before < 16 * 2**30 and block.size
  assert jax.local_devices()[0].memory_stats() is None  # Else it is the device's.


def test_file_is_no_link_to_elsewhere(tmp_path):
  (tmp_path / 'target').write_text('mine')
  os.symlink(tmp_path / 'target', tmp_path / metrics.FILE)
  write(tmp_path, [(1, {'x': 1})])
  assert (tmp_path / 'target').read_text() == 'mine'
