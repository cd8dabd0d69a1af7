"""Work done ahead of the one who waits for it, on threads."""

import collections
import concurrent.futures
import os
import queue
import threading

WORKERS = min(32, os.cpu_count() or 1)


def ahead(function, items, *, workers, depth):
  """Maps `function` over `items`, in order, with up to `depth` results ahead.

  An exception in a thread is raised here, as itself, when its result is due.
  Closing the generator, at any point, ends the threads. They are daemons, unlike
  those of the standard library's executors: a read that hangs does not keep the
  program from ending.

  Args:
    function: takes one item.
    items: any iterable; it is read in the thread of the caller.
    workers: number of threads.
    depth: results that may be ready or under way before they are asked for.

  Yields:
    What `function` returns for each item.
  """
  tasks = queue.SimpleQueue()

  def work():
    for item, result in iter(tasks.get, None):
      if result.set_running_or_notify_cancel():
        try:
          result.set_result(function(item))
        except BaseException as e:
          result.set_exception(e)

  pool = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
  for thread in pool:
    thread.start()
  pending = collections.deque()
  try:
    for item in items:
      pending.append(concurrent.futures.Future())
      tasks.put((item, pending[-1]))
      if len(pending) > depth:
        yield pending.popleft().result()
    while pending:
      yield pending.popleft().result()
  finally:
    for result in pending:
      result.cancel()
    for _ in pool:
      tasks.put(None)
    for thread in pool:
      thread.join(timeout=1 / workers)
