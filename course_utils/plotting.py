"""Figures for the course, all in one style; each function draws on `ax` and returns it."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from .functions import confusion_matrix

STYLE = "course_utils.course"
RIGHT, WRONG, MUTED = "#0072B2", "#D55E00", "#999999"  # blue, vermilion, grey
PALE = "#DCEBF5"  # a blue that text can be read on


def show(ax, alt):
    """Show a figure in a notebook, with a description for readers who don't see it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or matplotlib.figure.Figure
    alt : str
        What the figure shows, in a sentence or two.
    """
    from IPython.display import display

    figure = ax if hasattr(ax, "add_subplot") else ax.figure
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)  # or the notebook would show it once more


def new_axes(ax=None, **figure_options):
    """Return `ax`, or where it is None the axes of a new figure in the course's style."""
    if ax is None:
        with plt.style.context(STYLE):
            ax = plt.figure(**figure_options).add_subplot()
    return ax


def show_digits(X, titles=None, *, columns=10, ax=None):
    """Draw images side by side, dark ink on white.

    Parameters
    ----------
    X : ndarray, shape (n, 784) or (n, 28, 28)
        Pixels as floats 0–1 or as integers 0–255.
    titles : sequence, length n, optional
        What to write above each image, such as its label.
    columns : int
        Images in a row.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    X = np.asarray(X)
    images = X.reshape(len(X), 28, 28)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = (
        max((str(title).count("\n") + 1 for title in titles), default=0)
        if titles is not None
        else 0
    )
    width, height = 32, 32 + 9 * lines  # of a cell, in pixels of the images
    ax = new_axes(
        ax,
        figsize=(
            min(8, 1.1 * columns + 0.3),
            min(8, 1.1 * columns + 0.3) * rows * height / (columns * width),
        ),
    )
    white, black = 0, 255 if np.issubdtype(X.dtype, np.integer) else 1
    for k, image in enumerate(images):
        left, bottom = k % columns * width, (k // columns + 1) * height
        extent = (left, left + 28, bottom, bottom - 28)
        ax.imshow(image, cmap="gray_r", vmin=white, vmax=black, extent=extent)
        ax.add_patch(Rectangle((left, bottom), 28, -28, fill=False, edgecolor="#DDDDDD"))
        if titles is not None:
            ax.text(left + 14, bottom - 29, titles[k], ha="center", va="bottom", fontsize=10)
    ax.set(xlim=(-2, columns * width - 2), ylim=(rows * height + 2, 0), aspect="equal")
    ax.axis("off")
    return ax


def plot_probabilities(probs, label=None, *, ax=None):
    """Draw ten probabilities as bars.

    Parameters
    ----------
    probs : ndarray, shape (10,)
    label : int, optional
        The right label: its bar is hatched and named.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax, figsize=(6, 2.6))
    predicted = int(np.argmax(probs))
    colors, hatches = [MUTED] * len(probs), [""] * len(probs)
    colors[predicted] = RIGHT if label in (None, predicted) else WRONG
    if label is not None:
        hatches[label] = "///"
        ax.set_title(f"predicted {predicted}, label {label} (hatched)")
    ax.bar(np.arange(len(probs)), probs, color=colors, hatch=hatches, edgecolor="white")
    for k, p in enumerate(probs):
        if p >= 0.005:
            ax.text(k, p + 0.02, f"{p:.2f}", ha="center", fontsize=9)
    ax.set(xticks=np.arange(len(probs)), ylim=(0, 1.12), xlabel="digit", ylabel="probability")
    ax.grid(axis="x", visible=False)
    return ax


