"""Small things to move, in the notebooks where moving explains best."""

import io
from base64 import b64encode
from collections import namedtuple

import ipywidgets as widgets
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..functions import softmax
from ..plotting import MUTED, RIGHT, STYLE, WRONG
from .parts import ArrowKeys, bars

SUBSCRIPTS = "₀₁₂₃₄"


def softmax_explorer(scores=(2.0, 1.0, 0.0)):
    """Move three to five scores, from -5 to 5, and a temperature, and see their softmax as bars.

    Raises ValueError if there are fewer scores or more, or one is beyond the sliders.
    """
    scores = [float(score) for score in scores]
    if not 3 <= len(scores) <= 5 or not all(-5 <= score <= 5 for score in scores):
        raise ValueError(f"scores must be three to five numbers from -5 to 5, but are {scores}")
    count = widgets.IntSlider(len(scores), 3, 5, description="Scores")
    sliders = [
        widgets.FloatSlider(value, min=-5, max=5, step=0.1, description=f"z{SUBSCRIPTS[k]}")
        for k, value in enumerate([*scores, 0.0, 0.0][:5])
    ]
    temperature = widgets.FloatLogSlider(
        1.0, base=10, min=-1, max=1, step=0.05, description="T", readout_format=".2f"
    )
    picture = widgets.HTML()

    def update(_=None):
        for k, slider in enumerate(sliders):
            slider.layout.display = None if k < count.value else "none"
        values = [slider.value for slider in sliders[: count.value]]
        picture.value = softmax_bars(values, temperature.value)

    return _side_by_side([count, *sliders, temperature], picture, update)


def softmax_bars(scores, temperature):
    """Return for each score z its quotient z / T, a bar, and its probability; and their sum (HTML)."""
    divided = np.asarray(scores, dtype=np.float64) / temperature
    probs = softmax(divided)
    rows = [
        (f"z{sub} / T = {z:.2f}".replace("-", "−"), float(p), f"p{sub} = {p:.3f}")
        for sub, z, p in zip(SUBSCRIPTS, divided, probs, strict=False)  # not all five
    ]
    alt = ", ".join(f"{name} gives {number}" for name, _, number in rows)
    total = f"The probabilities add up to {probs.sum():.3f}."
    return bars(rows, f"{alt}. {total}") + f"<div>{total}</div>"


# a loss that depends on a single number w, its slope, and where to start
Valley = namedtuple("Valley", "name loss slope start")
VALLEYS = (
    Valley("one valley: L = w²", lambda w: w**2, lambda w: 2 * w, 2.0),
    Valley(
        "two valleys: L = w⁴/4 − w² + w/3 + 2",
        lambda w: w**4 / 4 - w**2 + w / 3 + 2,
        lambda w: w**3 - 2 * w + 1 / 3,
        2.5,
    ),
)
W_MAX, LOSS_MAX = 3.3, 11.0  # the part of the valley that is in the picture


def learning_rate_explorer():
    """Move the learning rate, the number of steps and the start of gradient descent in a valley."""
    valley = widgets.Dropdown(options=[(v.name, v) for v in VALLEYS], description="Loss")
    rate = widgets.FloatLogSlider(
        0.03, base=10, min=-2, max=0.2, step=0.02, description="Learning rate", readout_format=".3f"
    )
    steps = widgets.IntSlider(8, 0, 40, description="Steps")
    start = widgets.FloatSlider(VALLEYS[0].start, min=-3, max=3, step=0.1, description="Start at w")
    picture = widgets.HTML()

    def update(_=None):
        path = descend(valley.value, rate.value, steps.value, start.value)
        w, loss = path[-1], valley.value.loss(path[-1])
        picture.value = (
            f"{draw_path(valley.value, path)}<div>{_steps(path)}: w = {w:.3g}, loss "
            f"{loss:.3g}.<br>{judge(valley.value, path)}</div>".replace("= -", "= −")
        )

    def choose(change):
        start.value = change["new"].start

    valley.observe(choose, "value")
    return _side_by_side([valley, rate, steps, start], picture, update)


def descend(valley, learning_rate, n_steps, start):
    """Take steps of gradient descent; return each w from the first to the last (n_steps + 1,).

    It ends early where w is a thousand or more: from there on the numbers only grow.
    """
    path = [float(start)]
    while len(path) <= n_steps and abs(path[-1]) < 1000:
        path.append(path[-1] - learning_rate * valley.slope(path[-1]))
    return np.array(path)


def judge(valley, path):
    """Say in words where a path of gradient descent led."""
    if len(path) == 1:
        return "No step yet."
    if abs(path[-1]) >= 1000:
        return "Too high: it has left the valley for good. Make the learning rate smaller."
    if abs(valley.slope(path[-1])) < 0.02:
        return "Arrived: it is flat here, so the steps have become tiny."
    if valley.loss(path[-1]) > valley.loss(path[0]):
        return "Too high: it is higher up than at the start. Make the learning rate smaller."
    last, before = np.sign(np.diff(path))[[-1, -2]] if len(path) > 2 else (1, 1)
    if last != before:
        return "It jumps over the bottom, from side to side."
    return "On its way: it needs more steps, or longer ones."


def _steps(path):
    n_steps = len(path) - 1
    return f"After {n_steps} step{'s' * (n_steps != 1)}"


def draw_path(valley, path):
    """Draw a valley and the steps of a path in it, as an image with a description (HTML)."""
    with plt.style.context(STYLE):
        figure = Figure(figsize=(4.6, 3))
        ax = figure.subplots()
    ax.set(xlim=(-W_MAX, W_MAX), ylim=(0, LOSS_MAX), xlabel="w", ylabel="loss", yticks=(0, 5, 10))
    w = np.linspace(-W_MAX, W_MAX, 133)
    ax.plot(w, valley.loss(w), color=MUTED)
    ax.plot(path, valley.loss(path), "o-", color=RIGHT, linewidth=1.5)
    ax.plot(path[-1], valley.loss(path[-1]), "o", color=WRONG, markersize=11)
    svg = io.BytesIO()
    figure.savefig(svg, format="svg")
    alt = f"A curve of the loss, {valley.name}, and a path on it. {_steps(path)}: {judge(valley, path)}"
    source = f"data:image/svg+xml;base64,{b64encode(svg.getvalue()).decode()}"
    return f'<img alt="{alt}" src="{source}" width="460" style="max-width:100%">'


def _side_by_side(controls, picture, update):
    """Call `update` whenever a control moves, and return controls and picture in one box."""
    for control in controls:
        control.style.description_width = "90px"
        control.layout.width = "340px"
        control.observe(update, "value")
    update()
    wrap = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="20px")
    box = widgets.HBox([widgets.VBox(controls), picture, ArrowKeys()], layout=wrap)
    return box.add_class("course-widget")
