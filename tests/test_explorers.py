"""The explorers: what Python gives to the browser. What happens there is in tests/browser."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from course_utils.lab import explorers

BOTH = [explorers.softmax_explorer, explorers.learning_rate_explorer]


@pytest.mark.parametrize("explorer", BOTH)
def test_it_is_shown_by_a_frame_with_a_page_that_needs_nothing_else(explorer):
    bundle, _ = DisplayFormatter().format(explorer())
    assert set(bundle) == {"text/plain", "text/html"}  # with a view, JupyterLab would choose that
    assert bundle == DisplayFormatter().format(explorer())[0]  # stored outputs stay as they are
    html = bundle["text/html"]
    assert html.count("<iframe") == html.count("</iframe>") == 1
    page = unescape(re.search('srcdoc="([^"]*)"', html)[1])
    assert page == explorer().page()
    assert (page.count("</script>"), page.count("</style>")) == (2, 1)
    assert "const widget =" in page
    addresses = re.findall(r"https?:[^\"' ]*|\bimport\b|\bfetch\b|src=|href=", page)
    assert addresses == ["http://www.w3.org/2000/svg"] * (explorer is BOTH[1])


def test_the_page_holds_the_traits():
    page = explorers.softmax_explorer((-1, 0.5)).page()
    data = json.loads(re.search('id="data">(.*)</script>', page)[1])
    presets = data["traits"]["presets"]
    assert presets[0] == ["−1, 0.5", [-1, 0.5]]
    assert [len(scores) for _, scores in presets] == [2, 5, 10]


@pytest.mark.parametrize("scores", [(1,), range(11), (0, 0, 101), (0, 0, np.nan), [(1, 2)]])
def test_softmax_explorer_takes_two_to_ten_scores(scores):
    with pytest.raises(ValueError, match="two to ten numbers from -100 to 100"):
        explorers.softmax_explorer(scores)


def test_the_unsure_nine_has_the_scores_of_notebook_02():
    assert np.argmax(explorers.UNSURE_NINE) == 8
    assert sorted(explorers.UNSURE_NINE)[-2:] == [-39.9, -30.4]
    notebook = Path(__file__).parents[1] / "notebooks" / "02_softmax.ipynb"
    (cell,) = [
        cell
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if "scores = score(X_test[unsure])\n" in cell["source"]
    ]
    printed = "".join(cell["outputs"][-1]["text"]).strip("[]\n ")
    assert tuple(map(float, printed.split())) == explorers.UNSURE_NINE
