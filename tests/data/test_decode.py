"""Every kind of file becomes pixels or a reason; the truth is known pixels."""

import builtins
import concurrent.futures
import errno
import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxssl import data
from jaxssl import errors
from jaxssl.data import decode

HEIGHT, WIDTH = 40, 56


def scene(height=HEIGHT, width=WIDTH):
  """A smooth picture [height, width, 3] without symmetry; JPEG keeps it well."""
  y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
  return np.stack([255 * x, 255 * y, 128 + 100 * x * y], -1).astype(np.uint8)


def encode(image, form, **options):
  file = io.BytesIO()
  image.save(file, form, **options)
  return file.getvalue()


def png(width, height, depth, kind, packed=b''):
  """A PNG by hand, for what Pillow does not write."""
  def chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack(
        '>I', zlib.crc32(name + body))
  header = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
  return (
      b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
      + chunk(b'IDAT', packed) + chunk(b'IEND', b''))


def jpeg_header(width, height):
  start = encode(Image.fromarray(scene(8, 8)), 'JPEG')
  at = start.index(b'\xff\xc0') + 5
  return start[:at] + struct.pack('>HH', height, width) + start[at + 4:]


def webp_header(width, height):
  body = b'WEBPVP8X' + struct.pack('<I', 10) + b'\0\0\0\0'
  body += (width - 1).to_bytes(3, 'little') + (height - 1).to_bytes(3, 'little')
  return b'RIFF' + struct.pack('<I', len(body)) + body


RGB = scene()
PICTURE = Image.fromarray(RGB)
GREY = np.asarray(PICTURE.convert('L'))
FINE = dict(quality=95, subsampling=0)
JPEG = encode(PICTURE, 'JPEG', **FINE)
PNG = encode(PICTURE, 'PNG')
WEBP = encode(PICTURE, 'WEBP', lossless=True)
GREY16 = GREY.astype(np.uint16) * 256 + 77
CMYK = encode(PICTURE.convert('CMYK'), 'JPEG', quality=95)

GOOD = {  # Name: bytes, pixels, and how far from them a channel may lie.
    'JPEG': (JPEG, RGB, 4),
    'JPEG, progressive': (encode(PICTURE, 'JPEG', progressive=True), RGB, 12),
    'JPEG, grey': (encode(PICTURE.convert('L'), 'JPEG', quality=95), GREY, 4),
    'JPEG, CMYK with Adobe marker': (CMYK, RGB, 6),
    'JPEG with another file behind it': (JPEG + PNG, RGB, 4),
    'JPEG, broken EXIF': (
        encode(PICTURE, 'JPEG', exif=b'Exif\0\0II*\0\7', **FINE), RGB, 4),
    'PNG': (PNG, RGB, 0),
    'PNG, grey': (encode(PICTURE.convert('L'), 'PNG'), GREY, 0),
    'PNG, one bit': (encode(PICTURE.convert('1'), 'PNG'),
                     np.asarray(PICTURE.convert('1')) * np.uint8(255), 0),
    'PNG, palette': (encode(PICTURE.convert('P'), 'PNG'),
                     np.asarray(PICTURE.convert('P').convert('RGB')), 0),
    'PNG, 16-bit grey': (encode(Image.fromarray(GREY16), 'PNG'), GREY, 0),
    'PNG, 16-bit colour': (
        png(2, 1, 16, 2, zlib.compress(struct.pack(
            '>B6H', 0, 0x1234, 0x80ff, 0xffff, 0, 0xff, 0x100))),
        np.array([[[0x12, 0x80, 0xff], [0, 0, 1]]]), 0),
    'PNG, half transparent': (
        png(2, 1, 8, 6, zlib.compress(bytes([0, 200, 100, 0, 255, 2, 1, 0, 0]))),
        np.array([[[200, 100, 0], [255, 255, 255]]]), 0),
    'PNG, transparent colour': (
        encode(Image.new('RGB', (1, 1), (9, 8, 7)), 'PNG', transparency=(9, 8, 7)),
        np.full((1, 1, 3), 255), 0),
    'WebP': (WEBP, RGB, 0),
    'WebP, lossy': (encode(PICTURE, 'WEBP', quality=95), RGB, 12),
    'WebP, animated': (encode(PICTURE, 'WEBP', lossless=True, save_all=True,
                              append_images=[PICTURE.rotate(180)]), RGB, 0),
    '1 x 1': (encode(Image.new('RGB', (1, 1), (1, 2, 3)), 'PNG'),
              np.array([[[1, 2, 3]]]), 0),
    '1 x 4000': (encode(Image.new('RGB', (1, 4000)), 'PNG'),
                 np.zeros((4000, 1, 3)), 0),
}

