"""Each official layout gives back the very weights that it was made of."""

import jax
import made_weights
import numpy as np
import pytest

from jaxssl import weights
from jaxssl.weights import architecture
from jaxssl.weights import layouts
from jaxssl.weights import names

SMALL = dict(depth=50, width=0.0625)  # 4 channels: 53 convolutions, few numbers.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

# name: settings of the network, the file's maker, what comes along.
CASES = {
    'moco v1': (
        made_weights.model(**SMALL, projector=made_weights.head('moco', 1)),
        lambda v: made_weights.moco(v, 50, 1),
        ('moco', 'symmetric', 'bilinear', *IMAGENET)),
    'moco v2': (
        made_weights.model(**SMALL, projector=made_weights.head('moco', 2)),
        lambda v: made_weights.moco(v, 50, 2),
        ('moco', 'symmetric', 'bilinear', *IMAGENET)),
    'simsiam': (
        made_weights.model(**SMALL, projector=made_weights.head('simsiam', 3)),
        lambda v: made_weights.simsiam(v, 50),
        ('simsiam', 'symmetric', 'bilinear', *IMAGENET)),
    'swav': (
        made_weights.model(), lambda v: made_weights.swav(v, 10),
        ('swav', 'symmetric', 'bilinear', IMAGENET[0], (0.228, 0.224, 0.225))),
    'dino': (
        made_weights.model(), lambda v: made_weights.dino(v, 10),
        ('dino', 'symmetric', 'bicubic', *IMAGENET)),
    'torchvision': (
        made_weights.model(), lambda v: made_weights.torchvision(v, 10),
        ('torchvision', 'symmetric', 'bilinear', *IMAGENET)),
    'a small stem': (
        made_weights.model(stem='cifar', width=0.5),
        lambda v: made_weights.torchvision(v, 10),
        ('torchvision', 'symmetric', 'bilinear', *IMAGENET)),
    'simclr v2, converted': (
        made_weights.model(**SMALL, projector=made_weights.head('simclr', 3)),
        lambda v: made_weights.simclr_v2_pytorch(v, 50),
        ('simclr_v2_pytorch', 'same_pool', 'bicubic', *UNIT)),
    'simclr v1': (
        made_weights.model(**SMALL, projector=made_weights.head('simclr', 2)),
        lambda v: made_weights.simclr_tensorflow(v, 50),
        ('simclr_tf', 'same_pool', 'bicubic', *UNIT)),
    'simclr v2': (
        made_weights.model(**SMALL, projector=made_weights.head('simclr', 3)),
        lambda v: made_weights.simclr_tensorflow(v, 50),
        ('simclr_tf', 'same_pool', 'bicubic', *UNIT)),
    'byol': (
        made_weights.model(**SMALL, projector=made_weights.head('byol', 2)),
        lambda v: flat(*made_weights.haiku(v, 50)),
        ('byol', 'same', 'bicubic', *IMAGENET))}


def flat(params, state):
  return {
      f'{part}/{module}/{name}': x
      for part, tree in (('online_params', params), ('online_state', state))
      for module, leaves in tree.items() for name, x in leaves.items()}


def load(arrays, path, **how):
  np.savez(path, **arrays)
  return weights.load(path, **how)


@pytest.mark.parametrize('case', CASES)
def test_a_layout_gives_back_what_it_was_made_of(case, tmp_path):
  model, make, (layout, padding, interpolation, mean, std) = CASES[case]
  made = made_weights.variables(model)
  found, card = load(make(made), tmp_path / 'w.npz')
  assert card['model'] == {**model, 'padding': padding}
  assert jax.tree.structure(found) == jax.tree.structure(made)
  exact = case != 'simsiam'  # Its bias is folded into a mean.
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(made)):
    np.testing.assert_allclose(a, b, rtol=0, atol=0 if exact else 1e-5)
  how = card['preprocessing']
  assert card['source']['layout'] == layout
  assert how == dict(
      size=32 if model['stem'] == 'cifar' else 224, fraction=0.875, mean=mean, std=std,
      interpolation=interpolation)
  assert card['num_features'] == round(
      64 * model['width']) * (32 if model['depth'] == 50 else 8)


def test_what_is_dropped_is_listed_by_what_it_is(tmp_path):
  model, make, _ = CASES['moco v2']
  _, card = load(make(made_weights.variables(model)), tmp_path / 'w.npz')
  dropped = card['source']['dropped']
  assert dropped['the queue'] == [
      'state_dict/module.queue', 'state_dict/module.queue_ptr']
  assert dropped['optimiser and bookkeeping'] == ['optimizer/state/0/momentum_buffer']
  assert len(dropped['the key encoder']) == 53 * 6 + 4  # With their counters.
  assert len(dropped['counters of batch norms']) == 53


def test_names_that_several_share_are_told_apart_by_who_asks(tmp_path):
  arrays = made_weights.state_dict(made_weights.variables(made_weights.MODEL), 10)
  np.savez(tmp_path / 'w.npz', **arrays)
  cards = {
      layout: weights.load(tmp_path / 'w.npz', layout=layout)[1]
      for layout in ('timm', 'simclr_pytorch', 'dino')}
  assert cards['timm']['preprocessing']['fraction'] == 0.95
  assert cards['simclr_pytorch']['preprocessing']['std'] == (1.0, 1.0, 1.0)
  assert cards['simclr_pytorch']['model']['padding'] == 'same_pool'
  assert cards['dino']['preprocessing']['interpolation'] == 'bicubic'


