"""Reads a pickle as data: what it describes is noted, nothing that it names is called.

BYOL's authors published pickles of their state. A pickle is a program: it names
functions and has them called. Here its instructions are followed by hand, with
`pickletools` of the standard library as the parser, and only those that build numbers,
text, tuples, lists and dicts do what they say. Where a function would be called or an
object made, a `Call` notes its name and arguments. Nothing is imported, looked up or
run, so there is no allow-list of functions to get wrong. `array` then builds NumPy
arrays from the calls that describe one, out of plain bytes of a plain type.
"""

import dataclasses
import io
import math
import pickletools
from typing import Any

import numpy as np

DTYPES = ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8')
CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
EMPTY = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple}
TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
GETS = ('GET', 'BINGET', 'LONG_BINGET')
PUTS = ('PUT', 'BINPUT', 'LONG_BINPUT')
NUMBERS_AND_TEXT = (
    'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT',
    'BINFLOAT', 'UNICODE', 'SHORT_BINUNICODE', 'BINUNICODE', 'BINUNICODE8',
    'SHORT_BINBYTES', 'BINBYTES', 'BINBYTES8', 'SHORT_BINSTRING', 'BINSTRING')


@dataclasses.dataclass(eq=False)  # Equality would walk what may be a cycle.
class Call:
  """What a pickle wanted to be called: noted, and not done."""
  name: str
  args: Any
  state: Any = None
  items: dict = dataclasses.field(default_factory=dict)


def read(data):
  """What a pickle describes.

  Args:
    data: the file's bytes.

  Raises:
    ValueError: it is no pickle, or has instructions that data do not need.
  """
  try:
    return _follow(data)
  except (IndexError, KeyError, TypeError, AttributeError, MemoryError,
          OverflowError, UnicodeError) as e:
    raise ValueError(f'This is no pickle of plain data ({type(e).__name__}).') from e


def _follow(data):
  stack, marked, memo = [], [], {}

  def since_mark():
    nonlocal stack
    items, stack = stack, marked.pop()
    return items

  for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
    op = opcode.name
    if op in ('PROTO', 'FRAME'):
      continue
    if op == 'STOP':
      return stack.pop()
    if op in NUMBERS_AND_TEXT:
      stack.append(argument)
    elif op in CONSTANTS:
      stack.append(CONSTANTS[op])
    elif op in EMPTY:
      stack.append(EMPTY[op]())
    elif op == 'MARK':
      marked.append(stack)
      stack = []
    elif op in COLLECTED:
      items = since_mark()  # Which changes what `stack` is.
      stack.append(COLLECTED[op](items))
    elif op in TUPLES:
      stack[-TUPLES[op]:] = [tuple(stack[-TUPLES[op]:])]
    elif op == 'APPEND':
      item = stack.pop()
      stack[-1].append(item)
    elif op == 'APPENDS':
      items = since_mark()
      stack[-1].extend(items)
    elif op in ('SETITEM', 'SETITEMS'):
      pairs = since_mark() if op == 'SETITEMS' else [stack.pop(-2), stack.pop()]
      target = stack[-1]
      (target.items if isinstance(target, Call) else target).update(_pairs(pairs))
    elif op == 'GLOBAL':
      stack.append(argument.replace(' ', '.'))
    elif op == 'STACK_GLOBAL':
      name = stack.pop()
      stack.append(f'{stack.pop()}.{name}')
    elif op in ('REDUCE', 'NEWOBJ'):
      args = stack.pop()
      stack.append(_noted(str(stack.pop()), args))
    elif op == 'BUILD':
      state = stack.pop()
      stack[-1].state = state
    elif op in PUTS:
      memo[argument] = stack[-1]
    elif op == 'MEMOIZE':
      memo[len(memo)] = stack[-1]
    elif op in GETS:
      stack.append(memo[argument])
    elif op == 'POP':
      stack.pop()
    else:
      raise ValueError(f'This pickle has the instruction {op}, which data do not need.')
  raise ValueError('This pickle has no end.')


def _noted(name, args):
  """A `Call`; or bytes, which protocols before 3 write as text and a call."""
  if name == '_codecs.encode' and isinstance(args[0], str) and args[1:] == ('latin1',):
    return args[0].encode('latin-1')
  if name in ('__builtin__.bytes', 'builtins.bytes') and args == ():
    return b''
  return Call(name, args)


def _pairs(items):
  if not all(isinstance(key, str | int) for key in items[::2]):
    raise ValueError('This pickle has a dict with keys that are no text.')
  return dict(zip(items[::2], items[1::2], strict=True))


COLLECTED = {'TUPLE': tuple, 'LIST': list, 'DICT': _pairs}


def mapping(value):
  """A dict, or the dict that an object was made of; None if it is neither."""
  while isinstance(value, Call):
    made_of = isinstance(value.args, tuple) and len(value.args) == 1
    value = value.args[0] if made_of else value.items
  return value if isinstance(value, dict) else None


def array(value):
  """The NumPy array that a `Call` describes, or None if it describes none.

  Raises:
    ValueError: it is of a type other than numbers, or its size is not that of its
      bytes; nothing has been allocated.
  """
  if not isinstance(value, Call) or not value.name.endswith('multiarray._reconstruct'):
    return None
  try:
    _, shape, dtype, fortran, data = value.state
    code, order = dtype.args[0], dtype.state[1]
    if not all(type(n) is int and n >= 0 for n in shape):
      raise ValueError(f'shape {shape}')
    size = math.prod(shape)
  except (TypeError, ValueError, AttributeError, IndexError) as e:
    raise ValueError('An array in this pickle is not as NumPy describes one.') from e
  if code not in DTYPES or order not in ('<', '>', '|', '='):
    raise ValueError(f'An array in this pickle is of type {code!r}, not of numbers.')
  dtype = np.dtype(order + code)
  if not isinstance(data, bytes) or size * dtype.itemsize != len(data):
    raise ValueError(f'An array in this pickle is {shape} and has other bytes.')
  return np.frombuffer(data, dtype).reshape(shape, order='F' if fortran else 'C')
