"""The live picture of a network, on a plain page without a kernel: a recorded run is replayed."""

import base64
import os
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scripted_digits import WAYS, write

from course_utils import Network, data_path, load_mnist, sgd
from course_utils.lab import network_view
from course_utils.lab.handwriting import to_mnist_form
from course_utils.lab.network_view import NetworkView, weights_of
from course_utils.lab.strokes import rasterise

from .conftest import button, new_page

playwright = pytest.importorskip("playwright.sync_api")

FOLDER = Path(network_view.__file__).parent
SIZES = [(1400, 900), (1280, 720), (800, 600)]
DRAWN = ".nv-head:not(:empty)"  # as soon as a first picture is there


@pytest.fixture(scope="module")
def digits():
    """Return the training images and labels, and ten images to test on."""
    (X, y), (X_test, y_test) = load_mnist(source="uci-digits")
    first = [int(np.argmax(y_test == k)) for k in range(10)]
    return X, y, X_test[first], y_test[first]


def record(view, network, digits, run=1, *, n=40, spoil=None, **options):
    """Train for `n` iterations, and tell `view` of every fourth; `spoil` is what becomes of the last."""
    X, y, *_ = digits
    marks = list(range(0, n + 1, 4))
    about = {"layers": network.layer_sizes, "activation": network.activation, "epochs": 2}
    about |= {"name": f"run {run}", "per_epoch": n // 2, "marks": marks}
    view.tell({"type": "run", "run": run, **about})
    steps = sgd(network, X, y, **{"learning_rate": 0.1, "batch_size": 32, "epochs": 2} | options)
    weights, loss = weights_of(network), network.gradients(X, y)[0]
    for iteration in range(n + 1):
        if iteration:
            loss, weights = next(steps).loss, weights_of(network)
        if iteration == n and spoil is not None:
            weights, loss = weights * np.float32(spoil), None  # no number in JSON
        if iteration in marks:
            error = 1 - network.accuracy(X[:200], y[:200])
            message = {"iteration": iteration, "loss": [loss] * 3, "error": [error] * 2}
            message |= {"type": "snapshot", "run": run, "dtype": "f4"}
            view.tell(message, weights.tobytes())


@pytest.fixture(scope="module")
def network():
    return Network([784, 20, 10])


@pytest.fixture(scope="module")
def recorded(digits, network, tmp_path_factory):
    """Write a page with a run that is fine, after one that blew up, and return its address."""
    view = NetworkView(*digits[2:])
    network.params["b1"][3] = -1e4  # a dead unit
    with np.errstate(all="ignore"):
        record(view, Network([784, 5, 10]), digits, run=1, spoil=np.inf)
    record(view, network, digits, run=2)
    view.tell({"type": "code", "run": 2, "code": "network = Network([784, 20, 10])"})
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(view.page(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, recorded, request):
    """Open the page, and look at its console in the end."""
    with new_page(browser, None) as page:
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(recorded)
        page.wait_for_selector(DRAWN, state="attached")
        yield page
        assert not page.errors
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"{request.node.name}.png"))


@pytest.fixture(scope="module")
def numbers(browser):
    """Return a function that calls one of ``numbers.js``, which needs no other module."""
    code = base64.b64encode((FOLDER / "numbers.js").read_bytes()).decode()
    with new_page(browser, None) as page:
        page.evaluate(
            "async (code) => (window.n = await import('data:text/javascript;base64,' + code))", code
        )
        yield lambda expression, *values: page.evaluate(f"(values) => {expression}", list(values))
        assert not page.errors


def probabilities(numbers, network, X):
    """Bring images through a network in the browser."""
    about = {"layers": network.layer_sizes, "activation": network.activation}
    text = base64.b64encode(weights_of(network).tobytes()).decode()
    return numbers(
        """{
            const [about, text, images] = values;
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const weights = n.decode("f4", new DataView(bytes.buffer));
            const read = (image) => n.forward(about, weights, Float32Array.from(image));
            return images.map((image) => [...read(image).at(-1).activations]);
        }""",
        about,
        text,
        np.asarray(X, np.float64).tolist(),
    )


