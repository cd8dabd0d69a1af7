"""Programs that start anew with other memory settings, in processes of their own."""

import os
import pathlib
import subprocess
import sys

import pytest

from jaxssl import huge_pages

ROOT = pathlib.Path(__file__).parents[1]
THP = pathlib.Path('/sys/kernel/mm/transparent_hugepage/enabled')
PROGRAM = '''
import os
import sys
import numpy as np
from jaxssl import huge_pages
print('begun', os.getpid(), flush=True)
huge_pages.restart()
print(sys.argv[1:], sys.flags.dev_mode, os.environ.get(huge_pages.VARIABLE))
kept = np.ones(2**24)
rollup = open('/proc/self/smaps_rollup').read()
print(next(l.split()[1] for l in rollup.splitlines() if 'AnonHuge' in l))
sys.exit(42)
'''

needs_glibc = pytest.mark.skipif(
    not huge_pages.supported(), reason='needs glibc 2.35 or newer')


def run(tmp_path, **environ):
  """Lines that the program printed; the rest of its environment is ours."""
  path = tmp_path / 'program.py'
  path.write_text(PROGRAM)
  ours = {
      k: v for k, v in os.environ.items()
      if k not in (huge_pages.SWITCH, huge_pages.VARIABLE)}
  done = subprocess.run(
      [sys.executable, '-X', 'dev', path, '--a=b c', ''], capture_output=True,
      text=True, env={**ours, 'PYTHONPATH': str(ROOT), **environ})
  assert done.returncode == 42, done.stderr
  return done.stdout.splitlines()


@needs_glibc
def test_a_program_starts_anew_once_in_the_same_process(tmp_path):
  first, second, settings, memory = run(tmp_path)
  assert first == second and first.startswith('begun')
  assert settings == (
      "['--a=b c', ''] True glibc.malloc.hugetlb=1:"
      'glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=268435456')
  if THP.exists() and '[never]' not in THP.read_text():
    assert int(memory) > 100_000  # Of 128 MiB.


def test_what_the_user_has_set_stays(tmp_path):
  _, settings, _ = run(tmp_path, JAXSSL_HUGE_PAGES='0')
  assert settings == "['--a=b c', ''] True None"
  if huge_pages.supported():
    *_, settings, _ = run(tmp_path, GLIBC_TUNABLES='glibc.malloc.hugetlb=0')
    assert 'hugetlb=0:glibc.malloc.mmap_threshold=33554432' in settings
    assert 'hugetlb=1' not in settings


@pytest.mark.parametrize('version, supported', [
    ('glibc 2.35', True), ('glibc 2.36', True), ('glibc 3.0', True),
    ('glibc 2.34', False), ('musl 1.2', False), (None, False), ('', False)])
def test_which_libraries_take_the_settings(version, supported, monkeypatch):
  monkeypatch.setattr(os, 'confstr', lambda name: version, raising=False)
  assert huge_pages.supported() == supported


def test_a_system_that_forbids_it_goes_on(monkeypatch):
  called = []

  def fail(*args):
    called.append(args)
    raise PermissionError

  monkeypatch.setattr(huge_pages, 'supported', lambda: True)
  monkeypatch.setattr(os, 'execv', fail)
  monkeypatch.setenv(huge_pages.SWITCH, '')
  monkeypatch.setenv(huge_pages.VARIABLE, '')
  huge_pages.restart()
  assert called[0][0] == sys.executable


def test_a_system_that_does_not_tell_its_library_is_left_alone(monkeypatch):
  def fail(name):
    raise ValueError('unrecognized configuration name')

  monkeypatch.setattr(os, 'confstr', fail, raising=False)
  monkeypatch.delenv(huge_pages.SWITCH, raising=False)
  huge_pages.restart()
  assert huge_pages.SWITCH not in os.environ
