"""The drawing pad and the explorers in a real browser: drawn on with the mouse and with a finger."""

import json
import statistics

import pytest
from scripted_digits import WAYS, write

from .conftest import contents, error_outputs, open_notebook, wait_for

CELLS = [
    "from course_utils import Network, data_path\n"
    "from course_utils.widgets import DrawingPad\n"
    "from course_utils.widgets.explorers import learning_rate_explorer, softmax_explorer",
    'DrawingPad(Network.load(data_path("sample_weights.npz")))',
    "softmax_explorer()",
    "learning_rate_explorer()",
]

# notes when points came from the pointer, and when the bars changed
WATCH = """() => {
  const paper = document.querySelector(".course-paper");
  const bars = document.querySelector(".course-pad .widget-html-content");
  const seen = (window.seen = { down: 0, point: 0, up: 0, bars: [] });
  const now = () => performance.now();
  paper.addEventListener("pointerdown", () => (seen.down = seen.point = now()), true);
  paper.addEventListener("pointermove", () => (seen.point = now()), true);
  paper.addEventListener("pointerup", () => (seen.up = now()), true);
  new MutationObserver(() => seen.bars.push(now())).observe(bars, {
    childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def notebook(window, lab):
    """Open a notebook with a pad and the explorers."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": f"cell-{k}"}
        | {"execution_count": None}
        for k, source in enumerate(CELLS)
    ]
    heading = {"cell_type": "markdown", "source": "# Pad", "metadata": {}, "id": "heading"}
    cells.insert(0, heading)  # arrow keys fold headings in JupyterLab
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
    notebook |= {"nbformat": 4, "nbformat_minor": 5}
    (lab.folder / "pad.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    open_notebook(window, "pad")
    window.add_style_tag(content=".Toastify { display: none }")  # JupyterLab's question about news


@pytest.fixture
def pad(notebook, page):
    """Run all cells, and return the page, with a new pad and new explorers on it."""
    page.evaluate(
        """async () => {
            await jupyterapp.commands.execute("notebook:clear-all-cell-outputs");
            await jupyterapp.commands.execute("notebook:run-all-cells");
        }"""
    )
    page.locator(".course-paper").wait_for()
    page.locator(".course-paper").scroll_into_view_if_needed()
    page.evaluate(WATCH)
    yield page
    assert not page.errors
    code = [cell for cell in contents(page)["cells"] if cell["cell_type"] == "code"]
    assert not error_outputs(code)


def on_paper(page, stroke):
    """Return the points of a stroke in the page's coordinates."""
    box = page.locator(".course-paper").bounding_box()
    inner = [box["x"] + 2, box["y"] + 2, box["width"] - 4, box["height"] - 4]  # without the border
    return [(inner[0] + x * inner[2], inner[1] + y * inner[3]) for x, y in stroke]


def draw(page, strokes, steps=1):
    for stroke in strokes:
        first, *rest = on_paper(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for point in rest:
            page.mouse.move(*point, steps=steps)
        page.mouse.up()


def settled(page):
    """Wait until the bars have stood still for a while, and return what was seen."""
    page.wait_for_function(
        "performance.now() - Math.max(seen.up, seen.bars.at(-1) ?? Infinity) > 300"
    )
    return page.evaluate("seen")


def verdict(page):
    return page.locator(".course-verdict").inner_text()


def bold(page):
    """Return the names of the bars that are marked as the winner."""
    rows = page.locator('.course-pad [style*="font-weight:bold"][style*="right"]')
    return rows.all_inner_texts()


def clear(page):
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('.course-verdict').textContent == 'No ink yet.'")
    page.evaluate("seen.bars = []")


def slider(page, description):
    row = page.locator(".widget-inline-hbox").filter(
        has=page.locator(".widget-label", has_text=description)
    )
    return row.locator('[role="slider"]'), row.locator(".widget-readout")


def slide_to(page, description, value):
    """Move a slider with the arrow keys."""
    handle, readout = slider(page, description)
    handle.focus()
    for _ in range(200):
        number = float(readout.inner_text().replace("−", "-"))
        if abs(number - value) < 0.126:
            return
        page.keyboard.press("ArrowRight" if number < value else "ArrowLeft")
        page.wait_for_timeout(20)
    pytest.fail(f"{description} stands at {number}")


def test_thirty_digits_drawn_with_the_mouse_are_recognised(pad, screenshots):
    wrong, times = [], []
    for way in WAYS:
        slide_to(pad, "Line width", write(0, way)[1] * 28)
        for digit in range(10):
            draw(pad, write(digit, way)[0])
            seen = settled(pad)
            times.append(max(0, seen["bars"][-1] - seen["point"]) / 1000)
            if not verdict(pad).startswith(f"It looks like {digit} "):
                wrong.append(f"{digit} ({way}): {verdict(pad)}")
            else:
                assert bold(pad) == [str(digit)]
            if digit == 4:
                pad.screenshot(path=screenshots / f"drawing_pad_{way.split(',')[0]}.png")
            clear(pad)
            assert bold(pad) == []
    print(f"\n{30 - len(wrong)} of 30 recognised", *wrong, sep="\n")
    print(
        f"last point to last bars: median {statistics.median(times):.3f} s, max {max(times):.3f} s"
    )
    assert len(wrong) <= 4
    assert statistics.median(times) < 0.1


def test_bars_follow_while_the_pen_is_down(pad):
    first, *rest = on_paper(pad, write(0, "large")[0][0])
    pad.mouse.move(*first)
    pad.mouse.down()
    for point in rest:
        pad.mouse.move(*point)
        pad.wait_for_timeout(20)
    seen = pad.evaluate("seen")
    pad.mouse.up()
    assert len(seen["bars"]) >= 5


def test_a_single_dot_gets_its_bars_at_once(pad):
    times = []
    for k in range(10):
        draw(pad, [[(0.1 + 0.08 * k, 0.5)]])
        seen = settled(pad)
        times.append((seen["bars"][-1] - seen["down"]) / 1000)
        clear(pad)
    print(f"\npen down to bars: median {statistics.median(times):.3f} s, max {max(times):.3f} s")
    assert statistics.median(times) < 0.1


def test_the_mouse_may_leave_the_paper_and_come_back(pad):
    draw(pad, [[(0.5, 0.1), (1.3, 0.2), (0.5, 0.9)]], steps=5)
    settled(pad)
    draw(pad, [[(0.2, 0.5), (0.5, 0.5)]])
    settled(pad)
    pad.get_by_role("button", name="Undo").click()
    pad.get_by_role("button", name="Undo").click()
    wait_for(lambda: verdict(pad) == "No ink yet.", "both strokes to be undone")


def test_a_finger_draws_and_does_not_scroll(pad):
    touch = pad.context.new_cdp_session(pad)
    scrolled = "document.querySelector('.course-pad').getBoundingClientRect().top"
    before = pad.evaluate(scrolled)
    for stroke in write(7, "large")[0]:
        points = on_paper(pad, stroke)
        for k, (x, y) in enumerate([points[0], *points]):
            kind = "touchMove" if k else "touchStart"
            touch.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            )
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_for(lambda: verdict(pad).startswith("It looks like 7 "), "the 7 to be recognised")
    assert pad.evaluate(scrolled) == before


def test_the_keyboard_reaches_all_and_the_focus_is_seen(pad, screenshots):
    pad.get_by_role("button", name="Undo").focus()
    reached = []
    for _ in range(4):
        pad.keyboard.press("Tab")
        reached.append(
            pad.evaluate(
                "(e => [e.getAttribute('role') || e.tagName, "
                "getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])"
                "(document.activeElement)"
            )
        )
    assert {"BUTTON", "slider", "SELECT"} <= {name for name, _, _ in reached}
    for name, style, width in reached:
        if name in ("BUTTON", "slider", "SELECT"):
            assert (style, width) == ("solid", "3px"), name
    sample = pad.get_by_label("Sample")
    sample.focus()
    for _ in range(4):
        pad.keyboard.press("ArrowDown")
    wait_for(lambda: bold(pad) == ["3"], "the written 3 to be recognised")
    pad.screenshot(path=screenshots / "drawing_pad_sample.png")
    pad.get_by_role("button", name="Clear").focus()
    pad.keyboard.press("Enter")
    wait_for(lambda: verdict(pad) == "No ink yet.", "the pad to be cleared")


def test_all_has_words_for_those_who_do_not_see_it(pad):
    draw(pad, write(2, "large")[0])
    settled(pad)
    pictures = pad.locator('.jp-OutputArea [role="img"]')
    labels = [pictures.nth(k).get_attribute("aria-label") for k in range(pictures.count())]
    assert len(labels) == 5  # paper, what is seen, three times bars or a curve
    assert all(len(label) > 20 for label in labels)
    assert any("It looks like 2" in label for label in labels)


def test_explorers_follow_the_arrow_keys(pad):
    bars = pad.get_by_text("The probabilities add up to")
    bars.scroll_into_view_if_needed()
    assert pad.get_by_text("p₀ = 0.665").count() == 1
    handle, _ = slider(pad, "z₀")
    handle.focus()
    pad.keyboard.press("ArrowRight")
    assert handle.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    wait_for(lambda: pad.get_by_text("z₀ / T = 2.10").count(), "the bars to move")
    handle, _ = slider(pad, "Learning rate")
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(55):
        pad.keyboard.press("ArrowRight")
    wait_for(lambda: pad.get_by_text("Arrived").count(), "gradient descent to arrive")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_can_be_read_in_both_themes(pad, theme, screenshots):
    pad.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    pad.wait_for_function(
        "dark => (document.body.dataset.jpThemeLight == 'false') == dark", arg="Dark" in theme
    )
    pad.wait_for_timeout(1000)  # the new style sheet moves the page for a moment
    pad.locator(".course-paper").scroll_into_view_if_needed()
    draw(pad, write(5, "large")[0])
    settled(pad)
    kind = theme.split()[1].lower()
    assert verdict(pad).startswith("It looks like 5 ")
    pad.locator(".course-pad").screenshot(path=screenshots / f"drawing_pad_{kind}.png")
    for name, text in [("softmax", "The probabilities add up"), ("learning_rate", "After 8 steps")]:
        cell = pad.locator(".jp-OutputArea-output", has_text=text).first
        cell.scroll_into_view_if_needed()
        cell.screenshot(path=screenshots / f"{name}_explorer_{kind}.png")
        color = pad.get_by_text(text).first.evaluate("e => getComputedStyle(e).color")
        red = int(color.split("(")[1].split(",")[0])
        assert red > 150 if "Dark" in theme else red < 100
