"""Each notebook opens in JupyterLab and runs from top to bottom without an error."""

import pytest

from .conftest import NOTEBOOKS, run_all


@pytest.mark.parametrize("notebook", sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
def test_a_notebook_runs_without_an_error(page, notebook):
    run_all(page, notebook)
    assert not page.errors
