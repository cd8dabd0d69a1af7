"""Memory in large pages that is kept when freed; call `restart` before any work.

A training step, and a thread that decodes images, asks for hundreds of megabytes and
gives them back, over and over. glibc hands them to the kernel each time, and the kernel
clears them in pages of 4 KB, one fault each: 100,000 faults a step of a ResNet, a fifth
to a third of its time on a CPU. The settings that end this are read when a process
starts, from its environment.
"""

import contextlib
import os
import sys

SWITCH = 'JAXSSL_HUGE_PAGES'  # 0: leave the memory alone; 1: the settings are made.
VARIABLE = 'GLIBC_TUNABLES'
SETTINGS = {
    'glibc.malloc.hugetlb': 1,                    # Ask for transparent huge pages.
    'glibc.malloc.mmap_threshold': 32 * 2**20,    # The most it takes: reuse what is ...
    'glibc.malloc.trim_threshold': 256 * 2**20}   # ... smaller, and keep this much.


def restart():
  """Starts this program anew, in the same process, with the settings.

  It returns, having done nothing, where that has happened already, where the user has
  set `JAXSSL_HUGE_PAGES=0`, and on systems without glibc 2.35 or newer. Of settings
  that the user has made, none is changed.
  """
  if os.environ.get(SWITCH) or not supported():
    return
  given = os.environ.get(VARIABLE, '')
  # A variable of our own says that it is done: a privileged program loses glibc's.
  os.environ[SWITCH] = '1'
  os.environ[VARIABLE] = ':'.join([
      *filter(None, [given]),
      *(f'{k}={v}' for k, v in SETTINGS.items() if f'{k}=' not in given)])
  sys.stdout.flush()
  sys.stderr.flush()
  with contextlib.suppress(OSError):  # It is slower without, no worse.
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def supported():
  """Whether the C library is a glibc that knows the settings."""
  try:
    name, _, version = os.confstr('CS_GNU_LIBC_VERSION').partition(' ')
    return name == 'glibc' and tuple(map(int, version.split('.')[:2])) >= (2, 35)
  except (AttributeError, OSError, ValueError):
    return False  # No glibc.
