"""What a run looks like: its curves, the digits it is tested on, and its weights.

The live pictures have to be cheap, since each of them takes time away from training: the curves
are drawn anew over a background that stays, and the rest is put together as an array.
"""

import io
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image, ImageDraw, ImageFont

from ..plotting import MUTED, RIGHT, STYLE, WRONG

N_DIGITS = 9
N_PICTURES = 20  # of weights
_COLUMNS = 10  # of pictures of weights
_SCALE = 2  # screen pixels to a pixel of an image
_CAPTION = 26  # height of the words below a digit


def _rgb(color):
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def to_places(rgb):
    """Return the place in `PALETTE` of each color, shape (…, 3), by its red and its blue."""
    return (rgb[..., 0] & 0xF0) | (rgb[..., 2] >> 4)


def _palette():
    """Return 256 colors: 16 reds times 16 blues, with the green that fits our few colors.

    All that is drawn is a mixture of white, black, and either the course's blue or its vermilion.
    So red and blue tell the green. An image of one byte a pixel is encoded three times as fast.
    """
    red, blue = np.divmod(np.arange(256), 16) * np.array([[17], [17]])
    white, cold, warm = 255, _rgb(RIGHT), _rgb(WRONG)
    color = np.where((red < blue)[:, None], cold, warm)
    share = (red - blue) / (color[:, 0] - color[:, 2])  # how much of the color there is
    black = (white - red) / white - share * (white - color[:, 0]) / white
    green = white - share * (white - color[:, 1]) - black * white
    return np.column_stack([red, np.clip(green, 0, white), blue]).astype(np.uint8)


PALETTE = _palette()
WEIGHT_PALETTE = (mpl.colormaps["RdBu"](np.arange(256))[:, :3] * 255).astype(np.uint8)


class Curves:
    """Loss and accuracy against epochs, side by side.

    Parameters
    ----------
    loss_ax, accuracy_ax : matplotlib.axes.Axes
    run : Run
    kept : sequence of Kept
        Drawn faintly behind.
    live : bool
        Whether the lines of `run` are left out of an ordinary drawing, for `LiveCurves`.
    """

    def __init__(self, loss_ax, accuracy_ax, run, kept=(), live=False):
        self.loss_ax = loss_ax
        epochs = max([run.settings.epochs, *(k.settings.epochs for k in kept)])
        loss_ax.set(title="Loss", xlabel="epoch", ylabel="nats", yscale="log", ylim=(0.01, 10))
        loss_ax.minorticks_off()
        accuracy_ax.set(title="Digits read right", xlabel="epoch", ylim=(0, 1.02))
        accuracy_ax.yaxis.set_major_formatter(PercentFormatter(1))
        for ax in (loss_ax, accuracy_ax):
            ax.set_xlim(0, epochs)
        for k in kept:
            x, y = k.curve
            loss_ax.plot(x, y, color=MUTED, alpha=0.6, linewidth=1)
            if len(x):
                loss_ax.annotate(str(k.number), (x[-1], y[-1]), color="#555555", fontsize=9)
            accuracy = k.record.validation_accuracy if k.record else k.last_look.accuracy
            end = k.iteration / k.n_iterations * k.settings.epochs
            accuracy_ax.plot(end, accuracy, "x", color="#555555")
            accuracy_ax.annotate(
                str(k.number), (end, accuracy), (-12, -4), textcoords="offset points", fontsize=9
            )
        self.raw, self.smooth = (
            loss_ax.plot([], [], color=RIGHT, animated=live, **style)[0]
            for style in ({"alpha": 0.3, "linewidth": 0.6}, {"linewidth": 2})
        )
        self.looks, self.train, self.test = (
            accuracy_ax.plot([], [], style, color=color, animated=live, **more)[0]
            for style, color, more in (
                ("-", WRONG, {"alpha": 0.4, "linewidth": 1}),
                ("o--", RIGHT, {"label": "training images"}),
                ("s-", WRONG, {"label": "test images"}),
            )
        )
        accuracy_ax.legend(loc="lower right", fontsize=10)
        self.lines = (self.raw, self.smooth, self.looks, self.train, self.test)

    def update(self, run):
        """Bring the lines up to date; return whether the axes had to grow."""
        self.raw.set_data(*run.curve.raw())
        x, y = run.curve.smooth()
        self.smooth.set_data(x, y)
        self.looks.set_data(*zip(*run.looks, strict=True))
        done = [record.epoch for record in run.epochs]
        self.train.set_data(done, [record.train_accuracy for record in run.epochs])
        self.test.set_data(done, [record.validation_accuracy for record in run.epochs])
        low, high = self.loss_ax.get_ylim()
        new_low = min(low, _power_of_ten(y.min(initial=np.inf)) / 10)
        new_high = max(high, _power_of_ten(y.max(initial=0)))
        self.loss_ax.set_ylim(max(new_low, 1e-6), min(new_high, 1e30))
        return self.loss_ax.get_ylim() != (low, high)


def _power_of_ten(value):
    """Return the power of ten at `value` or next above it."""
    return 10.0 ** np.ceil(np.log10(value)) if 0 < value < np.inf else 1.0


