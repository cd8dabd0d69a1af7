"""Runs all benchmarks and writes one Markdown table, from the repository's root:

  python -m tests.benchmarks                           # All of them.
  python -m tests.benchmarks --quick --out=table.md    # Small sizes, few turns.
  python -m tests.benchmarks step views                # These only.

Each runs in a process of its own and can be run alone, as in
`python -m tests.benchmarks.step --profile`. Peers (torch, torchvision, kornia,
faiss-cpu, scikit-learn, tensorflow) are measured where they are installed. What needs
a GPU has a script of its own, gpu.py.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from jaxssl import huge_pages
from tests.benchmarks import table

NAMES = (
    'step', 'views', 'input', 'ntxent', 'start', 'linear', 'knn', 'kmeans', 'methods')
ROOT = pathlib.Path(__file__).parents[2]


def run(module, quick):
  """Runs a benchmark, whatever becomes of it.

  Args:
    module: dotted name.
    quick: whether at small sizes.

  Returns:
    Its rows, or one that says how it failed; and whether it did not.
  """
  with tempfile.TemporaryDirectory() as folder:
    path = f'{folder}/rows.json'
    command = [sys.executable, '-m', module, f'--rows={path}']
    code = subprocess.run(command + ['--quick'] * quick, cwd=ROOT).returncode
    if not code:
      return table.read(path), True
  return [table.Row(module.split('.')[-1], note=f'failed with exit code {code}')], False


def device():
  """The kind of jax's device; asked at the end, for who asks takes its memory."""
  import jax
  return jax.devices()[0].device_kind


def main(argv=None, package='tests.benchmarks', names=NAMES):
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('names', nargs='*', help=f'of {", ".join(names)}; all')
  parser.add_argument('--quick', action='store_true', help='small sizes, few turns')
  parser.add_argument('--out', help='write the table to this file, too')
  args = parser.parse_args(argv)
  unknown = sorted(set(args.names) - set(names))
  if unknown:
    parser.error(f'no benchmark {unknown[0]!r}; there are {", ".join(names)}')
  load, rows, code = os.getloadavg()[0], [], 0
  for name in args.names or names:
    print(f'\n{name}:', flush=True)
    found, well = run(f'{package}.{name}', args.quick)
    rows += found
    code = code if well else 1
    if args.out:  # After each, so that an interruption loses little.
      pathlib.Path(args.out).write_text(table.markdown(rows) + '\n', 'utf-8')
  text = f'{table.markdown(rows)}\n\n{table.footer(device(), load, args.quick)}\n'
  print(f'\n{text}', flush=True)
  if args.out:
    pathlib.Path(args.out).write_text(text, 'utf-8')
  return code


if __name__ == '__main__':
  huge_pages.restart()
  sys.exit(main())
