"""Four CPU devices for every test, set before jax is imported.

Compilation takes most of the time of the tests: what one has compiled, the others and
the processes that they start find in a cache, which goes when the tests end.
"""

import atexit
import os
import shutil
import tempfile

os.environ['JAX_PLATFORMS'] = os.environ.get('JAXSSL_TEST_PLATFORM', 'cpu')
os.environ['XLA_FLAGS'] = (
    os.environ.get('XLA_FLAGS', '') + ' --xla_force_host_platform_device_count=4')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.2'
if 'PYTEST_XDIST_WORKER' not in os.environ:  # Workers share that of who started them.
  os.environ['JAX_COMPILATION_CACHE_DIR'] = tempfile.mkdtemp(prefix='jaxssl-tests-')
  atexit.register(
      shutil.rmtree, os.environ['JAX_COMPILATION_CACHE_DIR'], ignore_errors=True)

import pytest


def pytest_addoption(parser):
  parser.addoption('--slow', action='store_true', help='run the slow tests too')


def pytest_configure(config):
  config.addinivalue_line('markers', 'slow: takes minutes; runs with --slow')
  config.addinivalue_line(
      'markers', 'unoptimized: compiled without most optimisations, but with --slow')


def pytest_collection_modifyitems(config, items):
  if not config.getoption('--slow'):
    skip = pytest.mark.skip(reason='slow; runs with --slow')
    for item in items:
      if 'slow' in item.keywords:
        item.add_marker(skip)


@pytest.fixture(scope='module', autouse=True)
def optimization(request):
  """Leaves most optimisations out in files that are marked so.

  They and the processes that they start test how a run, a job or a study goes, and
  would compile for half of their time. What steps compute is tested as users run it.
  """
  wanted = request.node.get_closest_marker('unoptimized') is None
  if wanted or request.config.getoption('--slow'):
    yield
    return
  import jax
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
    jax.clear_caches()
    jax.config.update('jax_disable_most_optimizations', True)
    yield
    jax.config.update('jax_disable_most_optimizations', False)
    jax.clear_caches()
