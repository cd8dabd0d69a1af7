"""Checkpoints under real damage: nothing wrong is ever given back."""

import glob
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tensorstore

from jaxssl import checkpoint
from jaxssl import errors
from jaxssl import manifest
from jaxssl import parallel

# TensorStore may still call back when an error has ended Orbax's event loop.
pytestmark = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning')

INFO = {'seed': 3, 'data_digest': 'abc', 'rate': 0.1}


class State(NamedTuple):
  step: Any
  params: Any
  extra: Any
  opt_state: Any


def make_state(step, width=256, tx=None):
  rng = np.random.default_rng(step)
  params = {
      'conv': {'kernel': rng.standard_normal((8, width)).astype(np.float32)},
      'layers': [rng.standard_normal(5).astype(np.float32) for _ in range(2)]}
  extra = {
      'half': jnp.asarray(rng.standard_normal(7), jnp.bfloat16),
      'fitted': np.array(step % 2 == 0), 'queue': np.zeros((0, 4), np.float32),
      'assignments': rng.integers(0, 99, 11).astype(np.int32), 'none': None}
  tx = tx or optax.chain(optax.scale_by_adam(), optax.identity())
  return State(np.int32(step), params, extra, tx.init(params))


def abstract(state=None):
  return jax.eval_shape(lambda: make_state(0) if state is None else state)


def assert_equal(got, want):
  got_leaves, got_structure = jax.tree.flatten(got)
  want_leaves, want_structure = jax.tree.flatten(want)
  assert got_structure == want_structure
  for a, b in zip(got_leaves, want_leaves):
    a, b = np.asarray(a), np.asarray(b)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert a.tobytes() == b.tobytes()


def save(directory, *numbers, **settings):
  checkpoints = checkpoint.Checkpoints(directory, **settings)
  for step in numbers:
    checkpoints.save(step, make_state(step), INFO)
  checkpoints.close()
  return checkpoints


def tree_hash(root):
  return {
      str(p.relative_to(root)):
          p.is_file() and hashlib.sha256(p.read_bytes()).digest()
      for p in sorted(pathlib.Path(root).rglob('*'))}


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """Steps 10 and 20; not to be changed."""
  root = tmp_path_factory.mktemp('saved')
  save(root / 'checkpoints', 10, 20)
  return root


@pytest.fixture
def copy(saved, tmp_path):
  shutil.copytree(saved, tmp_path / 'run')
  return tmp_path / 'run/checkpoints'


def restore(directory, **settings):
  return checkpoint.Checkpoints(directory, **settings).restore(
      abstract(), replicated=False)


def test_round_trip_from_and_to_all_devices(tmp_path):
  state = parallel.replicate(make_state(7))
  checkpoints = checkpoint.Checkpoints(tmp_path / 'checkpoints')
  digest = checkpoints.save(7, state, INFO)
  assert digest == manifest.state_manifest(make_state(7))['digest']
  checkpoints.wait()

  step, restored, info = checkpoints.restore(abstract(state))
  assert (step, info) == (7, INFO | {'digest': digest})
  assert_equal(restored, make_state(7))
  for leaf in jax.tree.leaves(restored):
    assert leaf.sharding.is_fully_replicated and len(leaf.devices()) == 4
  assert checkpoints.manifest(7)['digest'] == digest


def test_nothing_saved_yet(tmp_path):
  assert restore(tmp_path / 'checkpoints') is None
  assert restore(tmp_path / 'elsewhere', read_only=True) is None
  assert not (tmp_path / 'elsewhere').exists()


def test_saved_is_the_state_of_that_moment(tmp_path):
  step = jax.jit(
      lambda s: jax.tree.map(lambda x: x + x.dtype.type(1), s), donate_argnums=0)
  state = {'x': jnp.arange(2**20, dtype=jnp.float32), 'n': jnp.int32(0)}
  host = {'x': np.zeros(2**20, np.float32)}
  checkpoints = checkpoint.Checkpoints(tmp_path / 'checkpoints')
  checkpoints.save(1, {'device': state, 'host': host}, {})
  for _ in range(5):  # While the save runs, the buffers are donated and changed.
    state = step(state)
    host['x'] += 1
  checkpoints.wait()
  _, restored, _ = checkpoints.restore(
      jax.eval_shape(lambda: {'device': state, 'host': host}), replicated=False)
  np.testing.assert_array_equal(restored['device']['x'], np.arange(2**20))
  assert restored['device']['n'] == 0
  assert not restored['host']['x'].any()


