"""The playground as a learner meets it: in JupyterLab and as a page of Voilà."""

import itertools
import re
import statistics
import time

import pytest

from .conftest import (
    contents,
    copy_notebooks,
    error_outputs,
    new_page,
    run_all,
    serve,
    show_cell,
    wait_for,
)

playwright = pytest.importorskip("playwright.sync_api")

NOTEBOOK = "07_playground"
ITERATION = re.compile(r"iteration ([\d,]+) of")


@pytest.fixture(scope="module")
def notebook(window):
    """Open and run notebook 07."""
    run_all(window, NOTEBOOK)


@pytest.fixture
def panel(notebook, page):
    """Return the page, with a new panel on it."""
    run_panel_cell(page)
    playwright.expect(status(page)).to_contain_text("Ready")
    button(page, "Train").scroll_into_view_if_needed()
    return page


def run_panel_cell(page):
    show_cell(page, "playground = Playground")
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def status(page):
    return page.locator(".jp-OutputArea, .voila-notebook, body").get_by_text(ITERATION).first


def iteration(page):
    return int(ITERATION.search(status(page).text_content())[1].replace(",", ""))


def picture(page, start):
    return page.get_by_role("img", name=re.compile(f"^{start}")).first


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

    wait_for(lambda: printed().endswith("the end\n"), "the code to run", seconds=90)
    return printed().removesuffix("the end\n")


def set_slider(page, name, keys):
    """Move a slider by the keyboard."""
    handle = page.locator(".widget-inline-hbox", has_text=name).get_by_role("slider").first
    handle.focus()
    for key in keys:
        page.keyboard.press(key)


def begin_a_long_run(page):
    set_slider(page, "Epochs", ["End"])
    set_slider(page, "Batch size", ["Home"])
    set_slider(page, "Learning rate", ["ArrowLeft"] * 3)  # small batches need small steps
    playwright.expect(status(page)).to_contain_text("of 30")
    button(page, "Train").click()
    wait_for(lambda: iteration(page) > 0, "training to begin")


def test_train_move_a_slider_stop_and_keep(panel, screenshots):
    begin_a_long_run(panel)
    first = accuracy(panel)
    assert picture(panel, "Two diagrams").is_visible()
    wait_for(lambda: accuracy(panel) > max(0.7, first), "the accuracy to rise", seconds=60)
    set_slider(panel, "Epochs", ["ArrowLeft"])
    playwright.expect(status(panel)).to_contain_text("of 29")
    wait_for(lambda: accuracy(panel) > 0.7, "training to go on", seconds=60)
    panel.screenshot(path=screenshots / "playground-training.png")
    button(panel, "Stop").click()
    playwright.expect(status(panel)).to_contain_text("Stopped")
    reached = iteration(panel)
    time.sleep(0.5)
    assert iteration(panel) == reached
    no_errors(panel)


def test_two_kept_runs_stand_side_by_side(panel, screenshots):
    code = panel.get_by_label("Code", exact=True)
    for rate, keys in [("0.1", []), ("0.01", ["ArrowLeft"] * 3)]:
        set_slider(panel, "Learning rate", keys)
        button(panel, "Reset").click()
        playwright.expect(code).to_have_value(re.compile(f"learning_rate={rate},"))
        button(panel, "Train").click()
        playwright.expect(status(panel)).to_contain_text("Finished", timeout=120_000)
        button(panel, "Keep this run").click()
    table = panel.get_by_role("table").filter(has_text="Kept runs")
    playwright.expect(table.get_by_role("row")).to_have_count(3)
    rates = [row.split()[4] for row in table.get_by_role("row").all_inner_texts()[1:]]
    assert rates == ["0.1", "0.01"]
    output = panel.locator(".jp-OutputArea-output").filter(has=button(panel, "Train"))
    output.screenshot(path=screenshots / "playground-kept.png")
    no_errors(panel)


def no_errors(page):
    assert not page.errors
    cells = contents(page)["cells"]
    assert not error_outputs([cell for cell in cells if cell["cell_type"] == "code"])


def accuracy(page):
    return int(re.search(r"≈ (\d+)%", status(page).text_content())[1]) / 100


def test_another_cell_runs_during_training(panel):
    begin_a_long_run(panel)
    start = time.perf_counter()
    assert run_code(panel, "print(6 * 7, playground.training)").strip() == "42 True"
    print(f"\nanother cell during training: {time.perf_counter() - start:.2f} s")
    show_cell(panel, "playground = Playground")
    reached = iteration(panel)
    wait_for(lambda: iteration(panel) > reached, "training to go on")
    button(panel, "Stop").click()


