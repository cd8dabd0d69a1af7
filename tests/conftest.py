"""Four CPU devices for every test, set before jax is imported."""

import os

os.environ['JAX_PLATFORMS'] = os.environ.get('JAXSSL_TEST_PLATFORM', 'cpu')
os.environ['XLA_FLAGS'] = (
    os.environ.get('XLA_FLAGS', '') + ' --xla_force_host_platform_device_count=4')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import pytest


def pytest_addoption(parser):
  parser.addoption('--slow', action='store_true', help='run the slow tests too')


def pytest_configure(config):
  config.addinivalue_line('markers', 'slow: takes minutes; runs with --slow')


def pytest_collection_modifyitems(config, items):
  if not config.getoption('--slow'):
    skip = pytest.mark.skip(reason='slow; runs with --slow')
    for item in items:
      if 'slow' in item.keywords:
        item.add_marker(skip)
