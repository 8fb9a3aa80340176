"""Upload a photograph of digits, and see how a network reads it."""

from contextlib import suppress
from html import escape

import ipywidgets as widgets

from ..plotting import picture, show_digits
from .handwriting import open_grey, plot_answers, read_digits, read_photo

FITTING = "max-width: 100%; height: auto"  # a picture no wider than the panel
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
        boxes, forms, probs = read_digits(read_photo(grey), self.network, self.pen)
        if not boxes:
            self._tell("No digits were found. Is the ink dark enough, and no digit at the edge?")
            return
        self.answers = probs.argmax(axis=1).tolist()
        sure = probs.max(axis=1)
        ax = plot_answers(grey, boxes, probs, doubt=self.doubt)
        read = " ".join(map(str, self.answers))
        alt = f"The photograph with a box around each digit: {read}"
        self.sheet.value = picture(ax, alt, FITTING)
        titles = [f"{k}\n{p:.2f}" for k, p in zip(self.answers, sure, strict=True)]
        ax = show_digits(forms[:MOST], titles[:MOST])
        alt = "The digits as the network sees them, with its answers."
        self.forms.value = picture(ax, alt, FITTING)
        n, n_doubtful = len(boxes), int((sure < self.doubt).sum())
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
