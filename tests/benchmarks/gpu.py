"""Everything that wants a GPU, in one go: one table of speed and of accuracy.

  python tests/benchmarks/gpu.py --out=runs/gpu --minutes=60 --data=/data/cifar10
  python tests/benchmarks/gpu.py --out=runs/gpu_small --small     # Toy sizes, on CPU.
  python tests/benchmarks/gpu.py --pack /data/cifar10 cifar10.npz --quality=95

It measures, in this order: the card's own rates; SimCLR's step (ResNet-50, 224 px,
bfloat16, views made on the card) beside PyTorch's, its views alone, and the bare
forward and backward; k-means of 1.28 million rows; PCL's step beside PyTorch's;
MoCo's; and then it trains `simclr_cifar10:lightly` to its kNN accuracy, then
`moco_cifar10` and `pcl_cifar10`. Each part has a process and a limit of its own, and
`--minutes` holds for all: what does not fit says so in the table. SIGTERM ends it
early with what there is. The same command goes on: parts that are done are not done
again, and trainings continue where they stopped.

DIR gets gpu.md, gpu.json, logs/, cache/ (compiled programs) and a workdir for each
training. PyTorch's views are ready beforehand, ours are part of the step: the ratio
favours PyTorch. Not yet run on a GPU; `--small` runs every part on a CPU.

Without --data nothing is trained, and --small makes images up. What is given is a
folder that the source `cifar10` reads, or a file that --pack made of one and that is
small enough to be carried; see gpu_data.py. Needed are jax, flax, optax,
orbax-checkpoint, numpy, scipy, Pillow, matplotlib, Jinja2, tqdm, absl-py,
ml_collections, scikit-learn, openTSNE; torch and torchvision for the peers; neither
tensorflow nor clu. --packages adds a folder of wheels, or one that `pip install
--target` filled.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time
import zipfile

import gpu_data
import gpu_table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Name, and most seconds; in order of value. Trainings take what is left.
PARTS = {
    'device': 90, 'simclr': 240, 'torch_simclr': 240, 'kmeans': 120, 'pcl': 240,
    'torch_pcl': 240, 'moco': 180, **dict.fromkeys(gpu_table.CIFAR, float('inf'))}
ARGUMENTS = {'simclr_cifar10': 'lightly', 'moco_cifar10': '', 'pcl_cifar10': ''}
LEAST = 20     # Seconds without which no part is begun.
PATIENCE = 30  # Seconds to save a checkpoint in, once asked to stop.
PACKAGES = (
    'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'torch',
    'torchvision')
NO_DATA = 'no CIFAR-10 was given (--data)'


class Stopped(BaseException):
  """A signal has come."""


def run_part(command, log_path, environment, seconds, patience):
  """Runs a command for so long at most.

  Returns:
    'done', 'out of time', or 'failed: ...' with the last line that it printed; 42, of
    a training that has saved its state, is 'out of time'.
  """
  with open(log_path, 'a', encoding='utf-8') as log:
    process = subprocess.Popen(
        command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
    try:
      code = process.wait(max(1, seconds - patience))
    except subprocess.TimeoutExpired:
      code = 42
    finally:
      if process.poll() is None:
        process.terminate()
        try:
          process.wait(patience)
        except subprocess.TimeoutExpired:
          process.kill()
          process.wait()
  if code in (0, 42):
    return 'done' if code == 0 else 'out of time'
  printed = log_path.read_text('utf-8', 'replace').strip().splitlines() or ['']
  return f'failed ({code}): {printed[-1][:200]}'


def environment(out, packages, small):
  """The variables of a part's process."""
  cache = out / 'cache'
  cache.mkdir(mode=0o700, exist_ok=True)  # Who can write there can run code as us.
  path = [str(ROOT), *packages, *filter(None, [os.environ.get('PYTHONPATH')])]
  variables = {
      **os.environ, 'PYTHONPATH': os.pathsep.join(path), 'PYTHONUNBUFFERED': '1',
      'JAX_COMPILATION_CACHE_DIR': str(cache / 'xla'),
      'TORCHINDUCTOR_CACHE_DIR': str(cache / 'inductor')}
  variables.setdefault('XLA_PYTHON_CLIENT_MEM_FRACTION', '0.92')
  if small:
    variables['XLA_FLAGS'] = ' '.join([
        os.environ.get('XLA_FLAGS', ''), '--xla_backend_optimization_level=0'])
  return variables


def packages_of(folder, out):
  """Paths to import from: the folder itself, or where its wheels are unpacked."""
  if not folder:
    return []
  folder = pathlib.Path(folder).resolve()
  wheels = sorted(folder.glob('*.whl'))
  if not wheels:
    return [str(folder)]
  for wheel in wheels:
    with zipfile.ZipFile(wheel) as f:
      f.extractall(out / 'packages')
  return [str(out / 'packages')]


def command_of(part, out, root, small):
  """The command line of a part."""
  if part not in gpu_table.CIFAR:
    script = 'gpu_torch.py' if part.startswith('torch_') else 'gpu_parts.py'
    return [
        sys.executable, str(HERE / script), part, f'--values={values_path(out, part)}',
        *['--small'] * small]
  arguments = ','.join(filter(None, [ARGUMENTS[part], 'smoke' * small]))
  return [
      sys.executable, '-m', 'jaxssl.main',
      f'--config=configs/{part}.py:{arguments}', f'--workdir={out / part}',
      f'--config.data.root={root}', '--config.log.tensorboard=False']


def values_path(out, part):
  return out / 'logs' / f'{part}.jsonl'


