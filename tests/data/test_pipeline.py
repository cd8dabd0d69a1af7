"""The stream of batches: which examples, in which order, with which pixels."""

import collections
import itertools
import logging
import subprocess
import sys
import time

import fake_source
import jax
import numpy as np
import pytest

from jaxssl import errors
from jaxssl import hosts
from jaxssl import parallel
from jaxssl.data import canvas
from jaxssl.data import inputs
from jaxssl.data import ledger
from jaxssl.data import pipeline

N, BATCH, EPOCH = 50, 8, 6   # 6 batches of 8 in an epoch of 50, and 2 left over.
BAD = (3, 4, 49)             # Replaced by 5, 5 and 0.
SHORT_SIDE, CANVAS = 12, 16  # Most images shrink, and some lose their ends.


def make(num_examples=N, path=None, interpolation='bicubic', **settings):
  source, reads = fake_source.make(num_examples, **settings)
  book = ledger.Ledger(source, path)
  return pipeline.Dataset(
      source, SHORT_SIDE, CANVAS, book, interpolation=interpolation), reads


def train(dataset, tmp_path, first=0, last=EPOCH, way='pmap', seed=7, **settings):
  """The batches of some steps, back on the host."""
  with pipeline.train_batches(
      dataset, seed=seed, batch_size=BATCH, first_step=first, last_step=last,
      way=way, cache_dir=str(tmp_path), **settings) as batches:
    return [parallel.join(batch, way) for batch in batches]


