import contextlib
import json

import fake_source
import pytest

from jaxssl import data
from jaxssl import errors
from jaxssl.data import ledger

BAD = data.BadImage('truncated', 'at byte 7')


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_image_is_listed_once_across_restarts(tmp_path):
  path = tmp_path / 'bad_images.jsonl'
  source, _ = fake_source.make(50)
  first = ledger.Ledger(source, path)
  for i in (3, 8, 3):
    first.add(i, BAD)
  first.add(9, data.BadImage('no image'))
  second = ledger.Ledger(source, path)
  assert second.bad == {3: 'truncated', 8: 'truncated', 9: 'no image'}
  second.add(3, BAD)
  second.add(11, BAD)
  assert [line['index'] for line in lines(path)] == [3, 8, 9, 11]
  assert lines(path)[0] == {
      'index': 3, 'name': 'folder/3.png', 'reason': 'truncated',
      'detail': 'at byte 7', 'source': source.digest}
  assert second.reasons() == {'truncated': 3, 'no image': 1}


def test_a_torn_line_is_passed_over(tmp_path):
  path = tmp_path / 'bad_images.jsonl'
  source, _ = fake_source.make(50)
  for i in (3, 8):
    ledger.Ledger(source, path).add(i, BAD)
  path.write_text(path.read_text()[:-20])
  again = ledger.Ledger(source, path)
  assert set(again.bad) == {3}
  again.add(8, BAD)
  assert lines_that_parse(path) == [3, 8]


def lines_that_parse(path):
  found = []
  for line in path.read_text().splitlines():
    with contextlib.suppress(ValueError):
      found.append(json.loads(line)['index'])
  return found


@pytest.mark.parametrize('text', [
    'null\n', '[]\n', '7\n', '{"index": 3}\n', '\x00\xff\n', '{"index": [3]}\n'])
def test_foreign_lines_are_passed_over(tmp_path, text):
  path = tmp_path / 'bad_images.jsonl'
  path.write_text(text)
  assert not ledger.Ledger(fake_source.make(50)[0], path).bad


def test_lines_of_other_data_do_not_count(tmp_path):
  path = tmp_path / 'bad_images.jsonl'
  ledger.Ledger(fake_source.make(50)[0], path).add(3, BAD)
  assert not ledger.Ledger(fake_source.make(60)[0], path).bad


@pytest.mark.parametrize('num_examples, allowed', [
    (50, 10), (10_000, 10), (10_999, 10), (11_000, 11), (25_900, 25)])
def test_as_many_as_allowed_and_no_more(num_examples, allowed):
  book = ledger.Ledger(fake_source.make(num_examples)[0])
  ids = range(0, 2 * allowed, 2)  # No two in a row.
  for i in [*ids, *ids]:
    book.add(i, BAD)
  with pytest.raises(errors.DataError) as e:
    book.add(2 * allowed, BAD)
  message = str(e.value)
  assert f'{allowed + 1} of {num_examples:,} images are bad' in message
  assert f'truncated: {allowed + 1}' in message
  assert message.count('.png') == 5
  assert '\n' not in message


@pytest.mark.parametrize('ids', [
    range(500, 600), range(599, 499, -1),
    [*range(500, 550), *range(551, 600), 550]])
def test_a_hundred_in_a_row(ids):
  *most, last = ids
  book = ledger.Ledger(fake_source.make(200_000)[0])
  for i in most:
    book.add(i, BAD)
  book.add(7, BAD)  # Elsewhere: 100 in all, but not in a row.
  with pytest.raises(errors.DataError, match=r'100 images in a row.*500 to 599'):
    book.add(last, BAD)


def test_evaluation_allows_none():
  book = ledger.Ledger(fake_source.make(50)[0], limit=0)
  with pytest.raises(errors.DataError, match=r"truncated: 1.*'folder/3\.png'"):
    book.add(3, BAD)


def test_a_set_without_a_good_image_is_an_error():
  book = ledger.Ledger(fake_source.make(3)[0])
  book.add(0, BAD)
  book.add(1, BAD)
  with pytest.raises(errors.DataError, match='3 of 3 images'):
    book.add(2, BAD)


def test_names_cannot_forge_lines(tmp_path):
  path = tmp_path / 'bad_images.jsonl'
  name = 'a\n[ERROR] \x1b[31m\u202eb\udc80.png'
  source = fake_source.make(50)[0]._replace(describe=lambda i: name)
  with pytest.raises(errors.DataError) as e:
    ledger.Ledger(source, path, limit=0).add(3, BAD)
  assert str(e.value).isprintable()
  assert path.read_text().rstrip('\n').isprintable()
  assert lines(path)[0]['name'] == name  # The list itself is exact.


def test_the_list_is_capped_and_the_count_is_not(tmp_path, monkeypatch):
  monkeypatch.setattr(ledger, 'MAX_LINES', 4)
  path = tmp_path / 'bad_images.jsonl'
  book = ledger.Ledger(fake_source.make(50)[0], path)
  for i in range(0, 18, 2):
    book.add(i, BAD)
  assert len(lines(path)) == 4
  assert book.reasons() == {'truncated': 9}


def test_a_list_that_cannot_be_written_is_named(tmp_path):
  book = ledger.Ledger(fake_source.make(50)[0], tmp_path / 'gone' / 'bad.jsonl')
  with pytest.raises(errors.StorageError, match=r'Cannot write .*gone.bad\.jsonl'):
    book.add(3, BAD)