class LiveCurves:
    """`Curves` on a canvas of its own, drawn as PNG many times a second."""

    size = 540, 230  # pixels

    def __init__(self, run, kept=()):
        self.epochs, self.kept, self.grown = run.settings.epochs, tuple(kept), False
        with plt.style.context(STYLE):
            # no layout engine: to find the best places takes too long
            size = [pixels / 100 for pixels in self.size]
            figure = Figure(figsize=size, dpi=100, layout="none")
            figure.subplots_adjust(0.13, 0.215, 0.98, 0.88, wspace=0.3)
            self.canvas = FigureCanvasAgg(figure)
            self.curves = Curves(*figure.subplots(1, 2), run, kept, live=True)
        self.curves.update(run)
        self._draw_background()

    def fits(self, run, kept):
        """Return whether `run` can be drawn here, too, which is quicker than on a new canvas."""
        return (self.epochs, self.kept, self.grown) == (run.settings.epochs, tuple(kept), False)

    def _draw_background(self):
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.canvas.figure.bbox)

    def png(self, run):
        """Return the curves of `run` as they are now."""
        if self.curves.update(run):
            self.grown = True
            self._draw_background()
        self.canvas.restore_region(self.background)
        for line in self.curves.lines:
            line.axes.draw_artist(line)
        return _png(to_places(np.asarray(self.canvas.buffer_rgba())), PALETTE)


def digits_sheet(X, y, probs):
    """Return the first test digits in a row, below each what the network takes it for.

    Parameters
    ----------
    X : ndarray, shape (n, 784)
    y : ndarray of int, shape (n,)
    probs : ndarray, shape (n, 10)

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Places in `PALETTE`. A tick says right; a cross and a frame say wrong.
    """
    side, gap = 28 * _SCALE, 4
    n = min(N_DIGITS, len(X))
    sheet = np.full((side + _CAPTION, n * (side + gap)), 255, np.uint8)
    gray = 255 - np.clip(X[:n].reshape(n, 28, 28) * 255, 0, 255).astype(np.uint8)
    images = ((gray & 0xF0) | (gray >> 4)).repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
    wrong = to_places(np.array(_rgb(WRONG), np.uint8))
    for k, predicted in enumerate(probs[:n].argmax(axis=1)):
        left, right = k * (side + gap), bool(predicted == y[k])
        sheet[:side, left : left + side] = images[k]
        if not right:
            frame = sheet[:side, left : left + side]
            frame[:2] = frame[-2:] = frame[:, :2] = frame[:, -2:] = wrong
        sheet[side:, left : left + side] = _caption(int(predicted), right, side)
    return sheet


@cache
def _caption(digit, right, width):
    """Return "7 ✓" or "7 ✗" as places (height, width) in `PALETTE`."""
    image = Image.new("RGB", (width, _CAPTION), "white")
    # matplotlib's own font, which has both marks and is there on every computer
    path = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")
    ImageDraw.Draw(image).text(
        (width / 2, _CAPTION / 2),
        f"{digit} {'✓' if right else '✗'}",
        fill=RIGHT if right else WRONG,
        font=ImageFont.truetype(str(path), 18),
        anchor="mm",
    )
    return to_places(np.asarray(image))


def weights_sheet(W):
    """Return the weights that lead to the units of the first layer as small pictures.

    Parameters
    ----------
    W : ndarray, shape (784, n_units)
        The first `N_PICTURES` units are shown.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Places on the colour scale: 0 is the most negative, 255 the most positive.
    """
    pictures = W[:, :N_PICTURES].T
    rows = N_PICTURES // _COLUMNS
    limit = 0.7 * float(np.abs(pictures).max()) or 1.0
    if not np.isfinite(limit):
        return np.full((rows * 58, _COLUMNS * 58), 128, np.uint8)
    places = np.clip(pictures * (127.5 / limit) + 127.5, 0, 255).astype(np.uint8)
    sheet = np.full((rows * _COLUMNS, 29, 29), 128, np.uint8)
    sheet[: len(pictures), :28, :28] = places.reshape(-1, 28, 28)
    sheet = sheet.reshape(rows, _COLUMNS, 29, 29)
    sheet = sheet.transpose(0, 2, 1, 3).reshape(rows * 29, _COLUMNS * 29)
    return sheet.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)


def digits_png(run):
    """Return `digits_sheet` for a run, as PNG."""
    return _png(digits_sheet(run.X_test, run.y_test, run.probs), PALETTE)


def weights_png(run):
    """Return `weights_sheet` for a run, as PNG: blue for positive, red for negative, white for 0."""
    return _png(weights_sheet(run.network.params["W1"]), WEIGHT_PALETTE)


def _png(places, palette):
    image = Image.fromarray(places)
    image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def plot_run(run, kept=()):
    """Draw all that the panel shows of a run, for readers who have no kernel.

    Parameters
    ----------
    run : Run
    kept : sequence of Kept
        Drawn faintly behind.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plt.style.context(STYLE):
        figure = plt.figure(figsize=(8, 5.6))
        grid = figure.add_gridspec(3, 2, height_ratios=[3, 1, 1.3])
        curves = Curves(*(figure.add_subplot(grid[0, k]) for k in (0, 1)), run, kept)
        curves.update(run)
        digits, weights = (figure.add_subplot(grid[k, :]) for k in (1, 2))
        digits.imshow(PALETTE[digits_sheet(run.X_test, run.y_test, run.probs)])
        digits.set_title("Test digits, and what each is taken for", fontsize=11)
        weights.imshow(WEIGHT_PALETTE[weights_sheet(run.network.params["W1"])])
        weights.set_title("First-layer weights: blue adds, red takes away", fontsize=11)
        for ax in (digits, weights):
            ax.axis("off")
    return figure
