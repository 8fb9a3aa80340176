"""A pad to draw a digit on, and what a network makes of it."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from .. import _checks
from ..datasets import load_mnist
from .drawing import SIDE, rasterise, to_mnist_form
from .parts import ArrowKeys, bars

_HERE = Path(__file__).parent


class Paper(anywidget.AnyWidget):
    """The part that runs in the browser: it draws, and sends the points of the strokes."""

    _esm = _HERE / "drawing_pad.js"
    _css = _HERE / "drawing_pad.css"
    # strokes of points [x, y], 0–1 from the top left corner; the line's width as a share of the side
    strokes = traitlets.List().tag(sync=True, echo_update=False)
    width = traitlets.Float(2 / SIDE).tag(sync=True)
    # 28×28 bytes of ink, or none: a sample to show on the paper, and what the network sees
    sample = traitlets.Bytes().tag(sync=True)
    seen = traitlets.Bytes().tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)


class DrawingPad(widgets.VBox):
    """A pad to draw a digit on with mouse, pen or finger; the network's ten probabilities follow.

    Beside the pad is the drawing in MNIST's form, 28×28 pixels, which is what the network gets, with
    the weights that it has then: `image`, and `probs`, or None while there is no ink. Who cannot
    draw picks one of the `samples` (n, 784) or (n, 28, 28), pixels 0–1; without them, one of each of
    the offline digits. Raises ValueError if samples or network are for other images.
    """

    def __init__(self, network, samples=None):
        n_in = network.layer_sizes[0]
        if n_in != SIDE * SIDE:
            raise ValueError(
                f"the pad draws {SIDE * SIDE} pixels, but this network has {n_in} inputs; make one "
                f"that begins like Network([{SIDE * SIDE}, 20, 10])"
            )
        self.network = network
        self.image = self.probs = None
        self.samples = _samples(samples)
        self.paper = Paper()
        self.bars = widgets.HTML()
        self.line_width = widgets.FloatSlider(
            value=2, min=1, max=4, step=0.25, description="Line width", readout_format=".2f"
        )
        self.sample = widgets.Dropdown(options=["none", *self.samples], description="Sample")
        self.undo = widgets.Button(description="Undo", tooltip="Take the last stroke away")
        self.clear = widgets.Button(description="Clear", tooltip="Take a new sheet of paper")
        for button in (self.undo, self.clear):
            button.layout.width = "80px"
        self.sample.layout.width = "220px"
        self.line_width.observe(self._set_width, "value")
        self.paper.observe(self._on_strokes, "strokes")
        self.sample.observe(self._on_sample, "value")
        self.undo.on_click(self._on_undo)
        self.clear.on_click(self._on_clear)
        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        top = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="20px")
        controls = [self.undo, self.clear, self.line_width, self.sample, ArrowKeys()]
        super().__init__(
            [widgets.HBox([self.paper, self.bars], layout=top), widgets.HBox(controls, layout=wrap)]
        )
        self.add_class("course-pad").add_class("course-widget")
        self.refresh()

    def __repr__(self):
        return "DrawingPad: a pad to draw a digit on; run this cell in a notebook to use it"

    def refresh(self):
        """Ask the network again, for instance after it has been trained further."""
        image = to_mnist_form(rasterise(self.paper.strokes, self.paper.width))
        if not self.paper.strokes:
            image = self.samples.get(self.sample.value, image)
        self.image = image if image.any() else None  # an empty pad shows no prediction
        self.probs = None
        if self.image is not None:
            self.probs = self.network.predict_proba(image.reshape(SIDE * SIDE))
        self.bars.value = show_probs(self.probs, self.network.layer_sizes[-1])
        with self.paper.hold_sync():  # one message
            self.paper.seen = b"" if self.image is None else _to_bytes(self.image)
            self.paper.verdict = say(self.probs)

    def _set_width(self, change):
        self.paper.width = change["new"] / SIDE
        self.refresh()

    def _on_strokes(self, change):
        if change["new"]:
            self.sample.value = "none"  # who draws leaves the sample
        self.refresh()

    def _on_sample(self, change):
        picked = self.samples.get(change["new"])
        self.paper.sample = b"" if picked is None else _to_bytes(picked)
        if picked is not None:
            self.paper.strokes = []
        self.refresh()

    def _on_undo(self, _):
        self.paper.strokes = self.paper.strokes[:-1]

    def _on_clear(self, _):
        self.paper.strokes = []
        self.sample.value = "none"


def show_probs(probs, n_classes=10):
    """Return the probabilities of the digits, shape (n_classes,) or None, as bars in HTML."""
    if probs is None:
        return bars([(str(k), None, "–") for k in range(n_classes)], "No probabilities yet.")
    rows = [(str(k), float(p), f"{100 * p:.1f} %") for k, p in enumerate(probs)]
    alt = ", ".join(f"{name}: {number}" for name, _, number in rows)
    return bars(rows, f"Probabilities of the digits. {alt}.")


def say(probs):
    """Return in words what the probabilities, shape (10,) or None, say."""
    if probs is None:
        return "No ink yet."
    first, second = np.argsort(-probs)[:2]
    words = f"It looks like {first} ({100 * probs[first]:.0f} %)"
    if probs[second] >= 0.1:
        words += f", or {second} ({100 * probs[second]:.0f} %)"
    return words.replace(" %", "\N{NO-BREAK SPACE}%") + "."


def _to_bytes(image):
    return np.rint(image * 255).astype(np.uint8).tobytes()


def _samples(samples):
    """Return the samples to pick from: name to image (28, 28)."""
    if samples is None:
        _, (X, y) = load_mnist(source="uci-digits", flatten=False)
        return {f"a written {digit}": X[np.argmax(y == digit)] for digit in range(10)}
    images = _checks.pictures(samples).astype(np.float32)
    _checks.pixels(images, nan_allowed=False)
    return {f"sample {k}": image for k, image in enumerate(images, start=1)}
