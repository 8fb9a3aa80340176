"""The drawing pad in a real browser: drawn on with the mouse and with a finger."""

import re

import pytest
from scripted_digits import write

from .conftest import button, error_outputs, open_cells

playwright = pytest.importorskip("playwright.sync_api")

CELLS = [
    "from course_utils import Network, data_path\n"
    "from course_utils.lab.drawing_pad import DrawingPad",
    'DrawingPad(Network.load(data_path("sample_weights.npz")))',
]


@pytest.fixture(scope="module")
def notebook(window, lab):
    """Open a notebook with a pad."""
    open_cells(window, lab, "pad", CELLS)  # with a heading: arrow keys fold headings in JupyterLab
    window.add_style_tag(content=".Toastify { display: none }")  # JupyterLab's question about news


@pytest.fixture
def pad(notebook, page):
    """Run all cells, and return the page, with a new pad on it."""
    page.evaluate(
        """async () => {
            await jupyterapp.commands.execute("notebook:clear-all-cell-outputs");
            await jupyterapp.commands.execute("notebook:run-all-cells");
        }"""
    )
    page.locator(".course-paper").wait_for()
    page.locator(".course-paper").scroll_into_view_if_needed()
    yield page
    assert not page.errors
    assert not error_outputs(page)


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


def expect_verdict(page, words):
    playwright.expect(page.locator(".course-verdict")).to_contain_text(words)


def test_digits_drawn_with_the_mouse_are_recognised(pad):
    bold = pad.locator('.course-pad [style*="font-weight:bold"][style*="right"]')  # names of bars
    for digit in (4, 7):
        draw(pad, write(digit, "large")[0])
        expect_verdict(pad, f"It looks like {digit} ")
        playwright.expect(bold).to_have_text([str(digit)])
        button(pad, "Clear").click()
        expect_verdict(pad, "No ink yet")
        playwright.expect(bold).to_have_count(0)


def test_bars_follow_while_the_pen_is_down(pad):
    first, *rest = on_paper(pad, write(0, "large")[0][0])
    pad.mouse.move(*first)
    pad.mouse.down()
    expect_verdict(pad, "It looks like")  # a dot is enough
    for point in rest:
        pad.mouse.move(*point)
    expect_verdict(pad, "It looks like 0 ")
    pad.mouse.up()
    # and all has words for those who do not see it
    for words in ("It looks like 0", "28", "Probabilities of"):
        image = pad.locator(".jp-OutputArea").get_by_role("img", name=words).first
        playwright.expect(image).to_be_visible()


def test_the_mouse_may_leave_the_paper_and_come_back(pad):
    draw(pad, [[(0.5, 0.1), (1.3, 0.2), (0.5, 0.9)]], steps=5)
    draw(pad, [[(0.2, 0.5), (0.5, 0.5)]])
    expect_verdict(pad, "It looks like")
    button(pad, "Undo").click()
    button(pad, "Undo").click()
    expect_verdict(pad, "No ink yet")


def test_a_finger_draws_and_does_not_scroll(pad):
    touch = pad.context.new_cdp_session(pad)
    scrolled = "document.querySelector('.course-pad').getBoundingClientRect().top"
    before = pad.evaluate(scrolled)
    for stroke in write(7, "large")[0]:
        points = on_paper(pad, stroke)
        for k, (x, y) in enumerate([points[0], *points]):
            event = {"type": "touchMove" if k else "touchStart", "touchPoints": [{"x": x, "y": y}]}
            touch.send("Input.dispatchTouchEvent", event)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_verdict(pad, "It looks like 7 ")
    assert pad.evaluate(scrolled) == before


def test_the_keyboard_reaches_all_and_the_focus_is_seen(pad):
    button(pad, "Undo").focus()
    look = """() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        const name = document.activeElement.role || document.activeElement.tagName;
        return [name, outlineStyle, outlineWidth];
    }"""
    reached = []
    for _ in range(4):
        pad.keyboard.press("Tab")
        reached.append(pad.evaluate(look))
    for name in ("BUTTON", "slider", "SELECT"):
        assert [name, "solid", "3px"] in reached
    pad.get_by_label("Sample").focus()
    for _ in range(4):
        pad.keyboard.press("ArrowDown")
    expect_verdict(pad, "It looks like 3 ")
    button(pad, "Clear").focus()
    pad.keyboard.press("Enter")
    expect_verdict(pad, "No ink yet")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_can_be_read_in_both_themes(pad, theme):
    pad.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    color = re.compile(r"^rgba?\((1[5-9]\d|2\d\d)," if "Dark" in theme else r"^rgba?\(\d\d?,")
    playwright.expect(pad.get_by_text("No ink yet").first).to_have_css("color", color)
