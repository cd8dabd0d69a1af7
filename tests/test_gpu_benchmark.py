"""The GPU benchmark's table, its limits of time, and the small file of CIFAR-10."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from configs import simclr_cifar10

# A script finds the modules beside it; its tests have to look for them.
sys.path.append(os.path.join(os.path.dirname(__file__), 'benchmarks'))

import gpu
import gpu_data
import gpu_table


@pytest.fixture(autouse=True)
def handlers():
  """What a signal does is the script's only while a test runs."""
  numbers = signal.SIGTERM, signal.SIGINT
  before = [signal.getsignal(n) for n in numbers]
  yield
  for n, handler in zip(numbers, before):
    signal.signal(n, handler)


def part(state='done', seconds=60., **values):
  return {'state': state, 'seconds': seconds, 'values': values}


PARTS = {
    'device': part(bf16_flops=800e12, fp32_flops=50e12, name='a card', count=1),
    'simclr': part(
        what='ResNet-50, 224 px, bfloat16', batch=512, views_per_second=4800.,
        flops_per_second=120e12, step_over_bare=1.2, views_share=0.04),
    'torch_simclr': part(
        batch=256, how='compiled (inductor)', views_per_second=4000.),
    'torch_pcl': part('failed (1): no memory'),
    'kmeans': part(what='9 x 9', seconds=8., flops_per_second=25e12),
    'simclr_cifar10': part('out of time', 120., knn=0.7, epoch=40.)}


def row_of(text, start):
  [line] = [line for line in text if line.startswith(f'| {start}')]
  return line.strip('| ').split(' | ')


def test_a_full_row_has_the_ratio_the_target_and_the_share():
  text = gpu_table.lines(PARTS, small=False, footer=['a machine'])
  assert row_of(text, 'simclr, a step with') == [
      'simclr, a step with its views: ResNet-50, 224 px, bfloat16, batch 512',
      '4,800 views/s', '4,000 views/s, batch 256, compiled (inductor), views ready',
      '1.20x', '>= 1.0x: met; toward 5,000 views/s on an H200', '800 TFLOP/s',
      '15.0%']
  assert row_of(text, 'simclr, a step beside')[4] == '<= 1.1x: not met'
  assert row_of(text, 'simclr, its views')[4] == '<= 5% of a step: met'
  assert row_of(text, 'k-means')[-2:] == ['50 TFLOP/s', '50.0%']
  assert text[-1] == '- a machine'
  assert len({line.count(' | ') for line in text if line.startswith('|')}) == 1


def test_what_is_missing_says_why():
  text = gpu_table.lines(PARTS, small=True, footer=[])
  assert row_of(text, 'pcl, a step')[1:3] == ['not asked for', 'failed (1): no memory']
  assert row_of(text, 'moco_cifar10')[1] == 'not asked for'
  assert 'mean nothing' in '\n'.join(text) and ' met' not in '\n'.join(text)
  assert gpu_table.lines({}, small=False, footer=[])


def test_a_training_that_goes_on_has_not_missed_its_target():
  text = gpu_table.lines(PARTS, small=False, footer=[])
  cells = row_of(text, 'simclr_cifar10')
  assert cells[1] == 'kNN 0.7000, 40 epochs in 2 minutes, out of time'
  assert cells[4] == '>= 0.848'
  done = {'simclr_cifar10': part(knn=0.847, epoch=200.)}
  text = gpu_table.lines(done, small=False, footer=[])
  assert row_of(text, 'simclr_cifar10')[4] == '>= 0.848: not met'


@pytest.mark.parametrize('code, state', [
    ('raise SystemExit(0)', 'done'), ('raise SystemExit(42)', 'out of time'),
    ('print("so it is"); raise SystemExit(3)', 'failed (3): so it is')])
def test_a_part_ends_as_its_exit_code_says(code, state, tmp_path):
  command = [sys.executable, '-c', code]
  assert gpu.run_part(command, tmp_path / 'log', None, 30, 1) == state


def test_a_part_that_takes_too_long_is_asked_to_stop_and_then_killed(tmp_path):
  stubborn = (
      'import signal, time; signal.signal(signal.SIGTERM, lambda *_: print("no", '
      'flush=True)); print("up", flush=True); time.sleep(60)\nwhile True: pass')
  start = time.monotonic()
  state = gpu.run_part(
      [sys.executable, '-c', stubborn], tmp_path / 'log', None, 2.5, 0.5)
  assert state == 'out of time' and time.monotonic() - start < 10
  assert 'no' in (tmp_path / 'log').read_text()


def fake(monkeypatch, source):
  """Makes every part a process that runs `source` with its name and values file."""
  def command_of(name, out, root, small):
    return [sys.executable, '-c', source, name, str(gpu.values_path(out, name))]
  monkeypatch.setattr(gpu, 'command_of', command_of)


WRITES = """
import json, sys
with open(sys.argv[2], 'a') as f:
  print(json.dumps({'views_per_second': 7}), file=f)
  f.write('{"cut o')
sys.exit(sys.argv[1] == 'pcl')
"""


