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


GRID = [
    CELLS[0].partition("panel =")[0]
    + "grid = {'hidden': [4, 16], 'learning_rate': [0.01, 0.1, 5.0]}\n"
    "panel = SearchPanel(grid, X, y, validation=validation)\n"
    "panel",
]


def test_the_map_fills_in_and_a_box_shows_its_curves(page, lab):
    open_cells(page, lab, "search", GRID)
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    boxes = page.locator(".search-box")
    playwright.expect(boxes).to_have_count(6)
    wait_for(lambda: all(box.text_content() for box in boxes.all()), "all boxes to fill in")
    accuracy = float(run_code(page, "print(panel.wait().accuracy[4] * 100)"))
    assert boxes.nth(4).text_content() == f"{accuracy:.1f}"
    boxes.nth(4).press("Enter")
    chosen = page.locator(".search-chosen")
    playwright.expect(chosen).to_contain_text("hidden 16, learning_rate 0.1")
    playwright.expect(chosen.get_by_role("img", name="hidden 16")).to_be_visible()
    assert page.locator(".search-curves polyline").count() == 1
    assert not page.errors
