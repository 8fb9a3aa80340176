"""What a run looks like: its curves, the digits it is tested on, and its weights.

Live, pictures take time from training: axes are drawn once; digits and weights without matplotlib.
"""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image, ImageDraw, ImageFont

from ..plotting import MUTED, RIGHT, STYLE, WRONG

SIZE = 540, 230  # of the curves, in pixels
SCALE = 2  # screen pixels to a pixel of an image
CAPTION = 26  # height of the words below a digit, in screen pixels
# matplotlib's own font, which has both marks and is there on every computer
FONT = ImageFont.truetype(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans-Bold.ttf"), 18)


class Curves:
    """Loss and accuracy against epochs on two axes, with the kept runs faintly behind."""

    def __init__(self, axes, run, kept=(), animated=False):
        self.axes = loss, right = axes
        loss.set(title="Loss", xlabel="epoch", ylabel="nats", yscale="log", ylim=(0.01, 10))
        loss.minorticks_off()
        right.set(title="Digits read right", xlabel="epoch", ylim=(0, 1.02))
        right.yaxis.set_major_formatter(PercentFormatter(1))
        for ax in axes:
            ax.set_xlim(0, max(r.settings.epochs for r in (run, *kept)))
        for number, r in enumerate(kept, start=1):
            x, _, _, y = r.curve()
            loss.plot(x, y, color=MUTED, alpha=0.6, linewidth=1)
            loss.annotate(number, (x[-1], y[-1]), color="#555555", fontsize=9)
            right.plot(*r.looks[-1], "x", color="#555555")
            place = {"xytext": (-12, -4), "textcoords": "offset points", "fontsize": 9}
            right.annotate(number, r.looks[-1], **place)
        self.lines = [
            ax.plot([], [], style, color=color, animated=animated, **more)[0]
            for ax, style, color, more in (
                (loss, "-", RIGHT, {"alpha": 0.3, "linewidth": 0.6}),  # lowest and highest
                (loss, "-", RIGHT, {"linewidth": 2}),
                (right, "-", WRONG, {"alpha": 0.4, "linewidth": 1}),
                (right, "o--", RIGHT, {"label": "training images"}),
                (right, "s-", WRONG, {"label": "test images"}),
            )
        ]
        right.legend(loc="lower right", fontsize=10)

    def update(self, run):
        """Bring the lines up to date; return whether the axes had to change."""
        x, low, high, mean = run.curve()
        epochs = [record.epoch for record in run.epochs]
        data = [
            (np.repeat(x, 2), np.column_stack([low, high]).ravel()),
            (x, mean),
            zip(*run.looks, strict=True),
            (epochs, [record.train_accuracy for record in run.epochs]),
            (epochs, [record.validation_accuracy for record in run.epochs]),
        ]
        for line, xy in zip(self.lines, data, strict=True):
            line.set_data(*xy)
        tens = np.log10(np.clip(mean, 1e-6, 1e30))  # what can be drawn
        limits = 10 ** np.floor(tens.min(initial=-2)), 10 ** np.ceil(tens.max(initial=1))
        before = self.axes[0].get_ylim()
        return before != self.axes[0].set_ylim(*limits)


class LiveCurves:
    """`Curves` as PNG, many times a second."""

    def __init__(self, run, kept=()):
        with plt.style.context(STYLE):
            # no layout engine: to find the best places takes too long
            figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, layout="none")
            figure.subplots_adjust(0.13, 0.215, 0.98, 0.88, wspace=0.3)
            self.canvas = FigureCanvasAgg(figure)
            self.curves = Curves(figure.subplots(1, 2), run, kept, animated=True)
        self._draw_background()

    def _draw_background(self):
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.canvas.figure.bbox)

    def png(self, run):
        """Return the curves of `run` as they are now."""
        if self.curves.update(run):
            self._draw_background()
        self.canvas.restore_region(self.background)
        for line in self.curves.lines:
            line.axes.draw_artist(line)
        return png(np.asarray(self.canvas.buffer_rgba())[..., :3])


def digits_picture(run, n=9):
    """Return the first test digits as RGB, and below each what the network takes it for.

    A tick says right; a cross and a frame say wrong.
    """
    side, gap = 28 * SCALE, 4
    picture = Image.new("RGB", (n * (side + gap), side + CAPTION), "white")
    draw = ImageDraw.Draw(picture)
    X, y = (part[:n] for part in run.test)
    gray = 255 - np.clip(X.reshape(-1, 28, 28) * 255, 0, 255).astype(np.uint8)
    for k, predicted in enumerate(run.probs[:n].argmax(axis=1)):
        left = k * (side + gap)
        picture.paste(
            Image.fromarray(gray[k].repeat(SCALE, axis=0).repeat(SCALE, axis=1)), (left, 0)
        )
        mark, color = ("✓", RIGHT) if predicted == y[k] else ("✗", WRONG)
        if color == WRONG:
            draw.rectangle((left, 0, left + side - 1, side - 1), outline=WRONG, width=2)
        middle = left + side / 2, side + CAPTION / 2
        draw.text(middle, f"{predicted} {mark}", fill=color, font=FONT, anchor="mm")
    return np.asarray(picture)


def weights_picture(run, columns=10, rows=2):
    """Return the weights of the first layer's first units as RGB: blue adds, red takes away."""
    W = run.network.params["W1"][:, : columns * rows].T
    limit = 0.7 * float(np.abs(W).max()) or 1.0
    sheet = np.zeros((rows * columns, 29, 29))
    if np.isfinite(limit):
        sheet[: len(W), :28, :28] = (W / limit).reshape(-1, 28, 28)
    sheet = sheet.reshape(rows, columns, 29, 29).transpose(0, 2, 1, 3)
    places = sheet.reshape(rows * 29, columns * 29) / 2 + 0.5
    colors = mpl.colormaps["RdBu"](places, bytes=True)[..., :3]
    return colors.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def png(rgb):
    """Return a picture (height, width, 3) as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def plot_run(run):
    """Draw all that the panel shows of a run, for readers who have no kernel."""
    with plt.style.context(STYLE):
        figure = plt.figure(figsize=(8, 5.6))
        parts = [["loss", "right"], ["digits"] * 2, ["weights"] * 2]
        axes = figure.subplot_mosaic(parts, height_ratios=[3, 1, 1.3])
        Curves((axes["loss"], axes["right"]), run).update(run)
    axes["digits"].imshow(digits_picture(run))
    axes["digits"].set_title("Test digits, and what each is taken for", fontsize=11)
    axes["weights"].imshow(weights_picture(run))
    axes["weights"].set_title("First-layer weights: blue adds, red takes away", fontsize=11)
    for name in ("digits", "weights"):
        axes[name].axis("off")
    return figure
