"""The playground as a learner meets it: in JupyterLab, in Notebook 7, and as a page of Voilà."""

import re

import pytest

from .conftest import (
    button,
    copy_notebooks,
    error_outputs,
    new_page,
    open_cells,
    run_code,
    serve,
    show_cell,
    wait_for,
)

playwright = pytest.importorskip("playwright.sync_api")

ITERATION = re.compile(r"iteration ([\d,]+) of")
CELLS = [
    "import threading\n"
    "from course_utils import load_mnist\n"
    "from course_utils.lab.playground import Playground\n"
    "(X_train, y_train), (X_test, y_test) = load_mnist(source='uci-digits')",
    # so many epochs, at the end of the slider, that only a test ends them
    "playground = Playground(X_train, y_train, X_test, y_test)\n"
    "playground.knobs['epochs'].max = 10_000_000\n"
    "playground",
]
COUNT = "print(sum(thread.name == 'playground' for thread in threading.enumerate()))"


@pytest.fixture(scope="module")
def notebook(window, lab):
    """Open a notebook with a playground."""
    open_cells(window, lab, "panel", CELLS)
    run_code(window, CELLS[0])


@pytest.fixture
def panel(notebook, page):
    """Return the page, with a new panel on it."""
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    run_panel_cell(page)
    playwright.expect(status(page)).to_contain_text("Ready")
    button(page, "Train").scroll_into_view_if_needed()
    yield page
    assert not page.errors
    assert not error_outputs(page)


def run_panel_cell(page):
    show_cell(page, "playground = Playground")
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")


def status(page):
    return page.locator(".jp-OutputArea, .voila-notebook, body").get_by_text(ITERATION).first


def iteration(page):
    return int(ITERATION.search(status(page).text_content())[1].replace(",", ""))


def picture(page):
    return page.get_by_role("img", name="epochs: the loss").first


def set_slider(page, name, keys):
    """Move a slider by the keyboard."""
    handle = page.locator(".widget-inline-hbox", has_text=name).get_by_role("slider").first
    handle.focus()
    for key in keys:
        page.keyboard.press(key)


def begin_a_long_run(page):
    set_slider(page, "Epochs", ["End"])
    playwright.expect(status(page)).to_contain_text("of 10000000")
    button(page, "Train").click()
    goes_on(page)


def goes_on(page):
    reached = iteration(page)
    wait_for(lambda: iteration(page) > reached, "training to go on")


def train_to_the_end(page):
    """Press Train as soon as it is there; the page's kernel has to start first."""
    button(page, "Train").first.click(timeout=300_000)
    playwright.expect(status(page)).to_contain_text("Finished", timeout=300_000)


def test_train_move_a_slider_run_another_cell_and_stop(panel):
    begin_a_long_run(panel)
    curves = picture(panel)
    before = curves.get_attribute("src")
    playwright.expect(curves).not_to_have_attribute("src", before)
    set_slider(panel, "Epochs", ["ArrowLeft"])
    playwright.expect(status(panel)).to_contain_text("of 9999999")
    goes_on(panel)
    assert run_code(panel, "print(6 * 7, playground.training)").strip() == "42 True"
    show_cell(panel, "playground = Playground")
    goes_on(panel)
    button(panel, "Stop").click()
    playwright.expect(status(panel)).to_contain_text("Stopped")
    playwright.expect(button(panel, "Stop")).to_be_disabled()


def test_to_run_the_cell_again_leaves_one_panel_and_no_thread(panel):
    begin_a_long_run(panel)
    assert run_code(panel, COUNT).strip() == "1"
    run_panel_cell(panel)
    assert run_code(panel, COUNT).strip() == "0"
    playwright.expect(button(panel, "Train")).to_have_count(1)


def test_two_kept_runs_stand_side_by_side(panel):
    code = panel.get_by_label("Code", exact=True)
    for rate, keys in [("0.1", []), ("0.01", ["ArrowLeft"] * 3)]:
        set_slider(panel, "Learning rate", keys)
        button(panel, "Reset").click()
        playwright.expect(code).to_have_value(re.compile(f"learning_rate={rate},"))
        train_to_the_end(panel)
        button(panel, "Keep this run").click()
    table = panel.get_by_role("table").filter(has_text="Kept runs")
    playwright.expect(table.get_by_role("row")).to_have_count(3)
    rates = [row.split()[4] for row in table.get_by_role("row").all_inner_texts()[1:]]
    assert rates == ["0.1", "0.01"]


def test_voila_serves_the_playground_as_a_page(browser, tmp_path):
    pytest.importorskip("voila")
    copy_notebooks(tmp_path)
    arguments = ["{folder}/07_playground.ipynb", "--no-browser"]
    with (
        serve(tmp_path, "voila", *arguments, port_option="--Voila.port={port}") as url,
        new_page(browser, url) as page,
    ):
        page.goto("/", timeout=300_000)
        train_to_the_end(page)
        assert picture(page).is_visible()
        assert not page.errors


def test_the_playground_and_the_pad_work_in_notebook_7(browser, tmp_path):
    copy_notebooks(tmp_path)
    options = ["--no-browser", "--allow-root", "--ServerApp.token="]
    with (
        serve(tmp_path, "notebook", *options, "--ServerApp.root_dir={folder}") as url,
        new_page(browser, url) as page,
    ):
        page.goto("/notebooks/07_playground.ipynb")
        # while the kernel starts, its status is both "fade" and "info", and "Run All" does nothing
        page.locator(".jp-NotebookKernelStatus-fade:not(.jp-NotebookKernelStatus-info)").wait_for(
            state="attached"
        )
        page.get_by_role("menuitem", name="Run").click()
        page.get_by_text("Run All Cells", exact=True).click()
        train_to_the_end(page)
        page.locator(".course-paper").first.click(timeout=300_000)  # a dot is enough
        verdict = page.locator(".course-verdict").first
        playwright.expect(verdict).to_contain_text("It looks like")
        assert not page.errors
