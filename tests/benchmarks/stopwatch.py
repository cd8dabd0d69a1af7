"""Times by turns, so that other load on the machine falls on all alike."""

import time

import numpy as np


def best_of(runs, turns):
  """{name: its fastest seconds and CPU seconds}, and {name: what it returned}."""
  seconds, found = {name: [] for name in runs}, {}
  for _ in range(turns):
    for name, run in runs.items():
      start = time.perf_counter(), time.process_time()
      found[name] = run()
      seconds[name].append((
          time.perf_counter() - start[0], time.process_time() - start[1]))
  return {name: np.min(s, axis=0) for name, s in seconds.items()}, found
