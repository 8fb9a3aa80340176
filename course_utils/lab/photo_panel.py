"""Upload a photograph of digits, and see how a network reads it."""

from contextlib import suppress
from html import escape

import ipywidgets as widgets
from IPython.core.pylabtools import print_figure
from matplotlib import pyplot as plt

from ..plotting import show_digits
from .handwriting import (
    SIDE,
    find_digits,
    open_grey,
    plot_answers,
    read_photo,
    to_mnist_form,
)

MOST = 60  # digits that are shown one by one


class PhotoReader(widgets.VBox):
    """A button for a photograph, and under it the sheet with boxes and answers, and each digit.

    `network` answers; with `pen`, strokes get that width (see `to_mnist_form`). An answer whose
    probability is below `doubt` has a question mark. `answers` are the latest, in reading order.
    """

    def __init__(self, network, *, pen=None, doubt=0.9):
        self.network, self.pen, self.doubt, self.answers = network, pen, doubt, []
        self.upload = widgets.FileUpload(
            accept="image/*", description="Choose a photograph", layout={"width": "16em"}
        )
        self.upload.observe(self._take, "value")
        self.status, self.sheet, self.forms = (widgets.HTML() for _ in range(3))
        super().__init__([self.upload, self.status, self.sheet, self.forms])
        self._tell("Nothing leaves the computer on which this notebook computes.")

    def __repr__(self):
        return "PhotoReader: run this cell in a notebook to choose a photograph"

    def read(self, source):
        """Read a photograph, given by a path, bytes or an array, and show it; errors as `open_grey`."""
        self.sheet.value = self.forms.value = ""
        self.answers = []
        self._tell("Reading …")
        try:
            grey = open_grey(source)
        except (OSError, ValueError) as error:
            text = str(error)
            self._tell(f"<b>It can't be read.</b> {escape(text[:1].upper() + text[1:])}.")
            raise
        pieces, boxes = find_digits(read_photo(grey))
        if not pieces:
            self._tell("No digits were found. Is the ink dark enough, and no digit at the edge?")
            return
        X = [to_mnist_form(piece, self.pen).reshape(SIDE * SIDE) for piece in pieces]
        probs = self.network.predict_proba(X)
        self.answers = probs.argmax(axis=1).tolist()
        sure = probs.max(axis=1)
        ax = plot_answers(grey, boxes, probs, doubt=self.doubt)
        read = " ".join(map(str, self.answers))
        self.sheet.value = _picture(ax, f"The photograph with a box around each digit: {read}")
        titles = [f"{k}\n{p:.2f}" for k, p in zip(self.answers, sure, strict=True)]
        ax = show_digits(X[:MOST], titles[:MOST])
        self.forms.value = _picture(ax, "The digits as the network sees them, with its answers.")
        n, n_doubtful = len(pieces), int((sure < self.doubt).sum())
        text = f"{n} digit{'s' * (n > 1)}: <b>{read}</b>, {n_doubtful or 'none'} in doubt."
        if n_doubtful > n / 2:
            text += " Is the sheet upright, and is nothing but digits on it?"
        self._tell(text)

    def _take(self, change):
        """Read what was uploaded; what is wrong with it, the panel has said."""
        if not change["new"]:
            return
        with suppress(ValueError):
            self.read(change["new"][0]["content"])
        self.upload.value = ()  # so that the same file can be chosen again

    def _tell(self, text):
        self.status.value = f'<div role="status">{text}</div>'


def _picture(ax, alt):
    """Return a figure as an HTML picture, and close it."""
    png = print_figure(ax.figure, base64=True).strip()
    plt.close(ax.figure)
    style = "max-width: 100%; height: auto"
    return f'<img alt="{escape(alt)}" style="{style}" src="data:image/png;base64,{png}">'
