"""Figures of data and of results, all in one style. Each is drawn on `ax`, which is returned."""

from html import escape

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from . import _checks
from .functions import confusion_matrix

STYLE = "course_utils.course"
RIGHT, WRONG, MUTED = "#0072B2", "#D55E00", "#999999"  # blue, vermilion, grey


def show(ax, alt):
    """Show a figure, or that of `ax`, with a description `alt` for readers who don't see it."""
    from IPython.display import display  # here, as only notebooks need it

    text = repr(_figure_of(ax))
    display({"text/html": picture(ax, alt), "text/plain": text}, raw=True)


def picture(ax, alt, style=""):
    """Return a figure, or that of `ax`, as HTML with a description `alt`, and close it.

    HTML is the one form of a picture that keeps its description in every notebook.
    """
    from IPython.core.pylabtools import print_figure

    png = print_figure(_figure_of(ax), base64=True).strip()
    plt.close(_figure_of(ax))  # or the notebook would show it once more
    style = style and f' style="{style}"'
    return f'<img alt="{escape(alt)}"{style} src="data:image/png;base64,{png}">'


def _figure_of(ax):
    return ax if hasattr(ax, "add_subplot") else ax.figure  # only a figure has that method


def new_axes(ax=None, **options):
    """Return `ax`, or where it is None the axes of a new figure in the course's style."""
    if ax is None:
        with plt.style.context(STYLE):
            ax = plt.figure(**options).add_subplot()
    return ax


def show_digits(X, titles=None, *, columns=10, ax=None):
    """Draw images (n, 784) or (n, 28, 28), or a single one, dark ink on white, with titles above.

    Pixels are floats 0–1 or integers 0–255.
    """
    black = 255 if np.asarray(X).dtype.kind in "iu" else 1
    images = _checks.pictures(X)
    titles = _checks.titles(titles, len(images))
    lines = max(title.count("\n") + 1 for title in titles) if any(titles) else 0
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)  # rounded up
    width, height = 32, 32 + 9 * lines  # of a cell, in pixels: an image, a gap, lines of a title
    inches = min(8, 1.1 * columns + 0.3)
    ax = new_axes(ax, figsize=(inches, inches * rows * height / (columns * width)))
    for k, image in enumerate(images):
        left, bottom = k % columns * width, (k // columns + 1) * height  # y grows downwards
        extent = (left, left + 28, bottom, bottom - 28)
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=black, extent=extent)
        ax.add_patch(Rectangle((left, bottom), 28, -28, fill=False, edgecolor="#DDDDDD"))
        ax.text(left + 14, bottom - 29, titles[k], ha="center", va="bottom", fontsize=10)
    ax.set(xlim=(-2, columns * width - 2), ylim=(rows * height + 2, 0), aspect="equal")
    ax.axis("off")
    return ax


def plot_probabilities(probs, label=None, *, ax=None):
    """Draw the probabilities of each class (k,) as bars; the right label's bar is hatched."""
    probs = _checks.one_row(probs)
    ax = new_axes(ax, figsize=(6, 2.6))
    predicted, classes = int(np.argmax(probs)), np.arange(len(probs))
    colors, hatches = [MUTED] * len(probs), [""] * len(probs)
    colors[predicted] = RIGHT if label in (None, predicted) else WRONG
    if label is not None:
        hatches[label] = "///"
        ax.set_title(f"predicted {predicted}, label {label} (hatched)", loc="left")
    bars = ax.bar(classes, probs, color=colors, hatch=hatches, edgecolor="white")
    ax.bar_label(bars, [f"{p:.2f}" if p >= 0.005 else "" for p in probs], padding=2, fontsize=9)
    ax.set(xticks=classes, ylim=(0, 1.12), xlabel="digit", ylabel="probability")
    ax.grid(axis="x", visible=False)
    return ax


