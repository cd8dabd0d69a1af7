"""Runs a job: `python -m jaxssl.main --config=configs/quickstart.py`.

  --config=FILE[:ARGS]     the recipe; ARGS are its own, such as epochs=100,smoke
  --workdir=DIR            where everything is written; runs/<config name> by default
  --config.KEY=VALUE       overrides one value of the recipe, --config.optim.base_lr=0.1

The same command in the same workdir goes on where it stopped. config.job says what is
done: pretrain, evaluate, embed, compare, check, study, import_weights, export_weights.

On many hosts the same command runs on each. Where no cluster tells them of each other:
--coordinator=HOST:PORT --num_processes=N --process_id=0 (to N - 1).

Exit codes: 0 done; 42 preempted, run me again; 65 data broken; 70 a bug of ours;
73 workdir locked or not to be created; 74 disk; 76 diverged, do not restart; 78 a
mistake in config or command line; 134 another process of the job was lost.
"""

import importlib
import logging
import os
import pathlib
import sys
import traceback
from typing import NamedTuple

from absl import flags
from ml_collections import config_flags

from jaxssl import errors
from jaxssl import huge_pages

JOBS = {
    'pretrain': ('train', 'train'), 'evaluate': ('evaluate', 'evaluate'),
    'embed': ('embed', 'embed'), 'compare': ('compare', 'compare'),
    'study': ('study', 'study'), 'check': ('check', 'check'),
    'import_weights': ('weights.importing', 'import_weights'),
    'export_weights': ('weights.exporting', 'export_weights')}
SHARED_JOBS = ('pretrain', 'evaluate', 'embed')  # Which several processes can do.
ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(argv=None):
  """Runs the command line and returns its exit code."""
  argv = list(sys.argv if argv is None else argv)
  if any(a in ('--help', '-h', '-help', '--helpfull') for a in argv[1:]):
    print(help_text())
    return 0

  def job():
    command = parse(argv)
    name = command.config.get('job')
    if name not in JOBS:
      raise errors.ConfigError(
          f'config.job is {name!r}. There are: {", ".join(JOBS)}.')
    # An evaluation writes beside the checkpoint that it reads.
    workdir = command.workdir or command.config.get('checkpoint') or (
        f'runs/{command.name}')
    start_jax()
    join(command.hosts, name)
    module, function = JOBS[name]
    getattr(importlib.import_module(f'jaxssl.{module}'), function)(
        command.config, pathlib.Path(workdir))

  return exit_code_of(job)


def exit_code_of(job):
  """Calls a function; returns its exit code and tells in one line what went wrong."""
  try:
    job()
    return 0
  except errors.JobError as e:
    print(f'{type(e).__name__}: {one_line(e)}', file=sys.stderr)
    return e.exit_code
  except KeyboardInterrupt:
    return 130
  except Exception as e:
    from jaxssl import hosts
    if hosts.lost(e):
      print(
          f'Another process of this job was lost: run all of them again. '
          f'({one_line(e)[:300]})', file=sys.stderr)
      return errors.LostError.exit_code
    traceback.print_exc()
    print(
        'This is a bug in jaxssl: please report it with the lines above.',
        file=sys.stderr)
    return 70


class Command(NamedTuple):
  """A command line, read."""
  config: dict
  name: str              # Of the config file.
  workdir: str | None
  hosts: dict            # Keyword arguments of `jax.distributed.initialize`.


def parse(argv):
  """Reads a command line; nothing is kept in globals.

  Raises:
    errors.ConfigError: anything wrong with it or with the config file.
  """
  argv = [argv[0], *(find_config(a) for a in argv[1:])]
  values = flags.FlagValues()
  config = config_flags.DEFINE_config_file(
      'config', flag_values=values, sys_argv=argv)
  workdir = flags.DEFINE_string('workdir', None, '', flag_values=values)
  hosts = {
      name: define(flag, None, '', flag_values=values) for name, define, flag in (
          ('coordinator_address', flags.DEFINE_string, 'coordinator'),
          ('num_processes', flags.DEFINE_integer, 'num_processes'),
          ('process_id', flags.DEFINE_integer, 'process_id'))}
  try:
    rest = values(argv)[1:]
  except Exception as e:  # The config file is a program: it can raise anything.
    raise errors.ConfigError(told(e)) from e
  if rest:
    raise errors.ConfigError(
        f'Unexpected {rest[0]!r}: overrides are --config.key=value (see --help).')
  if config.value is None:
    raise errors.ConfigError('--config=FILE is missing, such as configs/quickstart.py.')
  if workdir.value is not None and not workdir.value.strip():
    raise errors.ConfigError('--workdir is empty.')
  path = values['config'].config_filename
  return Command(
      config.value.to_dict(), pathlib.Path(path.partition(':')[0]).stem, workdir.value,
      {name: flag.value for name, flag in hosts.items() if flag.value is not None})


