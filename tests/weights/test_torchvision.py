"""Runs `torchvision_cases` in a process of its own, where torch is installed.

With TensorFlow loaded before it, as other tests do, torchvision ends the process.
"""

import importlib.util
import pathlib
import subprocess
import sys

import pytest


def test_weights_and_torchvision():
  for package in ('torch', 'torchvision'):
    if importlib.util.find_spec(package) is None:
      pytest.skip(f'{package} is not installed')
  cases = pathlib.Path(__file__).with_name('torchvision_cases.py')
  ran = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', cases],
      capture_output=True, text=True, check=False, cwd=cases.parents[2])
  assert ran.returncode == 0, ran.stdout + ran.stderr