BAD = {
    'no bytes': (b'', 'empty file'),
    'one byte': (b'\xff', 'not an image'),
    'HTML': (b'<html><body>404 not found</body></html>', 'not an image'),
    'zeros': (bytes(1000), 'not an image'),
    'GIF of 3 frames': (encode(PICTURE, 'GIF', save_all=True,
                               append_images=[PICTURE.rotate(90)] * 2),
                        'unsupported format'),
    'BMP': (encode(PICTURE, 'BMP'), 'unsupported format'),
    'TIFF': (encode(PICTURE, 'TIFF'), 'unsupported format'),
    'HEIC': (b'\0\0\0\x18ftypheic' + bytes(100), 'unsupported format'),
    'JPEG, half': (JPEG[:len(JPEG) // 2], 'truncated'),
    'JPEG, no end marker': (JPEG[:-2], 'truncated'),
    'JPEG, only its start': (JPEG[:30], 'truncated'),
    'PNG, half': (PNG[:len(PNG) // 2], 'truncated'),
    'WebP, half': (WEBP[:len(WEBP) // 2], 'truncated'),
    'WebP, only its start': (WEBP[:20], 'truncated'),
    'PNG, wrong checksum': (PNG[:20] + b'\1' + PNG[21:], 'unreadable'),
    'JPEG of 65500 x 65500': (jpeg_header(65500, 65500), 'too large'),
    'PNG of 30000 x 30000': (png(30000, 30000, 8, 2), 'too large'),
    'PNG of 1 x 40000': (png(1, 40000, 8, 0), 'too large'),
    'WebP of 16000 x 16000': (webp_header(16000, 16000), 'too large'),
}


@pytest.mark.parametrize('kind', GOOD)
def test_good_files_become_rgb(kind):
  encoded, want, tolerance = GOOD[kind]
  got = decode.from_bytes(encoded)
  assert got.dtype == np.uint8
  want = np.broadcast_to(want if want.ndim == 3 else want[..., None], got.shape)
  assert np.abs(got.astype(int) - want).max() <= tolerance


@pytest.mark.parametrize('kind', BAD)
def test_bad_files_have_a_reason(kind):
  encoded, reason = BAD[kind]
  got = decode.from_bytes(encoded)
  assert isinstance(got, data.BadImage) and got.reason == reason
  assert got.detail.isprintable()


def test_what_a_file_is_called_does_not_matter(tmp_path):
  (tmp_path / 'a.JPEG').write_bytes(PNG)
  np.testing.assert_array_equal(decode.from_file(tmp_path / 'a.JPEG'), RGB)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_rotation_is_applied(orientation):
  # The matrices of the EXIF standard: what turns the stored into the upright image.
  upright = {
      1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1],
      5: RGB.swapaxes(0, 1), 6: np.rot90(RGB, -1),
      7: np.rot90(RGB, 2).swapaxes(0, 1), 8: np.rot90(RGB)}[orientation]
  exif = Image.Exif()
  exif[0x0112] = orientation
  for form, options, tolerance in (
      ('JPEG', FINE, 4), ('PNG', {}, 0), ('WEBP', dict(lossless=True), 0)):
    got = decode.from_bytes(encode(PICTURE, form, exif=exif, **options))
    assert got.shape == upright.shape
    assert np.abs(got.astype(int) - upright).max() <= tolerance


MEASURE = """
import resource, sys, time
from jaxssl.data import decode
small = decode.from_file(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
print(*(decode.from_file(path).reason for path in sys.argv[2:]), sep=',')
print(time.perf_counter() - start)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""


def test_bombs_are_refused_from_the_header(tmp_path):
  (tmp_path / 'small.png').write_bytes(PNG)
  bombs = [encoded for encoded, reason in BAD.values() if reason == 'too large']
  zipped = zlib.compressobj(9)  # 12000 x 12000 pixels in half a megabyte.
  rows = [zipped.compress(bytes(12001)) for _ in range(12000)]
  bombs.append(png(12000, 12000, 8, 0, b''.join([*rows, zipped.flush()])))
  assert len(bombs[-1]) < 0.5e6
  paths = []
  for i, bomb in enumerate(bombs):
    paths.append(tmp_path / f'{i}.png')
    paths[-1].write_bytes(bomb)
  # A new process: this one's peak of memory may be high already.
  reasons, seconds, kilobytes = subprocess.run(
      [sys.executable, '-c', MEASURE, tmp_path / 'small.png', *paths],
      check=True, capture_output=True, text=True).stdout.splitlines()
  assert reasons.split(',') == ['too large'] * len(bombs)
  assert float(seconds) < 0.1 * len(bombs)
  assert int(kilobytes) < 50_000


@pytest.mark.parametrize(
    'side, short_side, want', [
        (800, 400, 800), (800, 201, 800), (800, 200, 400), (800, 100, 200),
        (800, 40, 100), (800, 1, 100), (90, 100, 90)])
def test_reduced_jpegs_keep_twice_the_wanted_side(side, short_side, want):
  # libjpeg reduces to 1/2, 1/4 and 1/8 only.
  encoded = encode(Image.fromarray(scene(side, side + 40)), 'JPEG')
  assert decode.from_bytes(encoded, short_side).height == want


def test_reduced_jpegs_shrink_to_the_same_picture():
  rng = np.random.default_rng(0)
  noise = Image.fromarray(rng.integers(0, 256, (75, 100, 3), dtype=np.uint8))
  encoded = encode(noise.resize((800, 600), Image.BICUBIC), 'JPEG', quality=95)

  def shrunk(pixels):
    small = Image.fromarray(pixels).resize((100, 75), Image.BILINEAR)
    return np.asarray(small, float)

  full, reduced = decode.from_bytes(encoded), np.asarray(decode.from_bytes(encoded, 75))
  assert full.shape == (600, 800, 3) and reduced.shape == (150, 200, 3)
  error = np.abs(shrunk(full) - shrunk(reduced)).mean()
  a_pixel_off = np.abs(shrunk(full) - np.roll(shrunk(full), 1, 1)).mean()
  assert error < 0.1 * a_pixel_off


def test_threads_decode_as_one_does():
  encoded = [encoded for encoded, *_ in [*GOOD.values(), *BAD.values()]] * 4
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for got, e in zip(pool.map(decode.from_bytes, encoded), encoded):
      want = decode.from_bytes(e)
      assert type(got) is type(want)
      np.testing.assert_array_equal(got, want)


def test_damaged_bytes_give_pixels_or_a_reason():
  rng = np.random.default_rng(0)
  outcomes = set()
  for encoded in (JPEG, PNG, WEBP, CMYK):
    for _ in range(150):
      damaged = np.frombuffer(encoded, np.uint8).copy()
      places = rng.integers(len(damaged), size=rng.integers(1, 8))
      damaged[places] = rng.integers(256)
      got = decode.from_bytes(damaged.tobytes()[:rng.integers(1, 2 * len(encoded))])
      if isinstance(got, data.BadImage):
        outcomes.add(got.reason)
      else:
        assert got.dtype == np.uint8 and got.shape[2:] == (3,)
        outcomes.add('pixels')
  assert {'pixels', 'truncated', 'not an image', 'unreadable'} <= outcomes


@pytest.fixture
def failing_disk(monkeypatch):
  """Makes the first `num_failures` calls of open fail; returns the calls."""
  def install(num_failures):
    calls, real = [], builtins.open
    def flaky(path, *args, **kwargs):
      calls.append(path)
      if len(calls) <= num_failures:
        raise OSError(errno.EIO, 'Input/output error', str(path))
      return real(path, *args, **kwargs)
    monkeypatch.setattr(builtins, 'open', flaky)
    monkeypatch.setattr(time, 'sleep', lambda seconds: None)
    return calls
  return install


def test_a_flaky_disk_is_tried_again(tmp_path, failing_disk):
  (tmp_path / 'a.png').write_bytes(PNG)
  calls = failing_disk(2)
  np.testing.assert_array_equal(decode.from_file(tmp_path / 'a.png'), RGB)
  assert len(calls) == 3


def test_a_failing_disk_is_no_bad_image(tmp_path, failing_disk):
  (tmp_path / 'a\n.png').write_bytes(PNG)
  calls = failing_disk(3)
  with pytest.raises(errors.StorageError, match=r'a\\n\.png .* 3 tries: Input'):
    decode.from_file(tmp_path / 'a\n.png')
  assert len(calls) == 3


def test_a_vanished_file_is_no_bad_image(tmp_path, monkeypatch):
  monkeypatch.setattr(time, 'sleep', lambda seconds: None)
  with pytest.raises(errors.StorageError, match=r'gone\.png .*No such file'):
    decode.from_file(tmp_path / 'gone.png')


def test_a_huge_file_is_not_read(tmp_path):
  with open(tmp_path / 'a.png', 'wb') as f:
    f.write(PNG)
    f.truncate(decode.MAX_BYTES + 1)  # Sparse: takes no space.
  assert decode.from_file(tmp_path / 'a.png').reason == 'too large'
