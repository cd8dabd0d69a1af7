"""launch/kubernetes: Kubernetes takes what is rendered, and it does what we say."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from jaxssl import main

SCRIPT = pathlib.Path(__file__).parents[2] / 'launch' / 'kubernetes' / 'render.py'
spec = importlib.util.spec_from_file_location('render', SCRIPT)
render = importlib.util.module_from_spec(spec)
spec.loader.exec_module(render)

JOB = ('--', '--config=configs/simclr_inat.py')
BASE = ('--name=run', '--image=example/jaxssl:1')
CASES = {
    'gpu nodes': ('--pvc=c', '--gpus=8', '--nodes=4', '--data-pvc=d'),
    'gpu job': ('--pvc=c', '--gpus=8', '--nodes=2', '--kind=job', '--namespace=n'),
    'cpu': ('--pvc=c', '--gpus=0', '--toleration=a', '--node-selector=b=c'),
    'tpu v5e': ('--bucket=b', '--tpu=tpu-v5-lite-podslice', '--topology=8x8',
                '--data-bucket=d', '--service-account=s'),
    'tpu v4 job': ('--bucket=b', '--tpu=tpu-v4-podslice', '--topology=2x2x2',
                   '--kind=job'),
    'study': ('--pvc=c', '--gpus=1', '--tasks=4,2', '--parallel=3'),
    'study job': ('--pvc=c', '--gpus=1', '--tasks=2', '--first=4', '--kind=job'),
}


def made(*flags, job=JOB):
  """The manifests by kind."""
  o = render.parser().parse_args([*BASE, *flags, *job])
  render.check(o)
  return {m['kind']: m for m in render.manifests(o)}


def jobs(manifests):
  """The specs of the indexed jobs, in order."""
  if 'Job' in manifests:
    return [manifests['Job']['spec']]
  replicated = manifests['JobSet']['spec']['replicatedJobs']
  return [job['template']['spec'] for job in replicated]


def container(job):
  return job['template']['spec']['containers'][0]


def run(job, index):
  """What the container of a pod would run: the kubelet's words, by a real bash."""
  words = [
      re.sub(r'\$\$|\$\(INDEX\)', lambda m: {'$$': '$'}.get(m[0], str(index)), word)
      for word in container(job)['command']]
  if words[0] == 'bash':
    words[2] = words[2].replace('exec', 'printf "%s\\n"')
    done = subprocess.run(
        words, env={'INDEX': str(index), 'PATH': '/usr/bin:/bin'}, check=True,
        capture_output=True, text=True)
    return done.stdout.splitlines()
  return words


@pytest.mark.parametrize('case', CASES)
def test_kubernetes_takes_it(case):
  validate = pytest.importorskip('kubernetes_validate')
  version = validate.latest_version()
  manifests = made(*CASES[case])
  for kind, manifest in manifests.items():
    if kind != 'JobSet':  # A resource that the schema does not know.
      validate.validate(manifest, version, strict=True)
  for job in jobs(manifests):
    validate.validate(
        {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': 'a'},
         'spec': job}, version, strict=True)


@pytest.mark.parametrize('case', CASES)
def test_the_text_is_the_manifests(case):
  yaml = pytest.importorskip('yaml')
  flags = [*BASE, *CASES[case], *JOB, '--config.note=a: "b" \\ # é\U0001f600']
  text = subprocess.run(
      [sys.executable, SCRIPT, '--dry-run', *flags], capture_output=True, text=True,
      check=True, env={'PYTHONIOENCODING': 'utf-8'}).stdout
  want = made(*CASES[case], job=flags[flags.index('--'):])
  assert list(yaml.safe_load_all(text)) == list(want.values())


@pytest.mark.parametrize('case', CASES)
def test_pods_are_confined(case):
  for job in jobs(made(*CASES[case])):
    pod = job['template']['spec']
    assert pod['securityContext']['runAsNonRoot'] is True
    assert pod['securityContext']['seccompProfile'] == {'type': 'RuntimeDefault'}
    assert container(job)['securityContext'] == {
        'allowPrivilegeEscalation': False, 'readOnlyRootFilesystem': True,
        'capabilities': {'drop': ['ALL']}}
    assert 'hostNetwork' not in pod and 'hostPath' not in str(pod)
    mounted = {m['name'] for m in container(job)['volumeMounts']}
    assert mounted == {v['name'] for v in pod['volumes']}
    assert not pod['automountServiceAccountToken'] or 'gcsfuse' in str(pod)


def test_hosts_find_each_other():
  job, = jobs(made(*CASES['gpu nodes']))
  assert (job['completions'], job['parallelism']) == (4, 4)
  assert run(job, 3)[-3:] == [
      '--coordinator=run-run-0-0.run:1234', '--num_processes=4', '--process_id=3']
  manifests = made(*CASES['gpu job'])
  assert run(*jobs(manifests), 0)[-3] == '--coordinator=run-0.run:1234'
  service = manifests['Service']
  pod = manifests['Job']['spec']['template']
  assert service['metadata']['name'] == pod['spec']['subdomain'] == 'run'
  assert service['spec']['selector'] == pod['metadata']['labels']
  assert service['spec']['publishNotReadyAddresses']  # They look before they are.
  assert '--coordinator' not in str(made(*CASES['cpu']))


def test_only_pods_of_the_run_may_connect():
  for case in CASES.values():
    manifests = made(*case)
    policy = manifests['NetworkPolicy']['spec']
    labels = jobs(manifests)[0]['template']['metadata']['labels']
    own = {'podSelector': {'matchLabels': labels}}
    assert policy['podSelector'] == own['podSelector']
    assert policy['ingress'] == [{'from': [own]}]