def values_of(part, out):
  """What a part has found so far."""
  values = {}
  if part not in gpu_table.CIFAR:
    for row in json_lines(values_path(out, part)):
      values |= row
    return values
  for row in json_lines(out / part / 'metrics.jsonl'):
    for key, name in (('eval/knn/top1', 'knn'), ('train/epoch', 'epoch')):
      if key in row:
        values[name] = row[key]
  return values


def json_lines(path):
  """The objects in a file; a line that was cut off is left out."""
  for line in path.read_text('utf-8').splitlines() if path.exists() else ():
    with contextlib.suppress(ValueError):
      yield json.loads(line)


def cifar10(given, out, small):
  """The folder with CIFAR-10, or None."""
  if given and pathlib.Path(given).is_file():
    if not (out / 'cifar10' / 'test.npz').exists():
      gpu_data.unpack(given, out / 'cifar10')
    return out / 'cifar10'
  if given:
    return pathlib.Path(given).resolve()
  return gpu_data.made_up(out / 'cifar10', 256) if small else None


def footer_of(parts):
  values = parts.get('device', {'values': {}})['values']
  installed = {d.name: d.version for d in importlib.metadata.distributions()}
  versions = [f'{name} {installed[name]}' for name in PACKAGES if name in installed]
  return [
      f'{values.get("count", "?")} x {values.get("name", "unknown device")} '
      f'({values.get("driver", "driver unknown")})',
      f'Python {platform.python_version()}, {", ".join(versions)}',
      f'{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; medians of repeated runs, '
      'the parts one after another',
      'PyTorch: channels last, autocast to bfloat16, SGD; its views are ready, ours '
      'are made in the step']


def write(out, parts, small):
  """gpu.json and gpu.md, from all that is known."""
  footer = footer_of(parts)
  text = '\n'.join(gpu_table.lines(parts, small=small, footer=footer)) + '\n'
  document = {'small': small, 'footer': footer, 'parts': parts}
  for name, content in (
      ('gpu.json', json.dumps(document, indent=2) + '\n'), ('gpu.md', text)):
    new = out / f'{name}.new'
    new.write_text(content, 'utf-8')
    new.replace(out / name)
  return text


def earlier(out, small):
  """The parts of an earlier run of the same command."""
  path = out / 'gpu.json'
  if not path.exists():
    return {}
  found = json.loads(path.read_text('utf-8'))
  if found['small'] != small:
    raise ValueError(
        f'{out} has figures at {"toy" if found["small"] else "full"} size; take '
        'another --out.')
  return found['parts']


def measure(args, out, parts, deadline):
  """Runs parts until all are done or time is up; what they find is in `parts`."""
  for part in args.only:
    kept = parts.setdefault(part, {'seconds': 0., 'values': {}, 'state': ''})
    if kept['state'] != 'done':
      kept['state'] = 'no time left'
  (out / 'logs').mkdir(parents=True, exist_ok=True)
  root = cifar10(args.data, out, args.small)
  variables = environment(out, packages_of(args.packages, out), args.small)
  for part in args.only:
    kept = parts[part]
    if kept['state'] == 'done':
      print(f'{part}: done before', flush=True)
      continue
    seconds = min(PARTS[part], deadline - time.monotonic())
    training = part in gpu_table.CIFAR
    if training and root is None:
      kept['state'] = NO_DATA
      continue
    patience = PATIENCE if training else 5
    if seconds < LEAST + patience:
      continue
    if not training:  # A training goes on; whatever else begins anew.
      kept['seconds'] = 0.
      values_path(out, part).unlink(missing_ok=True)
    start, kept['state'] = time.monotonic(), 'stopped'
    try:
      print(f'{part}: at most {seconds:.0f} s', flush=True)
      kept['state'] = run_part(
          command_of(part, out, root, args.small), out / 'logs' / f'{part}.log',
          variables, seconds, patience)
    finally:
      kept['seconds'] += time.monotonic() - start
      kept['values'] = values_of(part, out)
      write(out, parts, args.small)
    print(f'{part}: {kept["state"]}, {kept["seconds"]:.0f} s', flush=True)


def stop(number, frame):
  del number, frame
  for again in (signal.SIGTERM, signal.SIGINT):  # What stops now is not stopped again.
    signal.signal(again, signal.SIG_IGN)
  raise Stopped


def parse(argv):
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--out', type=pathlib.Path, help='folder of all that is written')
  parser.add_argument('--minutes', type=float, default=60., help='for everything')
  parser.add_argument('--data', help='CIFAR-10: a folder, or a packed file')
  parser.add_argument('--packages', help='folder of wheels, or of packages')
  parser.add_argument('--only', default=','.join(PARTS), help=f'of {", ".join(PARTS)}')
  parser.add_argument('--small', action='store_true', help='toy sizes')
  parser.add_argument('--pack', nargs=2, metavar=('SRC', 'DEST'))
  parser.add_argument('--quality', type=int, default=95, help='of --pack')
  args = parser.parse_args(argv)
  args.only = args.only.split(',')
  for part in set(args.only) - set(PARTS):
    parser.error(f'No part {part!r}. There are: {", ".join(PARTS)}.')
  if not args.out and not args.pack:
    parser.error('--out=DIR says where to write.')
  return args


def main(argv=None):
  args = parse(argv)
  if args.pack:
    megabytes, ratio = gpu_data.pack(*args.pack, quality=args.quality)
    print(f'{args.pack[1]}: {megabytes:.1f} MB, PSNR {ratio:.1f} dB')
    return 0
  deadline = time.monotonic() + 60 * args.minutes
  out, code = args.out.resolve(), 0
  parts = earlier(out, args.small)
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
  try:
    measure(args, out, parts, deadline)
  except Stopped:
    code = 143
  print(write(out, parts, args.small), flush=True)
  failed = any(parts[part]['state'].startswith('failed') for part in args.only)
  return code or int(failed)


if __name__ == '__main__':
  sys.exit(main())
