r"""Does image quality matter? Pretraining on corrupted images, with and without labels.

  python -m jaxssl.main --config=configs/studies/quality.py:smoke
  python -m jaxssl.main --config=configs/studies/quality.py:mini,root=/data/four
  python -m jaxssl.main --config=configs/studies/quality.py:root=/data,plan

Figure 4 of Cole et al. 2022 (https://arxiv.org/abs/2105.05837): only the pretraining
images are corrupted; a linear classifier is trained and tested on clean ones, and the
figure shows how much accuracy the corruption cost, for SimCLR beside supervised
training. `parts.py` has the arguments; `beyond` adds corruptions that the paper has
not.

Published, on ImageNet: downsampling by 4 costs SimCLR 34 points and supervised training
6.5; salt and pepper costs 2.9 and 0.9. Departures: JPEG's quality is not known to us,
10 here; clean images lie on canvases of 512 pixels, the shorter side 384. Ours: see
docs/studies.md.
"""

from configs.studies import parts
from configs.studies import protocols

CLEAN = 'clean'


def get_config(arg=''):
  arg = parts.arguments(arg, beyond=False)
  c = parts.study(
      arg, title='Image quality',
      question='How much does it cost to pretrain on poor images?')
  size = parts.size(arg)
  domain = {'full': 'ImageNet', 'mini': 'scenes', 'smoke': 'species'}[size]
  corruptions = paper(size)
  if arg.beyond:
    corruptions |= {
        f'{name} {severity}': dict(name=name, severity=severity)
        for name in (
            'gaussian_noise', 'gaussian_blur', 'pixelate', 'contrast', 'brightness')
        for severity in (1, 3, 5)}
  if size == 'smoke':
    corruptions = {k: corruptions[k] for k in (
        CLEAN, 'Salt & Pepper', 'Resize & Downsample 4x')}
  for seed in range(arg.seeds):
    for method in ('simclr', 'supervised'):
      for called, corruption in corruptions.items():
        name = f'{method}_{parts.plain(called)}_{seed}'
        run = parts.pretraining(arg, method, domain, seed=seed)
        fine(run, size)
        if corruption:
          run.corruption = corruption
        c.pretrain[name] = run
        c.cells[name] = parts.cell(
            name, eval_data=parts.data_of(arg, domain),
            axes=dict(
                corruption=called, method=parts.CALLED[method], seed=seed),
            evals=dict(linear=protocols.linear(arg)))
  c.figures = dict(quality=dict(
      name='bars', published='cole2022_quality',
      title='What poor pretraining images cost', x='corruption', hue='method',
      y='linear/top1', relative_to=dict(corruption=CLEAN),
      order=(*corruptions, 'Supervised', 'SimCLR'), names=dict(method='pretraining')))
  low = tuple(name for name in corruptions if 'Downsample' in name)
  c.claims = dict(low_resolution_hurts_more_without_labels=dict(corruptions=low))
  return c


def paper(size):
  """The paper's corruptions; smaller images are resized by less."""
  side = {'full': 256, 'mini': 72, 'smoke': 28}[size]
  return {
      CLEAN: None,
      'Salt & Pepper': dict(name='salt_and_pepper', p=0.01),
      'JPEG': dict(name='jpeg', quality=10),
      'Resize': dict(name='resize', size=side),
      'Resize & Downsample 2x': (
          dict(name='resize', size=side), dict(name='downsample', factor=2)),
      'Resize & Downsample 4x': (
          dict(name='resize', size=side), dict(name='downsample', factor=4))}


def fine(run, size):
  """Keeps the images' detail, so that there is something to lose."""
  if size == 'full':
    run.data.update(short_side=384, canvas=512)
  if size == 'mini':
    run.data.update(short_side=96, canvas=128)