def test_a_learning_rate_that_blows_up_leaves_a_message(panel, screenshots):
    set_slider(panel, "L2", ["End"])
    set_slider(panel, "Learning rate", ["End"])
    button(panel, "Train").click()
    playwright.expect(panel.get_by_text("It blew up")).to_be_visible(timeout=60_000)
    panel.screenshot(path=screenshots / "playground-blown-up.png")
    set_slider(panel, "Learning rate", ["Home"])
    set_slider(panel, "Epochs", ["End"])
    button(panel, "Train").click()
    wait_for(lambda: iteration(panel) > 0, "training to begin again")
    assert not panel.errors


def test_to_run_the_cell_again_leaves_one_panel_and_no_task(panel):
    begin_a_long_run(panel)
    count = (
        "import asyncio, ipywidgets.widgets.widget as w\n"
        "tasks = [t for t in asyncio.all_tasks() if 'Playground' in repr(t)]\n"
        "print(len(tasks), len(w._instances))"
    )
    tasks, models = map(int, run_code(panel, count).split())
    assert tasks == 1
    for _ in range(10):
        run_panel_cell(panel)
    tasks_then, models_then = map(int, run_code(panel, count).split())
    assert (tasks_then, models_then) == (0, models)
    assert not panel.errors


def test_how_quick_it_is(panel):
    """Measure, and print; the limits are lax, since computers that run tests are busy."""
    # what the learner sees change: the picture of the curves, and the buttons
    panel.evaluate(
        """() => {
            const alt = "Two diagrams";
            const image = [...document.querySelectorAll("img")].find(
                (i) => i.alt.startsWith(alt));
            const named = (name) => [...document.querySelectorAll("button")].find(
                (b) => b.textContent.trim() === name);
            window.seen = { frames: [], train: 0, stop: 0, stopped: 0 };
            new MutationObserver(() => seen.frames.push(performance.now())).observe(
                image, { attributes: true, attributeFilter: ["src"] });
            named("Train").addEventListener("click", () => { seen.train = performance.now(); }, true);
            named("Stop").addEventListener("click", () => { seen.stop = performance.now(); }, true);
            new MutationObserver(() => {
                if (seen.stop && !seen.stopped && named("Stop").disabled)
                    seen.stopped = performance.now();
            }).observe(named("Stop"), { attributes: true });
        }"""
    )
    set_slider(panel, "Epochs", ["End"])
    few = run_code(panel, "print(on_mnist)").strip() == "False"
    if few:  # offline, a run with the usual settings is over too soon to be measured
        set_slider(panel, "Batch size", ["Home"])
    show_cell(panel, "playground = Playground")
    panel.evaluate("seen.frames = []")
    button(panel, "Train").click()
    panel.wait_for_timeout(1500 if few else 4000)  # the few are done after some three seconds
    button(panel, "Stop").click()
    seen = wait_for(
        lambda: (s := panel.evaluate("seen"))["stopped"] and s, "the Stop button to be disabled"
    )
    frames = [t for t in seen["frames"] if t < seen["stop"]]
    first = (frames[0] - seen["train"]) / 1000
    stop = (seen["stopped"] - seen["stop"]) / 1000
    rate = (len(frames) - 1) / (frames[-1] - frames[0]) * 1000
    share = run_code(
        panel,
        "import time\n"
        "from course_utils import Network, train\n"
        "options = {'batch_size': playground.batch_size.value, 'validation': (X_test, y_test)}\n"
        "seconds = []\n"
        "for _ in range(3):\n"
        "    start, network = time.perf_counter(), Network([784, 20, 10], rng=0)\n"
        "    _ = train(network, X_train, y_train, epochs=2, progress=False, **options)\n"
        "    seconds.append(time.perf_counter() - start)\n"
        "print(playground.run.images_per_second / (2 * len(X_train) / min(seconds)))",
    )
    gaps = [b - a for a, b in itertools.pairwise(frames)]
    print(
        f"\nTrain to first picture {first:.2f} s, Stop to stopped {stop:.2f} s, {rate:.1f} pictures "
        f"a second (median gap {statistics.median(gaps):.0f} ms, longest {max(gaps):.0f} ms), "
        f"training at {float(share):.0%} of train's speed"
    )
    assert first < 2
    assert stop < 1
    assert rate > 2
    assert float(share) > 0.2


def test_voila_serves_the_playground_as_a_page(browser, tmp_path, screenshots):
    pytest.importorskip("voila")
    copy_notebooks(tmp_path)
    arguments = ["{folder}/" + NOTEBOOK + ".ipynb", "--no-browser"]
    options = {"port_option": "--Voila.port={port}"}
    with (
        serve(tmp_path, "voila", *arguments, **options) as url,
        new_page(browser, url) as page,
    ):
        page.goto("/", timeout=180_000)
        button(page, "Train").first.click(timeout=120_000)
        wait_for(lambda: iteration(page) > 0, "training to begin", seconds=60)
        page.screenshot(path=screenshots / "playground-voila.png")
        assert picture(page, "Two diagrams").is_visible()
        playwright.expect(status(page)).to_contain_text("Finished", timeout=60_000)
        assert not page.errors
