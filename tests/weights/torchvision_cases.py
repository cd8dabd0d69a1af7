"""Both directions against torchvision itself, and hostile PyTorch files.

Run by `test_torchvision`, in a process of its own.
"""

import argparse
import io
import pathlib

import jax
import made_weights
import numpy as np
import pytest

from jaxssl import weights
from jaxssl.weights import names
from jaxssl.weights import parity
from jaxssl.weights import readers

torch = pytest.importorskip('torch')
torchvision = pytest.importorskip('torchvision')


def randomised(network, seed=0):
  """Random batch norms, too: those of a new network are ones and zeros."""
  rng = torch.Generator().manual_seed(seed)
  for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      for x, low, high in (
          (module.weight.data, 0.2, 0.6), (module.bias.data, -0.3, 0.3),
          (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5)):
        x.uniform_(low, high, generator=rng)
  return network.eval()


def images(size, n=2):
  return np.random.default_rng(0).random((n, size, size, 3)).astype(np.float32)


def of_torch(network, x, card):
  how = card['preprocessing']
  x = (x - np.float32(how['mean'])) / np.float32(how['std'])
  with torch.no_grad():
    return network(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()


@pytest.mark.parametrize('depth', [18, 50])
def test_a_round_trip_through_torchvision(depth, tmp_path):
  """In: the same features within 1e-4. Out: the very bits, and the same features."""
  network = randomised(getattr(torchvision.models, f'resnet{depth}')(weights=None))
  path = tmp_path / 'w.pth'
  torch.save({'state_dict': network.state_dict(), 'epoch': 3}, path)
  variables, card = weights.load(path)
  assert card['model']['depth'] == depth and card['model']['width'] == 1
  x = images(64)
  network.fc = torch.nn.Identity()
  want = of_torch(network, x, card)
  got = jax.jit(weights.forward(card))(variables, x)
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
  assert np.ptp(want) > 0.1

  state = names.to_state(variables)
  fresh = getattr(torchvision.models, f'resnet{depth}')(weights=None)
  fresh.fc = torch.nn.Identity()
  fresh.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
  for name, tensor in network.state_dict().items():
    if 'num_batches' not in name:
      assert torch.equal(tensor, fresh.state_dict()[name]), name
  np.testing.assert_array_equal(of_torch(fresh.eval(), x, card), want)


def test_what_is_saved_loads_in_torchvision_and_timm(tmp_path):
  from safetensors import torch as safetensors
  model = made_weights.model(depth=18, width=1.0)
  made = made_weights.variables(model)
  card = weights.save(tmp_path, made, {'model': model, 'preprocessing': dict(
      size=32, fraction=1.0, interpolation='bicubic', mean=[0.5] * 3, std=[0.2] * 3)},
      platforms=('cpu',))
  page = (tmp_path / 'README.md').read_text()
  assert 'torchvision.models.resnet18(weights=None)' in page
  state = safetensors.load_file(tmp_path / 'encoder.safetensors')
  x = images(32)
  want = np.asarray(jax.jit(weights.forward(card))(made, x))
  networks = [torchvision.models.resnet18(weights=None)]
  networks[0].fc = torch.nn.Identity()
  try:
    import timm
    networks.append(timm.create_model('resnet18', num_classes=0))
  except ImportError:
    pass
  for network in networks:
    network.load_state_dict(state)
    np.testing.assert_allclose(
        of_torch(network.eval(), x, card), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('changes', [
    dict(depth=10, width=0.5), dict(depth=50, width=0.125), dict(stem='cifar')],
    ids=str)
def test_a_size_that_torchvision_has_not_is_built_of_its_blocks(changes):
  model = made_weights.model(**changes)
  made = made_weights.variables(model)
  card = {'model': model, 'preprocessing': dict(
      size=32, fraction=1.0, interpolation='bilinear', mean=[0.5] * 3, std=[0.2] * 3)}
  found = parity.report(
      weights.forward(card), made, card, names.to_state(made), 'none')
  against = {c['against']: c.get('largest_relative') for c in found['comparisons']}
  assert against['torchvision'] < 1e-5 and against['numpy'] < 1e-5


def test_dinos_full_checkpoint_with_its_command_line(tmp_path):
  made = made_weights.variables(made_weights.MODEL)
  nested = {'epoch': 3, 'args': argparse.Namespace(arch='resnet50', lr=0.1)}
  for name, x in made_weights.dino(made, 10).items():
    part, _, name = name.partition('/')
    nested.setdefault(part, {})[name] = torch.tensor(x)
  torch.save(nested, tmp_path / 'checkpoint.pth')
  found, card = weights.load(tmp_path / 'checkpoint.pth')
  jax.tree.map(np.testing.assert_array_equal, found, made)
  assert card['source']['layout'] == 'dino'


class Touches:
  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (pathlib.Path(self.path),)


@pytest.mark.parametrize('zipped', [True, False])
def test_a_malicious_pytorch_file_is_not_run(tmp_path, zipped):
  marker, path = tmp_path / 'marker', tmp_path / 'w.pth'
  content = {'state_dict': {'conv1.weight': torch.zeros(2)}, 'evil': Touches(marker)}
  torch.save(content, path, _use_new_zipfile_serialization=zipped)
  with pytest.raises(ValueError) as e:
    weights.load(path)
  assert 'no PyTorch file of tensors alone, and nothing in it was run' in str(e.value)
  assert '\n' not in str(e.value) and not marker.exists()
  torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
  assert marker.exists()  # The payload works.


@pytest.mark.parametrize('content', [b'', b'hello', b'PK\x03\x04'])
def test_a_broken_pytorch_file(tmp_path, content):
  path = tmp_path / 'w.pt'
  path.write_bytes(content)
  with pytest.raises(ValueError, match='is no PyTorch file of tensors alone'):
    weights.load(path)


def test_an_old_torch_is_refused(tmp_path, monkeypatch):
  path = tmp_path / 'w.pth'
  path.write_bytes(b'')
  monkeypatch.setattr(torch, '__version__', '2.9.1+cpu')
  with pytest.raises(ValueError, match='cpu may run code in'):
    weights.load(path)


def test_bfloat16_tensors_are_read(tmp_path):
  made = made_weights.variables(made_weights.MODEL)
  torch.save({
      k: torch.tensor(x).bfloat16() if np.ndim(x) else torch.tensor(x)
      for k, x in made_weights.state_dict(made, 10).items()}, tmp_path / 'w.pt')
  found, _ = weights.load(tmp_path / 'w.pt')
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(made)):
    np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-2)


def test_the_floor_is_that_of_the_extra():
  setup = (pathlib.Path(weights.__file__).parents[2] / 'setup.py').read_text()
  assert f"'torch>={'.'.join(map(str, readers.TORCH_FLOOR))}'" in setup
