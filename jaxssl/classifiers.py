"""Classes that a simple classifier of frozen features gives to each test example.

For protocols that need to know what was predicted, where `evals/linear.py` and
`evals/knn.py` only count what was right; the classifiers are the same as there.
Each function here makes `classify(x, labels, x_test, num_classes)`: float32 [n, d]
features, their int32 [n] classes and float32 [q, d] features -> int32 [q] classes.
In a block, m is its examples; k is neighbours and c classes.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl import linear_probe
from jaxssl import neighbors
from jaxssl import plugins
from jaxssl import probes
from jaxssl import scoring


def make(by):
  """The classifier that a config's sub-dict describes.

  Args:
    by: dict of `name`, 'knn' or 'linear', and the keywords of that function.

  Raises:
    ValueError: no such name, or its settings do not fit.
  """
  known = {'knn': knn, 'linear': linear}
  if by.get('name') not in known:
    raise ValueError(
        f'by.name is {by.get("name")!r}; it can be {" or ".join(known)}.')
  function = known[by['name']]
  return function(**plugins.arguments(function, by, what='by'))


def knn(*, k, temperature):
  """Weighted votes of the nearest examples, as in `evals/knn.py`.

  Args:
    k: neighbours that vote.
    temperature: of the votes; 0 is plain majority.

  Raises:
    ValueError: a setting is out of range; and, when it classifies, k is above the
      number of examples, or the widths differ.
  """
  if k < 1 or not 0 <= temperature < np.inf:
    raise ValueError(
        f'kNN has k={k} and temperature={temperature}; k must be 1 or more, the '
        'temperature 0 or more.')

  def classify(x, labels, x_test, num_classes):
    similarity, index = neighbors.nearest(x_test, x, k=k)         # [q, k]
    classes = np.empty(len(x_test), np.int32)
    for place in scoring.blocks(len(x_test), 1024):
      classes[place] = neighbors.votes(
          similarity[place], labels[index[place]], temperature=temperature,
          num_classes=num_classes).argmax(1)
    return classes

  return classify


def linear(
    *, optimizer, schedule, rates, decays, epochs, batch_size, seed, standardize):
  """A linear classifier, chosen from a grid as in `evals/linear.py`.

  Args:
    optimizer, schedule, rates, decays, epochs, batch_size, seed, standardize: see
      `linear_probe.check`.

  Raises:
    ValueError: a setting is out of range; and, when it classifies, the widths
      differ, or even the chosen classifier's scores are not finite.
  """
  settings = linear_probe.check(
      num_classes=2,  # How many there are is known when it classifies.
      optimizer=optimizer, schedule=schedule, rates=rates, decays=decays,
      epochs=epochs, batch_size=batch_size, seed=seed, standardize=standardize)

  def classify(x, labels, x_test, num_classes):
    scoring.check_widths(x, x_test)
    head, _ = linear_probe.fit(
        settings._replace(num_classes=num_classes), x, labels)
    classes = np.empty(len(x_test), np.int32)
    most = max(1, min(8192, probes.LOGITS // num_classes))
    for place in scoring.blocks(len(x_test), most):
      classes[place], finite = _highest(head, x_test[place])
      if not finite:
        raise ValueError(
            'The linear classifier diverged and has scores that are not finite: '
            'lower its rates.')
    return classes

  return classify


@jax.jit
def _highest(head, x):
  """[m, d] features -> [m] classes, and whether all scores are finite."""
  logits = jnp.matmul(x, head.weights[:, 0], precision='highest')  # [m, c]
  logits = logits + head.biases[0]
  return logits.argmax(-1), jnp.isfinite(logits).all()
