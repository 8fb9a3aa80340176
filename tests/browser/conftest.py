"""A JupyterLab server and a Chromium page.

Where a part is missing the tests are skipped; with BROWSER_TESTS=needed they fail. Set SCREENSHOTS
to a folder to get a picture of the page at the end of each.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
QUIET = [f"--disable-{what}" for what in ("gpu", "quic", "background-networking", "sync")]
QUIET += ["--no-sandbox", "--disable-component-update"]  # it is to ask nobody for anything
NEEDED = os.environ.get("BROWSER_TESTS") == "needed"  # then nothing may be missing
WAIT = 120_000  # milliseconds: only to end a hang, as the machine may be busy
# errors in the console that are not about the course
NOT_OURS = (
    "@fortawesome",  # a font that ipywidgets asks for, and does without on a machine without a way out
    "Could not restore the debugger state",  # JupyterLab, when a kernel restarts
    "(reading 'footer')",  # JupyterLab, where a notebook is closed that was about to take the focus
    "(reading 'kernel')",  # ipywidgets, of a notebook that is opened without one
    "(reading 'schema')",  # Notebook 7, of its own settings
    "The getter for the shared module is not a function",  # Voilà, of JupyterLab's own parts
)


# The scope is "package", since as long as Playwright runs no other test can have an event loop.
@pytest.fixture(scope="package")
def browser():
    """Start a Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=WAIT)
    with playwright.sync_playwright() as p:
        chromium = CHROMIUM or p.chromium.executable_path  # what "playwright install" fetches
        if not Path(chromium).exists():
            (pytest.fail if NEEDED else pytest.skip)("Chromium is not installed")
        browser = p.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(browser, tmp_path_factory):
    """Serve JupyterLab: `lab.url`, and `lab.folder`, which holds copies of the notebooks."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    no_news = "lab-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    (folder.parent / no_news).parent.mkdir(parents=True)
    (folder.parent / no_news).write_text('{"fetchNews": "false", "checkForUpdates": false}')
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.token="]
    with serve(folder, "jupyterlab", *options, "--ServerApp.root_dir={folder}") as url:
        yield SimpleNamespace(url=url, folder=folder)


@pytest.fixture(scope="module")
def window(browser, lab):
    """Open JupyterLab, which takes a while, on fresh copies of the notebooks."""
    copy_notebooks(lab.folder)
    with new_page(browser, lab.url) as page:
        page.goto("/lab?reset")
        page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
        yield page
        page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")


@pytest.fixture
def page(window, request):
    """Return the page of JupyterLab, with no errors so far; take a picture of it at the end."""
    window.errors.clear()
    yield window
    if folder := os.environ.get("SCREENSHOTS"):
        window.screenshot(path=Path(folder, f"{request.node.name}.png"))


@contextmanager
def serve(folder, module, *arguments, port_option="--ServerApp.port={port}"):
    """Serve by ``python -m module``, and yield the URL; {port} and {folder} are filled in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [text.format(port=port, folder=folder) for text in (*arguments, port_option)]
    url, home = f"http://127.0.0.1:{port}", folder.parent
    environment = os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if "MNIST_DIR" in os.environ:  # the server has another working folder
        environment["MNIST_DIR"] = os.path.abspath(os.environ["MNIST_DIR"])
    # nothing from, nor for, the user at this machine
    for kind in ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME"):
        environment[f"{kind}_DIR"] = str(home / kind.lower())
    for kind in ("SETTINGS", "WORKSPACES"):
        environment[f"JUPYTERLAB_{kind}_DIR"] = str(home / f"lab-{kind.lower()}")
    path = home / f"{folder.name}-server.log"
    command = [sys.executable, "-m", module, *arguments]
    with (
        open(path, "w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
    ):

        def answers():
            if process.poll() is not None:
                pytest.fail(f"the server ended: {path.read_text()[-2000:]}")
            try:
                return urlopen(url, timeout=5).status == 200
            except OSError:
                return False

        try:
            wait_for(answers, "the server to answer")
            yield url
        finally:
            process.terminate()


@contextmanager
def new_page(browser, url):
    """Yield a page of its own; `page.errors` are what its console reports of the course."""
    size = {"width": 1280, "height": 1000}
    context = browser.new_context(base_url=url, viewport=size, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.errors = []

    def note(kind, text):
        if kind == "error" and not any(known in text for known in NOT_OURS):
            page.errors.append(text)

    page.on("console", lambda m: note(m.type, f"{m.text} ({m.location.get('url')})"))
    page.on("pageerror", lambda error: note("error", str(error)))
    yield page
    context.close()


def copy_notebooks(folder):
    """Copy the notebooks without their outputs, so that what is seen has just been made."""
    for path in NOTEBOOKS.glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        notebook["metadata"].pop("widgets", None)
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def wait_for(condition, what, seconds=120):
    """Return the first true value of `condition()`; `seconds` are only to end a hang."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return value


def open_notebook(page, notebook):
    """Open `notebook`, a name such as "08_playground", and no other; wait for its kernel."""
    page.evaluate(
        """async (path) => {
            for (const other of [...jupyterapp.shell.widgets("main")]) other.dispose();
            await jupyterapp.serviceManager.sessions.shutdownAll();
            await jupyterapp.commands.execute("docmanager:open", { path });
        }""",
        f"{notebook}.ipynb",
    )
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
    )


def open_cells(page, lab, name, sources):
    """Write a notebook of these code cells, and open it."""
    write_cells(lab.folder / f"{name}.ipynb", name, sources)
    open_notebook(page, name)


def write_cells(path, name, sources):
    """Write a notebook of these code cells below a heading."""
    shared = {"metadata": {}, "outputs": [], "execution_count": None}
    cells = [{"cell_type": "markdown", "source": f"# {name}", "metadata": {}, "id": "heading"}]
    for k, source in enumerate(sources):
        cells.append({"cell_type": "code", "source": source, "id": f"cell-{k}"} | shared)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
    notebook |= {"nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def run_all(page, notebook):
    """Open a notebook, run all cells in its fresh kernel, and wait for the end.

    There is no restart, as JupyterLab reports an error of its own when one comes while its widget
    manager is still greeting the kernel.
    """
    open_notebook(page, notebook)
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")

    def ended():
        cells = [cell for cell in contents(page)["cells"] if cell["cell_type"] == "code"]
        assert not error_outputs(page)
        return all(cell["execution_count"] for cell in cells if cell["source"])

    wait_for(ended, f"{notebook} to run through", seconds=600)


def run_code(page, code):
    """Write `code` into a new last cell, run it, and return what it prints.

    Its end is known by a last line of output, since JupyterLab's own promise may never come true.
    """
    page.evaluate(
        """async (code) => {
            const { content } = jupyterapp.shell.currentWidget;
            content.activeCellIndex = content.widgets.length - 1;
            await jupyterapp.commands.execute("notebook:insert-cell-below");
            window.newCell = content.activeCell;
            newCell.model.sharedModel.setSource(code);
            void jupyterapp.commands.execute("notebook:run-cell");
        }""",
        f"{code}\nprint('the end')",
    )

    def printed():
        return page.evaluate(
            """newCell.model.outputs.toJSON().filter(
                (output) => output.name === "stdout").map((output) => output.text).join("")"""
        )

    wait_for(lambda: printed().endswith("the end\n"), "the code to run")
    return printed().removesuffix("the end\n")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def show_cell(page, source):
    """Scroll to the first cell whose source begins with `source`; cells out of sight have no page."""
    page.evaluate(
        """async (source) => {
            const { content } = jupyterapp.shell.currentWidget;
            content.activeCellIndex = content.widgets.findIndex(
                (cell) => cell.model.sharedModel.source.startsWith(source));
            await content.scrollToItem(content.activeCellIndex, "start");
        }""",
        source,
    )


def contents(page):
    """Return the notebook that is open, as it would be saved."""
    return page.evaluate("jupyterapp.shell.currentWidget.content.model.toJSON()")


def error_outputs(page):
    """Return the text of each error in the notebook, and of each traceback that a callback printed."""
    outputs = [o for cell in contents(page)["cells"] for o in cell.get("outputs", ())]
    printed = ["".join(output.get("text", "")) for output in outputs]
    return [
        *(f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"),
        *(text for text in printed if "Traceback (most recent call last)" in text),
    ]
