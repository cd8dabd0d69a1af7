"""The table of `gpu.py`: what was measured, beside what it should be and could be."""

TITLES = ('what', 'ours', 'PyTorch', 'ratio', 'target', 'card', 'share of it')
NONE = '—'
CIFAR = {'simclr_cifar10': 0.848, 'moco_cifar10': None, 'pcl_cifar10': None}


def lines(parts, *, small, footer):
  """The Markdown table.

  Args:
    parts: {name: {'state', 'values', 'seconds'}}; those that are missing or not done
      say so in their rows, and what a part had found before it was stopped is shown.
    small: toy sizes, at which the figures mean nothing.
    footer: lines of what it was measured on and with.

  Returns:
    Lines of Markdown.
  """
  found = {
      f'{part}.{key}': value
      for part, kept in parts.items() for key, value in kept['values'].items()}
  rows = [row(found, parts) for row in (*LIMITS, *STEPS, clustering)]
  rows += [trained(found, parts, name) for name in CIFAR]
  out = ['# On a GPU', '']
  if small:
    rows = [(*cells[:4], NONE, *cells[5:]) for cells in rows]
    out += ['Toy sizes, to see that it all runs: the figures mean nothing.', '']
  out += [f'| {" | ".join(cells)} |' for cells in (TITLES, ('---',) * 7, *rows)]
  return out + ['', *(f'- {line}' for line in footer)]


def number(x):
  return f'{x:,.0f}' if abs(x) >= 100 else f'{x:.3g}'


def why(parts, part):
  """What is said in the place of a figure that is not there."""
  return parts[part]['state'] if part in parts else 'not asked for'


def limit(key, what, unit, scale):
  def row(found, parts):
    value = found.get(f'device.{key}')
    shown = f'{number(value / scale)} {unit}' if value else why(parts, 'device')
    return what, shown, *[NONE] * 5
  return row


LIMITS = (
    limit('bf16_flops', 'Products of matrices, bfloat16', 'TFLOP/s', 1e12),
    limit('tf32_flops', 'the same, float32 as XLA does it', 'TFLOP/s', 1e12),
    limit('fp32_flops', 'the same, full float32', 'TFLOP/s', 1e12),
    limit('bytes_per_second', 'Memory, read and written', 'GB/s', 1e9))


def speed(name, peer):
  """Views a second of a method's step."""
  def row(found, parts):
    value, other = (
        found.get(f'{part}.views_per_second') for part in (name, peer))
    what = f'{name}, a step with its views'
    if f'{name}.what' in found:
      what += f': {found[f"{name}.what"]}, batch {found.get(f"{name}.batch")}'
    theirs, target = NONE, NONE
    if peer:
      theirs = (
          f'{number(other)} views/s, batch {found.get(f"{peer}.batch")}, '
          f'{found.get(f"{peer}.how")}, views ready' if other else why(parts, peer))
      target = target_of(value and other and value / other, '>=', 1.0, '{}x')
    if name == 'simclr':
      target += '; toward 5,000 views/s on an H200'
    return (
        what, f'{number(value)} views/s' if value else why(parts, name), theirs,
        f'{value / other:.2f}x' if value and other else NONE, target,
        *card(found, found.get(f'{name}.flops_per_second'), 'bf16'))
  return row


def card(found, flops, kind):
  """The card's rate, and the share of it."""
  rate = found.get(f'device.{kind}_flops')
  if not flops or not rate:
    return NONE, NONE
  return f'{number(rate / 1e12)} TFLOP/s', f'{flops / rate:.1%}'


def target_of(value, sign, wanted, form):
  text = f'{sign} {form.format(wanted)}'
  if value is None:
    return text
  reached = value >= wanted if sign == '>=' else value <= wanted
  return f'{text}: {"met" if reached else "not met"}'


def beside_bare(found, parts):
  value = found.get('simclr.step_over_bare')
  return (
      'simclr, a step beside bare forward and backward',
      f'{value:.2f}x its time' if value else why(parts, 'simclr'), NONE, NONE,
      target_of(value, '<=', 1.1, '{}x'), NONE, NONE)


def views_share(found, parts):
  value = found.get('simclr.views_share')
  return (
      'simclr, its views alone', f'{value:.1%} of a step' if value else
      why(parts, 'simclr'), NONE, NONE,
      target_of(value, '<=', 0.05, '{:.0%} of a step'), NONE, NONE)


STEPS = (
    speed('simclr', 'torch_simclr'), beside_bare, views_share,
    speed('pcl', 'torch_pcl'), speed('moco', None))


def clustering(found, parts):
  value = found.get('kmeans.seconds')
  flops = found.get('kmeans.flops_per_second')
  return (
      f'k-means, {found["kmeans.what"]}' if 'kmeans.what' in found else 'k-means',
      f'{number(value)} s' if value else why(parts, 'kmeans'), NONE, NONE, NONE,
      *card(found, flops, 'fp32'))


def trained(found, parts, name):
  """How far a recipe on CIFAR-10 has come, and how long that took."""
  knn, epoch = (found.get(f'{name}.{key}') for key in ('knn', 'epoch'))
  done = name in parts and parts[name]['state'] == 'done'
  shown = [] if knn is None else [f'kNN {knn:.4f}']
  if epoch is not None:
    minutes = parts[name]['seconds'] / 60
    shown.append(f'{number(epoch)} epochs in {number(minutes)} minutes')
  if not done:
    shown.append(why(parts, name))
  wanted = CIFAR[name]
  # What is still being trained has not missed anything.
  target = target_of(knn if done else None, '>=', wanted, '{}') if wanted else NONE
  return name, ', '.join(shown), NONE, NONE, target, NONE, NONE
