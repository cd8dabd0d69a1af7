"""Several processes that run one job, each with devices of its own.

Every process runs the same program on its share of the images; what they must agree
on goes through here. Process 0, the first, is the only one that writes for people.
"""

import contextlib
import json
import os
import pathlib
import re
import time
import urllib.error
import urllib.request

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxssl import errors

SLURM = (
    'SLURM_JOB_ID', 'SLURM_STEP_NODELIST', 'SLURM_NTASKS', 'SLURM_PROCID',
    'SLURM_LOCALID')
FLAGS = {
    'coordinator_address': '--coordinator=HOST:PORT',
    'num_processes': '--num_processes', 'process_id': '--process_id'}
OPEN_MPI_PORT = 8476
GONE = re.compile(r'Gloo|NCCL|UNAVAILABLE|ABORTED|[Cc]onnection|heartbeat')
LAST_WORDS = 5.0  # Seconds, as are these:
PATIENCE = 1800   # A host may be on its way, or still be loading its image.
METADATA = 'http://metadata.google.internal/computeMetadata/v1/instance/attributes/'
GATHERED_BYTES = 2**26  # Of one process at a time, on each device.


def start(given):
  """Joins the other processes of this job, if there are any.

  Where a cluster says how many there are, `jax.distributed` asks it for the rest:
  Slurm, Open MPI before version 5, Cloud TPU and GKE. Elsewhere flags do.

  Args:
    given: keyword arguments of `jax.distributed.initialize` from the command line:
      `coordinator_address`, `num_processes`, `process_id`, or some of them.

  Raises:
    errors.ConfigError: they do not fit each other, or do not say enough.
    errors.LostError: the others did not come.
  """
  number, total = given.get('process_id', 0), given.get('num_processes')
  if number < 0 or (total is not None and total <= number):
    raise errors.ConfigError(
        f'--process_id is {number} and --num_processes {total}; ids go from 0 up to, '
        'not including, the number of processes.')
  found = detected(os.environ)
  if found is None and not given:
    return
  known = {**(found or {}), **given}
  unknown = [flag for name, flag in FLAGS.items() if name not in known]
  if unknown and found != {}:
    raise errors.ConfigError(
        f'No cluster says where the other processes of this job are: give '
        f'{", ".join(unknown)} too.')
  try:
    jax.distributed.initialize(**known, initialization_timeout=PATIENCE)
  except ValueError as e:
    raise errors.ConfigError(
        f'The other processes of this job cannot be joined: {_first_line(e)} Give '
        f'{", ".join(FLAGS.values())}.') from e
  except RuntimeError as e:
    raise errors.LostError(
        f'The processes of this job did not find each other within {PATIENCE} s: '
        f'{_first_line(e)}') from e


def detected(environ):
  """What a cluster says of this job: keyword arguments of `initialize`.

  Args:
    environ: the environment's variables.

  Returns:
    None where there is one process; {} where jax finds out all else by itself.
  """
  if all(name in environ for name in SLURM):
    return {} if int(environ['SLURM_NTASKS']) > 1 else None
  if int(environ.get('OMPI_COMM_WORLD_SIZE', 1)) > 1:
    return {} if 'OMPI_MCA_orte_hnp_uri' in environ else _open_mpi_5(environ)
  if int(environ.get('MEGASCALE_NUM_SLICES', 1)) > 1:
    return {}
  workers = environ.get('TPU_PROCESS_ADDRESSES', environ.get('TPU_WORKER_HOSTNAMES'))
  if workers is None and has_tpu() and 'TPU_SKIP_MDS_QUERY' not in environ:
    workers = metadata('worker-network-endpoints')
  return {} if len((workers or '').split(',')) > 1 else None


def _open_mpi_5(environ):
  """Version 5 tells no address; where all are on one machine it is this one."""
  size = environ['OMPI_COMM_WORLD_SIZE']
  found = {
      'num_processes': int(size), 'process_id': int(environ['OMPI_COMM_WORLD_RANK']),
      'local_device_ids': [int(environ['OMPI_COMM_WORLD_LOCAL_RANK'])]}
  if environ.get('OMPI_COMM_WORLD_LOCAL_SIZE') == size:
    found['coordinator_address'] = f'localhost:{OPEN_MPI_PORT}'
  return found


