"""Colours, against Pillow, colorsys and NumPy."""

import colorsys
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pictures
import pytest
import scipy.stats
from PIL import Image
from PIL import ImageEnhance
from PIL import ImageOps

from jaxssl import augment
from jaxssl import color


def gray(image):
  return image @ np.array([0.299, 0.587, 0.114])


def shift_hue(image, turns):
  def shift(rgb):
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    return colorsys.hsv_to_rgb((h + turns) % 1, s, v)
  return np.array([shift(rgb) for rgb in image.reshape(-1, 3)]).reshape(image.shape)


NUMPY = {
    'brightness': lambda x, f: (f * x).clip(0, 1),
    'contrast': lambda x, f: (f * x + (1 - f) * gray(x).mean()).clip(0, 1),
    'saturation': lambda x, f: (f * x + (1 - f) * gray(x)[..., None]).clip(0, 1),
    'hue': shift_hue}


@functools.cache
def measured_factors():
  """What `color_jitter` draws for 3000 keys, by what each operation does alone."""
  dull = np.array([[[0.50, 0.46, 0.46], [0.46, 0.5, 0.48]]], np.float32)
  factors = {}
  for name in NUMPY:
    only = {k: v if k == name else 0.0 for k, v in pictures.JITTER.items()}
    got = pictures.over_keys(augment.color_jitter, 3000, dull, p=1.0, **only)
    if name == 'hue':
      h = [colorsys.rgb_to_hsv(*x[0, 0].astype(float))[0] for x in got]
      factors[name] = (np.array(h) + 0.5) % 1 - 0.5
    else:
      base = {'brightness': 0.0, 'contrast': gray(dull).mean(),
              'saturation': gray(dull)[0, 0]}[name]
      factors[name] = (got[:, 0, 0, 0] - base) / (dull[0, 0, 0] - base)
  return factors


def test_jitter_is_the_sequence_of_its_operations_in_a_random_order():
  image = pictures.pixels(2, 2, 3)
  factors = measured_factors()
  seen = dict.fromkeys(itertools.permutations(NUMPY), 0)
  views = pictures.over_keys(augment.color_jitter, 600, image, p=1.0, **pictures.JITTER)
  for i, got in enumerate(views):
    after = {(): image.astype(float)}  # Each sequence of operations -> its image.
    for length in range(1, 5):
      for order in itertools.permutations(NUMPY, length):
        after[order] = NUMPY[order[-1]](after[order[:-1]], factors[order[-1]][i])
    errors = {order: abs(got - after[order]).max() for order in seen}
    best, second = sorted(errors, key=errors.get)[:2]
    assert errors[best] < 1e-4, (i, errors)
    seen[best] += errors[second] > 1e-3  # Where nothing is clipped, some commute.
  assert min(seen.values()) >= 2, seen


def test_jitter_factors_are_uniform_and_independent():
  factors = measured_factors()
  for name, values in factors.items():
    low, high = (-0.2, 0.2) if name == 'hue' else (0.2, 1.8)
    fit = scipy.stats.kstest(values, 'uniform', (low, high - low))
    assert fit.statistic < 0.04, (name, fit)
  correlation = np.corrcoef(list(factors.values())) - np.eye(4)
  assert abs(correlation).max() < 0.08


def test_strengths_above_one_start_at_zero():
  image = np.full((1, 1, 3), 0.1, np.float32)
  got = pictures.over_keys(
      augment.color_jitter, 1000, image, p=1.0, brightness=3.0, contrast=0.0,
      saturation=0.0, hue=0.0)[:, 0, 0, 0] / 0.1
  assert scipy.stats.kstest(got, 'uniform', (0, 4)).statistic < 0.06


def test_jitter_has_its_probability():
  image = pictures.pixels(2, 2, 3)
  got = pictures.over_keys(
      augment.color_jitter, 2000, image, p=0.8, **pictures.JITTER)
  same = (got == image).all((1, 2, 3))  # To the bit.
  assert abs(same.mean() - 0.2) < 0.04


def test_hue_is_colorsys():
  levels = np.linspace(0, 1, 9, dtype=np.float32)
  image = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
  shift = jax.jit(
      lambda x, turns: color._shift_hue(jnp.moveaxis(x, -1, 0), 6 * turns))
  for turns in (-0.5, -0.21, 0.0, 0.1, 1 / 3, 0.5):
    got = np.moveaxis(shift(image, turns), 0, -1)
    np.testing.assert_allclose(got, shift_hue(image, turns), atol=2e-6)


@pytest.mark.parametrize('name, enhance', [
    ('brightness', ImageEnhance.Brightness), ('contrast', ImageEnhance.Contrast),
    ('saturation', ImageEnhance.Color)])
def test_jitter_operations_are_pillows_enhancements(name, enhance):
  image = (pictures.pixels(16, 16, 3) * 255).astype(np.uint8)
  factors = measured_factors()[name]
  only = {k: v if k == name else 0.0 for k, v in pictures.JITTER.items()}
  got = pictures.over_keys(
      augment.color_jitter, 10, image.astype(np.float32) / 255, p=1.0, **only)
  for view, factor in zip(got, factors):
    want = np.asarray(enhance(Image.fromarray(image)).enhance(float(factor)))
    assert abs(view * 255 - want).max() <= 2  # Pillow rounds grey and result.


def test_grayscale_is_pillows():
  image = (pictures.pixels(16, 16, 3) * 255).astype(np.uint8)
  got = augment.grayscale(jax.random.key(0), image.astype(np.float32) / 255, p=1.0)
  want = np.asarray(Image.fromarray(image).convert('L'))[..., None]
  assert abs(np.asarray(got) * 255 - want).max() <= 0.51


def test_solarize_is_pillows():
  image = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, -1)
  got = augment.solarize(
      jax.random.key(0), image.astype(np.float32) / 255, p=1.0, threshold=128 / 255)
  want = np.asarray(ImageOps.solarize(Image.fromarray(image), 128))
  np.testing.assert_array_equal((np.asarray(got) * 255).round(), want)


def test_normalize_gives_mean_zero_and_deviation_one():
  image = pictures.pixels(30, 30, 3)
  mean, std = image.mean((0, 1)), image.std((0, 1))
  got = np.asarray(augment.normalize(image, mean=mean, std=std))
  np.testing.assert_allclose(got.mean((0, 1)), 0, atol=1e-5)
  np.testing.assert_allclose(got.std((0, 1)), 1, atol=1e-5)
