"""The panel that reads a photograph, without a browser."""

import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from course_utils import Network, data_path
from course_utils.lab.photo_panel import MOST, PhotoReader

PHOTOS = data_path("photos")


@pytest.fixture
def reader():
    return PhotoReader(Network.load(data_path("handwriting_weights.npz")))


def upload(reader, content):
    """Do what the browser does when a file is chosen."""
    file = {"name": "a", "type": "image/jpeg", "size": len(content), "content": memoryview(content)}
    reader.upload.value = (file | {"last_modified": datetime.now(UTC)},)


def test_by_path_it_shows_the_sheet_and_each_digit(reader):
    before = plt.get_fignums()
    reader.read(PHOTOS / "rajdeep_digits.jpg")
    assert reader.answers == [7, 3, 5, 4, 2, 6]
    assert "6 digits: <b>7 3 5 4 2 6</b>" in reader.status.value
    for picture in (reader.sheet.value, reader.forms.value):
        assert re.match(r'<img alt=".{20,}" style="[^"]+" src="data:image/png;base64,', picture)
    assert plt.get_fignums() == before


def test_the_same_photograph_can_be_uploaded_twice(reader):
    for name in ("sheet_pencil.jpg", "rajdeep_digits.jpg", "rajdeep_digits.jpg"):
        upload(reader, (PHOTOS / name).read_bytes())
        assert reader.upload.value == ()
    assert reader.answers == [7, 3, 5, 4, 2, 6]


def test_what_cannot_be_read_takes_the_last_answers_away(reader):
    reader.read(PHOTOS / "rajdeep_digits.jpg")
    upload(reader, b"<b>no photograph</b>")
    assert "It can't be read" in reader.status.value
    assert (reader.answers, reader.sheet.value, reader.forms.value) == ([], "", "")
    with pytest.raises(ValueError, match="no photograph"):
        reader.read(b"no photograph")
    with pytest.raises(FileNotFoundError):
        reader.read("there is no such photograph.jpg")
    assert "No such file" in reader.status.value


def test_a_page_of_something_else_is_doubted(reader):
    rng = np.random.default_rng(0)
    sheet = np.ones((400, 900))
    for left in range(40, 800, 90):
        sheet[100:160, left : left + 50] -= 0.9 * (rng.random((60, 50)) < 0.5)
    reader.read(sheet)
    assert "in doubt. Is the sheet upright" in reader.status.value


def test_without_digits_it_says_so(reader):
    blank = io.BytesIO()
    Image.new("L", (300, 200), 220).save(blank, "PNG")
    upload(reader, blank.getvalue())
    assert "No digits were found" in reader.status.value


def test_many_pieces_are_counted_and_not_all_shown_one_by_one(reader):
    sheet = np.ones((1000, 1000))
    for k in range(100):
        row, column = 30 + k // 10 * 95, 30 + k % 10 * 95
        sheet[row : row + 50, column : column + 8] = 0
    reader.read(sheet)
    assert len(reader.answers) == 100 > MOST
    assert "100 digits" in reader.status.value


def test_an_answer_below_the_doubt_is_counted(reader):
    network = Network.load(data_path("sample_weights.npz"))
    reader = PhotoReader(network, doubt=0.9)
    reader.read(PHOTOS / "sheet_pencil.jpg")
    assert re.search("[234] in doubt", reader.status.value)
