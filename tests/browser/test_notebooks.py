"""Each notebook with a widget runs in JupyterLab without an error; for the others nbval is enough."""

import shutil

import pytest

from .conftest import NOTEBOOKS, open_notebook, run_all, show_cell

WIDGET = "application/vnd.jupyter.widget-view+json"
FOUND = [p.stem for p in sorted(NOTEBOOKS.glob("*.ipynb")) if WIDGET in p.read_text("utf-8")]
# 09 and 10 take long, and their panels have tests of their own
WITH_WIDGETS = [name for name in FOUND if name[:2] not in ("09", "10")]
assert WITH_WIDGETS


@pytest.mark.parametrize("notebook", WITH_WIDGETS)
def test_a_notebook_runs_without_an_error(page, notebook):
    run_all(page, notebook)
    assert not page.errors


def test_a_figure_has_its_description_in_jupyterlab_as_stored_and_when_run(page, lab):
    """A notebook that nobody here has run is not trusted: its HTML goes through a filter."""
    sync_api = pytest.importorskip("playwright.sync_api")
    shutil.copy(NOTEBOOKS / "01_data_loading.ipynb", lab.folder / "stored.ipynb")
    for name in ("stored", "01_data_loading"):
        if name == "stored":
            open_notebook(page, name)
        else:
            run_all(page, name)
        show_cell(page, "five = ")
        figure = page.get_by_role("img", name="Five handwritten digits in a row, with the label")
        sync_api.expect(figure).to_be_visible()
        assert figure.evaluate("image => image.naturalWidth > 300")
        assert page.locator(".jp-OutputArea img:not([alt])").count() == 0
