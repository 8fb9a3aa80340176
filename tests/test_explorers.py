"""The explorers: what they show, and that moving a control shows it anew."""

import re

import ipywidgets as widgets
import numpy as np
import pytest

from course_utils import softmax
from course_utils.lab import explorers
from course_utils.lab.parts import bars

ONE, TWO = explorers.VALLEYS


def parts(box):
    """Return the controls of an explorer by description, and its picture."""
    found, waiting = {}, [box]
    while waiting:
        widget = waiting.pop()
        waiting.extend(getattr(widget, "children", ()))
        if isinstance(widget, widgets.HTML):
            found["picture"] = widget
        elif hasattr(widget, "description"):
            found[widget.description] = widget
    return found


def shown_probs(html):
    return [float(number) for number in re.findall(r">p[₀-₄] = ([\d.]+)", html)]


def test_bars_mark_the_largest_without_colour():
    rows = bars([("a", 0.2, "0.2"), ("b", 0.8, "0.8")], "two bars").split("text-align:right")
    assert ["◀" in row for row in rows[1:]] == [False, True]
    assert "◀" not in bars([("a", None, "–")], "nothing")


# softmax


@pytest.mark.parametrize("scores", [(-5, 5, 0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize("temperature", [0.1, 1, 10])
def test_softmax_explorer_shows_the_softmax_of_z_over_t(scores, temperature):
    found = parts(explorers.softmax_explorer(scores))
    found["T"].value = temperature
    expected = softmax(np.array(scores) / temperature)
    html = found["picture"].value
    np.testing.assert_allclose(shown_probs(html), expected, atol=5e-4)
    assert "add up to 1.000" in html
    assert 'role="img" aria-label="z₀ / T = ' in html


def test_softmax_explorer_follows_each_control():
    found = parts(explorers.softmax_explorer())
    for n in (3, 5):
        found["Scores"].value = n
        seen = [found[f"z{sub}"].layout.display != "none" for sub in "₀₁₂₃₄"]
        assert seen == [True] * n + [False] * (5 - n)
        found[f"z{'₀₁₂₃₄'[n - 1]}"].value = n
        probs = shown_probs(found["picture"].value)
        assert (len(probs), np.argmax(probs)) == (n, n - 1)


@pytest.mark.parametrize("scores", [(1, 2), range(6), (0, 0, 6), (0, 0, np.nan)])
def test_softmax_explorer_takes_three_to_five_scores_within_its_sliders(scores):
    with pytest.raises(ValueError, match="three to five numbers from -5 to 5"):
        explorers.softmax_explorer(scores)


# the learning rate


@pytest.mark.parametrize("valley", explorers.VALLEYS, ids=lambda v: v.name[:3])
def test_the_slope_is_that_of_the_loss(valley):
    w, h = np.linspace(-3, 3, 13), 1e-6
    numerical = (valley.loss(w + h) - valley.loss(w - h)) / (2 * h)
    np.testing.assert_allclose(valley.slope(w), numerical, atol=1e-6)


def test_descend_takes_the_steps_of_notebook_05():
    path = explorers.descend(ONE, 0.3, 8, 2.0)
    np.testing.assert_allclose(path, 2 * 0.4 ** np.arange(9))


@pytest.mark.parametrize(
    ("valley", "rate", "n_steps", "start", "words"),
    [
        (ONE, 0.03, 0, 2, "No step"),
        (ONE, 0.03, 8, 2, "On its way"),
        (ONE, 0.3, 8, 2, "Arrived"),
        (ONE, 0.9, 4, 2, "side to side"),
        (ONE, 1.05, 8, 2, "Too high: it is higher"),
        (TWO, 1.5, 40, 3, "left the valley"),
    ],
)
def test_judge(valley, rate, n_steps, start, words):
    path = explorers.descend(valley, rate, n_steps, start)
    assert np.isfinite(path).all()  # it ends where numbers only grow
    assert words in explorers.judge(valley, path)


def test_the_second_loss_has_two_valleys_and_the_start_decides():
    ends = [explorers.descend(TWO, 0.05, 200, start)[-1] for start in (-2, 2)]
    assert ends[0] < -1
    assert ends[1] > 1
    assert TWO.loss(ends[0]) < TWO.loss(ends[1])
    assert min(TWO.loss(np.linspace(-3.3, 3.3, 500))) > 0  # or it would leave the picture


def test_learning_rate_explorer_follows_each_control():
    found = parts(explorers.learning_rate_explorer())
    alt = f'alt="A curve of the loss, {ONE.name}, and a path on it. After 8 steps: On its way'
    assert alt in found["picture"].value
    found["Learning rate"].value = 0.3
    assert "Arrived" in found["picture"].value
    found["Steps"].value = 1
    found["Start at w"].value = -1
    assert "After 1 step: w = −0.4, loss 0.16" in found["picture"].value
    found["Loss"].value = TWO
    assert found["Start at w"].value == TWO.start
    assert "two valleys" in found["picture"].value
