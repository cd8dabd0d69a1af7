"""Runs a job: `python -m jaxssl.main --config=configs/quickstart.py`.

  --config=FILE[:ARGS]     the recipe; ARGS are its own, such as epochs=100,smoke
  --workdir=DIR            where everything is written; runs/<config name> by default
  --config.KEY=VALUE       overrides one value of the recipe, --config.optim.base_lr=0.1

The same command in the same workdir goes on where it stopped. config.job says what is
done: pretrain or evaluate.

Exit codes: 0 done; 42 preempted, run me again; 65 data broken; 70 a bug of ours;
73 workdir locked or not to be created; 74 disk; 76 diverged, do not restart; 78 a
mistake in config or command line.
"""

import importlib
import logging
import os
import pathlib
import sys
import traceback

from absl import flags
from ml_collections import config_flags

from jaxssl import errors

JOBS = {'pretrain': 'train', 'evaluate': 'evaluate'}
ROOT = pathlib.Path(__file__).resolve().parent.parent

_CONFIG = config_flags.DEFINE_config_file('config', None, 'The recipe.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where everything is written.')
_COORDINATOR = flags.DEFINE_string(
    'coordinator', None, 'host:port of process 0, where it cannot be detected.')
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many processes.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'Which of them this is.')


def main(argv=None):
  """Runs the command line and returns its exit code."""
  argv = list(sys.argv if argv is None else argv)
  try:
    if any(a in ('--help', '-h', '-help', '--helpfull') for a in argv[1:]):
      print(help_text())
      return 0
    config, workdir = parse(argv)
    job = JOBS.get(config.get('job'))
    if job is None:
      raise errors.ConfigError(
          f'config.job is {config.get("job")!r}. There are: {", ".join(JOBS)}.')
    start_jax()
    run = getattr(importlib.import_module(f'jaxssl.{job}'), job)
    run(config, workdir)
    return 0
  except errors.JobError as e:
    print(f'{type(e).__name__}: {one_line(e)}', file=sys.stderr)
    return e.exit_code
  except KeyboardInterrupt:
    return 130
  except Exception:
    traceback.print_exc()
    print(
        'This is a bug in jaxssl: please report it with the lines above.',
        file=sys.stderr)
    return 70


def parse(argv):
  """Reads the flags.

  Returns:
    The config as nested dicts, and the workdir.

  Raises:
    errors.ConfigError: anything wrong with the command line or the config file.
  """
  argv = [argv[0], *(find_config(a) for a in argv[1:])]
  try:
    rest = flags.FLAGS(argv)[1:]
    config = _CONFIG.value
  except Exception as e:  # The config file is a program: it can raise anything.
    raise errors.ConfigError(one_line(e) or type(e).__name__) from e
  if rest:
    raise errors.ConfigError(
        f'Unexpected {rest[0]!r}: overrides are --config.key=value (see --help).')
  if config is None:
    raise errors.ConfigError('--config=FILE is missing, such as configs/quickstart.py.')
  name = pathlib.Path(config_file(flags.FLAGS['config'])).stem
  workdir = _WORKDIR.value if _WORKDIR.value is not None else f'runs/{name}'
  if not workdir.strip():
    raise errors.ConfigError('--workdir is empty.')
  return config.to_dict(), pathlib.Path(workdir)


def config_file(flag):
  """The path that --config was given, without the config's arguments."""
  return str(flag.config_filename).partition(':')[0]


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


def start_jax():
  """Compilation cache, many hosts, and quiet libraries, before devices are used."""
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
  if _COORDINATOR.value or _NUM_PROCESSES.value:
    jax.distributed.initialize(
        _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)


def one_line(error):
  """The message of an error without line breaks."""
  text = error.args[0] if isinstance(error, KeyError) and error.args else error
  return ' '.join(str(text).split())


def help_text():
  configs = sorted(
      str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('*.py')
      if p.name not in ('common.py', '__init__.py'))
  return f'{__doc__}\nRecipes:\n  ' + '\n  '.join(configs)


if __name__ == '__main__':
  sys.stdout.reconfigure(line_buffering=True)
  code = main()
  sys.stdout.flush()
  sys.stderr.flush()
  # Threads of a failed save must not keep the process from ending.
  os._exit(code)
