"""The live view of a search: what is best so far, and a button that stops it."""

import re

import pytest

from .conftest import open_notebook, show_cell, wait_for
from .test_playground import button, run_code

playwright = pytest.importorskip("playwright.sync_api")

FINISHED = re.compile(r"(\d+) of (\d+) runs")
LONGER = """longer = grid | {"epochs": [10 * epochs]}
panel = SearchPanel(longer, X_fit, y_fit, validation=(X_val, y_val))
display(panel)"""


def test_watch_a_search_and_stop_it(page, screenshots):
    open_notebook(page, "08_hyperparameter_search")
    show_cell(page, "The panel shows")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-above')")
    run_code(page, LONGER)
    status = page.get_by_role("status").filter(has_text=FINISHED).first

    def finished():
        return int(FINISHED.search(status.text_content())[1])

    status.wait_for(timeout=90_000)
    first = wait_for(finished, "a run to finish", seconds=60)
    wait_for(lambda: finished() > first, "another one")
    playwright.expect(status).to_contain_text("Best so far")
    button(page, "Stop").scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "search-panel.png")
    button(page, "Stop").click()
    playwright.expect(status).to_contain_text("Stopped after")
    playwright.expect(button(page, "Stop")).to_be_disabled()
    n, n_planned = map(int, FINISHED.search(status.text_content()).groups())
    assert first < n < n_planned
    assert run_code(page, "print(len(panel.wait()), panel.running)").strip() == f"{n} False"
    assert not page.errors