@pytest.mark.parametrize("hidden", [(), (20,), (7, 5, 3)])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_forward_pass_is_that_of_numpy(numbers, digits, hidden, activation):
    network = Network([784, *hidden, 10], activation, rng=3)
    for k in range(1, len(network.layer_sizes)):
        network.params[f"b{k}"][:] = np.random.default_rng(k).normal(size=network.layer_sizes[k])
    X = digits[2]
    found = probabilities(numbers, network, X)
    np.testing.assert_allclose(found, network.predict_proba(X), atol=1e-5)


def test_numbers_of_two_bytes_are_decoded(numbers):
    values = np.array([0, 1, -2.5, 6e-8, 65504, 0.1, np.inf, -np.inf], "<f2")
    found = numbers(
        "[...n.decode('f2', new DataView(Uint8Array.from(values[0]).buffer))].map(String)",
        list(values.tobytes()),
    )
    assert [float(text.replace("Infinity", "inf")) for text in found] == values.tolist()


def test_drawings_get_mnist_s_form_and_are_read(numbers):
    network, right = Network.load(data_path("sample_weights.npz")), 0
    for way in WAYS:
        for digit in range(10):
            strokes, width = write(digit, way)
            found = numbers("[...n.mnistForm(values[0], values[1])]", strokes, width)
            form = to_mnist_form(rasterise(strokes, width))
            image = np.reshape(found, form.shape)
            centre = [(index * image).sum() / image.sum() for index in np.indices(form.shape)]
            np.testing.assert_allclose(centre, 14, atol=0.51)
            # of an upright 1 it can be between two pixels, and the last digits decide for one of them
            shifted = [np.roll(form, by, axis=(0, 1)) for by in product((-1, 0, 1), repeat=2)]
            assert min(np.abs(image - near).max() for near in shifted) <= 8 / 255, (digit, way)
            right += int(np.argmax(probabilities(numbers, network, [found])) == digit)
    assert right >= 29
    assert numbers("n.mnistForm([], 0.1)") is None
    # a dot is ink, too
    assert max(numbers("[...n.mnistForm([[[0.5, 0.5]]], 0.1)]")) > 0.9


def test_what_is_not_finite_has_a_text_and_a_place(numbers):
    assert numbers("[NaN, Infinity, -Infinity, null, 3e35].map((v) => n.plain(v, 1))") == [
        *("nan", "∞", "−∞", "nan", "3.0e35")
    ]
    assert numbers("[n.percent(NaN), n.signed(-0.001), n.placeOfLargest([1, NaN])]") == [
        *("–", "0.00", -1)
    ]
    assert numbers("[NaN, Infinity, -1].map((v) => n.shareOf(v, 2))") == [0, 1, 0]
    # rounded, they would add up to 0.99
    assert sum(numbers("n.roundTogether([0.333, 0.333, 0.334]).values")) == pytest.approx(1)


def number(text):
    return float(text.replace("−", "-"))


NUMBER = r"[+−]?\d+\.?\d*"


def text_of(page, selector):
    return page.locator(selector).first.text_content()


def test_a_unit_shows_numbers_that_add_up(page, network, digits):
    image = digits[2][4]
    page.locator(".nv-thumb").nth(4).click()
    page.locator(".nv-unit").nth(1).click()
    playwright.expect(page.locator(".nv-title").first).to_contain_text("unit 2")
    playwright.expect(page.locator(".nv-sum")).to_be_visible()
    *parts, total, activation, answer, given = map(
        number, re.findall(NUMBER, text_of(page, ".nv-terms"))
    )
    assert sum(parts) == pytest.approx(total)
    assert given == pytest.approx(activation * network.params["W2"][1, int(answer)], abs=0.02)
    pixels = image * network.params["W1"][:, 1]
    expected = [pixels[pixels > 0].sum(), pixels[pixels < 0].sum(), network.params["b1"][1]]
    np.testing.assert_allclose(parts, expected, atol=0.021)


