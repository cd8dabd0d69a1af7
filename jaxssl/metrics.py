"""What a run says: metrics.jsonl, TensorBoard, train.log and the terminal.

metrics.jsonl holds one object a line: `step`, and flat keys such as `train/loss`
or `eval/knn/top1`. Every step has one line. JSON has no NaN: it and infinities are
the strings 'nan', 'inf' and '-inf'; `read` turns them back into floats.
"""

import collections
import contextlib
import datetime
import json
import logging
import math
import os
import pathlib
import resource
import sys

import jax
import numpy as np
import tqdm
from tqdm.contrib import logging as tqdm_logging

from jaxssl import errors
from jaxssl import files
from jaxssl import hosts
from jaxssl import quiet

log = logging.getLogger(__name__)

FILE = 'metrics.jsonl'
_NON_FINITE = {'nan': math.nan, 'inf': math.inf, '-inf': -math.inf}


class Writer:
  """Writes scalars to metrics.jsonl and, where it can, to TensorBoard.

  A line is on its way to the disk as soon as it is written; nothing waits for the
  end of the run.
  """

  def __init__(self, workdir, *, step, tensorboard):
    """Opens the files of a run that starts, or goes on, after `step`.

    Args:
      workdir: the run's folder.
      step: lines of later steps, and a torn last one, are removed: they come again.
      tensorboard: also write `tensorboard/`, if tensorflow is installed.
    """
    path = pathlib.Path(workdir) / FILE
    rows = [row for row in _read_rows(path) if row['step'] <= step]
    lines = [_to_json(row) for row in rows]
    files.write_text(path, ''.join(lines))
    self._path = path
    self._row = rows[-1] if rows else {'step': -1}
    self._start = sum(map(len, lines[:-1]))  # Where the last line begins, in bytes.
    self._length = len(lines[-1]) if lines else 0
    with files.storage_errors(f'Cannot write {path}'):
      self._fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    self._board = _tensorboard(pathlib.Path(workdir)) if tensorboard else None

  def write(self, step, values):
    """Adds values to a step's line.

    Args:
      step: not below that of the last call.
      values: {key: scalar of Python, NumPy or jax}. A key written twice at one step
        keeps the later value.

    Raises:
      StorageError: the disk is full or gone.
    """
    values = {key: _scalar(key, value) for key, value in values.items()}
    if step < self._row['step']:
      raise ValueError(f'Step {step} is written after step {self._row["step"]}.')
    if step > self._row['step']:
      self._start, self._length = self._start + self._length, 0
      self._row = {'step': int(step)}
    self._row.update(values)
    line = _to_json(self._row).encode()
    with files.storage_errors(f'Cannot write {self._path}'):
      done = 0  # One call does it all, so that a kill cannot tear the line apart,
      while done < len(line):  # unless the disk is full: the next one then says so.
        done += os.pwrite(self._fd, line[done:], self._start + done)
      os.ftruncate(self._fd, self._start + len(line))
    self._length = len(line)
    if self._board is not None:
      self._board.write_scalars(
          step, {k: v for k, v in values.items() if not isinstance(v, str)})

  def close(self):
    os.close(self._fd)
    if self._board is not None:
      self._board.close()

  def __enter__(self):
    return self

  def __exit__(self, *exc):
    self.close()


def read(workdir):
  """The lines of metrics.jsonl as dicts, ascending by step, one for each step.

  A torn last line, as a killed process leaves it, is left out.
  """
  rows = _read_rows(pathlib.Path(workdir) / FILE)
  return [
      {k: _NON_FINITE.get(v, v) if isinstance(v, str) else v for k, v in r.items()}
      for r in rows]


def _read_rows(path):
  rows = {}
  with files.storage_errors(f'Cannot read {path}'):
    try:
      lines = path.read_bytes().split(b'\n')[:-1]
    except FileNotFoundError:
      return []
  for number, line in enumerate(lines, 1):
    try:
      row = json.loads(line)
      rows.setdefault(int(row['step']), {}).update(row)
    except (ValueError, TypeError, KeyError, OverflowError):
      log.warning('%s:%d is not a line of metrics; it is left out.', path, number)
  return [rows[step] for step in sorted(rows)]


def _to_json(row):
  row = {
      k: str(v) if isinstance(v, float) and not math.isfinite(v) else v
      for k, v in row.items()}
  return json.dumps(row, allow_nan=False) + '\n'


def _scalar(key, value):
  if isinstance(value, (bool, int, float, str)):
    return value
  value = np.asarray(value)
  if value.size != 1:
    raise ValueError(f'{key} has shape {value.shape}; metrics are scalars.')
  value = value.reshape(())[()]
  # The shortest text that gives these 32 bits back: 0.3, not 0.30000001192092896.
  return float(str(value)) if value.dtype == np.float32 else value.item()


def _tensorboard(workdir):
  try:
    with quiet.native_stderr():
      import tensorflow as tf
      from clu import metric_writers
  except ImportError as e:
    log.info('No TensorBoard files: %s.', e)
    return None
  with contextlib.suppress(RuntimeError):  # Too late if tensorflow runs already.
    tf.config.set_visible_devices([], 'GPU')  # It would take all of their memory.
  return metric_writers.SummaryWriter(str(workdir / 'tensorboard'))


