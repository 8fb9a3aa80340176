"""Each notebook with a widget runs in JupyterLab without an error; for the others nbval is enough."""

import re

import pytest

from .conftest import NOTEBOOKS, run_all

WIDGET = re.compile(r"application/vnd\.jupyter\.widget-view\+json|course-frame")
FILES = sorted(NOTEBOOKS.glob("*.ipynb"))
WITH_WIDGETS = [path.stem for path in FILES if WIDGET.search(path.read_text("utf-8"))]
assert len(WITH_WIDGETS) >= 4


@pytest.mark.parametrize("notebook", WITH_WIDGETS)
def test_a_notebook_runs_without_an_error(page, notebook):
    run_all(page, notebook)
    assert not page.errors
