"""The diagrams: that they say what they should, and nothing by colour alone."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils import plotting


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(ax):
    return [text.get_text() for text in ax.texts]


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, plotting.FancyArrowPatch)]


def test_the_steps_back_stand_with_their_shapes_beside_the_steps_forward():
    ax = plotting.plot_backpropagation([784, 20, 10])
    for name in ("X", "Z1", "A1", "Z2", "probs", "loss", "W1, b1", "W2, b2"):
        assert name in words(ax)
    for gradient in ("dZ2", "dA1", "dZ1", "dW1, db1", "dW2, db2"):
        assert gradient in words(ax)
    assert "(784, 20), (20,)" in words(ax)
    assert "(20, 10), (10,)" in words(ax)


def test_the_way_back_is_dashed_so_that_it_needs_no_colour():
    styles = {}
    for arrow in arrows(plotting.plot_backpropagation([4, 3, 2])):
        styles.setdefault(arrow.get_edgecolor(), set()).add(str(arrow.get_linestyle()))
    forward, back = styles.values()
    assert forward.isdisjoint(back)


def test_a_product_shows_names_shapes_and_signs():
    ax = plotting.plot_product(("X", ("n", 784)), ("W1", (784, 50)), ("Z1", ("n", 50)))
    assert words(ax) == ["X", "(n, 784)", "@", "W1", "(784, 50)", "=", "Z1", "(n, 50)"]
    assert sum(bool(patch.get_hatch()) for patch in ax.patches) == 3


def test_each_card_of_the_deck_is_drawn_once_in_order_and_once_shuffled():
    deck = np.array([3, 0, 5, 1, 4, 2])
    ax = plotting.plot_minibatches(np.zeros((6, 784)), deck, 3)
    numbers = [int(text) for text in words(ax) if text.isdigit()]
    assert sorted(numbers) == sorted([*range(6), *range(6)])
    assert numbers[1::2] == deck.tolist()
    assert [text for text in words(ax) if "minibatch" in text] == ["minibatch 1", "minibatch 2"]


def test_loss_curves_on_the_same_axes_differ_in_their_dashes():
    ax = None
    for name in "abc":
        ax = plotting.plot_loss([2.0, 1.0, 0.5], label=name, ax=ax)
    assert len({line.get_linestyle() for line in ax.lines[::2]}) == 3


def test_weights_far_below_zero_have_an_outline():
    W = np.zeros((784, 1))
    W[300:310] = 1
    assert not plotting.plot_weights(W).collections
    W[300:310] = -1
    (outline,) = plotting.plot_weights(W).collections
    assert len(outline.get_paths()[0].vertices)


def test_the_header_s_bytes_stand_over_what_they_mean():
    header = bytes([0, 0, 8, 3, 0, 0, 0xEA, 0x60, 0, 0, 0, 28, 0, 0, 0, 28])
    ax = plotting.plot_idx_header(header)
    assert "images\n60,000" in words(ax)
    assert words(ax).count("1c") == 2