def flip(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def flip_late(path):
  data = bytearray(path.read_bytes())
  data[-len(data) // 4] ^= 0x40
  path.write_bytes(data)


def truncate(path):
  os.truncate(path, path.stat().st_size // 2)


def empty(path):
  os.truncate(path, 0)


def zero(path):
  path.write_bytes(bytes(path.stat().st_size))


def delete(path):
  path.unlink()


@pytest.mark.parametrize('damage', [flip, flip_late, truncate, empty, zero, delete])
def test_damage_to_any_file_gives_the_step_before(saved, tmp_path, damage):
  names = [p.relative_to(saved) for p in sorted(saved.glob('checkpoints/20/**/*'))
           if p.is_file()]
  fell_back = []
  for i, name in enumerate(names):
    run = tmp_path / str(i)
    shutil.copytree(saved, run)
    damage(run / name)
    step, state, info = restore(run / 'checkpoints')
    assert_equal(state, make_state(step))  # Never anything but what was saved.
    assert info.pop('digest') and info == INFO
    moved = sorted(p.name for p in run.glob('bad_checkpoints/*'))
    assert (step, moved) in [(10, ['20-0']), (20, [])]  # 20: a file of no use.
    if step == 10:
      fell_back.append(name)
      assert (run / 'bad_checkpoints/20-0').is_dir()
      assert checkpoint.Checkpoints(run / 'checkpoints').steps() == [10]
    shutil.rmtree(run)
  folders = {str(name.parent.relative_to('checkpoints/20')) for name in fell_back}
  assert {'manifest', 'state', 'state/d'} <= folders
  if damage in (truncate, empty, zero, delete):
    assert 'state/ocdbt.process_0/d' in folders


def test_a_flip_anywhere_in_an_array_is_found(saved, tmp_path):
  """Where Orbax alone gives the wrong numbers back."""
  run = tmp_path / 'run'
  shutil.copytree(saved, run)
  state = make_state(20)
  wanted = np.ascontiguousarray(state.params['conv']['kernel']).tobytes()
  path, = (p for p in run.glob('checkpoints/20/state/ocdbt.process_0/d/*')
           if wanted in p.read_bytes())
  whole = path.read_bytes()
  checkpoints = checkpoint.Checkpoints(run / 'checkpoints', read_only=True)
  for i in range(0, len(wanted), 331):
    data = bytearray(whole)
    data[whole.index(wanted) + i] ^= 1 << i % 8
    path.write_bytes(data)
    with pytest.raises(errors.StorageError, match='conv/kernel does not match'):
      checkpoints.restore(abstract(), 20)


def make_empty_newest(directory):
  (directory / '30').mkdir()


def remove_manifest(directory):
  shutil.rmtree(directory / '20/manifest')


def rename_step(directory):
  os.rename(directory / '20', directory / '40')


def swap_arrays(directory):
  shutil.rmtree(directory / '20/state')
  shutil.copytree(directory / '10/state', directory / '20/state')


def make_link_inside(directory):
  path = directory / '20/manifest/manifest.json'
  shutil.move(path, directory / 'elsewhere')
  path.symlink_to(directory / 'elsewhere')


def forge_huge_shape(directory):
  """Four petabytes in a few hundred bytes: chunks that were never written."""
  tensorstore.open({
      'driver': 'zarr', 'create': True, 'delete_existing': True,
      'kvstore': {
          'driver': 'ocdbt', 'base': f'file://{directory}/20/state/',
          'path': 'params.conv.kernel/'},
      'metadata': {
          'shape': [2**25, 2**25], 'chunks': [2**10, 2**10], 'dtype': '<f4'},
  }).result()


@pytest.mark.parametrize('damage, good', [
    (make_empty_newest, 20), (remove_manifest, 10), (rename_step, 10),
    (swap_arrays, 10), (make_link_inside, 10), (forge_huge_shape, 10)])
def test_broken_step_is_set_aside(copy, damage, good):
  damage(copy)
  broken, = set(checkpoint.Checkpoints(copy).steps()) - {10, good}
  before = tree_hash(copy / str(broken))
  step, state, _ = restore(copy)
  assert step == good
  assert_equal(state, make_state(step))
  assert tree_hash(copy.parent / f'bad_checkpoints/{broken}-0') == before


def test_the_same_step_can_be_set_aside_twice(copy):
  for n in range(2):
    save(copy, 20)  # The first time it is there already, and whole.
    empty(copy / '20/manifest/manifest.json')
    assert restore(copy)[0] == 10
    assert (copy.parent / f'bad_checkpoints/20-{n}').is_dir()


def test_what_is_no_step_is_left_alone(copy):
  (copy / '99').write_text('a file')
  (copy / 'latest.txt').write_text('20')
  (copy / '0030').mkdir()
  (copy / '77').symlink_to(copy / '10')
  checkpoints = checkpoint.Checkpoints(copy)
  assert checkpoints.steps() == [10, 20]
  assert restore(copy)[0] == 20
  assert {'99', 'latest.txt', '0030', '77'} <= {p.name for p in copy.iterdir()}


@pytest.mark.parametrize('read_only', [False, True])
def test_never_from_scratch_where_nothing_verifies(copy, read_only):
  for step in (10, 20):
    empty(copy / f'{step}/manifest/manifest.json')
  before = tree_hash(copy.parent)
  for _ in range(2):  # A restart by a launch script finds the same.
    with pytest.raises(errors.StorageError, match=r'None of .* 20: .*; 10: '):
      restore(copy, read_only=read_only)
  assert tree_hash(copy.parent) == before


def without(tree, *keys):
  return {k: v for k, v in tree.items() if k not in keys}


@pytest.mark.parametrize('wanted, message', [
    (make_state(0, width=16),
     r'params/conv/kernel is float32 \[8, 256\] there, float32 \[8, 16\] here; opt'),
    (make_state(0)._replace(extra=without(make_state(0).extra, 'half')),
     r'extra/half is bfloat16 \[7\] there, absent here\.'),
    (make_state(0)._replace(extra=make_state(0).extra | {'ema': np.ones(2)}),
     r'extra/ema is absent there, float\d+ \[2\] here\.'),
    (make_state(0)._replace(params={}, extra={}), r'absent here; and 4 more\.'),
    (make_state(0)._replace(step=np.float32(0)),
     r'step is int32 \[\] there, float32 \[\] here\.'),
    (make_state(0, tx=optax.trace(0.9)), r'opt_state/trace/conv/kernel is absent'),
])
def test_another_recipe_is_not_corruption(copy, wanted, message):
  before = tree_hash(copy.parent)
  with pytest.raises(errors.ConfigError, match=message):
    checkpoint.Checkpoints(copy).restore(abstract(wanted))
  assert tree_hash(copy.parent) == before


def test_parts_of_a_state(copy):
  checkpoints = checkpoint.Checkpoints(copy, read_only=True)
  part = {k: abstract()._asdict()[k] for k in ('params', 'extra')}
  step, restored, info = checkpoints.restore(part, partial=True, replicated=False)
  assert step == 20
  assert info['digest'] == manifest.state_manifest(make_state(20))['digest']
  assert_equal(restored, {k: make_state(20)._asdict()[k] for k in part})
  with pytest.raises(errors.ConfigError, match=r'opt_state/.* absent here'):
    checkpoints.restore(part)
  del part['params']['layers']
  with pytest.raises(errors.ConfigError, match=r'params/layers/0 .* absent here'):
    checkpoints.restore(part, partial=True)


def test_one_step_by_number(copy):
  checkpoints = checkpoint.Checkpoints(copy)
  assert checkpoints.restore(abstract(), 10)[0] == 10
  with pytest.raises(checkpoint.GoneError, match=r'no step 15\. It has: 10, 20'):
    checkpoints.restore(abstract(), 15)
  with pytest.raises(checkpoint.GoneError):
    checkpoints.manifest(15)
  flip(copy / '20/manifest/manifest.json')
  with pytest.raises(errors.StorageError, match=r'Checkpoint 20 .* is broken'):
    checkpoints.restore(abstract(), 20)
  with pytest.raises(errors.StorageError, match=r'Checkpoint 20 .* is broken'):
    checkpoints.manifest(20)


def test_reader_changes_nothing(copy):
  flip(copy / '20/manifest/manifest.json')
  (copy / '30.orbax-checkpoint-tmp').mkdir()
  before = tree_hash(copy.parent)
  assert restore(copy, read_only=True)[0] == 10
  assert tree_hash(copy.parent) == before


def test_step_deleted_under_the_reader(copy, monkeypatch):
  read = checkpoint.Checkpoints._read

  def read_late(self, step, *args):
    if step == 20:
      shutil.rmtree(copy / '20')
      save(copy, 15)  # Found only by looking again.
    return read(self, step, *args)

  monkeypatch.setattr(checkpoint.Checkpoints, '_read', read_late)
  checkpoints = checkpoint.Checkpoints(copy, read_only=True)
  assert checkpoints.restore(abstract())[0] == 15
  save(copy, 20)
  with pytest.raises(checkpoint.GoneError, match='no step 20'):
    checkpoints.restore(abstract(), 20)


def test_reader_beside_a_writer_that_keeps_one(tmp_path):
  directory = tmp_path / 'checkpoints'
  save(directory, 1, keep=1)
  writer = threading.Thread(target=save, args=(directory, *range(2, 25)), kwargs={
      'keep': 1})
  writer.start()
  reader = checkpoint.Checkpoints(directory, read_only=True)
  seen = []
  while writer.is_alive() or not seen:
    step, state, _ = reader.restore(abstract(), replicated=False)
    assert_equal(state, make_state(step))
    seen.append(step)
  writer.join()
  assert seen == sorted(seen) and len(set(seen)) > 2
  assert reader.steps() == [24]


def test_retention(tmp_path):
  directory = tmp_path / 'checkpoints'
  save(directory, *range(10, 80, 10), keep=2, keep_every_steps=30)
  assert checkpoint.Checkpoints(directory).steps() == [30, 60, 70]
  assert sorted(p.name for p in directory.iterdir()) == ['30', '60', '70']
  (directory / '999').mkdir()  # Not ours: it must not push real ones out.
  save(directory, 80, keep=1)
  assert checkpoint.Checkpoints(directory).steps() == [80, 999]
  with pytest.raises(errors.ConfigError, match='at least 1'):
    checkpoint.Checkpoints(directory, keep=0)


def test_diverged_state_is_not_saved(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path / 'checkpoints')
  state = make_state(1)
  state.params['layers'][1][3] = np.nan
  with pytest.raises(errors.DivergedError, match='params/layers/1 is not finite'):
    checkpoints.save(1, state, INFO)
  checkpoints.close()
  assert list((tmp_path / 'checkpoints').iterdir()) == []


def test_start_cleans_what_a_killed_writer_left(copy):
  for name in ('30.orbax-checkpoint-tmp', '5.deleted'):
    (copy / name / 'state').mkdir(parents=True)
  (copy / 'notes.deleted').mkdir()
  checkpoint.Checkpoints(copy)
  assert sorted(p.name for p in copy.iterdir()) == ['10', '20', 'notes.deleted']


def test_saving_again_what_is_there_changes_nothing(copy):
  before = tree_hash(copy.parent)
  save(copy, 20)
  assert tree_hash(copy.parent) == before


def test_what_is_in_the_way_of_a_save_is_set_aside(copy):
  (copy / '30').mkdir()
  save(copy, 30)
  assert restore(copy)[0] == 30
  assert (copy.parent / 'bad_checkpoints/30-0').is_dir()


@pytest.fixture
def small_files():
  """No file can grow beyond 100 kB, as on a full disk."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
  yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_failed_save_is_one_line_and_the_next_one_works(copy, small_files):
  big = {'x': np.random.default_rng(0).standard_normal(100_000)}
  checkpoints = checkpoint.Checkpoints(copy)
  checkpoints.save(30, big, INFO)
  with pytest.raises(errors.StorageError) as error:
    checkpoints.wait()
  assert 'Checkpoint 30 could not be saved' in str(error.value)
  assert 'File too large' in str(error.value) and '\n' not in str(error.value)
  assert sorted(p.name for p in copy.iterdir()) == ['10', '20']
  checkpoints.wait()  # Said once.

  checkpoints.save(40, big, INFO)
  time.sleep(0.5)
  with pytest.raises(errors.StorageError, match='Checkpoint 40'):
    checkpoints.save(50, big, INFO)
  small_files()
  checkpoints.save(60, big, INFO)
  checkpoints.close()
  assert checkpoints.steps() == [10, 20, 60]


def test_too_little_space_is_said_before(copy, monkeypatch):
  usage = shutil.disk_usage(copy)
  monkeypatch.setattr(
      shutil, 'disk_usage', lambda path: usage._replace(free=3 * 2**20))
  checkpoints = checkpoint.Checkpoints(copy)
  with pytest.raises(errors.StorageError, match=r'full: .* 8 MiB and 3 MiB are'):
    checkpoints.save(30, {'x': np.zeros(2**20)}, INFO)
  assert sorted(p.name for p in copy.iterdir()) == ['10', '20']


def test_folder_lost_while_running(copy):
  checkpoints = checkpoint.Checkpoints(copy)
  os.rename(copy, copy.parent / 'elsewhere')
  copy.write_text('a file')
  with pytest.raises(errors.StorageError):
    checkpoints.save(30, make_state(30), INFO)
  with pytest.raises(errors.StorageError, match='Cannot use'):
    checkpoint.Checkpoints(copy)


def child(code, *args, **settings):
  env = os.environ | {'XLA_FLAGS': ''}  # One device, where the tests have four.
  return subprocess.Popen(
      [sys.executable, '-c', code, *map(str, args)], stdout=subprocess.PIPE,
      text=True, env=env, **settings)


EXIT = """
import resource, sys
import numpy as np
from jaxssl import checkpoint, errors
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
checkpoints = checkpoint.Checkpoints(sys.argv[1])
checkpoints.save(1, {'x': np.random.default_rng(0).standard_normal(100_000)}, {})
print('saving', flush=True)
try:
  checkpoints.close()
except errors.StorageError as e:
  print('refused:', e, flush=True)
  sys.exit(e.exit_code)
"""


def test_process_ends_after_a_failed_save(tmp_path):
  process = child(EXIT, tmp_path / 'checkpoints', stderr=subprocess.PIPE)
  assert process.stdout.readline() == 'saving\n'
  out, err = process.communicate(timeout=20)  # Without care it takes minutes.
  assert process.returncode == 74
  assert out.startswith('refused: Checkpoint 1 could not be saved')
  assert 'Traceback' not in err


KILLED = """
import sys
import jax, numpy as np
from jaxssl import checkpoint
assert jax.device_count() == 1
checkpoints = checkpoint.Checkpoints(sys.argv[1], keep=2)
def state(step):
  x = np.random.default_rng(step).standard_normal((4, 2**18)).astype(np.float32)
  return {'step': np.int32(step), 'layers': list(x)}
found = checkpoints.restore(jax.eval_shape(lambda: state(0)), replicated=False)
step = 0
if found:
  step, restored, _ = found
  for got, want in zip(jax.tree.leaves(restored), jax.tree.leaves(state(step))):
    assert got.tobytes() == want.tobytes()
print('from', step, flush=True)
while True:
  step += 1
  checkpoints.save(step, state(step), {})
  checkpoints.wait()
  print('saved', step, flush=True)
"""


def test_killed_during_saves(tmp_path, request):
  """Kills at what can be seen on disk: nothing saved is lost, nothing is wrong."""
  directory = tmp_path / 'checkpoints'
  moments = [
      '*.orbax-checkpoint-tmp', '*.orbax-checkpoint-tmp/state*/*/d/*',
      '*.orbax-checkpoint-tmp/manifest*/manifest.json', '*.deleted']
  saved, killed_early = 0, 0
  for moment in moments:
    process = child(KILLED, directory)
    request.addfinalizer(process.kill)
    assert process.stdout.readline() == f'from {saved}\n'
    for _ in range(3):
      saved = int(process.stdout.readline().split()[1])
    deadline = time.monotonic() + 60
    while not glob.glob(str(directory / moment)):
      assert process.poll() is None and time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    for line in process.stdout.read().splitlines(keepends=True):
      if line.endswith('\n'):
        saved = int(line.split()[1])
    assert process.wait() == -signal.SIGKILL
    killed_early += bool(list(directory.glob('*.orbax-checkpoint-tmp')))

    reader = checkpoint.Checkpoints(directory, read_only=True)
    wanted = {'step': jnp.int32(0), 'layers': [jnp.zeros(2**18)] * 4}
    steps = reader.steps()
    assert max(steps) >= saved
    for step in steps:
      _, state, _ = reader.restore(abstract(wanted), step)
      x = np.random.default_rng(step).standard_normal((4, 2**18)).astype(np.float32)
      assert_equal(state, {'step': np.int32(step), 'layers': list(x)})
      assert len(state['step'].devices()) == 4
    saved = max(steps)
  assert killed_early  # Else nothing was tested.


def test_manifest_is_json_that_says_what_it_is(copy):
  text = (copy / '20/manifest/manifest.json').read_text()
  found = json.loads(text)
  assert found['step'] == 20 and found['info'] == INFO
  assert found['leaves']['extra/queue']['shape'] == [0, 4]
