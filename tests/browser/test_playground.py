"""The playground in JupyterLab, in Notebook 7, as a page of Voilà, and without a kernel."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import (
    button,
    error_outputs,
    new_page,
    open_cells,
    run_code,
    serve,
    show_cell,
    write_cells,
)

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

CELLS = [
    "import asyncio\n"
    "from course_utils import load_mnist\n"
    "from course_utils.lab.playground import Playground\n"
    "(X_train, y_train), (X_test, y_test) = load_mnist(source='uci-digits')",
    # a place at the end of the slider for so many epochs that only a test ends them
    "playground = Playground(X_train, y_train, X_test, y_test)\n"
    "epochs = playground.knobs['epochs']\n"
    "epochs.options = [*epochs.options, ('for hours', 1_000_000)]\n"
    "playground",
]
COUNT = "print(sum(task.get_name() == 'playground' for task in asyncio.all_tasks()))"
FRAME = ".nv-recorded iframe"


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
    expect(button(page, "Train")).to_be_enabled()
    expect(clock(page)).to_contain_text("step 0")
    yield page
    assert not page.errors
    assert not error_outputs(page)


def run_panel_cell(page):
    show_cell(page, "playground = Playground")
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")


def clock(page):
    return page.locator(".nv-clock")


def runs(page):
    """Return the rows of the legend."""
    return page.locator(".nv-runs > *")


def turn(page, name, *keys):
    """Move a knob by the keyboard."""
    handle = page.locator(".widget-inline-hbox", has_text=name).get_by_role("slider").first
    handle.focus()
    for key in keys:
        page.keyboard.press(key)


def train_for_hours(page):
    turn(page, "Epochs", "End")
    button(page, "Train").click()
    expect(button(page, "Stop")).to_be_enabled()
    goes_on(page)


def goes_on(page):
    before = clock(page).text_content()
    expect(clock(page)).not_to_have_text(before)


def train_to_the_end(page):
    """Press Train as soon as it is there; the page's kernel has to start first."""
    button(page, "Train").click(timeout=300_000)
    expect(clock(page)).to_contain_text("epoch 5.00")
    expect(button(page, "Train")).to_be_enabled()
    expect(button(page, "Stop")).to_be_disabled()
    expect(runs(page)).to_have_count(1)
    expect(page.locator(FRAME)).to_be_hidden()
    assert not page.errors


RED_OF_INK = """() => {
    const canvas = document.querySelector(".nv-pad canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
    return Math.max(...data.filter((_, k) => k % 4 === 0));
}"""


def test_the_picture_follows_the_theme(panel):
    for theme, is_so in [("Dark", "> 200"), ("Light", "< 50")]:
        name = f"JupyterLab {theme}"
        panel.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        panel.wait_for_function(f"({RED_OF_INK})() {is_so}")


def test_train_turn_a_knob_run_another_cell_and_stop(panel):
    train_for_hours(panel)
    turn(panel, "Learning rate", "ArrowRight")
    expect(runs(panel)).to_have_count(1)
    expect(runs(panel)).to_contain_text("rate 0.2")  # it has begun again
    goes_on(panel)
    assert run_code(panel, "print(6 * 7, playground.run.state)").split() == ["42", "training"]
    show_cell(panel, "playground = Playground")
    button(panel, "Stop").click()
    expect(button(panel, "Stop")).to_be_disabled()
    expect(button(panel, "Train")).to_be_enabled()
    code = "playground.wait()\nprint(playground.run.iteration, playground.run.network)"
    iteration, *_ = run_code(panel, code).split()
    show_cell(panel, "playground = Playground")
    time = panel.get_by_role("slider", name="Time")
    expect(time).to_have_attribute("aria-valuetext", re.compile(rf"step {iteration},"))
    turn(panel, "Seed", "ArrowRight")
    expect(panel.get_by_role("status").first).to_contain_text("Press Train")


def test_to_run_the_cell_again_leaves_one_panel_and_no_task(panel):
    train_for_hours(panel)
    assert run_code(panel, COUNT).strip() == "1"
    run_panel_cell(panel)
    expect(clock(panel)).to_contain_text("step 0")
    assert run_code(panel, COUNT).strip() == "0"
    show_cell(panel, "playground = Playground")
    expect(button(panel, "Train")).to_have_count(1)
    expect(panel.locator(FRAME)).to_be_hidden()


