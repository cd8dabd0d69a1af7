"""Installs what jaxssl needs beside what is there, and replaces none of it.

  python launch/colab/install.py [--dry-run]

For machines that come with a jax, a numpy and perhaps a tensorflow of their own, as
Colab's do. Of what setup.py asks for it installs what is missing, and holds every
package that is there to its version. Where there is no tensorflow, as on Colab's
TPU machines, it stays away, and with it what serves it alone: all of the program
runs but `data.input=streamed` and `data.name=tfds`.

Exit code 1: a package would have to be replaced, or was.
"""

import ast
import importlib
import importlib.metadata
import pathlib
import shlex
import subprocess
import sys
import tempfile

from packaging import requirements
from packaging import utils
from packaging import version

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ('jax', 'jaxlib', 'libtpu', 'flax', 'numpy', 'tensorflow', 'torch')
# tensorflow itself, what reads its files and what writes TensorBoard's.
WITH_TENSORFLOW = (
    'array-record', 'clu', 'importlib-resources', 'tensorboard', 'tensorflow',
    'tensorflow-datasets')


def main(argv):
  dry_run = argv == ['--dry-run']
  if argv and not dry_run:
    print(__doc__)
    return 0 if argv == ['--help'] else 2
  before = installed()
  missing = unmet(wanted(), before)
  stuck = [f'{r} ({before[r.name]} is here)' for r in missing if r.name in KEPT
           and r.name in before]
  if stuck:
    print(f'jaxssl needs {", ".join(stuck)}; nothing was installed.')
    return 1
  replaced = [r.name for r in missing if r.name in before]
  held = ''.join(
      f'{name}=={number}\n' for name, number in sorted(before.items())
      if name not in replaced)
  with tempfile.TemporaryDirectory() as folder:
    constraints = pathlib.Path(folder) / 'constraints.txt'
    constraints.write_text(held)
    command = [
        sys.executable, '-m', 'pip', 'install', '--quiet', '--constraint',
        str(constraints), *map(str, missing)]
    if dry_run:
      print(f'{shlex.join(command)}\nwith these constraints:\n{held}' if missing
            else 'All is here.')
      return 0
    if missing:
      print('Installing:', ', '.join(map(str, missing)), flush=True)
      if subprocess.run(command).returncode:
        return 1
  importlib.invalidate_caches()
  return told_changes(before, installed(), allowed=replaced)


def wanted():
  """What setup.py asks for on this machine."""
  # Read and not run: setuptools would put packages of its own on the path.
  setup = ast.parse((ROOT / 'setup.py').read_text('utf-8'))
  asked, = (
      ast.literal_eval(node.value) for node in ast.walk(setup)
      if isinstance(node, ast.keyword) and node.arg == 'install_requires')
  found = [requirements.Requirement(text) for text in asked]
  for requirement in found:
    requirement.name = utils.canonicalize_name(requirement.name)
  return [r for r in found if r.marker is None or r.marker.evaluate()]


def unmet(wanted, there):
  """Those of some requirements that need to be installed."""
  if 'tensorflow' not in there:
    wanted = [r for r in wanted if r.name not in WITH_TENSORFLOW]
  return [
      r for r in wanted
      if r.name not in there or not r.specifier.contains(there[r.name], True)]


def installed():
  """{name: version} of all packages, but those whose version pip cannot read."""
  found = {}
  for package in importlib.metadata.distributions():
    try:
      # The first on the path is the one that is imported.
      found.setdefault(
          utils.canonicalize_name(package.metadata['Name']),
          str(version.Version(package.version)))
    except (TypeError, version.InvalidVersion):
      continue
  return found


def told_changes(before, after, *, allowed):
  """Prints what has become of the packages; 1 if one has changed that must not."""
  kept = {name: before[name] for name in KEPT if name in before}
  print('As they were:', ', '.join(
      f'{k} {v}' for k, v in kept.items() if after.get(k) == v))
  for name in allowed:
    print(f'Another, since jaxssl needs it: {name} {before[name]} -> {after[name]}')
  changed = [
      f'{name} {number} -> {after.get(name, "none")}'
      for name, number in before.items()
      if after.get(name) != number and name not in allowed]
  if changed:
    print('REPLACED, against the constraints:', ', '.join(changed))
  if 'tensorflow' not in after:
    print('No tensorflow here: images come from arrays, folders or are drawn.')
  return 1 if changed else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
