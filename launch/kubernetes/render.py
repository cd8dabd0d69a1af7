#!/usr/bin/env python3
"""Prints the manifest of a run or a study on Kubernetes; it changes nothing itself.

  launch/kubernetes/render.py --name=inat --image=I --pvc=C --gpus=8 --nodes=2 \\
    -- --config=configs/simclr_inat.py --config.data.root=/data | kubectl apply -f -
  launch/kubernetes/render.py --name=inat --image=I --bucket=B --topology=8x8 \\
    --tpu=tpu-v5-lite-podslice -- --config=configs/simclr_inat.py
  launch/kubernetes/render.py --name=study --image=I --pvc=C --gpus=1 --tasks=4,2 \\
    -- --config=configs/studies/fusion.py:root=/data

It needs nothing but Python. Every pod runs launch/restart.sh of the image, which
restarts the job in place; Kubernetes makes pods anew that were evicted or killed.
"""

import argparse
import itertools
import json
import math
import posixpath
import re
import sys

PORT = 1234  # Where the first pod of a run waits for the others.
INDEX = 'metadata.annotations[\'batch.kubernetes.io/job-completion-index\']'
# What restart.sh exits with when it was told to go or was killed. A new pod helps;
# any other code is final, for restart.sh has done what could be done.
KILLED = [42, 137, 143]


def need(condition, message):
  if not condition:
    raise ValueError(message)


def parser():
  p = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
      usage='%(prog)s --name=N --image=I [flags] -- --config=FILE [overrides]',
      allow_abbrev=False)
  p.error = lambda message: need(False, message)
  flag = p.add_argument
  flag('--name', required=True, help='of everything that is made')
  flag('--image', required=True, help='from launch/docker, in a registry of yours')
  flag('--namespace', default='', help="kubectl's own by default")
  flag('--pvc', default='', help='a volume that all nodes can write, as /workspace')
  flag('--bucket', default='', help="or a bucket as /workspace, by GKE's FUSE driver")
  flag('--data-pvc', default='', help='a volume with images as /data, read only')
  flag('--data-bucket', default='', help='or a bucket with images, likewise')
  flag('--workdir', default='', help='/workspace/runs/NAME by default')
  flag('--gpus', type=int, help='GPUs of each pod; 0 for a run on CPUs')
  flag('--nodes', type=int, default=1, help='pods, each on a node of its own (1)')
  flag('--tpu', default='', help='a TPU slice of GKE: tpu-v5-lite-podslice, ...')
  flag('--topology', default='', help='of the slice, such as 8x8 or 2x2x2')
  flag('--chips', type=int, default=4, help='of each node of the slice (4)')
  flag('--tasks', default='', help='a study: A,B pods for its stages 1 and 2')
  flag('--parallel', type=int, default=0, help='at most so many tasks at a time')
  flag('--kind', choices=('jobset', 'job'), default='jobset',
       help='job needs no controller, but has one stage of a study only')
  flag('--first', type=int, default=0, help="task that a study's first pod has (0)")
  flag('--cpu', default='8', help='of each pod (8)')
  flag('--memory', default='32Gi', help='of each pod, with shared memory (32Gi)')
  flag('--shm', default='8Gi', help='shared memory (8Gi)')
  flag('--grace', type=int, default=120, help='seconds to save and leave (120)')
  flag('--retries', type=int, default=3,
       help='of a killed pod, not of evicted ones (3)')
  flag('--user', type=int, default=1000, help='who runs it; 0 if devices need it')
  flag('--service-account', default='', help='one that may use the bucket')
  flag('--node-selector', action='append', default=[], metavar='KEY=VALUE')
  flag('--toleration', action='append', default=[], metavar='KEY')
  flag('--dry-run', action='store_true', help='the same: it only prints')
  flag('command', nargs='*', help=argparse.SUPPRESS)
  return p


def check(o):
  """Completes the flags.

  Raises:
    ValueError: a flag is missing, or two do not go together.
  """
  need(re.fullmatch('[a-z]([a-z0-9-]{0,38}[a-z0-9])?', o.name),
       f'--name is {o.name!r}; it must be lower-case letters, digits and hyphens.')
  need(bool(o.pvc) != bool(o.bucket), 'Pods share /workspace: give --pvc or --bucket.')
  need(not (o.data_pvc and o.data_bucket), 'Give --data-pvc or --data-bucket.')
  need((o.gpus is None) == bool(o.tpu), 'Give --gpus (0 for CPUs) or --tpu.')
  need(any(a.startswith('--config=') for a in o.command),
       'The job is missing: -- --config=FILE [overrides].')
  need(not any(a.startswith('--workdir') for a in o.command),
       '--workdir comes before the --.')
  need(all('=' in s for s in o.node_selector), '--node-selector is KEY=VALUE.')
  for name in ('nodes', 'chips'):
    need(getattr(o, name) > 0, f'--{name} must be above 0.')
  o.workdir = o.workdir or f'/workspace/runs/{o.name}'
  need(re.fullmatch('([1-9][0-9]*(,[1-9][0-9]*)?)?', o.tasks),
       f'--tasks is {o.tasks!r}; as in 4,2.')
  o.stages = [int(n) for n in o.tasks.split(',')] if o.tasks else []
  if o.stages:
    need(o.nodes == 1 and not o.tpu, 'A task of a study is one pod, with --gpus.')
    need(o.kind == 'jobset' or len(o.stages) == 1,
         'A job has one stage: render each, with --tasks and --first.')
  elif o.tpu:
    need(re.fullmatch('[0-9]+(x[0-9]+){1,2}', o.topology),
         f'--topology is {o.topology!r}; as in 8x8 or 2x2x2.')
    chips = math.prod(int(n) for n in o.topology.split('x'))
    need(chips % o.chips == 0, f'{chips} chips are no whole number of {o.chips}s.')
    o.nodes = chips // o.chips