def test_an_output_shows_who_speaks_for_it(page, network, digits):
    page.locator(".nv-thumb").nth(7).click()
    page.locator(".nv-output").nth(3).click()
    title = page.locator(".nv-title").first
    playwright.expect(title).to_contain_text("output 3")
    signed = re.findall(r"[+−]?\d+\.\d\d", title.text_content())
    *parts, score = map(number, signed[:4])
    assert sum(parts) == pytest.approx(score)
    hidden = network.forward(digits[2])[1][7]
    expected = hidden @ network.params["W2"][:, 3] + network.params["b2"][3]
    assert score == pytest.approx(expected, abs=0.01)
    for group in (0, 1):  # what is shown, and the rest
        voices = page.locator(".nv-voices > div").nth(group)
        shown = voices.locator(".nv-voice:visible > span:first-of-type").all_text_contents()
        text = voices.locator(":scope > :last-child").text_content()
        all_of_them, *rest = re.findall(r"[+−]\d+\.\d\d", text)
        assert sum(map(number, shown + rest)) == pytest.approx(number(all_of_them))
    # and from there to the unit
    page.locator(".nv-voice:visible").first.click()
    playwright.expect(title).to_contain_text("What unit")


def test_gradients_are_those_of_numpy(page, network, digits):
    X, y = digits[2][7:8], digits[3][7:8]
    expected = network.gradients(X, y)[1]["b1"]  # one image's: the gradients of the sums
    page.locator(".nv-thumb").nth(7).click()
    button(page, "Show gradients").click()
    title = page.locator(".nv-title").first
    for unit in np.argsort(abs(expected))[-3:]:
        page.locator(".nv-unit").nth(unit).click()
        playwright.expect(title).to_contain_text(f"Gradient of unit {unit + 1}:")
        plus, minus, slope, gradient = map(number, re.findall(NUMBER, title.text_content())[1:])
        assert gradient == pytest.approx(expected[unit], abs=0.001)
        assert (plus + minus) * slope == pytest.approx(gradient, abs=0.001)
    page.locator(".nv-output").nth(int(y[0])).click()
    playwright.expect(title).to_contain_text("should be 1")
    draw(page, [[(0.5, 0.2), (0.5, 0.8)]])  # nobody knows what it should be
    playwright.expect(title).to_contain_text("has no label, so no gradient. Why output")


PIXELS_OF_UNIT = "document.querySelector('.nv-unit canvas').toDataURL()"


def test_time_changes_the_weights(page):
    end = page.evaluate(PIXELS_OF_UNIT)
    clock = page.locator(".nv-clock")
    playwright.expect(clock).to_contain_text("epoch 2.00")
    page.get_by_role("slider", name="Time").focus()
    page.keyboard.press("ArrowLeft")
    playwright.expect(clock).to_contain_text("epoch 1.80")
    assert page.evaluate(PIXELS_OF_UNIT) != end
    page.keyboard.press("ArrowRight")
    playwright.expect(clock).to_contain_text("epoch 2.00")
    assert page.evaluate(PIXELS_OF_UNIT) == end
    button(page, "To the start").click()
    playwright.expect(clock).to_contain_text("step 0")
    button(page, "One step on").click()
    playwright.expect(clock).to_contain_text("epoch 0.20")
    page.get_by_label("Speed of playing").select_option("4×")
    button(page, "Play").click()
    playwright.expect(button(page, "Pause")).to_be_visible()
    playwright.expect(clock).to_contain_text("epoch 2.00")  # it has played to the end
    playwright.expect(button(page, "Play")).to_be_visible()
    box = page.locator(".nv-chart").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 50)
    playwright.expect(clock).not_to_contain_text("epoch 2.00")


def draw(page, strokes):
    box = page.locator(".nv-pad").bounding_box()
    for stroke in strokes:
        for k, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if not k:
                page.mouse.down()
        page.mouse.up()


