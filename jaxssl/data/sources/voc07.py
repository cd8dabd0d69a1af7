"""PASCAL VOC 2007 (http://host.robots.ox.ac.uk/pascal/VOC/voc2007), several labels.

  root/JPEGImages/000001.jpg       root being VOCdevkit/VOC2007, or a folder above it
  root/Annotations/000001.xml
  root/ImageSets/Main/trainval.txt, test.txt, train.txt, val.txt

An image has the label 1 for a class that an object is of which is not marked as
difficult, and 0 for others: as in PCL (https://arxiv.org/abs/2005.04966), a class of
which there are difficult objects only counts as absent.
"""

import os
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from jaxssl.data import decode
from jaxssl.data import files
from jaxssl.data import lists

CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair',
    'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant',
    'sheep', 'sofa', 'train', 'tvmonitor')
EXPECTED = (
    'VOCdevkit/VOC2007 with JPEGImages, Annotations and ImageSets: '
    'VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar from '
    'http://host.robots.ox.ac.uk/pascal/VOC/voc2007, unpacked into one folder')
SPLITS = ('train', 'val', 'trainval', 'test')
INSIDE = ('', 'VOC2007', 'VOCdevkit/VOC2007')


def make(*, root, split):
  """Images of VOC 2007.

  Args:
    root: folder in the layout above.
    split: 'trainval', 'test', 'train' or 'val'.

  Returns:
    A `data.Source` with labels int8 [num_examples, 20].

  Raises:
    ValueError: the layout is another, or a file is missing or damaged.
  """
  root = files.check_root(root, EXPECTED)
  if split not in SPLITS:
    raise ValueError(f'No split {split!r}. There are: {", ".join(SPLITS)}.')
  folders = [os.path.join(root, name) for name in INSIDE]
  root = next(
      (f for f in folders if os.path.isdir(os.path.join(f, 'JPEGImages'))), None)
  if root is None:
    raise ValueError(
        f'{decode.printable(folders[0])} has no folder JPEGImages. It should be '
        f'{EXPECTED}.')
  path = os.path.join(root, 'ImageSets', 'Main', f'{split}.txt')
  if not os.path.isfile(path):
    raise ValueError(
        f'{decode.printable(path)} is missing. config.data.root should be {EXPECTED}.')
  with open(path, 'rb') as f:
    names = f.read().split()
  listing = lists.listing(
      root, [b'JPEGImages/' + name + b'.jpg' for name in names],
      named_by=os.path.basename(path))
  labels = np.stack([
      _labels(os.path.join(root, 'Annotations', f'{os.fsdecode(name)}.xml'))
      for name in names])                                           # [n, 20]
  return files.source(
      listing, np.arange(len(names)), labels=labels, class_names=CLASSES)


def _labels(path):
  """int8 [20] of one image."""
  shown = decode.printable(path)
  labels = np.zeros(len(CLASSES), np.int8)
  try:
    with open(path, 'rb') as f:
      for thing in parse(f.read()).iter('object'):
        if thing.findtext('difficult', '0').strip() == '0':
          labels[CLASSES.index(thing.findtext('name', '').strip())] = 1
  except OSError as e:
    raise ValueError(f'{shown} cannot be read: {e.strerror}.') from e
  except (ValueError, expat.ExpatError) as e:
    raise ValueError(f'{shown} is no annotation of VOC 2007: {e}.') from e
  return labels


def parse(text):
  """The root element of an XML document, which may not declare any entities.

  A few lines of declarations could grow into gigabytes, or read other files.
  """
  def refuse(name, *_):
    raise ValueError(f'it declares a document type, {decode.printable(name)}')

  builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
  parser.StartElementHandler = builder.start
  parser.EndElementHandler = builder.end
  parser.CharacterDataHandler = builder.data
  parser.StartDoctypeDeclHandler = refuse
  parser.Parse(text, True)
  return builder.close()
