import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import parallel
from jaxssl.evals import prototypes


def embed(params, extra, x):
  return {'h': x, 'z': x / jnp.linalg.norm(x, axis=1, keepdims=True)}


def around(*degrees):
  radians = np.deg2rad(np.array(degrees, float))
  return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


# On a circle: two coarse prototypes, at 0 and 90 degrees, and five fine ones, of which
# that at 40 has two of its three images nearer to 0, and that at 200 has none.
DEGREES = np.array([-21, -18.5, -20.5, 38, 43, 46, 91, 87, 121, 119, 123, 118])
IDS = np.int64(100 + np.arange(len(DEGREES)))
LABELS = np.array([0, 0, 1, 1, 1, 0, 2, 2, 3, 3, 3, 2])
COARSE, FINE = around(0, 90), around(-20, 40, 90, 120, 200)
EXTRA = {'has_prototypes': np.float32(1), 'clusters': {
    'k5': {'prototypes': FINE, 'concentration': np.ones(5)},
    'k2': {'prototypes': COARSE, 'concentration': np.ones(2)}}}
SETTINGS = dict(num_coarse=5, num_fine=3, num_images=4, seed=0)


def batches(labels=LABELS):
  batch = {'image': 3 * around(*DEGREES), 'index': IDS}
  return [batch if labels is None else batch | {'label': labels}]


def run(extra=EXTRA, labels=LABELS, **changes):
  return prototypes.make(
      embed, test=batches(labels), **(SETTINGS | changes))({}, extra)


@pytest.mark.parametrize('num_devices', [1, 4])
def test_a_circle_worked_by_hand(num_devices, monkeypatch):
  monkeypatch.setattr(parallel, 'devices', lambda: jax.devices()[:num_devices])
  got = run()
  assert got['granularities'] == 2
  assert got['empty_k5'] == 0.2 and got['empty_k2'] == 0
  assert got['largest_k2'] == pytest.approx(7 / 12)
  # Fine: 2 of 3, 2 of 3, 2 of 2, 3 of 4; coarse: three 1 of 5, three 2 (or 3) of 7.
  assert got['purity_k5'] == pytest.approx(9 / 12)
  assert got['purity_k2'] == pytest.approx(6 / 12)
  assert got['nested'] == pytest.approx(11 / 12)
  order = np.argsort(got['gallery_coarse'])
  assert got['gallery_coarse'][order].tolist() == [0, 1]
  assert got['gallery_fine'][order].tolist() == [[0, 1, -1], [3, 2, -1]]
  # Image 105, at 46 degrees, is of fine prototype 1 but not of coarse prototype 0.
  assert got['gallery'][order].tolist() == [
      [[102, 100, 101, -1], [103, 104, -1, -1], [-1] * 4],
      [[108, 109, 111, 110], [106, 107, -1, -1], [-1] * 4]]
  own = [{100, 101, 102, 103, 104}, set(range(105, 112))]
  for images, cluster in zip(got['gallery_random'][order], own):
    assert set(images) <= cluster and len(set(images)) == 4


def test_only_as_much_as_is_asked_for():
  got = run(num_coarse=1, num_fine=1, num_images=2)
  c = got['gallery_coarse'].item()
  assert got['gallery_fine'].tolist() == [[[0], [3]][c]]
  assert got['gallery'].tolist() == [[[[102, 100]], [[108, 109]]][c]]


def test_what_is_drawn_depends_on_the_seed_alone():
  def drawn(seed):
    got = run(seed=seed)
    return got['gallery_coarse'].tolist(), got['gallery_random'].tolist()
  assert drawn(3) == drawn(3)
  assert len({str(drawn(seed)) for seed in range(6)}) > 1


def test_coarse_prototypes_with_enough_fine_ones_come_first():
  # The prototype at 40 has gone: all of the first coarse one is at -20.
  fine = np.concatenate([FINE[:1], FINE[2:]])
  extra = {'has_prototypes': 1, 'clusters': {
      'k2': EXTRA['clusters']['k2'],
      'k4': {'prototypes': fine, 'concentration': np.ones(4)}}}
  for seed in range(6):
    got = run(extra, num_coarse=1, num_fine=2, seed=seed)
    assert got['gallery_coarse'].tolist() == [1]


def test_one_granularity_is_its_own_parent():
  extra = {'has_prototypes': 1, 'clusters': {'k2': EXTRA['clusters']['k2']}}
  got = run(extra)
  assert got['nested'] == 1 and got['granularities'] == 1
  assert got['gallery_fine'][:, 0].tolist() == got['gallery_coarse'].tolist()


def test_without_labels_there_is_no_purity():
  got = run(labels=None)
  assert not [k for k in got if 'purity' in k]
  several = run(labels=np.eye(4, dtype=int)[LABELS])
  assert several.keys() == got.keys() and got.keys() < run().keys()


def test_before_the_first_e_step_there_is_nothing():
  assert run(EXTRA | {'has_prototypes': np.float32(0)}) == {'granularities': 0}


def test_a_method_without_prototypes_is_an_error():
  with pytest.raises(ValueError, match='There are no prototypes'):
    run({'queue': np.zeros(3)})


@pytest.mark.parametrize('name, value', [
    ('num_coarse', 0), ('num_fine', 0), ('num_images', 0), ('seed', -1),
    ('num_images', 1.5)])
def test_settings_out_of_range_are_errors(name, value):
  with pytest.raises(ValueError, match=f'{name} is {value}'):
    run(**{name: value})
