"""Figures: that they say what they should, nothing by colour alone, and what they don't take."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch

from course_utils import (
    History,
    plot_confusion_matrix,
    plot_heat_map,
    plot_loss,
    plot_misclassified,
    plot_probabilities,
    show,
    show_digits,
)
from course_utils.lab import diagrams

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # all can be drawn
    plt.close("all")


def words(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


# digits


@pytest.mark.parametrize("dtype", ["float32", "uint8", "bool"])
@pytest.mark.parametrize(
    ("shape", "n"),
    [((784,), 1), ((28, 28), 1), ((1, 784), 1), ((1, 28, 28, 1), 1), ((12, 784), 12)],
)
def test_one_image_or_several_are_drawn(shape, n, dtype):
    X = np.zeros(shape, dtype)
    X.reshape(n, 784)[:, 29] = 1
    images = show_digits(X).images
    assert len(images) == n
    for image in images:
        assert np.argwhere(image.get_array()).tolist() == [[1, 1]]
        assert image.get_clim() == (0, 255 if dtype == "uint8" else 1)


def test_titles_stand_above_the_images_and_have_room():
    def height(ax):
        return ax.get_ylim()[0]

    X = np.zeros((3, 784))
    assert words(show_digits(X)) == []
    for titles in ([0, 0, 0], pd.Series(["a", "b", "c"]), np.array([7, 2, 1])):
        ax = show_digits(X, titles)
        assert words(ax) == [str(title) for title in titles]
        assert height(show_digits(X)) < height(ax) < height(show_digits(X, ["a\nb"] * 3))
    rows = {round(text.get_position()[1]) for text in show_digits(X, columns=2).texts}
    assert len(rows) == 2


def test_the_surest_mistakes_are_drawn_with_label_answer_and_confidence():
    X, y = np.arange(4)[:, None] / 4 * np.ones((4, 784)), np.array([0, 1, 1, 0])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    ax = plot_misclassified(X, pd.Series(y), pd.DataFrame(probs), n=2)
    assert words(ax) == ["1 → 0\n0.800", "0 → 1\n0.700"]
    assert [image.get_array()[0, 0] for image in ax.images] == [0.25, 0.75]


# results


@pytest.mark.parametrize("n", [3, 10, 26])
def test_a_confusion_matrix_has_as_many_classes_as_there_are(n):
    y = np.arange(n).repeat(2).astype(np.uint8)
    y_pred = y.copy()
    y_pred[0] = n - 1
    for ax in (plot_confusion_matrix(y, y_pred), plot_confusion_matrix(y, y_pred, n_classes=n)):
        assert [label.get_text() for label in ax.get_xticklabels()] == [str(k) for k in range(n)]
        cells = {text.get_position(): text.get_text() for text in ax.texts}
        assert cells == {(k, k): "2" for k in range(1, n)} | {(0, 0): "1", (n - 1, 0): "1"}
        mistakes = ax.images[0].get_array()
        assert np.argwhere(mistakes).tolist() == [[0, n - 1]]
    assert len(plot_confusion_matrix([0], [0], n_classes=n).get_xticks()) == n


def test_a_heat_map_shows_numbers_and_leaves_nan_empty():
    ax = plot_heat_map([[1, 2.25], [np.nan, 4]], ["r1", "r2"], ["c1", "c2"])
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells == {(0, 0): "1.0", (1, 0): "2.2", (1, 1): "4.0"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["r1", "r2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["c1", "c2"]
    table = pd.DataFrame([[10.0, 95.0]])
    for low, extend in ((50, "min"), (5, "neither")):
        image = plot_heat_map(table, ["r"], ["a", "b"], low=low).images[0]
        assert image.get_clim() == (low, 95)
        assert image.colorbar.extend == extend


def test_probabilities_are_bars_and_the_right_one_is_hatched():
    ax = plot_probabilities([0.2, 0.7, 0.1], label=2)
    assert [bar.get_height() for bar in ax.patches] == [0.2, 0.7, 0.1]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]
    assert ax.get_title(loc="left") == "predicted 1, label 2 (hatched)"
    assert not any(bar.get_hatch() for bar in plot_probabilities([[0.2, 0.8]]).patches)


def test_a_loss_curve_is_drawn_raw_and_as_a_running_mean():
    loss = [4.0, 2.0, 3.0, 1.0]
    for drawn in (loss, History(loss), pd.Series(loss)):
        smooth, raw = plot_loss(drawn, window=2).lines
        assert list(zip(*smooth.get_data(), strict=True)) == [(2, 3), (3, 2.5), (4, 2)]
        assert list(zip(*raw.get_data(), strict=True)) == [(1, 4), (2, 2), (3, 3), (4, 1)]
    assert len(plot_loss(range(1, 501), log=True).lines[0].get_xdata()) == 500 - 5 + 1
    assert plot_loss([1.0, 0.5], window=100).lines[0].get_ydata().tolist() == [0.75]


def test_loss_curves_on_the_same_axes_differ_in_their_dashes():
    ax = None
    for name in "abc":
        ax = plot_loss([2.0, 1.0, 0.5], label=name, ax=ax)
    assert len({line.get_linestyle() for line in ax.lines[::2]}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


def test_weights_far_below_zero_have_an_outline():
    weights = np.zeros(784)
    weights[300:310] = 1
    assert not diagrams.plot_unit(np.ones(784), weights).axes[1].collections
    weights[300:310] = -1
    (outline,) = diagrams.plot_unit(np.ones(784), weights).axes[1].collections
    assert len(outline.get_paths()[0].vertices)


def test_a_figure_is_shown_once_with_its_description(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    ax = show_digits(np.zeros((2, 784)))
    for figure in (ax, show_digits(np.zeros(784)).figure):
        show(figure, alt='"2 < 3" & so on')
        assert not plt.fignum_exists(getattr(figure, "figure", figure).number)
    assert len(shown) == 2
    for data in shown:
        assert set(data) == {"text/html", "text/plain"}
        alt = "&quot;2 &lt; 3&quot; &amp; so on"
        start = f'<img alt="{alt}" src="data:image/png;base64,iVBORw0KGgo'  # PNG's first bytes
        assert data["text/html"].startswith(start)


NO_IMAGES = [np.zeros(()), np.zeros((2, 783)), np.zeros((0, 784)), np.full((2, 784), "a")]
TWO, OF_DIGITS = np.zeros((2, 784)), r"images of 28×28 numbers, shape \(n, 784\) or .* of shape"


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        *[(show_digits, [X], OF_DIGITS) for X in NO_IMAGES],
        (diagrams.plot_unit, [np.zeros(783), np.zeros(783)], OF_DIGITS),
        (show_digits, [TWO, [7, 8, 9]], "a title for each of the 2 images, but are 3"),
        (plot_misclassified, [TWO, [0, 1], np.eye(2)], "all 2 predictions are right"),
        *[(plot_probabilities, [p], r"one image, shape \(k,\)") for p in (np.eye(2), [], 0.5)],
        *[(plot_loss, [loss], "at least one") for loss in ([], History(), [[1.0, 2.0]], 3.0)],
    ],
)
def test_what_cannot_be_drawn_is_told(draw, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(*arguments)


# diagrams


def test_a_network_is_drawn_with_the_shape_of_every_array():
    said = " ".join(words(diagrams.plot_network([784, 20, 10])))
    for part in ("(n, 784)", "(n, 20)", "W1 (784, 20)", "b1 (20,)", "W2 (20, 10)", "b2 (10,)"):
        assert part in said
    assert "Z2 → softmax" in said


def test_a_network_is_drawn_with_ten_dots_for_ten_numbers_and_says_how_many_more_are():
    ax = diagrams.plot_network([784, 20, 10])
    assert [len(line.get_xdata()) for line in ax.lines] == [6, 6, 10]
    assert words(ax).count("⋮") == 2
    assert {"784 pixels", "20 units", "10 digits"} <= set(words(ax))


def test_what_a_unit_adds_up_is_drawn_as_three_pictures_each_with_its_own_scale():
    x, weights = np.linspace(0, 1, 784), np.linspace(-3, 2, 784)
    pictures = [ax.images[0] for ax in diagrams.plot_unit(x, weights).axes if ax.images]
    for picture in pictures:
        assert picture.colorbar
        assert picture.axes.get_title("left") + picture.axes.get_title(
            "center"
        )  # as the style says
    for picture, numbers in zip(pictures, (x, weights, x * weights), strict=True):
        np.testing.assert_array_equal(picture.get_array().ravel(), numbers)
    (_, ink), *signed = [picture.get_clim() for picture in pictures]
    assert ink == 1
    assert all(low == -high for low, high in signed)


def test_the_steps_back_stand_beside_the_steps_forward_and_are_dashed():
    ax = diagrams.plot_backpropagation([784, 20, 10])
    names = ["X", "Z1", "A1", "Z2", "probs", "loss", "dZ2", "dA1", "dZ1"]
    shapes = ["W1, b1", "W2, b2", "dW1, db1", "dW2, db2", "(784, 20), (20,)", "(20, 10), (10,)"]
    assert {*names, *shapes} <= set(words(ax))
    styles = {}
    for arrow in ax.patches:
        if isinstance(arrow, FancyArrowPatch):
            styles.setdefault(arrow.get_edgecolor(), set()).add(str(arrow.get_linestyle()))
    forward, back = styles.values()
    assert forward.isdisjoint(back)


def test_a_product_shows_names_shapes_and_signs():
    ax = diagrams.plot_product(("X", ("n", 784)), ("W1", (784, 50)), ("Z1", ("n", 50)))
    assert words(ax) == ["X", "(n, 784)", "@", "W1", "(784, 50)", "=", "Z1", "(n, 50)"]
    assert sum(bool(patch.get_hatch()) for patch in ax.patches) == 3


def test_each_card_of_the_deck_is_drawn_once_in_order_and_once_shuffled():
    deck = np.array([3, 0, 5, 1, 4, 2])
    ax = diagrams.plot_minibatches(np.zeros((6, 784)), deck, 3)
    numbers = [int(text) for text in words(ax) if text.isdigit()]
    assert numbers[1::2] == deck.tolist()
    assert sorted(numbers) == sorted([*range(6), *range(6)])
    assert [text for text in words(ax) if "minibatch" in text] == ["minibatch 1", "minibatch 2"]


def test_the_bytes_of_a_header_stand_over_what_they_mean():
    ax = diagrams.plot_idx_header(bytes([0, 0, 8, 3, 0, 0, 0xEA, 0x60, 0, 0, 0, 28, 0, 0, 0, 28]))
    assert "images\n60,000" in words(ax)
    assert words(ax).count("1c") == 2