def test_parts_that_are_done_are_not_done_again(tmp_path, monkeypatch, capsys):
  fake(monkeypatch, WRITES)
  arguments = [f'--out={tmp_path}', '--only=simclr,pcl', '--minutes=9']
  assert gpu.main(arguments) == 1
  assert '7 views/s' in capsys.readouterr().out
  found = json.loads((tmp_path / 'gpu.json').read_text())['parts']
  assert found['simclr']['state'] == 'done'
  assert found['pcl']['state'].startswith('failed (1)')
  assert found['pcl']['values'] == {'views_per_second': 7}

  fake(monkeypatch, 'print("again")')
  assert gpu.main(arguments) == 0
  again = json.loads((tmp_path / 'gpu.json').read_text())['parts']
  assert again['simclr'] == found['simclr']
  assert again['pcl']['state'] == 'done' and again['pcl']['values'] == {}
  with pytest.raises(ValueError, match='full size'):
    gpu.main([*arguments, '--small'])


def test_without_time_or_data_nothing_is_begun(tmp_path, monkeypatch):
  fake(monkeypatch, 'raise SystemExit(9)')
  assert gpu.main([
      f'--out={tmp_path}', '--only=kmeans,pcl_cifar10', '--minutes=0.2']) == 0
  text = (tmp_path / 'gpu.md').read_text().splitlines()
  assert row_of(text, 'k-means')[1] == 'no time left'
  assert row_of(text, 'pcl_cifar10')[1] == gpu.NO_DATA


def test_a_signal_ends_it_with_a_table(tmp_path):
  source = (
      'import gpu, sys; gpu.command_of = lambda *_: [sys.executable, "-c", '
      '"import time; time.sleep(60)"]; sys.exit(gpu.main())')
  process = subprocess.Popen(
      [sys.executable, '-c', source, f'--out={tmp_path}', '--only=simclr,pcl'],
      stdout=subprocess.PIPE, text=True, cwd=gpu.HERE)
  assert process.stdout.readline().startswith('simclr: at most')
  process.send_signal(signal.SIGTERM)
  text, _ = process.communicate(timeout=30)
  assert process.returncode == 143
  assert row_of(text.splitlines(), 'simclr, a step with')[1] == 'stopped'
  assert row_of(text.splitlines(), 'pcl, a step')[1] == 'no time left'


def test_a_packed_file_gives_the_images_back(tmp_path):
  whole = gpu_data.made_up(tmp_path / 'whole', 150)
  for split in gpu_data.SPLITS:  # Smooth, as photographs are and noise is not.
    made = dict(np.load(whole / f'{split}.npz'))
    ramp = np.linspace(0, 255, 32)
    made['images'][:] = (ramp[:, None] / 2 + ramp[None] / 2)[None, ..., None]
    made['images'][:, :, :, 1] = np.arange(150)[:, None, None]
    np.savez(whole / f'{split}.npz', **made)
  megabytes, ratio = gpu_data.pack(whole, tmp_path / 'packed.npz', quality=95)
  back = gpu_data.unpack(tmp_path / 'packed.npz', tmp_path / 'back')
  worst = 0
  for split in gpu_data.SPLITS:
    was, now = (np.load(p / f'{split}.npz') for p in (whole, back))
    np.testing.assert_array_equal(was['labels'], now['labels'])
    assert now['images'].shape == was['images'].shape
    worst = max(worst, np.abs(was['images'] - np.float32(now['images'])).max())
  assert worst < 12 and ratio > 38
  assert megabytes < 0.2 * 2 * 150 * 3072 / 1e6


def test_wheels_are_unpacked_and_folders_taken_as_they_are(tmp_path):
  folder = tmp_path / 'wheels'
  folder.mkdir()
  assert gpu.packages_of('', tmp_path) == []
  assert gpu.packages_of(folder, tmp_path) == [str(folder)]
  with zipfile.ZipFile(folder / 'a-1-py3-none-any.whl', 'w') as f:
    f.writestr('a.py', 'ONE = 1')
  [path] = gpu.packages_of(folder, tmp_path)
  assert (pathlib.Path(path) / 'a.py').read_text() == 'ONE = 1'


def test_an_unknown_part_is_named(capsys):
  with pytest.raises(SystemExit):
    gpu.parse(['--out=x', '--only=simclr,nonsense'])
  assert "No part 'nonsense'" in capsys.readouterr().err


def test_the_recipe_is_that_of_the_published_figure():
  c = simclr_cifar10.get_config('lightly')
  rate = c.optim.base_lr * c.data.batch_size / 256
  assert rate == pytest.approx(0.06 * 512 / 128)
  assert (c.total_epochs, c.optim.weight_decay) == (200, 5e-4)
  assert c.method.temperature == 0.5
  assert set(c.evals) == {'knn', 'health'}
  assert c.evals.knn.k == 200 and c.evals.knn.temperature == 0.1
  assert simclr_cifar10.get_config().optim.name == 'lars'


@pytest.mark.slow
def test_every_part_runs_small(tmp_path):
  has_torch = all(importlib.util.find_spec(n) for n in ('torch', 'torchvision'))
  parts = [p for p in gpu.PARTS if has_torch or not p.startswith('torch_')]
  code = gpu.main([
      f'--out={tmp_path}', '--small', '--minutes=20', f'--only={",".join(parts)}'])
  assert code == 0
  found = json.loads((tmp_path / 'gpu.json').read_text())['parts']
  assert {kept['state'] for kept in found.values()} == {'done'}
  assert found['simclr_cifar10']['values']['knn'] > 0.5
