"""A photograph that is chosen in notebook 10 is read: boxes and answers, or a word on what is wrong."""

import json
import re

import pytest
from PIL import Image

from .conftest import NOTEBOOKS, error_outputs, open_cells, run_code, show_cell

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

PHOTOS = NOTEBOOKS.parent / "data" / "photos"


@pytest.fixture
def panel(page, lab):
    """Open the upload cell of notebook 10, with what it needs, and yield the page."""
    path = NOTEBOOKS / "10_your_own_handwriting.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    imports = next(source for source in sources if "import PhotoReader" in source)
    (upload,) = (source for source in sources if source.startswith("reader = PhotoReader("))
    imports += (
        "\nphotos = data_path('photos')"
        "\nnets = {'robust': Network.load(data_path('handwriting_weights.npz'))}"
    )
    open_cells(page, lab, "photos", [imports, upload])
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(status(page)).to_contain_text("6 digits: 7 3 5 4 2 6")  # what it begins with
    yield page
    assert not page.errors
    assert not error_outputs(page)


def status(page):
    return page.get_by_role("status").filter(has_text=re.compile("digits|read|Nothing")).first


def choose(page, file):
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name=re.compile("Choose a photograph")).click()
    chosen.value.set_files(file)


def test_a_photograph_is_uploaded_and_read(panel):
    choose(panel, PHOTOS / "sheet_squared.jpg")
    expect(status(panel)).to_contain_text("15 digits: 9 0 2 1 0 8 6 7 5 3 1 4 1 4 2")
    sheet = panel.get_by_role("img", name=re.compile("a box around each digit: 9 0 2 1 0"))
    expect(sheet).to_be_visible()
    assert sheet.evaluate("image => image.complete && image.naturalWidth > 300")
    expect(panel.get_by_role("img", name=re.compile("as the network sees them"))).to_be_visible()
    assert run_code(panel, "print(len(reader.answers))").strip() == "15"
    show_cell(panel, "reader = PhotoReader(")


def test_what_cannot_be_read_is_said_and_the_next_photograph_is_read(panel, tmp_path):
    text, blank = tmp_path / "text.jpg", tmp_path / "blank.png"
    text.write_text("This is no photograph.")
    Image.new("L", (400, 300), 230).save(blank)
    choose(panel, text)
    expect(status(panel)).to_contain_text("can't be read")
    expect(panel.get_by_role("img", name=re.compile("a box around"))).to_have_count(0)
    choose(panel, blank)
    expect(status(panel)).to_contain_text("No digits were found")
    choose(panel, PHOTOS / "rajdeep_digits.jpg")
    expect(status(panel)).to_contain_text("6 digits: 7 3 5 4 2 6")