def has_tpu():
  """Whether this machine has a TPU, without starting it."""
  return any(pathlib.Path('/dev').glob('accel*')) or pathlib.Path(
      '/dev/vfio/0').exists()


def metadata(name):
  """What a Google Cloud machine is told of itself; None elsewhere."""
  request = urllib.request.Request(
      METADATA + name, headers={'Metadata-Flavor': 'Google'})
  try:
    with urllib.request.urlopen(request, timeout=5) as answer:
      return answer.read().decode()
  except (urllib.error.URLError, OSError):
    return None


def lost(error):
  """Whether an error says that another process of this job has gone."""
  return count() > 1 and isinstance(error, jax.errors.JaxRuntimeError) and bool(
      GONE.search(str(error)))


def leave(code):
  """Leaves the others before this process ends with an exit code."""
  if not jax.distributed.is_initialized():
    return
  if code in (0, errors.Preempted.exit_code):
    # Waits for them. If one has gone, what was done here is done all the same.
    with contextlib.suppress(RuntimeError):
      jax.distributed.shutdown()
  elif is_first():
    # They are aborted once it is gone: those that fail for the same reason should
    # get to say so.
    time.sleep(LAST_WORDS)


def count():
  return jax.process_count()


def index():
  return jax.process_index()


def is_first():
  return index() == 0


def say(text):
  """Prints, in the first process."""
  if is_first():
    print(text)


def share(n):
  """The part of n rows that is this process's, as a slice."""
  return slice(n * index() // count(), n * (index() + 1) // count())


def on_first(function):
  """Calls a function in the first process only; all get what it returns or raises.

  Args:
    function: () -> what JSON can hold.

  Raises:
    errors.JobError: whatever kind it raised; others end the first process alone.
  """
  if count() == 1:
    return function()
  told, mine = {}, None
  if is_first():
    try:
      told = {'value': function()}
    except errors.JobError as e:
      told, mine = {'kind': type(e).__name__, 'message': str(e)}, e
  told = _broadcast(told)
  if mine is not None:
    raise mine
  if 'kind' in told:
    kind = getattr(errors, told['kind'], errors.ConfigError)
    raise kind(told['message'])
  return told['value']


def _broadcast(value):
  text = np.frombuffer(json.dumps(value).encode(), np.uint8)
  size = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
  padded = np.zeros(size, np.uint8)
  padded[:len(text[:size])] = text[:size]
  return json.loads(np.asarray(
      multihost_utils.broadcast_one_to_all(padded), np.uint8).tobytes())


def first_value(value):
  """The first process's number, in all of them."""
  if count() == 1:
    return value
  return multihost_utils.broadcast_one_to_all(np.asarray(value))


def largest(value):
  """The largest number of any process, in all of them."""
  if count() == 1:
    return value
  return multihost_utils.process_allgather(np.asarray(value)).max()


def gather(rows):
  """The rows [m, ...] of all processes, in their order, in each: [n, ...].

  A process may have none. They travel in parts, so that devices need no room for all.
  """
  if count() == 1:
    return rows
  rows = np.ascontiguousarray(rows)
  width = rows.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
  # As bytes: jax would make 32 bits of numbers that have 64.
  data = rows.view(np.uint8).reshape(len(rows), width) if rows.size else (
      np.zeros((len(rows), width), np.uint8))
  counts = multihost_utils.process_allgather(np.int32(len(rows)))
  whole = np.empty((counts.sum(), width), np.uint8)
  firsts, step = np.cumsum(counts) - counts, max(1, GATHERED_BYTES // max(1, width))
  for start in range(0, counts.max(), step):
    part = np.zeros((min(step, counts.max() - start), width), np.uint8)
    mine = data[start:start + len(part)]
    part[:len(mine)] = mine
    everyone = multihost_utils.process_allgather(part)
    for theirs, first, num_rows in zip(everyone, firsts, counts - start):
      theirs = theirs[:max(0, num_rows)]
      whole[first + start:first + start + len(theirs)] = theirs
  return whole.reshape(-1).view(rows.dtype).reshape(len(whole), *rows.shape[1:])


def _first_line(error):
  return next(iter(str(error).splitlines()), '') or type(error).__name__