def broken(change):
  arrays = made_weights.torchvision(made_weights.variables(made_weights.MODEL), 10)
  change(arrays)
  return arrays


def shrink(arrays, name):
  arrays[name] = arrays[name][:-1]


MISTAKES = {
    'missing': (
        lambda a: [a.pop('layer2.0.bn1.weight'), a.pop('layer3.0.conv2.weight')],
        'missing are layer2.0.bn1.weight, layer3.0.conv2.weight.'),
    'unknown': (
        lambda a: a.update({'layer1.0.bn7.weight': np.zeros(1)}),
        'unknown are layer1.0.bn7.weight.'),
    'foreign': (
        lambda a: a.update({'neck.weight': np.zeros(1)}),
        'has no names such as neck.weight'),
    'hostile': (
        lambda a: a.update({'a\n\x1b[31m': np.zeros(1)}), 'names such as a??[31m'),
    'twice': (
        lambda a: a.update({'module.bn1.bias': np.zeros(8)}),
        'has bn1.bias twice, once as module.bn1.bias'),
    'shape': (
        lambda a: shrink(a, 'layer4.0.conv1.weight'),
        'layer4.0.conv1.weight is (63, 32, 3, 3) and not (64, 32, 3, 3)'),
    'grouped': (
        lambda a: a.update({'layer1.0.conv2.weight': np.zeros((8, 1, 3, 3))}),
        'grouped convolutions and wide bottlenecks are not supported'),
    'not finite': (
        lambda a: a['bn1.bias'].fill(np.nan), 'bn1.bias has values that no weights'),
    'variance': (
        lambda a: a['bn1.running_var'].fill(-1), 'bn1.running_var has values'),
    'depth': (
        lambda a: a.update({'layer1.1.conv1.weight': np.zeros((8, 8, 3, 3))}),
        'no ResNet with (2, 1, 1, 1) basic blocks; there are 10 (1, 1, 1, 1), 18'),
    'stem': (
        lambda a: a.update({'conv1.weight': np.zeros((8, 1, 7, 7))}),
        'conv1.weight is (8, 1, 7, 7)'),
    'resnet-d': (
        lambda a: a.update({'conv1.0.weight': a.pop('conv1.weight')}),
        'a stem of three convolutions'),
    'resnet-d shortcuts': (
        lambda a: a.update({'layer2.0.downsample.2.weight': np.zeros(16)}),
        'shortcuts with average pooling (ResNet-D)'),
    'squeeze': (
        lambda a: a.update({'layer1.0.se.fc1.weight': np.zeros((2, 2, 1, 1))}),
        'squeeze and excitation'),
    'transformer': (
        lambda a: [a.clear(), a.update({'cls_token': np.zeros((1, 1, 8))})],
        'a vision transformer'),
    'nothing known': (
        lambda a: [a.clear(), a.update({'w': np.zeros(3)})],
        'No layout has the names w. There are: jaxssl, simclr_tf')}


@pytest.mark.parametrize('name', MISTAKES)
def test_what_does_not_fit_is_listed_in_one_line(name, tmp_path):
  change, told = MISTAKES[name]
  with pytest.raises(ValueError) as e:
    load(broken(change), tmp_path / 'w.npz')
  assert told in str(e.value) and '\n' not in str(e.value)


def test_selective_kernels_are_named():
  model, make, _ = CASES['simclr v2, converted']
  arrays = make(made_weights.variables(model))
  arrays['resnet/net.1.blocks.0.net.2.main_conv.0.weight'] = np.zeros((8, 4, 3, 3))
  with pytest.raises(ValueError, match='selective kernels'):
    layouts.canonical(arrays, 'auto')
  # As TensorFlow has them: a stem of 3x3 kernels, the last of double width.
  with pytest.raises(ValueError, match='selective kernels'):
    architecture.ordered([(3, 3, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64)])
  with pytest.raises(ValueError, match='4 convolutions of sizes'):
    architecture.ordered([(7, 7, 3, 64), *[(1, 1, 64, 64)] * 3])


def test_a_layout_that_is_not_there(tmp_path):
  with pytest.raises(ValueError, match="No layout 'mocov3'"):
    load({'w': np.zeros(3)}, tmp_path / 'w.npz', layout='mocov3')


def test_a_converted_head_with_an_offset_is_not_simclrs(tmp_path):
  model, make, _ = CASES['simclr v2, converted']
  arrays = make(made_weights.variables(model))
  arrays['head/layers.7.bias'][0] = 1
  with pytest.raises(ValueError, match='has an offset'):
    load(arrays, tmp_path / 'w.npz')


@pytest.mark.parametrize('depth, count', [(18, 100), (50, 265)])
def test_every_leaf_has_one_name_of_its_own(depth, count):
  model = made_weights.model(depth=depth, width=0.0625)
  state = names.to_state(made_weights.variables(model))
  assert len(state) == count  # torchvision's, without counters and classifier.
  back = names.to_variables(state, model)
  again = names.to_state(back)
  assert all(np.array_equal(state[name], again[name]) for name in state)