INK = """() => {
    const path = document.querySelector(".nv-ink path");
    return path.isPointInStroke(new DOMPoint(0.5, 0.5));
}"""


def test_a_click_leaves_a_dot(page):
    name = page.locator(".nv-digit")
    playwright.expect(name).to_contain_text("Test digit")
    assert not page.evaluate(INK)
    draw(page, [[(0.5, 0.5)]])
    playwright.expect(name).to_have_text("Your digit")
    page.wait_for_function(INK)
    button(page, "Undo the last stroke").click()
    playwright.expect(name).to_contain_text("Test digit")


def test_a_drawing_is_read_by_the_network_at_the_time_shown(page):
    said = page.get_by_role("status").filter(has_text="The network reads")
    draw(page, write(0, "large")[0])
    playwright.expect(said).to_contain_text("Your digit. The network reads 0")
    trained = said.text_content()
    button(page, "To the start").click()
    playwright.expect(said).not_to_have_text(trained)
    button(page, "Clear the drawing").click()
    playwright.expect(said).to_contain_text("Test digit")


def test_a_finger_draws(page):
    touch = page.context.new_cdp_session(page)
    box = page.locator(".nv-pad").bounding_box()
    for k, (x, y) in enumerate(write(0, "large")[0][0]):
        point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        kind = "touchMove" if k else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    said = page.get_by_role("status").filter(has_text="The network reads")
    playwright.expect(said).to_contain_text("Your digit. The network reads 0")


def test_the_keyboard_reaches_and_works_everything(page):
    reached = []
    page.locator("body").click(position={"x": 2, "y": 2})
    focused = "document.activeElement.className || document.activeElement.ariaLabel"
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    for name in (
        *("nv-start", "nv-back", "nv-play", "nv-on", "nv-speed", "nv-slider", "nv-more"),
        *("nv-pad", "nv-thumb", "nv-unit", "nv-output", "nv-box", "nv-name", "nv-voice"),
    ):
        assert any(name in text for text in reached), name
    # among units by arrows, and on to the outputs
    page.locator(".nv-unit").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    title = page.locator(".nv-title").first
    playwright.expect(title).to_contain_text("What unit 2")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    playwright.expect(title).to_contain_text("Why output 0")
    # a stroke: down, along, up
    page.locator(".nv-pad").focus()
    for key in (" ", *["ArrowDown"] * 9, " "):
        page.keyboard.press(key)
    said = page.get_by_role("status").filter(has_text="The network reads")
    playwright.expect(said).to_contain_text("Your digit. The network reads")
    page.locator(".nv-more").focus()
    page.keyboard.press("Enter")
    playwright.expect(page.get_by_text("network = Network([784, 20, 10])")).to_be_visible()
    page.keyboard.press("Escape")
    playwright.expect(page.get_by_text("network = Network([784, 20, 10])")).not_to_be_visible()


def test_dead_units_are_marked(page):
    dead = page.locator(".nv-dead")
    playwright.expect(dead.filter(has_text="dead")).not_to_have_count(0)
    unit = page.get_by_role("button", name=re.compile("Unit 4: dead; .*: off for all test digits"))
    playwright.expect(unit).to_have_class(re.compile("nv-dead"))


def test_a_run_that_blew_up_can_be_looked_at_and_spoils_nothing(page):
    ticks = page.locator(".nv-chart").first.locator(".nv-grid text").all_text_contents()
    assert not {"100", "1000"} & set(ticks)
    page.get_by_role("button", name="run 1").or_(page.get_by_text("run 1")).first.click()
    said = page.get_by_role("status").filter(has_text="The network has no answer")
    playwright.expect(said).to_have_count(1)
    page.locator(".nv-unit").first.click()
    playwright.expect(page.locator(".nv-title").first).to_contain_text("What unit 1")
    curves = page.locator(".nv-chart path").evaluate_all(
        "paths => paths.map((path) => path.getAttribute('d')).join()"
    )
    assert "NaN" not in curves
    assert "Infinity" not in curves