def find_config(arg):
  """Lets --config be found from any folder, and import its neighbours.

  A relative path that is not here is looked up beside the package. The folder that
  holds `configs/` goes on the import path.
  """
  if not arg.lstrip('-').startswith('config='):
    return arg
  flag, _, value = arg.partition('=')
  path, colon, rest = value.partition(':')
  found = pathlib.Path(path)
  if not found.is_absolute() and not found.exists() and (ROOT / path).exists():
    found = ROOT / path
  if not found.is_file():
    near = sorted(p.name for p in (ROOT / 'configs').glob('*.py'))
    raise errors.ConfigError(
        f'There is no config {path!r}; in configs/ there are: {", ".join(near)}.')
  for folder in found.resolve().parents:
    if folder.name == 'configs':
      sys.path.insert(0, str(folder.parent))
      break
  return f'{flag}={found}{colon}{rest}'


def join(given, job):
  """Joins the other processes of a job; see `hosts.start`."""
  from jaxssl import hosts
  hosts.start(given)
  if hosts.count() > 1 and job not in SHARED_JOBS:
    raise errors.ConfigError(
        f'The job {job} is for one process, and there are {hosts.count()}; several '
        f'can do {", ".join(SHARED_JOBS)}.')


def start_jax():
  """Compilation cache and quiet libraries, before devices are used."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  logging.getLogger('jax').setLevel(logging.WARNING)
  import jax
  if not os.environ.get('JAX_COMPILATION_CACHE_DIR'):
    cache = pathlib.Path(
        os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'jaxssl'
    try:
      # Private: whoever can write compiled programs there can run code as us.
      cache.mkdir(mode=0o700, parents=True, exist_ok=True)
      os.chmod(cache, 0o700)
      jax.config.update('jax_compilation_cache_dir', str(cache / 'xla'))
      jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.3)
    except OSError:
      logging.warning('No compilation cache: %s cannot be written.', cache)


def told(error):
  """What a failed look at the command line has to say, in one line.

  What a config file raised comes inside a message, as a whole traceback: of that, the
  last line, and where it was unless the config itself speaks by a ValueError.
  """
  frame = traceback.extract_tb(error.__traceback__)[-1]
  of_key = isinstance(error, (KeyError, AttributeError))
  if of_key and 'ml_collections' in frame.filename:
    # The message comes as a string within a string.
    key = str(error.args[0]).replace('\\n', ' ').replace("\\'", "'")
    key = key[1:-1] if key.startswith(("''", '"\'')) else key
    return f'The config has no key {key}'
  if not isinstance(error, (flags.Error, SyntaxError)):
    return (f'{type(error).__name__}: {one_line(error)} '
            f'({frame.filename}, line {frame.lineno})')
  lines = str(error).strip().splitlines()
  places = [line.strip() for line in lines if line.lstrip().startswith('File "')]
  if not places:
    return one_line(error)
  kind, _, message = lines[-1].partition(': ')
  if kind == 'ValueError':
    return message
  return f'{lines[-1]} ({places[-1]})'


def one_line(error):
  """The message of an error without line breaks."""
  return ' '.join(str(error).split()) or type(error).__name__


def help_text():
  configs = sorted(
      str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('*.py')
      if 'def get_config(' in p.read_text('utf-8'))
  return f'{__doc__}\nRecipes:\n  ' + '\n  '.join(configs)


if __name__ == '__main__':
  huge_pages.restart()
  sys.stdout.reconfigure(line_buffering=True)
  code = main()
  sys.stdout.flush()
  sys.stderr.flush()
  if 'jax' in sys.modules:
    from jaxssl import hosts
    hosts.leave(code)
  # Threads of a failed save must not keep the process from ending.
  os._exit(code)