@pytest.mark.parametrize(('topology', 'chips', 'hosts'), [
    ('8x8', 4, 16), ('2x4', 8, 1), ('2x2x1', 4, 1), ('4x4x4', 4, 16)])
def test_a_slice_has_a_pod_for_each_node(topology, chips, hosts):
  job, = jobs(made(
      '--pvc=c', '--tpu=t', f'--topology={topology}', f'--chips={chips}'))
  assert job['completions'] == hosts
  assert container(job)['resources']['limits']['google.com/tpu'] == chips
  assert job['template']['spec']['nodeSelector'] == {
      'cloud.google.com/gke-tpu-accelerator': 't',
      'cloud.google.com/gke-tpu-topology': topology}
  assert '--coordinator' not in str(job)  # jax finds them.


def test_a_study_numbers_its_tasks():
  first, second, page = jobs(made(*CASES['study']))
  tasks = [(first, 0), (first, 1), (first, 2), (first, 3), (second, 0), (second, 1)]
  assert [run(job, i)[-1] for job, i in tasks] == [
      f'--config.index={i}' for i in range(6)]
  assert (first['parallelism'], second['parallelism']) == (3, 2)
  assert run(first, 0)[:3] == [
      '/opt/jaxssl/launch/restart.sh', '--workdir=/workspace/runs/pretrained', '--']
  parts = made(*CASES['study'])['JobSet']['spec']['replicatedJobs']
  assert [part['name'] for part in parts] == ['stage1', 'stage2', 'page']
  assert [part['dependsOn'] for part in parts[1:]] == [
      [{'name': name, 'status': 'Complete'}] for name in ('stage1', 'stage2')]
  assert run(page, 0)[-1] == '--workdir=/workspace/runs/run'  # The study by itself.
  assert 'nvidia.com/gpu' not in str(page)
  assert run(*jobs(made(*CASES['study job'])), 1)[-1] == '--config.index=5'


@pytest.mark.parametrize(('case', 'action', 'limit'), [
    ('gpu nodes', 'FailJob', 'backoffLimit'),
    ('study', 'FailIndex', 'backoffLimitPerIndex')])
def test_only_what_a_new_pod_can_help_is_tried_again(case, action, limit):
  for job in jobs(made(*CASES[case], '--retries=5'))[:2]:
    evicted, final = job['podFailurePolicy']['rules']
    assert evicted['action'] == 'Ignore'
    assert evicted['onPodConditions'][0]['type'] == 'DisruptionTarget'
    assert final['action'] == action
    assert final['onExitCodes']['containerName'] == container(job)['name']
    kept = set(final['onExitCodes']['values'])
    assert final['onExitCodes']['operator'] == 'NotIn' and kept == {42, 137, 143}
    assert job[limit] == 5
    assert job['template']['spec']['restartPolicy'] == 'Never'


def test_the_program_takes_the_commands():
  def told(job):
    words = run(job, 1)
    return main.parse(words[words.index('jaxssl.main'):])

  host, = map(told, jobs(made(*CASES['gpu nodes'])))
  assert host.workdir == '/workspace/runs/run'
  assert host.hosts == dict(
      coordinator_address='run-run-0-0.run:1234', num_processes=4, process_id=1)
  assert told(*jobs(made(*CASES['tpu v5e']))).hosts == {}
  config = '--config=configs/studies/fusion.py:smoke'
  study = made(*CASES['study'], job=('--', config))
  engines = [told(job).config for job in jobs(study)]
  assert [c['engine'] for c in engines] == ['array', 'array', 'local']
  assert [c['index'] for c in engines[:2]] == [1, 5]


def test_words_of_the_user_are_not_expanded():
  job, = jobs(made('--pvc=c', '--gpus=1', job=(*JOB, '--config.note=$(INDEX) $x')))
  assert '--config.note=$(INDEX) $x' in run(job, 7)


@pytest.mark.parametrize(('flags', 'said'), [
    (('--gpus=1',), 'give --pvc or --bucket'),
    (('--pvc=a', '--bucket=b', '--gpus=1'), 'give --pvc or --bucket'),
    (('--pvc=a',), '--gpus (0 for CPUs) or --tpu'),
    (('--pvc=a', '--tpu=t'), "--topology is ''"),
    (('--pvc=a', '--tpu=t', '--topology=1x2'), '2 chips are no whole number of 4s'),
    (('--pvc=a', '--gpus=1', '--tasks=1,2,3'), 'as in 4,2'),
    (('--pvc=a', '--gpus=1', '--tasks=many'), 'as in 4,2'),
    (('--pvc=a', '--gpus=1', '--tasks=1,2', '--kind=job'), 'A job has one stage'),
    (('--pvc=a', '--gpus=1', '--tasks=2', '--nodes=2'), 'is one pod'),
    (('--pvc=a', '--gpus=1', '--nodes=0'), '--nodes must be above 0'),
    (('--pvc=a', '--gpus=1', '--name=Run'), "--name is 'Run'"),
    (('--pvc=a', '--gpus=1', '--', '--workdir=x', '--config=a'), 'before the --'),
    (('--pvc=a', '--gpus=1', '--', 'x'), 'The job is missing'),
    (('--pvc=a', '--gpus=one'), "invalid int value: 'one'"),
    (('--pvc=a', '--gpus=1', '--bogus'), 'unrecognized arguments: --bogus'),
])
def test_a_mistake_is_one_line(flags, said):
  flags = flags if '--' in flags else (*flags, *JOB)
  done = subprocess.run(
      [sys.executable, SCRIPT, *BASE, *flags], capture_output=True, text=True)
  assert done.returncode == 78 and not done.stdout
  assert said in done.stderr and done.stderr.count('\n') == 1
