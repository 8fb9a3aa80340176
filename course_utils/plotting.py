"""Figures for the course, all in one style; each function draws on `ax` and returns it."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from .functions import confusion_matrix

STYLE = "course_utils.course"
RIGHT, WRONG, MUTED = "#0072B2", "#D55E00", "#999999"  # blue, vermilion, grey


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
    (line,) = ax.plot(np.arange(window, len(loss) + 1), smooth, label=label, zorder=3)
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
        Blue for positive weights, red for negative ones, white for 0.
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
    ax.figure.colorbar(image, ax=ax, label="weight")
    ax.axis("off")
    return ax


def plot_network(layer_sizes, *, gradients=False, ax=None):
    """Draw a network as columns of units, with the name and shape of every array on its arrow.

    Parameters
    ----------
    layer_sizes : sequence of int
    gradients : bool
        Whether to draw the gradients that flow back along the same arrows, too.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    last = len(layer_sizes) - 1
    ax = new_axes(ax, figsize=(8, 3.6))
    for k, size in enumerate(layer_sizes):
        x, tall = 3 * k, 1.1 + 1.4 * size / max(layer_sizes)
        ax.add_patch(
            Rectangle((x - 0.25, -tall / 2), 0.5, tall, facecolor="#DCEBF5", edgecolor="black")
        )
        for dot in np.linspace(-tall / 2, tall / 2, 9)[1:-1]:
            ax.plot(x, dot, "o", color=RIGHT, markersize=4)
        name = "X" if k == 0 else "probs" if k == last else f"A{k}"
        ax.text(x, 1.45, name, ha="center", weight="bold")
        ax.text(x, -1.65, f"(n, {size})", ha="center", fontsize=10)
        if k == 0:
            continue
        n_in, then = layer_sizes[k - 1], "softmax" if k == last else "activation"
        _arrow(ax, x - 2.6, x - 0.4, 0.25, RIGHT)
        ax.text(x - 1.5, 0.4, f"W{k} ({n_in}, {size})\nb{k} ({size},)", ha="center", fontsize=10)
        ax.text(x - 1.5, 0.02, f"Z{k} → {then}", ha="center", va="center", fontsize=9)
        if gradients:
            _arrow(ax, x - 0.4, x - 2.6, -0.25, WRONG)
            ax.text(
                x - 1.5,
                -0.45,
                f"dZ{k}\ndW{k}, db{k}",
                ha="center",
                va="top",
                fontsize=10,
                color=WRONG,
            )
    ax.set(xlim=(-0.6, 3 * last + 0.6), ylim=(-1.9, 1.8))
    ax.axis("off")
    return ax


def _arrow(ax, start, end, y, color):
    ax.add_patch(
        FancyArrowPatch((start, y), (end, y), arrowstyle="-|>", mutation_scale=14, color=color)
    )


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
        shade = ("#DCEBF5", "#FBE3CF")[k % 2]
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
        ax.text(first + count / 2, -0.15, meaning, ha="center", va="top", fontsize=10)
    for place in range(16):
        ax.text(place + 0.5, 1.1, place, ha="center", fontsize=8, color="#555555")
    ax.set(xlim=(-0.1, 16.1), ylim=(-1.3, 1.5))
    ax.axis("off")
    return ax