def plot_loss(loss, *, window=None, label=None, log=False, ax=None):
    """Draw a loss curve (a History, or a value for each iteration): raw faint, running mean on top.

    The mean at an iteration is that of the last `window`; a hundredth of all if left out. Each
    further curve on the same `ax` has another colour and, up to four, other dashes.
    """
    loss = _checks.losses(getattr(loss, "loss", loss))
    window = min(window or max(1, len(loss) // 100), len(loss))
    sums = np.cumsum(np.insert(loss, 0, 0))  # sums[k] is that of the first k losses, so …
    smooth = (sums[window:] - sums[:-window]) / window  # … these are the means of `window` losses
    ax = new_axes(ax)
    style = ("-", "--", ":", "-.")[len(ax.lines) // 2 % 4]  # each curve before drew two lines
    (line,) = ax.plot(np.arange(window, len(loss) + 1), smooth, style, label=label, zorder=3)
    ax.plot(np.arange(1, len(loss) + 1), loss, color=line.get_color(), alpha=0.2, linewidth=0.5)
    ax.set(xlabel="iteration", ylabel="loss (nats)", yscale="log" if log else "linear")
    if label:
        ax.legend()
    return ax


def plot_misclassified(X, y, probs, *, n=10, ax=None):
    """Draw the `n` mistakes that were made with the most confidence: label → answer, confidence.

    Images `X` (m, 784), labels `y` (m,), probabilities `probs` (m, k).
    """
    probs, y = _checks.probabilities(probs, y)
    y_pred, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(y_pred != y)
    if not len(wrong):
        raise ValueError(f"there is nothing to draw: all {len(y)} predictions are right")
    worst = wrong[np.argsort(-confidence[wrong])][:n]
    titles = [f"{y[i]} → {y_pred[i]}\n{confidence[i]:.3f}" for i in worst]
    return show_digits(_checks.pictures(X)[worst], titles, columns=5, ax=ax)


def plot_heat_map(values, rows, columns, *, low=None, form="{:.1f}", label=None, ax=None):
    """Draw a table of numbers (n_rows, n_columns) as coloured squares, as notebook 09 does.

    `rows` and `columns` are written beside it; nan stays grey; all that is below `low` has the
    darkest colour, so that the others can be told apart.
    """
    values = np.asarray(values, dtype=float)
    ax = new_axes(ax, figsize=(7, 0.8 + 0.5 * len(rows)))
    image = ax.imshow(values, cmap="cividis", aspect="auto", vmin=low)
    ax.set_facecolor("#DDDDDD")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "black" if image.norm(value) > 0.5 else "white"  # on a bright square black
            place = {"ha": "center", "va": "center", "fontsize": 10, "color": color}
            ax.text(j, i, form.format(value), **place)
    below = low is not None and np.nanmin(values) < low
    ax.figure.colorbar(image, ax=ax, label=label, extend="min" if below else "neither")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(visible=False)
    return ax


def plot_confusion_matrix(y, y_pred, *, n_classes=None, ax=None):
    """Draw how often each label (n,) was taken for each other; the mistakes are what is coloured.

    There are as many classes as the highest label says, if `n_classes` is left out.
    """
    n_classes = n_classes or max(np.max(y), np.max(y_pred)) + 1
    counts = confusion_matrix(y, y_pred, n_classes)
    mistakes = np.where(np.eye(n_classes, dtype=bool), 0, counts)
    side = 0.55 * n_classes
    ax = new_axes(ax, figsize=(side + 1, side))
    image = ax.imshow(mistakes, cmap="Oranges", vmin=0)
    for i, j in np.argwhere(counts):
        color = "white" if mistakes[i, j] > 0.6 * mistakes.max() else "black"
        place = {"ha": "center", "va": "center", "fontsize": 9, "color": color}
        ax.text(j, i, counts[i, j], weight="bold" if i == j else "normal", **place)
    ax.figure.colorbar(image, ax=ax, label="mistakes")
    ax.set(xticks=range(n_classes), yticks=range(n_classes), xlabel="predicted", ylabel="label")
    ax.grid(visible=False)
    return ax