def test_runs_that_are_kept_are_there_when_the_page_is_loaded_again(panel):
    for n, name in [(1, "epochs 1"), (2, "rate 0.2, epochs 1")]:
        turn(panel, *[("Epochs", "Home"), ("Learning rate", "ArrowRight")][n - 1])
        button(panel, "Train").click()
        keep = panel.get_by_role("button", name=re.compile(f"Keep .*: {name}"))
        expect(clock(panel)).to_contain_text("epoch 1.00")
        keep.click()
        expect(panel.get_by_role("button", name=re.compile(f"Kept .*: {name}"))).to_be_disabled()
    expect(runs(panel)).to_have_count(2)
    panel.evaluate("jupyterapp.commands.execute('docmanager:save')")
    panel.reload()
    panel.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    panel.evaluate("void jupyterapp.commands.execute('docmanager:open', { path: 'panel.ipynb' })")
    expect(runs(panel)).to_have_count(2)
    kept = panel.get_by_role("button", name=re.compile("Kept .*: rate 0.2, epochs 1"))
    expect(kept).to_be_disabled()
    panel.get_by_role("button", name=re.compile("Remove .*: epochs 1")).click()
    expect(runs(panel)).to_have_count(1)
    assert run_code(panel, "print(len(playground.kept))").strip() == "1"
    show_cell(panel, "playground = Playground")


def test_without_a_kernel_a_recorded_run_is_shown(panel, browser, lab, tmp_path):
    panel.evaluate(
        """async () => {
            await jupyterapp.commands.execute("docmanager:save");
            for (const other of [...jupyterapp.shell.widgets("main")]) other.dispose();
            await jupyterapp.serviceManager.sessions.shutdownAll();
            const kernelPreference = { shouldStart: false, autoStartDefault: false };
            const open = { path: "panel.ipynb", kernelPreference };
            await jupyterapp.commands.execute("docmanager:open", open);
        }"""
    )
    shows_the_recorded_run(panel)
    saved = lab.folder / "panel.ipynb"
    export = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", "classic"]
    subprocess.run([*export, "--output-dir", tmp_path, saved], check=True, capture_output=True)
    with new_page(browser, None) as page:
        page.goto((tmp_path / "panel.html").as_uri(), wait_until="domcontentloaded")
        shows_the_recorded_run(page)


def shows_the_recorded_run(page):
    frame = page.locator(FRAME)
    frame.scroll_into_view_if_needed()
    inside = page.frame_locator(FRAME)
    expect(inside.locator(".nv-clock")).to_contain_text("epoch 5.00")
    inside.get_by_role("button", name="To the start").click()
    expect(inside.locator(".nv-clock")).to_contain_text("step 0")
    expect(page.get_by_text("Error displaying widget")).to_be_hidden()
    expect(page.get_by_text("Nobody trains here")).to_be_visible()


@contextmanager
def served(browser, folder, module, *options, address="/", **more):
    """Serve a notebook with a playground that no kernel has run yet, and yield its page."""
    (folder := folder / "served").mkdir()
    source = f"{CELLS[0]}\nPlayground(X_train, y_train, X_test, y_test)"
    write_cells(folder / "panel.ipynb", "panel", [source])
    with (
        serve(folder, module, *options, "--no-browser", **more) as url,
        new_page(browser, url) as page,
    ):
        page.goto(address, timeout=300_000)
        yield page
        train_to_the_end(page)
        picture(page, module)


def picture(page, name):
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"))


def test_voila_serves_the_playground_as_a_page(browser, tmp_path):
    pytest.importorskip("voila")
    port = "--Voila.port={port}"
    with served(browser, tmp_path, "voila", "{folder}/panel.ipynb", port_option=port):
        pass  # it runs all by itself


def test_the_playground_works_in_notebook_7(browser, tmp_path):
    options = ["--allow-root", "--ServerApp.token=", "--ServerApp.root_dir={folder}"]
    address = "/notebooks/panel.ipynb"
    with served(browser, tmp_path, "notebook", *options, address=address) as page:
        # while the kernel starts, its status is both "fade" and "info", and "Run All" does nothing
        page.locator(".jp-NotebookKernelStatus-fade:not(.jp-NotebookKernelStatus-info)").wait_for(
            state="attached"
        )
        page.get_by_role("menuitem", name="Run").click()
        page.get_by_text("Run All Cells", exact=True).click()
