"""Seconds of exact kNN here, ours and faiss-cpu's flat index.

  python -m tests.benchmarks.knn          # 10,000 queries, 50,000 rows, d=512, k=200.
  python -m tests.benchmarks.knn --quick  # A fifth of the queries and of the rows.

Rows are normal, of length 1, and both search by their products, on the same cores.
They take turns, so that other load on the machine falls on both, and each has its
median; ours has compiled before. The search is timed alone and then with the weighted
vote on 1000 classes, which for both is ours: faiss has none. CPU seconds are there
too: on a machine that does other work as well their ratio says more.

Neighbours agree where both name the same rows. Where they do not, the rows must be
equally similar up to float32's rounding: nothing that is nearer was missed.
"""

import numpy as np

from jaxssl import huge_pages
from jaxssl import neighbors
from jaxssl import scoring
from tests.benchmarks import stopwatch
from tests.benchmarks import table

K, WIDTH, CLASSES, TEMPERATURE = 200, 512, 1000, 0.1
ROUNDING = 1e-6  # Of a cosine of 512 numbers in float32.


def unit_rows(rng, n):
  x = rng.standard_normal((n, WIDTH), np.float32)
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def predictions(similarity, index, labels):
  return np.concatenate([
      neighbors.votes(
          similarity[place], labels[index[place]], temperature=TEMPERATURE,
          num_classes=CLASSES).argmax(1)
      for place in scoring.blocks(len(index), 1000)])


def check(bank, queries, ours, theirs):
  """The share of faiss's neighbours that ours has; raises where a nearer one is not."""
  agree, missed = 0, -np.inf
  for query, similarity, mine, other in zip(queries, ours[0], ours[1], theirs[1]):
    agree += len(np.intersect1d(mine, other))
    only = np.setdiff1d(other, mine)
    if len(only):
      nearest = (bank[only].astype(np.float64) @ query).max()
      missed = max(missed, nearest - similarity[-1])
  if missed > ROUNDING:
    raise RuntimeError(f'A row that is nearer by {missed:.1e} is missing from ours.')
  return agree / ours[1].size


def rows(quick):
  q, n = (2_000, 10_000) if quick else (10_000, 50_000)
  rng = np.random.default_rng(0)
  bank, queries = unit_rows(rng, n), unit_rows(rng, q)
  labels = rng.integers(0, CLASSES, n)
  search, peer = {'ours': lambda: neighbors.nearest(queries, bank, k=K)}, 'faiss'
  try:
    import faiss
    index = faiss.IndexFlatIP(WIDTH)
    index.add(bank)
    search['faiss'] = lambda: index.search(queries, K)
  except ImportError as e:
    peer = f'faiss-cpu: {e}'
  vote = {
      name: lambda run=run: predictions(*run(), labels)
      for name, run in search.items()}
  multiply = stopwatch.product()
  search['ours']()  # Compiles.
  found = []
  for what, runs in (('search', search), ('search and vote', vote)):
    times, results = stopwatch.by_turns(
        {**runs, stopwatch.PRODUCT: multiply}, 3 if quick else 5)
    ours, cpu = map(float, times['ours'])
    theirs, note = None, ''
    if 'faiss' in runs:
      theirs, their_cpu = map(float, times['faiss'])
      note = f'CPU seconds {cpu:.1f} and {their_cpu:.1f}'
      if what == 'search':
        recall = check(bank, queries, results['ours'], results['faiss'])
        note += f', recall {recall:.6f}'
    found.append(table.Row(
        f'knn: {what}, {q:,} queries, {n:,} rows, d={WIDTH}, k={K}', 's', ours, peer,
        theirs, ('ratio', '<=', 1), 2 * q * n * WIDTH / multiply(),
        stopwatch.PRODUCT, note))
  return found


def main():
  args = table.parser(__doc__).parse_args()
  table.deliver(rows(args.quick), args)


if __name__ == '__main__':
  huge_pages.restart()
  main()