def truth(step, seed=7, labels=True, **settings):
  """A batch, worked out one example at a time."""
  ids = []
  for i in np.random.Generator(np.random.Philox(
      key=seed, counter=[0, 0, 0, step // EPOCH])).permutation(N)[
          step % EPOCH * BATCH:][:BATCH]:
    while i in BAD:
      i = (i + 1) % N
    ids.append(i)
  placed = [
      canvas.place(
          fake_source.image(i), short_side=SHORT_SIDE, canvas=CANVAS, **settings)
      for i in ids]
  batch = {
      'image': np.stack([image for image, _ in placed]),
      'size': np.array([size for _, size in placed], np.int32),
      'index': np.array(ids, np.int32)}
  if labels:
    batch['label'] = np.array([i % 7 for i in ids], np.int32)
  return batch


def assert_equal(got, want):
  assert len(got) == len(want)
  for a, b in zip(got, want):
    assert set(a) == set(b)
    for name in b:
      assert a[name].dtype == b[name].dtype
      np.testing.assert_array_equal(a[name], b[name])


# The order.


def test_golden_order():
  assert pipeline.order(7, 0, 1000)[:8].tolist() == [
      940, 238, 591, 590, 722, 26, 179, 295]
  assert pipeline.order(7, 1, 1000)[:8].tolist() == [
      633, 34, 832, 766, 637, 272, 855, 22]
  assert pipeline.order_digest(0, 10) == (
      '2746f8f92f19ea67e6fd93f3238bd99cd6889a7a87d2a33b485908f5c8833c53')


def test_every_epoch_is_an_order_of_its_own():
  orders = [
      pipeline.order(seed, epoch, 100) for seed in range(3) for epoch in range(3)]
  for ids in orders:
    assert ids.dtype == np.int32
    assert sorted(ids) == list(range(100))
  assert len({tuple(ids) for ids in orders}) == len(orders)


@pytest.mark.parametrize('num_examples, batch_size', [
    (50, 8), (48, 8), (8, 8), (9, 4)])
def test_an_epoch_has_no_example_twice(num_examples, batch_size):
  steps = pipeline.steps_per_epoch(num_examples, batch_size)
  for epoch in range(4):
    ids = np.concatenate([
        pipeline.batch_ids(5, epoch * steps + i, num_examples, batch_size)
        for i in range(steps)])
    assert len(ids) == len(set(ids)) == num_examples // batch_size * batch_size
    np.testing.assert_array_equal(
        ids, pipeline.order(5, epoch, num_examples)[:len(ids)])


def test_what_is_left_out_differs_between_epochs():
  left_out = {
      frozenset(pipeline.order(5, epoch, N)[EPOCH * BATCH:]) for epoch in range(20)}
  assert len(left_out) > 15


def test_fewer_images_than_a_batch(tmp_path):
  dataset, _ = make(5)
  with pytest.raises(ValueError, match=r'5 images and data\.batch_size is 8'):
    train(dataset, tmp_path, input='resident')


def test_a_batch_that_does_not_divide(tmp_path):
  dataset, _ = make()
  with pytest.raises(ValueError, match='6, which does not divide over 4 devices'):
    pipeline.train_batches(
        dataset, seed=0, batch_size=6, first_step=0, last_step=1, input='resident')


def test_a_batch_that_does_not_divide_over_processes(monkeypatch):
  monkeypatch.setattr(hosts, 'count', lambda: 3)
  with pytest.raises(ValueError, match='8 does not divide over 3 processes'):
    pipeline.host_share(np.arange(8))


@pytest.mark.parametrize('num_hosts', [1, 2, 4])
def test_hosts_share_one_global_batch(num_hosts, monkeypatch):
  monkeypatch.setattr(hosts, 'count', lambda: num_hosts)
  for step in range(3 * EPOCH):
    ids = pipeline.batch_ids(7, step, N, BATCH)
    shares = []
    for i in range(num_hosts):
      monkeypatch.setattr(hosts, 'index', lambda i=i: i)
      shares.append(pipeline.host_share(ids))
    assert {len(share) for share in shares} == {BATCH // num_hosts}
    np.testing.assert_array_equal(np.concatenate(shares), ids)


@pytest.mark.parametrize('n, window', [(1000, 128), (1000, 64), (70, 128), (640, 640)])
def test_a_window_keeps_reads_near_each_other(n, window):
  """So many examples at a time come from as few blocks as hold them."""
  orders = [pipeline.order(3, epoch, n, window) for epoch in (0, 1)]
  for order in orders:
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    for start in range(0, n, window):
      part = order[start:start + window]
      num_blocks = len(np.unique(part // pipeline.BLOCK))
      assert num_blocks <= 2 * (window // pipeline.BLOCK + 1)
  assert (orders[0] != orders[1]).mean() > 0.9
  # Blocks move, and neighbours do not stay together.
  assert abs(np.diff(orders[0])).mean() > window / 8


def test_the_order_of_a_window_is_in_the_digest_and_never_changes():
  assert pipeline.order(7, 0, 1000, 128)[:4].tolist() == [
      798, 629, 803, 758]
  digests = {pipeline.order_digest(0, 1000, window) for window in (0, 64, 128)}
  assert len(digests) == 3


def test_evaluation_batches_are_shared_out(monkeypatch):
  dataset, _ = make()
  monkeypatch.setattr(hosts, 'count', lambda: 3)
  batches, seen = pipeline.in_order(dataset, BATCH), []
  for i in range(3):
    monkeypatch.setattr(hosts, 'index', lambda i=i: i)
    seen += [batch['index'] for batch in batches.shared()]
  np.testing.assert_array_equal(np.concatenate(seen), np.arange(N))


# The ways in.


@pytest.mark.parametrize('way', parallel.WAYS)
@pytest.mark.parametrize('input', inputs.INPUTS)
def test_batches_are_right(tmp_path, input, way):
  dataset, _ = make(bad=BAD)
  got = train(dataset, tmp_path, 0, 2 * EPOCH + 2, way, input=input)
  assert_equal(got, [truth(step) for step in range(2 * EPOCH + 2)])
  seen = np.concatenate([batch['index'] for batch in got])
  assert not set(BAD) & set(seen)
  assert set(dataset.ledger.bad) <= set(BAD)
  if input != 'streamed':
    assert set(dataset.ledger.bad) == set(BAD)


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_slow_images_keep_their_place(tmp_path, input):
  dataset, _ = make(bad=BAD, slow=range(0, N, 4))
  got = train(dataset, tmp_path, 0, 3, input=input)
  assert_equal(got, [truth(step) for step in range(3)])


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_canvases_are_laid_as_configured(tmp_path, input):
  dataset, _ = make(bad=BAD, interpolation='bilinear')
  [got] = train(dataset, tmp_path, 0, 1, input=input)
  assert_equal([got], [truth(0, interpolation='bilinear')])
  assert (got['image'] != truth(0)['image']).any()


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_without_labels(tmp_path, input):
  dataset, _ = make(bad=BAD, labels=False)
  got = train(dataset, tmp_path, 0, 2, input=input)
  assert_equal(got, [truth(step, labels=False) for step in range(2)])


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_resume_at_any_step(tmp_path, input):
  last = 2 * EPOCH + 1
  whole = [truth(step) for step in range(last)]
  firsts = range(last + 1) if input == 'cached' else (1, EPOCH - 1, EPOCH, last)
  for first in firsts:
    dataset, _ = make(bad=BAD)
    assert_equal(train(dataset, tmp_path, first, last, input=input), whole[first:])


def test_batches_lie_as_split_lays_them(tmp_path):
  for way, input in itertools.product(parallel.WAYS, inputs.INPUTS):
    with pipeline.train_batches(
        make()[0], seed=7, batch_size=BATCH, first_step=0, last_step=1, input=input,
        way=way, cache_dir=str(tmp_path)) as batches:
      batch = next(batches)
    want = parallel.split(truth(0), way)
    for name in want:
      assert batch[name].shape == want[name].shape
      assert batch[name].sharding.device_set == set(jax.devices())


@pytest.mark.parametrize('way', parallel.WAYS)
def test_resident_compiles_once(caplog, way):
  """No step after the first compiles, nor does the start of an epoch."""
  dataset, _ = make(labels=False)
  with pipeline.train_batches(
      dataset, seed=7, batch_size=BATCH, first_step=EPOCH - 2, last_step=3 * EPOCH,
      input='resident', way=way) as batches, jax.log_compiles(), caplog.at_level(
          logging.WARNING):
    next(batches)
    assert compilations(caplog)  # The first step does, and this would see it.
    caplog.clear()
    assert len(list(batches)) == 2 * EPOCH + 1
    assert not compilations(caplog)


def compilations(caplog):
  return [m for m in caplog.messages if 'compil' in m.lower()]


@pytest.mark.parametrize('input', ['resident', 'cached'])
def test_each_image_is_decoded_once(tmp_path, input):
  """For three epochs of training, and for evaluation on the same images."""
  dataset, reads = make(bad=BAD)
  with pipeline.train_batches(
      dataset, seed=7, batch_size=BATCH, first_step=0, last_step=3 * EPOCH,
      input=input, cache_dir=str(tmp_path)) as batches:
    assert len(list(batches)) == 3 * EPOCH
  for batch in pipeline.in_order(batches.dataset, 16, strict=False):
    assert len(batch['index'])
  assert reads == collections.Counter(range(N))


def test_auto_says_what_it_chose(tmp_path):
  with pipeline.train_batches(
      make()[0], seed=0, batch_size=8, first_step=0, last_step=1, input='auto',
      cache_dir=str(tmp_path)) as batches:
    assert batches.input == 'resident'
    assert batches.reason.startswith('Input is resident: 50 images at 16 px are')


def test_progress_is_told():
  told = []
  inputs.prepare(
      make()[0], input='resident', progress=lambda *done: told.append(done))
  assert told == [(16, 50), (32, 50), (48, 50), (50, 50)]


def test_waiting_is_measured():
  batches = pipeline.Batches(slowly(), None, '', '')
  next(batches)
  first = batches.waited
  assert 0.05 <= first < 1
  next(batches)
  assert batches.waited >= first + 0.05


def slowly():
  while True:
    time.sleep(0.05)
    yield {}


# What goes wrong.


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_too_many_bad_images(tmp_path, input):
  dataset, _ = make(bad=range(0, 22, 2), path=tmp_path / 'bad_images.jsonl')
  with pytest.raises(errors.DataError, match='11 of 50 images are bad'):
    train(dataset, tmp_path, 0, 3 * EPOCH, input=input)
  assert len((tmp_path / 'bad_images.jsonl').read_text().splitlines()) == 11


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_an_error_in_a_thread_is_raised_as_itself(tmp_path, input):
  step_2 = pipeline.batch_ids(7, 2, N, BATCH)
  error = errors.StorageError('The disk is on fire.')
  dataset, _ = make(error={int(step_2[3]): error})
  with pytest.raises(errors.StorageError) as e:
    train(dataset, tmp_path, 0, 3, input=input)
  assert e.value is error


@pytest.mark.parametrize('settings, message', [
    (dict(short_side=17), 'short_side is 17 and canvas 16'),
    (dict(short_side=11.5), 'whole'),
    (dict(interpolation='nearest'), "'nearest' of a canvas.*: bicubic, bilinear"),
    (dict(input='residant'), "No data.input 'residant'"),
    (dict(batch_size=0), 'batch_size is 0'),
    (dict(cache_dir=None), 'cache_dir is None')])
def test_settings_are_checked(settings, message):
  good = dict(batch_size=8, input='auto', short_side=12, canvas=16, cache_dir='')
  pipeline.check(**good)
  with pytest.raises(ValueError, match=message):
    pipeline.check(**{**good, **settings})


# Evaluation.


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_in_order_gives_every_example_once(tmp_path, input):
  dataset = inputs.prepare(make()[0], input=input, cache_dir=str(tmp_path))
  batches = pipeline.in_order(dataset, 16)
  for _ in range(2):
    got = list(batches)
    assert [len(batch['index']) for batch in got] == [16, 16, 16, 2]
    joined = {
        name: np.concatenate([batch[name] for batch in got]) for name in got[0]}
    np.testing.assert_array_equal(joined['index'], np.arange(N))
    assert_equal([joined], [make()[0].read(range(N))])


def test_in_order_may_end_with_a_full_batch():
  assert [len(b['index']) for b in pipeline.in_order(make(48)[0], 16)] == [16] * 3


@pytest.mark.parametrize('input', inputs.INPUTS)
def test_a_bad_image_in_evaluation(tmp_path, input):
  dataset = inputs.prepare(make(bad=BAD)[0], input=input, cache_dir=str(tmp_path))
  with pytest.raises(errors.DataError, match=r"no image: 1.*'folder/3\.png'"):
    list(pipeline.in_order(dataset, 16))
  got = list(pipeline.in_order(dataset, 16, strict=False))
  ids = np.concatenate([batch['index'] for batch in got])
  assert ids.tolist() == [i for i in range(N) if i not in BAD]
  assert [len(batch['index']) for batch in got] == [16, 16, 15]


# The whole program.


def run(program):
  return subprocess.run(
      [sys.executable, '-c', program, *map(str, sys.path)], timeout=180,
      capture_output=True, text=True)


def test_all_but_streamed_works_without_tensorflow(tmp_path):
  done = run(f'''
import sys
sys.path += sys.argv[1:]
sys.modules['tensorflow'] = None
import test_pipeline
from jaxssl.data import pipeline
for input in ('resident', 'cached', 'auto'):
  dataset, _ = test_pipeline.make()
  print(len(test_pipeline.train(dataset, {str(tmp_path)!r}, input=input)))
print(len(list(pipeline.in_order(dataset, 25))))
try:
  test_pipeline.train(dataset, {str(tmp_path)!r}, input='streamed')
except ValueError as e:
  print(e)
''')
  assert done.stdout.splitlines() == ['6', '6', '6', '2', (
      "data.input='streamed' needs tensorflow, which is not installed here; "
      "'resident' and 'cached' work without it.")]


def test_the_program_ends_while_images_stream():
  """Even where nobody closes the batches, and a traceback keeps hold of them."""
  done = run('''
import sys
sys.path += sys.argv[1:]
import test_pipeline
from jaxssl.data import pipeline
batches = pipeline.train_batches(
    test_pipeline.make()[0], seed=0, batch_size=8, first_step=0, last_step=10 ** 9,
    input='streamed')
print(len(next(batches)))
raise KeyError('mine')
''')
  assert (done.returncode, done.stdout) == (1, '4\n'), done.stderr
  assert 'mine' in done.stderr
