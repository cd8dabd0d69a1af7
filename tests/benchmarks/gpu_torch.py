"""The steps of `gpu.py` in PyTorch: SimCLR's and PCL's, as one would write them.

  python tests/benchmarks/gpu_torch.py torch_simclr --values=FILE [--small]

torchvision's ResNet, channels last, autocast to bfloat16, compiled where that works,
SGD with momentum in one kernel. Views are ready and on the device, so that nothing is
asked of PyTorch that ours does beside the network: ours makes its views in the step.
"""

import argparse
import copy
import json
import time

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet

BATCHES = (512, 256, 128, 64)  # Images, the largest that fits; those of gpu_parts.py.
DEPTHS = {
    10: (resnet.BasicBlock, [1, 1, 1, 1]), 50: (resnet.Bottleneck, [3, 4, 6, 3])}


def network(depth, hidden, device):
  """A ResNet with SimCLR's head of three layers, or PCL's, one, where hidden is 0."""
  net = resnet.ResNet(*DEPTHS[depth])
  width = net.fc.in_features
  layers = []
  for out in (hidden, hidden) if hidden else ():
    layers += [nn.Linear(width, out, bias=False), nn.BatchNorm1d(out), nn.ReLU()]
    width = out
  last = nn.Linear(width, 128, bias=not hidden)
  net.fc = nn.Sequential(*layers, last, *[nn.BatchNorm1d(128)] * bool(hidden))
  return net.to(device, memory_format=torch.channels_last)


def optimiser(net, device):
  return torch.optim.SGD(
      net.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4,
      fused=device.type == 'cuda')


def simclr(batch, depth, size, device, compiled, small):
  """() -> the loss of a SimCLR step on ready-made views."""
  net = network(depth, 64 if small else 2048, device)
  call = compiled(net)
  sgd = optimiser(net, device)
  images = made_views(2 * batch, size, device)
  own = torch.arange(2 * batch, device=device)
  positive = own.roll(batch)

  def step():
    with torch.autocast(device.type, torch.bfloat16):
      z = F.normalize(call(images).float())
      logits = z @ z.T / 0.1
    logits = logits.float().masked_fill(own[:, None] == own, -torch.inf)
    return update(sgd, F.cross_entropy(logits, positive))
  return step


def pcl(batch, depth, size, device, compiled, small):
  """() -> the loss of a PCL step, whose prototypes are there already."""
  net = network(depth, 0, device)
  target = copy.deepcopy(net).requires_grad_(False)
  call, call_target = compiled(net), compiled(target)
  sgd = optimiser(net, device)
  ks = (16, 32, 48) if small else (25_000, 50_000, 100_000)
  num_negatives, queue_size = (8, 64) if small else (16_384, 16_384)

  def unit(n):
    return F.normalize(torch.randn(n, 128, device=device))
  prototypes = [unit(k) for k in ks]
  assignments = [torch.randint(k, (batch,), device=device) for k in ks]
  spread = [torch.full((k,), 0.2, device=device) for k in ks]
  queue, place = unit(queue_size), 0
  a, b = (made_views(batch, size, device) for _ in range(2))
  first = torch.zeros(batch, dtype=torch.long, device=device)

  def contrast(z, own, others, temperatures):
    logits = torch.cat([(z * own).sum(1, keepdim=True), z @ others.T], 1).float()
    return F.cross_entropy(logits / temperatures, first)

  def step():
    nonlocal place
    with torch.autocast(device.type, torch.bfloat16):
      with torch.no_grad():
        torch._foreach_lerp_(
            list(target.parameters()), list(net.parameters()), 0.001)
        key = F.normalize(call_target(b).float())
      z = F.normalize(call(a).float())
      loss = contrast(z, key, queue, 0.2)
      for p, assigned, phi in zip(prototypes, assignments, spread):
        drawn = torch.randperm(len(p), device=device)[:num_negatives]
        temperatures = torch.cat([phi[assigned][:, None], phi[drawn].expand(
            batch, -1)], 1)
        loss = loss + contrast(z, p[assigned], p[drawn], temperatures) / len(ks)
    queue[place:place + batch] = key
    place = (place + batch) % queue_size
    return update(sgd, loss)
  return step


def made_views(n, size, device):
  views = torch.rand(n, 3, size, size, device=device).to(torch.bfloat16)
  return views.contiguous(memory_format=torch.channels_last)


def update(sgd, loss):
  sgd.zero_grad(set_to_none=True)
  loss.backward()
  sgd.step()
  return loss.detach()


def measure(make, emit, small):
  cuda = torch.cuda.is_available()
  device = torch.device('cuda' if cuda else 'cpu')
  torch.backends.cudnn.benchmark = True
  torch.set_float32_matmul_precision('high')
  depth, size = (10, 64) if small else (50, 224)
  calls, turns = (1, 2) if small else (10, 5)
  for batch in (8,) if small else BATCHES:
    try:
      run, how = started(make, (batch, depth, size, device), small)
      break
    except torch.OutOfMemoryError:
      torch.cuda.empty_cache()
  else:
    raise RuntimeError('Not even the smallest batch fits.')
  emit('batch', batch)
  emit('how', how)
  seconds = []
  for _ in range(turns):
    start = time.perf_counter()
    for _ in range(calls):
      loss = run()
    float(loss)  # Waits.
    seconds.append((time.perf_counter() - start) / calls)
  emit('step_seconds', float(np.median(seconds)))
  emit('views_per_second', 2 * batch / float(np.median(seconds)))
  emit('torch', f'{torch.__version__}, torchvision {torchvision.__version__}')


def started(make, arguments, small):
  """A step that has run, compiled if possible, and how it runs."""
  # At toy sizes the compiler's front alone, which takes seconds.
  backend = 'aot_eager' if small else 'inductor'
  ways = {
      f'compiled ({backend})': lambda net: torch.compile(net, backend=backend),
      'not compiled': lambda net: net}
  problems = []
  for how, compiled in ways.items():
    try:
      run = make(*arguments, compiled, small)
      for _ in range(3):
        loss = float(run())
    except torch.OutOfMemoryError:
      raise
    except Exception as e:  # A compiler can fail in any way; then without it.
      if how == 'not compiled':
        raise
      problems.append(f', as the compiler says {type(e).__name__}')
      continue
    if not np.isfinite(loss):
      raise RuntimeError(f'The loss is {loss}: this is no training.')
    return run, how + ''.join(problems)


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('part', choices=('torch_simclr', 'torch_pcl'))
  parser.add_argument('--values', required=True)
  parser.add_argument('--small', action='store_true')
  args = parser.parse_args()
  with open(args.values, 'a', encoding='utf-8') as f:
    def emit(key, value):
      print(json.dumps({key: value}), file=f, flush=True)
      print(f'{args.part}.{key}: {value}', flush=True)
    measure({'torch_simclr': simclr, 'torch_pcl': pcl}[args.part], emit, args.small)


if __name__ == '__main__':
  main()
