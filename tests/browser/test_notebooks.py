"""Each notebook with a widget runs in JupyterLab without an error; for the others nbval is enough."""

import pytest

from .conftest import NOTEBOOKS, run_all

WIDGET = "application/vnd.jupyter.widget-view+json"
FOUND = [p.stem for p in sorted(NOTEBOOKS.glob("*.ipynb")) if WIDGET in p.read_text("utf-8")]
# the searches of 08 take long, and its panel has tests of its own
WITH_WIDGETS = [name for name in FOUND if not name.startswith("08")]
assert WITH_WIDGETS


@pytest.mark.parametrize("notebook", WITH_WIDGETS)
def test_a_notebook_runs_without_an_error(page, notebook):
    run_all(page, notebook)
    assert not page.errors
