"""Diagrams for the notebooks: networks, matrix products, minibatches, bytes. None of them is data."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from course_utils import _checks
from course_utils.plotting import RIGHT, STYLE, WRONG, new_axes

PALE = "#DCEBF5"  # a blue that text can be read on


def plot_network(layer_sizes, *, ax=None):
    """Draw a network as columns of numbers, with the name and shape of every array on its arrow.

    Up to ten numbers have a dot each; of more, the first and the last three are drawn.
    """
    last = len(layer_sizes) - 1
    ax = new_axes(ax, figsize=(8, 3.6))
    for k, size in enumerate(layer_sizes):
        x, tall = 3 * k, 1.3 + 1.4 * size / max(layer_sizes)
        ax.add_patch(Rectangle((x - 0.25, -tall / 2), 0.5, tall, facecolor=PALE, edgecolor="black"))
        places = np.linspace(tall / 2, -tall / 2, min(size, 10) + 2)[1:-1]
        dots = places if size <= 10 else [*places[:3], *places[-3:]]
        ax.plot([x] * len(dots), dots, "o", color=RIGHT, markersize=4)
        if size > 10:
            ax.text(x, 0, "⋮", ha="center", va="center", fontsize=20, color=RIGHT)
        name = "X" if k == 0 else "probs" if k == last else f"A{k}"
        of = "pixels" if k == 0 else "digits" if k == last else "units"
        ax.text(x, 1.5, name, ha="center", weight="bold")
        ax.text(x, -1.6, f"{size} {of}", ha="center", va="top", fontsize=10)
        ax.text(x, -1.85, f"(n, {size})", ha="center", va="top", fontsize=10)
        if k == 0:
            continue
        n_in, then = layer_sizes[k - 1], "softmax" if k == last else "activation"
        _arrow(ax, (x - 2.6, 0.25), (x - 0.4, 0.25))
        ax.text(x - 1.5, 0.4, f"W{k} ({n_in}, {size})\nb{k} ({size},)", ha="center", fontsize=10)
        ax.text(x - 1.5, 0.02, f"Z{k} → {then}", ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.6, 3 * last + 0.6), ylim=(-2.15, 1.8))
    ax.axis("off")
    return ax


def plot_unit(x, weights):
    """Draw what a unit of the first layer adds up: pixels (784,), weights (784,), their products.

    Each picture has a title and a colour bar of its own. What is strongly negative has an outline, for
    those who see red and blue alike. Return the figure.
    """
    pictures = _checks.pictures(np.stack([x, weights, x * weights]))
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(8, 3.5))
    titles = "pixels: the ink", "weights of the unit", "pixel × weight"
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        signed = ax is not axes[0]
        limit = np.abs(picture).max() if signed else 1
        colors = "RdBu" if signed else "gray_r"
        image = ax.imshow(picture, cmap=colors, vmin=-limit if signed else 0, vmax=limit)
        figure.colorbar(image, ax=ax, location="bottom", shrink=0.9)
        ax.set_title(title)
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        if signed and picture.min() < -limit / 2:
            line = {"colors": "black", "linewidths": 0.7, "linestyles": "solid"}
            ax.contour(picture, levels=[-limit / 2], **line)
    return figure


def plot_backpropagation(layer_sizes, *, ax=None):
    """Draw the steps of a network with one hidden layer, with values and gradients on their way.

    Solid arrows carry values forward; dashed ones carry gradients back.
    """
    n_in, n_hidden, n_out = layer_sizes
    ax = new_axes(ax, figsize=(8, 4.6))
    boxes = {  # where each stands, its shape, and its gradient
        "X": (0, 0, f"(n, {n_in})", ""),
        "Z1": (2.4, 0, f"(n, {n_hidden})", "dZ1"),
        "A1": (4.8, 0, f"(n, {n_hidden})", "dA1"),
        "Z2": (7.2, 0, f"(n, {n_out})", "dZ2"),
        "probs": (9.6, 0, f"(n, {n_out})", ""),
        "loss": (11.7, 0, "one number", ""),
        "W1, b1": (2.4, -3.3, f"({n_in}, {n_hidden}), ({n_hidden},)", "dW1, db1"),
        "W2, b2": (7.2, -3.3, f"({n_hidden}, {n_out}), ({n_out},)", "dW2, db2"),
    }
    for name, (x, y, shape, gradient) in boxes.items():
        wide = 1.7 if y else 0.75
        ax.add_patch(
            Rectangle((x - wide, y - 0.75), 2 * wide, 1.5, facecolor=PALE, edgecolor="black")
        )
        ax.text(x, y + 0.42, name, ha="center", va="center", weight="bold")
        ax.text(x, y, shape, ha="center", va="center", fontsize=9)
        ax.text(x, y - 0.45, gradient, ha="center", va="center", weight="bold", color=WRONG)
    for start, end, forward, back in [
        (0, 2.4, "X W1 + b1", ""),
        (2.4, 4.8, "relu", "where\nZ1 > 0"),
        (4.8, 7.2, "A1 W2 + b2", "dZ2 W2ᵀ"),
        (7.2, 9.6, "softmax", ""),
        (9.6, 11.7, "cross-\nentropy", ""),
    ]:
        middle = (start + end) / 2
        _arrow(ax, (start + 0.75, 0.25), (end - 0.75, 0.25))
        ax.text(middle, 0.95, forward, ha="center", va="bottom", fontsize=10)
        if back:
            _arrow(ax, (end - 0.75, -0.35), (start + 0.75, -0.35), back=True)
            ax.text(middle, -0.95, back, ha="center", va="top", fontsize=10, color=WRONG)
    for x, back in [(2.4, "Xᵀ dZ1, and\nthe sum of dZ1"), (7.2, "A1ᵀ dZ2, and\nthe sum of dZ2")]:
        _arrow(ax, (x - 0.3, -2.55), (x - 0.3, -0.75))
        _arrow(ax, (x + 0.3, -0.75), (x + 0.3, -2.55), back=True)
        ax.text(x + 0.5, -1.95, back, va="center", fontsize=10, color=WRONG)
    ax.plot([11.7, 11.7, 8.6], [-0.75, -1.15, -1.15], "--", color=WRONG)
    _arrow(ax, (8.6, -1.15), (7.95, -0.5), back=True)
    ax.text(10.2, -1.3, "(probs − Y) / n", ha="center", va="top", fontsize=10, color=WRONG)
    ax.set(xlim=(-0.9, 12.6), ylim=(-4.2, 1.9))
    ax.axis("off")
    return ax


def _arrow(ax, start, end, *, back=False):
    """Draw an arrow from one point to another: values go solid, gradients come back dashed."""
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=14,
            shrinkA=0,
            shrinkB=0,
            color=WRONG if back else RIGHT,
            linestyle=(0, (3, 2)) if back else "-",
        )
    )


def plot_product(left, right, result, *, ax=None):
    """Draw a matrix product: hatched are a row, a column, and the entry that they give.

    `left`, `right` and `result` are a name and a shape each, such as ``("X", ("n", 784))``, where "n"
    is the number of images. The sides are not to scale.
    """
    ax = new_axes(ax, figsize=(7, 2.8))
    x = 0.0
    for k, (name, shape) in enumerate((left, right, result)):
        tall, wide = (0.5 + 0.6 * np.log10(200 if size == "n" else size) for size in shape)
        ax.add_patch(Rectangle((x, -tall / 2), wide, tall, facecolor=PALE, edgecolor="black"))
        strip = {"facecolor": "none", "edgecolor": WRONG, "hatch": "////"}
        row, column = tall / 2 - 0.5, x + 0.3
        if k == 0:
            ax.add_patch(Rectangle((x, row), wide, 0.16, **strip))
        elif k == 1:
            ax.add_patch(Rectangle((column, -tall / 2), 0.16, tall, **strip))
        else:
            ax.add_patch(Rectangle((column, row), 0.16, 0.16, **strip))
        ax.text(x + wide / 2, 1.2, name, ha="center", va="bottom", weight="bold")
        ax.text(x + wide / 2, -1.2, f"({shape[0]}, {shape[1]})", ha="center", va="top")
        x += wide + 0.8
        if k < 2:
            ax.text(x - 0.4, 0, "@="[k], ha="center", va="center", fontsize=16)
    ax.set(xlim=(-0.1, x - 0.7), ylim=(-1.6, 1.6), aspect="equal")
    ax.axis("off")
    return ax


def plot_minibatches(X, deck, batch_size, *, ax=None):
    """Draw images (n, 784) as cards: as they lie in the file, and shuffled and cut into minibatches.

    `deck` (n,) is the shuffled order, `batch_size` the number of cards in a minibatch.
    """
    images = np.asarray(X).reshape(len(X), 28, 28)
    ax = new_axes(ax, figsize=(8, 2.9))
    gap = 1.0 / batch_size  # so that the cut deck is about one card wider for each cut

    def card(k, left, top):
        extent = (left, left + 0.9, top - 0.9, top)
        ax.imshow(images[k], cmap="gray_r", vmin=0, vmax=1, extent=extent)
        ax.add_patch(Rectangle((left, top - 1.3), 0.9, 1.3, fill=False, edgecolor="black"))
        ax.text(left + 0.45, top - 1.1, k, ha="center", va="center", fontsize=10)

    for place, k in enumerate(deck):
        card(place, place + gap * (len(deck) // batch_size - 1) / 2, 3.6)
        batch = place // batch_size
        left = place + gap * batch
        card(k, left, 1.4)
        if place % batch_size == 0:
            ax.text(left, -0.05, f"minibatch {batch + 1}", va="top", fontsize=10)
    ax.text(0, 3.75, "as they lie in the file", va="bottom", fontsize=10)
    ax.text(0, 1.55, "shuffled, and cut", va="bottom", fontsize=10)
    ax.set(xlim=(-0.2, len(deck) + gap * (len(deck) // batch_size - 1) + 0.1), ylim=(-0.5, 4.2))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def plot_idx_header(header, *, ax=None):
    """Draw the 16 bytes at the start of an IDX file of images, and what each of them means."""
    numbers = np.frombuffer(header, ">i4")
    parts = [
        (0, 2, "always\n0"),
        (2, 1, "type:\nbyte"),
        (3, 1, "sizes:\n3"),
        (4, 4, f"images\n{numbers[1]:,}"),
        (8, 4, f"rows\n{numbers[2]}"),
        (12, 4, f"columns\n{numbers[3]}"),
    ]
    ax = new_axes(ax, figsize=(8, 1.9))
    for k, (first, count, meaning) in enumerate(parts):
        shade = (PALE, "#FBE3CF")[k % 2]
        for place in range(first, first + count):
            ax.add_patch(Rectangle((place, 0), 1, 1, facecolor=shade, edgecolor="black"))
            ax.text(
                place + 0.5,
                0.5,
                f"{header[place]:02x}",
                ha="center",
                va="center",
                family="monospace",
            )
        ax.plot([first + 0.1, first + count - 0.1], [-0.15, -0.15], color="black")
        ax.text(first + count / 2, -0.3, meaning, ha="center", va="top", fontsize=10)
    for place in range(16):
        ax.text(place + 0.5, 1.1, place, ha="center", fontsize=8, color="#555555")
    ax.set(xlim=(-0.1, 16.1), ylim=(-1.45, 1.5))
    ax.axis("off")
    return ax