def plot_loss(loss, *, window=None, label=None, log=False, ax=None):
    """Draw a loss curve: raw values faint, their running mean on top.

    Each further curve on the same axes has another colour and other dashes.

    Parameters
    ----------
    loss : History, or sequence of float
        One value an iteration, in nats.
    window : int, optional
        Iterations that the running mean covers; a hundredth of all of them if left out.
    label : str, optional
        Name in the legend.
    log : bool
        Whether the loss has a logarithmic scale.
    ax : matplotlib.axes.Axes, optional
        Give the same axes again to lay one curve over another.

    Returns
    -------
    matplotlib.axes.Axes
    """
    loss = np.asarray(getattr(loss, "loss", loss), dtype=float)
    window = min(window or max(1, len(loss) // 100), len(loss))
    sums = np.cumsum(np.insert(loss, 0, 0))
    smooth = (sums[window:] - sums[:-window]) / window
    ax = new_axes(ax)
    style = ("-", "--", ":", "-.")[len(ax.lines) // 2 % 4]  # each curve before drew two lines
    iterations = np.arange(window, len(loss) + 1)
    (line,) = ax.plot(iterations, smooth, style, label=label, zorder=3)
    ax.plot(np.arange(1, len(loss) + 1), loss, color=line.get_color(), alpha=0.2, linewidth=0.5)
    ax.set(xlabel="iteration", ylabel="loss (nats)", yscale="log" if log else "linear")
    if label:
        ax.legend()
    return ax


def plot_misclassified(X, y, probs, *, n=10, ax=None):
    """Draw the mistakes that were made with the most confidence.

    Parameters
    ----------
    X : ndarray, shape (m, 784) or (m, 28, 28)
    y : ndarray of int, shape (m,)
    probs : ndarray, shape (m, 10)
    n : int
        How many to draw, at most.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Above each image: label → prediction, and the probability of the prediction.

    Raises
    ------
    ValueError
        If there is no mistake.
    """
    y_pred, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(y_pred != y)
    if not len(wrong):
        raise ValueError(f"there is nothing to draw: all {len(y)} predictions are right")
    worst = wrong[np.argsort(-confidence[wrong])][:n]
    titles = [f"{y[i]} → {y_pred[i]}\n{confidence[i]:.3f}" for i in worst]
    return show_digits(X[worst], titles, columns=5, ax=ax)


def plot_confusion_matrix(y, y_pred, *, ax=None):
    """Draw how often each digit was taken for each other; the mistakes are what is coloured.

    Parameters
    ----------
    y, y_pred : ndarray of int, shape (n,)
        Right and predicted labels, 0–9.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    counts = confusion_matrix(y, y_pred)
    mistakes = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    ax = new_axes(ax, figsize=(6.5, 5.5))
    image = ax.imshow(mistakes, cmap="Oranges", vmin=0)
    for i, j in np.ndindex(counts.shape):
        if counts[i, j]:
            color = "white" if mistakes[i, j] > 0.6 * mistakes.max() else "black"
            weight = "bold" if i == j else "normal"
            ax.text(
                j, i, counts[i, j], ha="center", va="center", fontsize=9, color=color, weight=weight
            )
    ax.figure.colorbar(image, ax=ax, label="mistakes")
    ax.set(xticks=range(10), yticks=range(10), xlabel="predicted", ylabel="label")
    ax.grid(visible=False)
    return ax


def plot_heat_map(values, rows, columns, *, low=None, form="{:.1f}", label=None, ax=None):
    """Draw a number for each pair of two settings as a coloured square with the number in it.

    Parameters
    ----------
    values : array_like, shape (n_rows, n_columns)
        ``nan``, where there is no number, stays grey.
    rows, columns : sequence
        What to write beside each row and below each column.
    low : float, optional
        All that is lower has the darkest colour, so that the others can be told apart.
    form : str
        How to write a number.
    label : str, optional
        What the numbers are, with their unit.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = np.asarray(values, dtype=float)
    ax = new_axes(ax, figsize=(7, 0.8 + 0.5 * len(rows)))
    image = ax.imshow(values, cmap="cividis", aspect="auto", vmin=low)
    ax.set_facecolor("#DDDDDD")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "black" if image.norm(value) > 0.5 else "white"
            text = form.format(value)
            ax.text(j, i, text, ha="center", va="center", fontsize=10, color=color)
    below = low is not None and np.nanmin(values) < low
    ax.figure.colorbar(image, ax=ax, label=label, extend="min" if below else "neither")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(visible=False)
    return ax


def plot_weights(W, *, columns=10, ax=None):
    """Draw the weights that lead from the pixels to each unit of the first layer as pictures.

    Parameters
    ----------
    W : ndarray, shape (784, n_units)
    columns : int
        Pictures in a row.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Blue for positive weights, red for negative ones (outlined where strong), white for 0.
    """
    pictures = W.T.reshape(-1, 28, 28)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * 30, columns * 30))
    for k, picture in enumerate(pictures):
        top, left = k // columns * 30 + 1, k % columns * 30 + 1
        sheet[top : top + 28, left : left + 28] = picture
    ax = new_axes(ax, figsize=(8, 8 * rows / columns + 0.4))
    limit = float(np.quantile(np.abs(W), 0.995)) or 1.0
    image = ax.imshow(sheet, cmap="RdBu", vmin=-limit, vmax=limit)
    if sheet.min() < -limit / 2:  # an outline, for those who cannot tell the two colours apart
        ax.contour(sheet, levels=[-limit / 2], colors="black", linewidths=0.7, linestyles="solid")
    ax.figure.colorbar(image, ax=ax, label="weight")
    ax.axis("off")
    return ax


def plot_network(layer_sizes, *, ax=None):
    """Draw a network as columns of units, with the name and shape of every array on its arrow.

    Parameters
    ----------
    layer_sizes : sequence of int
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    last = len(layer_sizes) - 1
    ax = new_axes(ax, figsize=(8, 3.6))
    for k, size in enumerate(layer_sizes):
        x, tall = 3 * k, 1.1 + 1.4 * size / max(layer_sizes)
        ax.add_patch(Rectangle((x - 0.25, -tall / 2), 0.5, tall, facecolor=PALE, edgecolor="black"))
        for dot in np.linspace(-tall / 2, tall / 2, 9)[1:-1]:
            ax.plot(x, dot, "o", color=RIGHT, markersize=4)
        name = "X" if k == 0 else "probs" if k == last else f"A{k}"
        ax.text(x, 1.45, name, ha="center", weight="bold")
        ax.text(x, -1.65, f"(n, {size})", ha="center", fontsize=10)
        if k == 0:
            continue
        n_in, then = layer_sizes[k - 1], "softmax" if k == last else "activation"
        _arrow(ax, (x - 2.6, 0.25), (x - 0.4, 0.25))
        ax.text(x - 1.5, 0.4, f"W{k} ({n_in}, {size})\nb{k} ({size},)", ha="center", fontsize=10)
        ax.text(x - 1.5, 0.02, f"Z{k} → {then}", ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.6, 3 * last + 0.6), ylim=(-1.9, 1.8))
    ax.axis("off")
    return ax


def plot_backpropagation(layer_sizes, *, ax=None):
    """Draw the steps of a network with one hidden layer, with values and gradients on their way.

    Parameters
    ----------
    layer_sizes : sequence of int, length 3
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
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
    """Draw a matrix product as rectangles: a row times a column gives one entry.

    Parameters
    ----------
    left, right, result : tuple of (str, tuple)
        Name and shape of each matrix, such as ``("X", ("n", 784))``; "n" is the number of images.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        The sides are not to scale. Hatched: a row, a column, and the entry that they give.
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
    """Draw images as cards: in the order of the file, and shuffled and cut into minibatches.

    Parameters
    ----------
    X : ndarray, shape (n, 784) or (n, 28, 28)
        Pixels as floats 0–1.
    deck : ndarray of int, shape (n,)
        The shuffled order.
    batch_size : int
        Cards in a minibatch.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
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
    """Draw the 16 bytes at the start of an IDX file of images, and what each of them means.

    Parameters
    ----------
    header : bytes, length 16
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
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
