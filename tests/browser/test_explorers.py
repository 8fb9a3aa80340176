"""The explorers in a page without a kernel: numbers, keyboard, mouse, themes and widths."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from course_utils import softmax
from course_utils.lab.explorers import learning_rate_explorer, softmax_explorer

from .conftest import button, new_page

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

VALLEYS = {
    "one valley": (lambda w: w**2, lambda w: 2 * w),
    "two valleys": (
        lambda w: w**4 / 4 - w**2 + w / 3 + 2,
        lambda w: w**3 - 2 * w + 1 / 3,
    ),
}


@pytest.fixture
def tab(browser, request):
    """Return a page without a server; take a picture of it at the end."""
    with new_page(browser, None) as tab:
        yield tab
        if folder := os.environ.get("SCREENSHOTS"):
            tab.screenshot(path=Path(folder, f"{request.node.name}.png"))
        assert not tab.errors


def show(tab, path, html):
    path.write_text(html, encoding="utf-8")
    tab.goto(path.as_uri())


@pytest.fixture
def scores(tab, tmp_path):
    show(tab, tmp_path / "softmax.html", softmax_explorer().page())
    return tab


@pytest.fixture
def valley(tab, tmp_path):
    show(tab, tmp_path / "valley.html", learning_rate_explorer().page())
    return tab


def values(locator):
    """Return the numbers in an element, with all their digits."""
    return np.array(locator.locator("data").evaluate_all("all => all.map((d) => Number(d.value))"))


def slider(tab, name):
    return tab.get_by_role("slider", name=name)


def press(tab, name, *keys):
    slider(tab, name).focus()
    for key in keys:
        tab.keyboard.press(key)


def says(tab, words):
    expect(tab.get_by_role("status")).to_contain_text(words)


# softmax


def rows(tab):
    """Return the scores, their exponentials and their shares."""
    return np.array([values(row) for row in tab.get_by_role("group").all()]).T


@pytest.mark.parametrize(("preset", "n"), [(0, 3), (1, 5), (2, 10)])
def test_the_shares_are_those_of_numpy(scores, preset, n):
    scores.get_by_label("Scores").select_option(index=preset)
    for key in ("Home", "ArrowRight", "End"):
        press(scores, "temperature T", key)
        (temperature,) = values(scores.locator(".explorer-slider"))
        z, exps, shares = rows(scores)
        assert len(z) == n
        np.testing.assert_allclose(exps, np.exp(z / temperature), rtol=1e-9)
        np.testing.assert_allclose(shares, softmax(z / temperature), rtol=1e-9)
        np.testing.assert_allclose(values(scores.locator(".explorer-foot"))[4], exps.sum())
        says(scores, f"divided by {temperature:g}")


def test_adding_1_to_all_changes_no_share(scores):
    z, exps, shares = rows(scores)
    button(scores, "Add 1 to all").click()
    more_z, more_exps, same_shares = rows(scores)
    np.testing.assert_array_equal(more_z, z + 1)
    np.testing.assert_allclose(more_exps, exps * np.e, rtol=1e-9)
    np.testing.assert_array_equal(same_shares, shares)
    says(scores, "each exp is 2.718 times what it was, and so is the sum. No share changed.")
    button(scores, "Add 1 to all").evaluate("b => { for (let k = 0; k < 720; k++) b.click(); }")
    assert np.isinf(rows(scores)[1]).all()
    np.testing.assert_allclose(rows(scores)[2], shares, rtol=1e-9)
    says(scores, "too large for a computer")
    button(scores, "Start again").click()
    np.testing.assert_array_equal(rows(scores), [z, exps, shares])


def test_one_score_moves_by_keyboard_and_all_shares_follow(scores):
    _, exps, shares = rows(scores)
    press(scores, "score z₁", *["ArrowRight"] * 15)
    assert slider(scores, "score z₁").evaluate("e => getComputedStyle(e).outlineWidth") == "3px"
    expect(slider(scores, "score z₁")).to_have_attribute(
        "aria-valuetext", re.compile("^2.5, share")
    )
    z, more_exps, more_shares = rows(scores)
    assert z.tolist() == [2, 2.5, 0]
    np.testing.assert_array_equal((more_exps == exps), [True, False, True])
    np.testing.assert_array_equal(np.sign(more_shares - shares), [-1, 1, -1])
    says(scores, "only that of z₁ changed")
    largest = scores.locator(".explorer-largest")
    expect(largest).to_have_count(1)  # bold and with a mark, not only blue
    expect(largest).to_have_attribute("aria-label", "z₁")
    scores.keyboard.press("Tab")
    expect(slider(scores, "score z₂")).to_be_focused()


def test_a_score_is_dragged_with_the_mouse(scores):
    box = slider(scores, "score z₂").bounding_box()
    y = box["y"] + box["height"] / 2
    scores.mouse.move(box["x"] + box["width"] / 2, y)
    scores.mouse.down()
    scores.mouse.move(box["x"] + box["width"], y, steps=4)
    scores.mouse.up()
    z, _, shares = rows(scores)
    assert z[2] == 5
    np.testing.assert_allclose(shares, softmax(z), rtol=1e-9)


# the valley


def path(tab):
    """Return w and the loss at each step."""
    return [values(tab.get_by_role("row").nth(k)) for k in (1, 2)]


@pytest.mark.parametrize("name", VALLEYS)
def test_the_steps_are_those_of_numpy(valley, name):
    loss, slope = VALLEYS[name]
    valley.get_by_role("combobox").select_option(name)
    for key in ("Home", "ArrowRight", "PageUp", "PageUp"):
        press(valley, "Learning rate", key)
        rate, n_steps, w = values(valley.locator(".explorer-side"))
        expected = [w]
        while len(expected) <= n_steps and abs(expected[-1]) < 1000:
            expected.append(expected[-1] - rate * slope(expected[-1]))
        np.testing.assert_allclose(path(valley)[0], expected, rtol=1e-9)
        np.testing.assert_allclose(path(valley)[1], loss(np.array(expected)), rtol=1e-9)


def test_the_learning_rate_is_logarithmic_and_round(valley):
    rates = []
    slider(valley, "Learning rate").focus()
    for key in ("Home", *["ArrowRight"] * 110):
        valley.keyboard.press(key)
        rates.append(values(valley.locator(".explorer-side"))[0])
    assert {0.01, 0.03, 0.1, 0.3, 0.5, 1, 1.05} <= set(rates)
    ratios = np.divide(rates[1:], rates[:-1])
    assert ratios.min() >= 1
    assert ratios.max() < 1.1


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("Steps", ["Home"], "No step yet"),
        ("Learning rate", [], "w = 1.22, loss 1.49. On its way"),
        ("Learning rate", ["ArrowRight"] * 50, "Arrived"),  # 0.3
        ("Learning rate", ["ArrowRight"] * 73, "from side to side"),  # 0.85
        ("Learning rate", ["ArrowRight"] * 77, "Too high: it has climbed"),  # 1.05
    ],
)
def test_it_says_where_the_steps_led(valley, name, keys, words):
    press(valley, name, *keys)
    says(valley, words)


def test_the_scale_follows_a_path_that_diverges(valley):
    inside = "c => c.cx.baseVal.value >= 60 && c.cy.baseVal.value >= 10"
    expect(valley.locator("svg text").first).to_have_text("−2")
    press(valley, "Learning rate", *["ArrowRight"] * 77)
    expect(valley.locator("svg text").first).to_have_text("−5")
    assert valley.locator("circle").last.evaluate(inside)
    valley.get_by_role("combobox").select_option("two valleys")
    press(valley, "Learning rate", "End")
    says(valley, "it has left the valley for good")
    assert abs(path(valley)[0][-1]) >= 1000
    expect(valley.locator("svg text").first).to_contain_text("·10³")
    assert valley.locator("circle").last.evaluate(inside)
    expect(button(valley, "Take a step")).to_be_disabled()


def test_the_ball_is_dragged_and_the_arrow_keys_go_on(valley):
    box = valley.locator("svg").bounding_box()
    ball = valley.locator("circle").last.bounding_box()
    valley.mouse.move(ball["x"] + ball["width"] / 2, ball["y"] + ball["height"] / 2)
    valley.mouse.down()
    valley.mouse.move(box["x"] + 60 + 0.2 * (box["width"] - 72), box["y"] + 5, steps=5)
    valley.mouse.up()
    assert path(valley)[0].tolist() == [-2]  # 0.2 of the way from -3.3 to 3.3, rounded
    says(valley, "Steps: 0. w = −2, loss 4. No step yet")
    expect(slider(valley, "Start at w")).to_be_focused()
    valley.keyboard.press("ArrowLeft")
    assert path(valley)[0].tolist() == [-2.1]
    expect(valley.get_by_text("Slope here: −4.2.")).to_be_visible()
    button(valley, "Take a step").focus()
    valley.keyboard.press("Enter")
    np.testing.assert_allclose(path(valley)[0], [-2.1, -2.1 * 0.94], rtol=1e-9)
    button(valley, "Back to the start").click()
    assert path(valley)[0].tolist() == [-2.1]
    expect(valley.get_by_role("img", name="and a ball on it. Steps: 0.")).to_be_visible()


# where it is shown


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 600, 800, 1280])
@pytest.mark.parametrize("what", ["softmax", "valley"])
def test_it_fits_and_can_be_read(tab, tmp_path, what, width, theme):
    tab.emulate_media(color_scheme=theme)
    tab.set_viewport_size({"width": width, "height": 720})
    explorer = softmax_explorer(range(10)) if what == "softmax" else learning_rate_explorer()
    show(tab, tmp_path / "page.html", explorer.page())
    expect(tab.get_by_role("status")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.evaluate("document.body.offsetHeight") < 720
    dark = re.compile(r"^rgb\(\d\d?,")
    light = re.compile(r"^rgb\((1[5-9]\d|2\d\d),")
    for element in (tab.get_by_role("status"), tab.get_by_role("button").first):
        expect(element).to_have_css("color", dark if theme == "light" else light)


@pytest.mark.parametrize(("color", "theme"), [("black", "light"), ("white", "dark")])
def test_a_frame_has_the_height_and_the_theme_of_its_page(tab, tmp_path, color, theme):
    html = learning_rate_explorer()._repr_mimebundle_()["text/html"]
    show(tab, tmp_path / "frame.html", f'<!doctype html><body style="color:{color}">{html}')
    inner = tab.frame_locator("iframe")
    tab.set_viewport_size({"width": 500, "height": 900})
    expect(inner.locator("html")).to_have_css("color-scheme", theme)
    expect(tab.get_by_text("run this cell")).to_be_hidden()
    tab.wait_for_function(
        """() => {
            const frame = document.querySelector("iframe");
            const root = frame.contentDocument.documentElement;
            return frame.clientHeight === root.offsetHeight && frame.clientHeight > 550;
        }"""
    )
    tab.evaluate("document.body.style.color = 'rgb(200, 200, 200)'")  # another theme
    expect(inner.get_by_role("status")).to_have_css("color", "rgb(200, 200, 200)")
    expect(inner.locator("html")).to_have_css("color-scheme", "dark")