def command(o, first):
  """The container's command.

  Args:
    first: number of the task that the first pod has, for a study; None for a run.
  """
  # The kubelet replaces $(NAME); in the user's own words it must not.
  words = [word.replace('$(', '$$(') for word in o.command]
  job = ['python', '-m', 'jaxssl.main', *words, f'--workdir={o.workdir}']
  restart = ['/opt/jaxssl/launch/restart.sh']
  if first is None:
    if o.nodes > 1 and not o.tpu:  # On TPU slices, jax finds the others by itself.
      host = f'{o.name}-0' if o.kind == 'job' else f'{o.name}-run-0-0'
      job += [f'--coordinator={host}.{o.name}:{PORT}', f'--num_processes={o.nodes}',
              '--process_id=$(INDEX)']
    return [*restart, f'--workdir={o.workdir}', '--', *job]
  networks = posixpath.join(posixpath.dirname(o.workdir), 'pretrained')
  return [
      'bash', '-c', f'exec "$@" --config.index=$$(({first} + INDEX))', 'task',
      *restart, f'--workdir={networks}', '--', *job, '--config.engine=array']


def volume(o, name, claim, bucket, options='', read_only=False):
  if claim:
    return {'name': name, 'persistentVolumeClaim': {
        'claimName': claim, 'readOnly': read_only}}
  return {'name': name, 'csi': {
      'driver': 'gcsfuse.csi.storage.gke.io', 'readOnly': read_only,
      'volumeAttributes': {
          'bucketName': bucket,
          'mountOptions': f'implicit-dirs,uid={o.user},gid={o.user},{options}'}}}


def pod(o, first):
  """The template of a pod; `first` as in `command`."""
  devices = {'nvidia.com/gpu': o.gpus} if o.gpus else (
      {'google.com/tpu': o.chips} if o.tpu else {})
  # No host may remember what was there before: they look for each other's files.
  volumes = [volume(
      o, 'work', o.pvc, o.bucket,
      'metadata-cache:ttl-secs:0,metadata-cache:negative-ttl-secs:0,'
      'rename-dir-limit=100000')]
  mounts = [('work', '/workspace'), ('tmp', '/tmp'), ('shm', '/dev/shm')]
  if o.data_pvc or o.data_bucket:
    volumes.append(volume(
        o, 'data', o.data_pvc, o.data_bucket, 'metadata-cache:ttl-secs:-1', True))
    mounts.append(('data', '/data'))
  volumes += [
      {'name': 'tmp', 'emptyDir': {}},
      {'name': 'shm', 'emptyDir': {'medium': 'Memory', 'sizeLimit': o.shm}}]
  selector = dict(s.split('=', 1) for s in o.node_selector)
  if o.tpu:
    selector.update({
        'cloud.google.com/gke-tpu-accelerator': o.tpu,
        'cloud.google.com/gke-tpu-topology': o.topology})
  buckets = bool(o.bucket or o.data_bucket)
  return {
      'metadata': {
          'labels': {'app.kubernetes.io/instance': o.name},
          'annotations': {'gke-gcsfuse/volumes': 'true'} if buckets else {}},
      'spec': {
          'restartPolicy': 'Never',
          'terminationGracePeriodSeconds': o.grace,
          'subdomain': o.name,
          'serviceAccountName': o.service_account or 'default',
          'automountServiceAccountToken': buckets,
          'nodeSelector': selector,
          'tolerations': [
              {'key': key, 'operator': 'Exists'} for key in o.toleration],
          'securityContext': {
              'runAsNonRoot': o.user != 0, 'runAsUser': o.user,
              'runAsGroup': o.user, 'fsGroup': o.user,
              'fsGroupChangePolicy': 'OnRootMismatch',
              'seccompProfile': {'type': 'RuntimeDefault'}},
          'containers': [{
              'name': 'jaxssl',
              'image': o.image,
              'command': command(o, first),
              'env': [
                  {'name': 'INDEX',
                   'valueFrom': {'fieldRef': {'fieldPath': INDEX}}},
                  {'name': 'HOME', 'value': '/tmp'}],
              'resources': {
                  'requests': {'cpu': o.cpu, 'memory': o.memory},
                  'limits': {'memory': o.memory, **devices}},
              'securityContext': {
                  'allowPrivilegeEscalation': False, 'readOnlyRootFilesystem': True,
                  'capabilities': {'drop': ['ALL']}},
              'volumeMounts': [
                  {'name': name, 'mountPath': path} for name, path in mounts]}],
          'volumes': volumes}}