def test_runs_differ_in_colour_and_dash_and_can_be_hidden(page):
    curve = page.locator('.nv-chart path[stroke="#009e73"]')
    lines = page.locator(".nv-runs path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('stroke') + path.getAttribute('stroke-dasharray'))"
    )
    assert len(set(lines)) == 2
    playwright.expect(curve).not_to_have_count(0)
    page.get_by_label("Show the curves of run 1").uncheck()
    playwright.expect(curve).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}")
def test_it_fits_and_can_be_read(page, size, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    color = re.compile(r"^rgb\((1[5-9]\d|2\d\d)," if scheme == "dark" else r"^rgb\(\d\d?,")
    playwright.expect(page.locator(".nv-title").first).to_have_css("color", color)
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function("document.querySelector('.nv').offsetHeight <= 600")
    for selector in (".nv-output", ".nv-thumb", ".nv-unit", ".nv-runs", ".nv-more"):
        boxes = [box.bounding_box() for box in page.locator(selector).all()]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= size[0] for box in boxes)


LIVE = """([code, html]) => {
    const traits = { html, live: true, state: "ready", labels: [] };
    traits.digits = new DataView(new ArrayBuffer(784));
    traits.labels = [0];
    window.sent = [];
    const listeners = {};
    const model = {
        get: (name) => traits[name],
        on: (names, listener) => names.split(" ").forEach((name) => (listeners[name] = listener)),
        off() {},
        send: (message) => {
            sent.push(message);
            if (message.type === "drop") setTimeout(() => tell(message)); // and so does the kernel
        },
    };
    window.tell = (message, n) => {
        const numbers = Float32Array.from({ length: n }, (_, k) => Math.sin(k));
        listeners["msg:custom"](message, n ? [new DataView(numbers.buffer)] : []);
    };
    window.set = (name, value) => {
        traits[name] = value;
        listeners[`change:${name}`]();
    };
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    return import(url).then((module) => {
        document.body.innerHTML = "<main></main>";
        module.default.render({ model, el: document.querySelector("main") });
    });
}"""


def test_runs_come_and_go_and_are_kept(page):
    """With a stand-in for a kernel."""
    html = (FOLDER / "network_view.html").read_text(encoding="utf-8")
    page.evaluate(LIVE, [NetworkView._esm, html])
    for run in (1, 2, 3):
        about = {"layers": [784, 2, 10], "activation": "relu", "epochs": 1, "per_epoch": 2}
        about |= {"type": "run", "run": run, "name": f"run {run}", "marks": [0, 1, 2]}
        page.evaluate("message => tell(message)", about | {"kept": run == 1})
        for iteration in (0, 1):
            message = {"type": "snapshot", "run": run, "iteration": iteration, "dtype": "f4"}
            message |= {"loss": [1, 2, 3], "error": [0.5, 0.5]}
            page.evaluate("message => tell(message, 784 * 2 + 20 + 12)", message)
        if run == 1:
            playwright.expect(button(page, "Kept run 1")).to_be_disabled()
        if run == 2:
            button(page, "Keep run 2").click()
            playwright.expect(button(page, "Kept run 2")).to_be_disabled()
    height = page.locator(".nv").bounding_box()["height"]
    page.evaluate("set('state', 'training')")
    page.evaluate("set('state', 'stopped')")
    button(page, "To the start").click()
    assert page.locator(".nv").bounding_box()["height"] == height  # nothing moves
    playwright.expect(page.locator(".nv-clock")).to_contain_text("step 0")  # nor does the time
    rows = page.locator(".nv-runs > div")
    button(page, "Remove run 1").click()
    playwright.expect(rows).to_have_count(2)
    page.evaluate("message => tell(message)", {"type": "drop", "run": 3})
    playwright.expect(rows).to_have_count(1)
    types = ["hello", "keep", "drop"]
    assert page.evaluate("sent.map(({ type }) => type)") == types
