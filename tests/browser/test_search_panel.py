"""The live view of a search: what is best so far, and a button that stops it."""

import re

import pytest

from .conftest import button, open_cells, run_code, wait_for

playwright = pytest.importorskip("playwright.sync_api")

FINISHED = re.compile(r"(\d+) of (\d+) runs")
CELLS = [
    "from course_utils import load_mnist\n"
    "from course_utils.lab.search_panel import SearchPanel\n"
    "(X, y), validation = load_mnist(source='uci-digits')\n"
    # so many runs that only the test ends them
    "panel = SearchPanel({'hidden': [8]}, X, y, validation=validation, repeats=20_000)\n"
    "panel",
]


def test_watch_a_search_and_stop_it(page, lab):
    open_cells(page, lab, "search", CELLS)
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    status = page.get_by_role("status").filter(has_text=FINISHED).first

    def finished():
        return int(FINISHED.search(status.text_content())[1])

    first = wait_for(finished, "a run to finish", seconds=120)
    wait_for(lambda: finished() > first, "another one")
    playwright.expect(status).to_contain_text("Best so far")
    button(page, "Stop").click()
    playwright.expect(status).to_contain_text("Stopped after")
    playwright.expect(button(page, "Stop")).to_be_disabled()
    n, n_planned = map(int, FINISHED.search(status.text_content()).groups())
    assert first < n < n_planned
    assert run_code(page, "print(len(panel.wait()), panel.running)").strip() == f"{n} False"
    assert not page.errors
