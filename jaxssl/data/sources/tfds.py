"""Sets of TensorFlow Datasets (https://www.tensorflow.org/datasets).

Any set with an image works, prepared already or downloaded by TFDS. Examples are
read at random from array_record files; a set that was prepared as TFRecord, which
has no random access, is copied once into array_record files beside it. Encoded
images are decoded by `decode`, as in every other source.
"""

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
from absl import logging

from jaxssl import data
from jaxssl import errors
from jaxssl.data import decode


def make(*, dataset, split, data_dir, image_key='auto', label_key='auto'):
  """Images of a TFDS set.

  Args:
    dataset: what TFDS calls it: 'name', 'name/config' or 'name/config:1.0.0'.
    split: a split in the words of TFDS, 'train' or 'train[:10%]'; '' is everything.
    data_dir: folder of prepared sets, or '' for TFDS's own.
    image_key: the feature that holds the image; 'auto' takes the only one, or the
      one called 'image'.
    label_key: the ClassLabel that holds the label, 'auto' in the same way, or
      'none'. Reading labels takes one pass over the files, the first time.

  Returns:
    A `data.Source`.

  Raises:
    ValueError: TFDS cannot prepare or find the set, split or feature.
    errors.DataError: a file of the set is damaged.
  """
  try:
    import tensorflow as tf
    import tensorflow_datasets as tfds
    importlib.import_module('array_record.python.array_record_module')
  except ImportError as e:
    raise ValueError(
        'The source "tfds" needs tensorflow, tensorflow_datasets and array_record, '
        'which has wheels for Linux and Apple silicon only; elsewhere, use '
        f'"folder" or "arrays". ({e})') from e
  with contextlib.suppress(RuntimeError):  # Too late where TensorFlow runs already.
    # It would take the memory of devices that JAX needs.
    tf.config.set_visible_devices([], 'GPU')

  builder = _prepared(tfds, dataset, data_dir)
  features = builder.info.features
  image_key = _key('image_key', image_key, _images(tfds, features), 'image')
  labels_there = [
      k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
  if label_key == 'none' or (label_key == 'auto' and not labels_there):
    label_key = None
  else:
    label_key = _key('label_key', label_key, labels_there, 'label')
  try:
    parts = builder.info.splits[split or 'all'].file_instructions
    digest = data.digest_of(
        (os.path.basename(p.filename), p.skip, p.take, os.path.getsize(p.filename))
        for p in parts)
  except OSError as e:
    raise errors.StorageError(f'A file of {dataset} is missing: {e}.') from e
  except (KeyError, ValueError) as e:
    raise ValueError(f'{dataset}: {_one_line(e)}') from e

  records = builder.as_data_source(
      split or 'all', deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
  name = f'{builder.info.full_name} {split or "all"}'
  raw = tfds.decode.SkipDecoding()

  def fetch(indices):
    try:
      return records.__getitems__([int(i) for i in indices])
    except (OSError, RuntimeError, ValueError) as e:
      raise errors.StorageError(f'{name} cannot be read: {_one_line(e)}') from e

  def values(key, indices, decoders=None):
    wanted = tfds.features.FeaturesDict({key: features[key]})
    return (
        wanted.deserialize_example_np(record, decoders=decoders)[key]
        for record in fetch(indices))

  def read(indices, short_side=None):
    if isinstance(features[image_key], tfds.features.Image):
      encoded = values(image_key, indices, {image_key: raw})
      return [decode.from_bytes(e, short_side) for e in encoded]
    return [
        np.broadcast_to(image, (*image.shape[:2], 3))
        for image in values(image_key, indices)]

  source = data.Source(
      num_examples=len(records), read=read, digest=digest,
      describe=lambda index: f'{name} #{index}')
  if label_key is None:
    return source
  labels = _labels(
      os.path.join(builder.data_dir, f'labels_{label_key}_{digest[:16]}.npy'),
      len(records), lambda indices: values(label_key, indices))
  if (labels == -1).all():  # How TFDS says that a test set has none.
    return source
  return source._replace(
      labels=labels, class_names=tuple(features[label_key].names))


def _one_line(e):
  return decode.printable(' '.join(str(e).split()))[:400]


def _prepared(tfds, dataset, data_dir):
  """The builder of a set that has array_record files."""
  try:
    builder = tfds.builder(dataset, data_dir=data_dir or None, try_gcs=False)
    if not builder.is_prepared():
      logging.info('TFDS prepares %s in %s.', dataset, builder.data_dir)
      builder.download_and_prepare(file_format='array_record')
  except Exception as e:  # Any kind; AssertionError where a download is manual.
    raise ValueError(f'TFDS has no {dataset!r} for us: {_one_line(e)}') from e
  if '://' in str(builder.data_dir):
    raise ValueError(f'{builder.data_dir} is a URL: copy the set to a local disk.')
  formats = {f.value for f in builder.info.available_file_formats()}
  return builder if 'array_record' in formats else _converted(tfds, builder)


def _converted(tfds, builder):
  """Copies a set into array_record files in a folder beside it, once.

  TFDS's own command for this, `tfds convert_format`, wants Apache Beam; its readers
  and writers of files do not.
  """
  there = pathlib.Path(builder.data_dir)
  target = there.with_name(f'{there.name}_array_record')
  if not target.exists():
    logging.info('Copying %s into array_record files, once: %s', there, target)
    try:
      # A folder that exists under its final name is complete.
      with tempfile.TemporaryDirectory(
          prefix=f'incomplete.{target.name}.', dir=there.parent) as folder:
        _convert(builder, there, pathlib.Path(folder) / 'set')
        os.rename(pathlib.Path(folder) / 'set', target)
    except OSError as e:
      if not target.exists():  # Or another process was faster.
        raise errors.StorageError(f'{target} cannot be made: {_one_line(e)}') from e
  copy = tfds.builder_from_directory(target)
  lengths = [
      {name: s.shard_lengths for name, s in b.info.splits.items()}
      for b in (builder, copy)]
  if lengths[0] != lengths[1]:
    raise ValueError(f'{target} is a copy of something else: remove it.')
  return copy


def _convert(builder, there, folder):
  import tensorflow as tf
  from etils import epath
  from tensorflow_datasets.core import file_adapters

  reader = file_adapters.ADAPTER_FOR_FORMAT[builder.info.file_format]
  writer = file_adapters.ArrayRecordFileAdapter
  folder.mkdir()
  for split in builder.info.splits.values():
    paths = split.filename_template.replace(
        data_dir=epath.Path(folder), filetype_suffix=writer.FILE_SUFFIX
        ).sharded_filepaths(len(split.shard_lengths))
    for old, new, length in zip(split.filepaths, paths, split.shard_lengths):
      try:
        writer.write_examples(
            new, ((i, r.numpy()) for i, r in enumerate(reader.make_tf_data(old))))
      except tf.errors.OpError as e:
        raise errors.DataError(f'{old} is damaged: {_one_line(e.message)}') from e
      count = writer.num_examples(new)
      if count != length:
        raise errors.DataError(f'{old} has {count} of its {length} examples.')
  for path in there.iterdir():
    if path.is_file() and f'.{reader.FILE_SUFFIX}' not in path.name:
      shutil.copy(path, folder)
  info = json.loads((folder / 'dataset_info.json').read_text())
  (folder / 'dataset_info.json').write_text(
      json.dumps({**info, 'fileFormat': writer.FILE_SUFFIX}, indent=2))


def _images(tfds, features):
  """Features that are images: encoded ones, or else arrays of pixels."""
  encoded = [
      k for k, f in features.items()
      if isinstance(f, tfds.features.Image)
      and not isinstance(f, tfds.features.LabeledImage)
      and f.np_dtype in (np.uint8, np.uint16)]
  return encoded or [
      k for k, f in features.items()
      if isinstance(f, tfds.features.Tensor) and f.np_dtype == np.uint8
      and len(f.shape) == 3 and f.shape[2] in (1, 3)]


def _key(setting, wanted, there, usual):
  if wanted == 'auto' and len(there) == 1:
    return there[0]
  key = usual if wanted == 'auto' else wanted
  if key not in there:
    raise ValueError(
        f'config.data.{setting} is {wanted!r}. '
        f'There are: {", ".join(there) or "none"}.')
  return key


def _labels(path, num_examples, read):
  """Labels of all examples, from a file that the first pass over them leaves."""
  with contextlib.suppress(OSError, ValueError, EOFError):
    labels = np.load(path, allow_pickle=False)
    if labels.shape == (num_examples,) and labels.dtype == np.int32:
      return labels
  labels = np.concatenate([
      np.fromiter(read(range(i, min(i + 1000, num_examples))), np.int32)
      for i in range(0, num_examples, 1000)])
  with (contextlib.suppress(OSError),  # A read-only set: no file.
        tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder):
    np.save(os.path.join(folder, 'labels.npy'), labels)
    os.replace(os.path.join(folder, 'labels.npy'), path)
  return labels