class Pending:
  """Metrics on their way from the devices, so that the loop need not wait for them.

  The newest steps stay in flight: asking for their values would stop the host until
  the devices have caught up, and then the devices until the host has.
  """

  def __init__(self, in_flight=2):
    self._in_flight = in_flight
    self._queue = collections.deque()

  def put(self, step, metrics):
    """Starts the copy of a step's metrics, {key: scalar array}, to the host."""
    for value in metrics.values():
      if hasattr(value, 'copy_to_host_async'):
        value.copy_to_host_async()
    self._queue.append((step, metrics))

  def ready(self):
    """The (step, {key: number}) of all but the newest steps, each once, in order.

    Raises:
      DivergedError: `loss` or `grad_norm` is not finite; names the step.
    """
    return self._take(self._in_flight)

  def flush(self):
    """The rest of them; waits for the devices. Do this before a checkpoint."""
    return self._take(0)

  def _take(self, num_left):
    taken = []
    while len(self._queue) > num_left:
      step, metrics = self._queue.popleft()
      metrics = {key: np.asarray(value)[()] for key, value in metrics.items()}
      watched = {k: metrics[k] for k in ('loss', 'grad_norm') if k in metrics}
      if not all(map(np.isfinite, watched.values())):
        values = ', '.join(f'{k} is {v}' for k, v in watched.items())
        raise errors.DivergedError(f'Diverged at step {step}: {values}.')
      taken.append((step, metrics))
    return taken


def setup_logging(workdir=None):
  """Sends the package's log to the terminal and, given a folder, to its train.log.

  What was set up before is replaced. Whatever a message holds, such as a file's
  name with a line break or colour codes in it, it stays one line of plain text. Of
  several processes the first tells it; the others only what went wrong in them.
  """
  logger = logging.getLogger('jaxssl')
  for handler in logger.handlers[:]:
    logger.removeHandler(handler)
    handler.close()
  handlers = [logging.StreamHandler()]
  if workdir is not None:
    path = pathlib.Path(workdir) / 'train.log'
    with files.storage_errors(f'Cannot write {path}'):
      handlers.append(logging.FileHandler(path, encoding='utf-8'))
  who = '' if hosts.is_first() else f'process {hosts.index()}: '
  if who:
    handlers[0].setLevel(logging.WARNING)
  for handler in handlers:
    handler.setFormatter(
        _Formatter(f'%(asctime)s {who}%(message)s', '%m-%d %H:%M:%S'))
    logger.addHandler(handler)
  logger.setLevel(logging.INFO)
  logger.propagate = False  # Else absl's own handler prints it once more.


class _Formatter(logging.Formatter):

  def formatMessage(self, record):
    record.message = _printable(record.message)
    if record.levelno >= logging.WARNING:
      record.message = f'{record.levelname}: {record.message}'
    return super().formatMessage(record)

  def formatException(self, ei):
    lines = super().formatException(ei).splitlines()
    return '\n'.join(f'  | {_printable(line)}' for line in lines)


def _printable(text):
  return ''.join(
      c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


@contextlib.contextmanager
def progress(total, initial=0):
  """A bar on a terminal, below the log's lines; elsewhere nothing.

  Yields:
    An object with `update(steps)`.
  """
  with contextlib.ExitStack() as stack:
    # With None it is off where stderr is not a terminal.
    bar = stack.enter_context(tqdm.tqdm(
        total=total, initial=initial, disable=None if hosts.is_first() else True,
        unit='step', leave=False, dynamic_ncols=True))
    if not bar.disable:
      stack.enter_context(tqdm_logging.logging_redirect_tqdm(
          [logging.getLogger('jaxssl')]))
    yield bar


def log_line(
    *, step, total_steps, epoch, loss, chance=None, terms=None, lr=None,
    grad_norm=None, knn=None, images_per_second=None, wait=None, memory=None,
    seconds_left=None):
  """One line that tells how a run is doing, without the lines before it.

  Args:
    step: steps done, of `total_steps`.
    epoch: passes over the images, with a fraction.
    loss: of this step.
    chance: the loss of random embeddings.
    terms: {name: value}, the other terms of the loss.
    lr: learning rate.
    grad_norm: norm of the gradient.
    knn: latest top-1 accuracy of the online kNN, 0 to 1.
    images_per_second: over all devices.
    wait: share of the time spent waiting for data, 0 to 1.
    memory: bytes in use; see `memory_in_use`.
    seconds_left: until the last step.

  What is None is left out.
  """
  parts = [
      f'step {step:{len(str(total_steps))}d}/{total_steps}', f'epoch {epoch:.2f}',
      f'loss {loss:#.4g}' + ('' if chance is None else f' (chance {chance:#.4g})')]
  parts += [f'{name} {value:#.4g}' for name, value in (terms or {}).items()]
  for text, value in (
      ('lr {:#.3g}', lr),
      ('grad {:#.3g}', grad_norm),
      ('knn {:.1%}', knn),
      ('{:.0f} img/s', images_per_second),
      ('wait {:.0%}', wait),
      ('mem {}', None if memory is None else _size(memory)),
      ('eta {}', None if seconds_left is None
       else datetime.timedelta(seconds=round(seconds_left)))):
    if value is not None:
      parts.append(text.format(value))
  return '  '.join(parts)


def _size(num_bytes):
  mebibytes = num_bytes / 2**20
  return f'{mebibytes / 1024:.1f}G' if mebibytes >= 1024 else f'{mebibytes:.0f}M'


def memory_in_use():
  """Bytes in use on the fullest device; where it cannot tell, by this process."""
  stats = [device.memory_stats() for device in jax.local_devices()]
  used = [s['bytes_in_use'] for s in stats if s and 'bytes_in_use' in s]
  if used:
    return max(used)
  try:
    pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')
  except OSError:  # No /proc: the peak will do, which macOS gives in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024