def job(o, count, first):
  """The spec of an indexed job of `count` pods; `first` as in `command`."""
  final = {'containerName': 'jaxssl', 'operator': 'NotIn', 'values': KILLED}
  study = first is not None
  return {
      'completionMode': 'Indexed',
      'completions': count,
      'parallelism': min(count, o.parallel or count) if study else count,
      # A task that fails lets the others of its stage go on.
      'backoffLimitPerIndex' if study else 'backoffLimit': o.retries,
      'podFailurePolicy': {'rules': [
          {'action': 'Ignore',
           'onPodConditions': [{'type': 'DisruptionTarget', 'status': 'True'}]},
          {'action': 'FailIndex' if study else 'FailJob', 'onExitCodes': final}]},
      'template': pod(o, first)}


def manifests(o):
  """Everything to apply, as dicts."""
  where = {'name': o.name, **({'namespace': o.namespace} if o.namespace else {})}
  own = {'app.kubernetes.io/instance': o.name}
  counts = o.stages or [o.nodes]
  firsts = [o.first, o.first + counts[0]] if o.stages else [None]
  # The ports that hosts open for each other ask nobody who they are.
  yield {
      'apiVersion': 'networking.k8s.io/v1', 'kind': 'NetworkPolicy',
      'metadata': where, 'spec': {
          'podSelector': {'matchLabels': own}, 'policyTypes': ['Ingress'],
          'ingress': [{'from': [{'podSelector': {'matchLabels': own}}]}]}}
  if o.kind == 'job':
    yield {
        'apiVersion': 'v1', 'kind': 'Service', 'metadata': where,
        'spec': {
            'clusterIP': 'None', 'publishNotReadyAddresses': True, 'selector': own}}
    yield {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': where,
           'spec': job(o, counts[0], firsts[0])}
    return
  jobs = [
      {'name': f'stage{i}' if o.stages else 'run', 'replicas': 1,
       'template': {'spec': job(o, count, first)}}
      for i, (count, first) in enumerate(zip(counts, firsts), start=1)]
  if o.stages:  # At the end the study itself, with nothing left to do but its page.
    page = argparse.Namespace(**{**vars(o), 'gpus': 0})
    jobs.append({
        'name': 'page', 'replicas': 1, 'template': {'spec': job(page, 1, None)}})
  for before, after in itertools.pairwise(jobs):
    after['dependsOn'] = [{'name': before['name'], 'status': 'Complete'}]
  alone = {'alpha.jobset.sigs.k8s.io/exclusive-topology':
           'cloud.google.com/gke-nodepool'}
  yield {
      'apiVersion': 'jobset.x-k8s.io/v1alpha2', 'kind': 'JobSet',
      'metadata': {**where, 'annotations': alone if o.tpu else {}},
      'spec': {
          'network': {'enableDNSHostnames': True, 'subdomain': o.name},
          'failurePolicy': {
              'maxRestarts': 0 if o.stages else o.retries,
              'rules': [{
                  'name': 'final', 'action': 'FailJobSet',
                  'onJobFailureReasons': ['PodFailurePolicy']}]},
          'replicatedJobs': jobs}}


def yaml(value, indent=''):
  """Lines of YAML for dicts, lists and plain values, whose strings are JSON's."""
  if isinstance(value, dict) and value:
    for key, item in value.items():
      key = key if key.isalpha() else json.dumps(key)
      if isinstance(item, (dict, list)) and item:
        yield f'{indent}{key}:'
        yield from yaml(item, indent + '  ')
      else:
        yield f'{indent}{key}: {json.dumps(item, ensure_ascii=False)}'
  elif isinstance(value, list) and value:
    for item in value:
      first, *rest = yaml(item, indent + '  ')
      yield f'{indent}- {first.strip()}'
      yield from rest
  else:
    yield f'{indent}{json.dumps(value, ensure_ascii=False)}'


def render(argv):
  """The manifests for a command line, as one text.

  Raises:
    ValueError: a mistake in it.
  """
  o = parser().parse_args(argv)
  check(o)
  return '---\n'.join('\n'.join(yaml(m)) + '\n' for m in manifests(o))


if __name__ == '__main__':
  try:
    print(render(sys.argv[1:]), end='')
  except ValueError as e:
    print(f'render.py: {e}', file=sys.stderr)
    sys.exit(78)
