"""Several processes do what one does: the same losses, results and checkpoints."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny_hosts
import tiny_pcl
import tiny_run

from jaxssl import errors
from jaxssl import hosts
from jaxssl import metrics
from jaxssl import parallel

HERE = pathlib.Path(__file__).parent
SLURM = {
    'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'a[1-2]', 'SLURM_NTASKS': '2',
    'SLURM_PROCID': '1', 'SLURM_LOCALID': '0'}


# What a cluster says.


@pytest.fixture(autouse=True)
def no_tpu(monkeypatch):
  monkeypatch.setattr(hosts, 'has_tpu', lambda: False)


@pytest.mark.parametrize('environ, found', [
    ({}, None),
    (SLURM, {}),
    ({**SLURM, 'SLURM_NTASKS': '1'}, None),
    ({k: v for k, v in SLURM.items() if k != 'SLURM_PROCID'}, None),
    ({'OMPI_COMM_WORLD_SIZE': '4', 'OMPI_MCA_orte_hnp_uri': '1.0;tcp://h:1'}, {}),
    ({'OMPI_COMM_WORLD_SIZE': '1'}, None),
    ({'TPU_WORKER_HOSTNAMES': 'a,b', 'TPU_WORKER_ID': '0'}, {}),
    ({'TPU_WORKER_HOSTNAMES': 'localhost'}, None),
    ({'MEGASCALE_NUM_SLICES': '2'}, {})])
def test_a_cluster_is_recognized(environ, found):
  assert hosts.detected(environ) == found


@pytest.mark.parametrize('local_size, address', [('2', 'localhost:8476'), ('1', None)])
def test_open_mpi_5_on_one_machine_needs_no_flags(local_size, address):
  found = hosts.detected({
      'OMPI_COMM_WORLD_SIZE': '2', 'OMPI_COMM_WORLD_RANK': '1',
      'OMPI_COMM_WORLD_LOCAL_RANK': '1', 'OMPI_COMM_WORLD_LOCAL_SIZE': local_size})
  assert found.pop('coordinator_address', None) == address
  assert found == {'num_processes': 2, 'process_id': 1, 'local_device_ids': [1]}


@pytest.mark.parametrize('workers, found', [
    ('10.0.0.1,10.0.0.2', {}), ('a:b:10.0.0.1', None), (None, None)])
def test_a_tpu_machine_asks_how_many_there_are(workers, found, monkeypatch):
  monkeypatch.setattr(hosts, 'has_tpu', lambda: True)
  monkeypatch.setattr(hosts, 'metadata', lambda name: workers)
  assert hosts.detected({}) == found
  assert hosts.detected({'TPU_SKIP_MDS_QUERY': '1'}) is None


@pytest.mark.parametrize('given', [
    dict(process_id=2, num_processes=2), dict(process_id=-1),
    dict(num_processes=0)])
def test_numbers_that_do_not_fit_are_a_mistake(given):
  with pytest.raises(errors.ConfigError, match='process_id is'):
    hosts.start({'coordinator_address': 'localhost:1', **given})


def test_one_flag_alone_is_a_mistake():
  with pytest.raises(errors.ConfigError, match='give --coordinator=HOST:PORT too'):
    hosts.start({'num_processes': 2, 'process_id': 0})


# What one process sees.


@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_shares_are_all_of_the_rows_in_order(count, monkeypatch):
  monkeypatch.setattr(hosts, 'count', lambda: count)
  found = []
  for i in range(count):
    monkeypatch.setattr(hosts, 'index', lambda i=i: i)
    found.append(np.arange(20)[hosts.share(20)])
  assert {len(x) for x in found} <= {20 // count, 20 // count + 1}
  np.testing.assert_array_equal(np.concatenate(found), np.arange(20))


# Real processes.


def test_two_processes_agree_on_values_rows_and_errors(tmp_path):
  found = in_processes('talk', tmp_path)
  for i, each in enumerate(found):
    assert each['first'] == {'from': 0} and each['largest'] == 5.5
    assert each['error'] == ['StorageError', 'no room in 0']
    assert each['bits'] == [2**63 + 1, 7, 2**63 + 1, 7, 8]
    np.testing.assert_array_equal(each['rows'], [[0, 0], [1, 1], [1, 1]])
    assert each['none'] == 0 and each['mine'] == i


def in_processes(what, folder):
  """The JSON that two processes print which do a part of `main` below."""
  port = tiny_hosts.free_port()
  processes = [
      subprocess.Popen(
          [sys.executable, __file__, what, str(port), str(i)], cwd=HERE.parent,
          env={**os.environ, 'PYTHONPATH': str(HERE.parent)}, text=True,
          stdout=(folder / f'{i}.txt').open('w'), stderr=subprocess.STDOUT)
      for i in range(2)]
  codes = [p.wait(timeout=120) for p in processes]
  texts = [(folder / f'{i}.txt').read_text() for i in range(2)]
  assert codes == [0, 0], texts
  return [json.loads(text.strip().splitlines()[-1]) for text in texts]


def talk(i):
  """What a process of `test_two_processes_agree_on_values_rows_and_errors` says."""
  def fail():
    raise errors.StorageError(f'no room in {i}')

  try:
    hosts.on_first(fail)
  except errors.JobError as e:
    error = [type(e).__name__, str(e)]
  bits = np.array([2**63 + 1, 7] + [8] * i, np.uint64)  # More from the second.
  rows = np.full((i + 1, 2), i, np.int16)
  hosts.GATHERED_BYTES = 8  # In several parts.
  return {
      'first': hosts.on_first(lambda: {'from': i}),
      'largest': float(hosts.largest(5.5 if i else -1.0)), 'error': error,
      'bits': hosts.gather(bits).tolist(), 'rows': hosts.gather(rows).tolist(),
      'none': len(hosts.gather(np.zeros((0, 3)))), 'mine': hosts.index()}


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
  """The run of one process with four devices."""
  workdir = tmp_path_factory.mktemp('alone') / 'run'
  code, text = tiny_run.finish(workdir, devices=4, config=tiny_hosts.__file__)
  assert code == 0, text
  return workdir


@pytest.mark.slow  # Two minutes: .ci/run asks for it by name.
def test_two_processes_are_preempted_together_and_give_the_same_results(
    alone, tmp_path):
  workdir = tmp_path / 'run'
  processes = tiny_hosts.start_and_reach(9, workdir, 2)
  processes[1].send_signal(signal.SIGTERM)  # Both hear of it.
  codes, texts = tiny_hosts.join(processes)
  assert codes == [42, 42], texts
  codes, texts = tiny_hosts.finish(workdir, 2)
  assert codes == [0, 0], texts
  assert 'Going on from the checkpoint of step' in texts[0]
  assert 'Verdict' in texts[0] and 'Verdict' not in texts[1]
  same_as(alone, workdir)
  assert json.loads((workdir / 'run.json').read_text())['devices']['processes'] == 2
  for name in ('report.html', 'figures/views.png', 'eval/knn/24.json'):
    assert (workdir / name).exists()


@pytest.mark.slow
def test_two_processes_evaluate_as_one_does(alone, tmp_path):
  """Fine-tuning, which trains together, and k-means over all devices."""
  found = []
  for n in (1, 2):
    folder = tmp_path / str(n)
    codes, texts = tiny_hosts.finish(
        folder, n, f'--config.checkpoint={alone}',
        config=f'{tiny_hosts.__file__}:evaluate')
    assert not any(codes), texts
    found.append({
        key: json.loads((folder / 'eval' / key / '24.json').read_text())['metrics']
        for key in ('finetune', 'clustering')})
  one, two = found
  assert two['finetune']['train_loss'] == pytest.approx(
      one['finetune']['train_loss'], rel=1e-4)
  assert two['clustering']['ami'] == pytest.approx(
      one['clustering']['ami'], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('num_lost', [0, 1])
def test_who_loses_another_ends_and_any_number_goes_on(num_lost, alone, tmp_path):
  workdir = tmp_path / 'run'
  processes = tiny_hosts.start_and_reach(10, workdir, 2)
  processes[num_lost].kill()
  codes, texts = tiny_hosts.join(processes)
  assert codes[num_lost] == -9 and codes[1 - num_lost] in (134, -6), texts
  codes, texts = tiny_hosts.finish(workdir, 4 if num_lost else 1)
  assert not any(codes), texts
  assert 'Going on from the checkpoint of step 8' in texts[0]
  same_as(alone, workdir)


@pytest.mark.slow
@pytest.mark.parametrize('way', parallel.WAYS)
@pytest.mark.parametrize('method', ['simclr', 'pcl'])
def test_losses_are_those_of_one_process(method, way, tmp_path):
  """1 x 4, 2 x 2 and 4 x 1 devices; of PCL with its E-steps."""
  how = {} if method == 'simclr' else dict(
      config=tiny_pcl.__file__, program=(tiny_pcl.__file__, '99', 'never'))
  found = []
  for n in (1, 2, 4):
    workdir = tmp_path / str(n)
    codes, texts = tiny_hosts.finish(workdir, n, f'--config.parallel={way}', **how)
    assert not any(codes), texts
    found.append(tiny_run.losses(workdir))
  assert found[0].keys() == set(range(1, 25))
  for other in found[1:]:
    assert other == pytest.approx(found[0], rel=1e-5)


def same_as(alone, workdir, tolerance=2e-6):
  """Losses and results of two runs agree, up to the order of float sums."""
  rows = [metrics.read(w) for w in (alone, workdir)]
  assert [[r['step'] for r in run] for run in rows] == [list(range(1, 25))] * 2
  for one, other in zip(*rows):
    values = {
        k: v for k, v in one.items()
        if k.startswith(('train/', 'eval/')) and k != 'train/grad_norm'}
    for key, value in values.items():
      assert other[key] == pytest.approx(value, rel=20 * tolerance, abs=1e-5), key
    assert other['train/loss'] == pytest.approx(one['train/loss'], rel=tolerance)
  for name in ('names', 'labels'):
    one, other = (np.load(w / 'figures' / 'atlas.npz')[name] for w in (alone, workdir))
    np.testing.assert_array_equal(other, one)


def main():
  import jax
  what, port, i = sys.argv[1:]
  jax.config.update('jax_platforms', 'cpu')
  hosts.start(dict(
      coordinator_address=f'127.0.0.1:{port}', num_processes=2, process_id=int(i)))
  print(json.dumps(globals()[what](int(i))), flush=True)
  hosts.leave(0)


if __name__ == '__main__':
  main()
