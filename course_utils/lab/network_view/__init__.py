"""A network as a live picture: how it reads a digit, and how it came to do that.

What is seen is drawn in the browser, by three modules to be read in this order: ``numbers.js``,
``drawing.js``, ``view.js``. Python sends them messages; a page without a kernel replays those.
"""

import base64
import json
import re
from html import escape
from itertools import chain, pairwise
from pathlib import Path
from threading import RLock

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from ..._files import whole_file
from ...datasets import data_path

HERE = Path(__file__).parent
TITLE = "A network learns to read digits"


def read(name):
    return (HERE / name).read_text(encoding="utf-8")


def joined_modules():
    """Return the three modules as one: without their imports, and with one export, the last."""
    text = "".join(read(f"{name}.js") for name in ("numbers", "drawing", "view"))
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?!default )", "", text, flags=re.MULTILINE)


def fill(page, **parts):
    """Put texts in the places of ``<!--NAME-->``."""
    for name, text in parts.items():
        page = page.replace(f"<!--{name}-->", text)
    return page


class NetworkView(anywidget.AnyWidget):
    """The picture of a network that reads `images` (n, 784), pixels 0–1, with `labels` (n,).

    A run goes to the browser as messages. `sent` has those of each run, by its number, for pages
    that are loaded later. ``recorder`` makes runs.
    """

    _esm, _css = joined_modules(), read("network_view.css")
    digits = traitlets.Bytes().tag(sync=True)  # to choose from, 784 bytes each, 0–255
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)  # whether there is someone who trains
    state = traitlets.Unicode("ready").tag(sync=True)  # or training, stopped, finished, diverged
    message = traitlets.Unicode().tag(sync=True)
    text_code = traitlets.Unicode().tag(sync=True)  # what repeats the run that is shown
    seen = traitlets.Bool(False)  # whether a browser has asked for the runs

    def __init__(self, images, labels, **traits):
        self.sent, self._lock = {}, RLock()  # a browser may ask in a thread of its own
        pixels = np.rint(np.asarray(images) * 255).astype(np.uint8).tobytes()
        super().__init__(digits=pixels, labels=[int(label) for label in labels], **traits)
        self.on_msg(self._on_message)

    @classmethod
    def load(cls, path=None):
        """Return a view of what `save` wrote; by default of the run that comes with the course."""
        with np.load(path or data_path("recorded_run.npz")) as file:
            about, digits, weights = json.loads(str(file["about"])), file["digits"], file["weights"]
        view, sizes, start = cls(digits, about["labels"]), {}, 0
        for message in about["messages"]:
            if message["type"] == "run":
                sizes[message["run"]] = sum((a + 1) * b for a, b in pairwise(message["layers"]))
                view.tell(message)
            else:
                end = start + sizes[message["run"]]
                view.tell(message, weights[start:end].tobytes())
                start = end
        view.state = "finished"
        return view

    def save(self, path):
        """Write digits and runs to a file, ``.npz``, the weights as float16."""
        messages, weights = [], []
        for message, buffers in self.messages():
            messages.append(message | {"dtype": "f2"} if buffers else message)
            weights += [np.frombuffer(b, f"<{message['dtype']}").astype("<f2") for b in buffers]
        with whole_file(path) as file:
            np.savez_compressed(
                file,
                about=json.dumps({"labels": self.labels, "messages": messages}),
                digits=np.frombuffer(self.digits, np.uint8).reshape(-1, 784) / np.float32(255),
                weights=np.concatenate(weights),
            )

    def messages(self):
        """Return all that was sent of the runs that are there: messages, each with its buffers."""
        with self._lock:
            return list(chain(*self.sent.values()))

    def tell(self, message, *buffers):
        """Send a message of a run, and remember it."""
        with self._lock:
            self.sent.setdefault(message["run"], []).append((message, buffers))
            self.send(message, list(buffers))

    def keep(self, run):
        """Let a run stay when another begins, on pages that are loaded later, too."""
        self.sent[run][0][0]["kept"] = True

    def drop(self, run):
        """Take a run away, if it is there."""
        with self._lock:
            if self.sent.pop(run, None):
                self.send({"type": "drop", "run": run})

    def _on_message(self, _, message, __):
        if message["type"] == "hello":
            with self._lock:
                for content, buffers in self.messages():
                    self.send(content, list(buffers))
            self.seen = True

    def page(self, title=TITLE):
        """Return this picture with its runs as an HTML page that needs no kernel and no network."""
        data = {
            "traits": {name: getattr(self, name) for name in ("labels", "text_code")}
            | {"live": False, "state": "finished", "message": ""},
            "digits": base64.b64encode(self.digits).decode(),
            "messages": [
                [message, [base64.b64encode(buffer).decode() for buffer in buffers]]
                for message, buffers in self.messages()
            ],
        }
        parts = {"CSS": self._css, "MODULE": self._esm, "DATA": json.dumps(data)}
        parts = {name: text.replace("</script", "<\\/script") for name, text in parts.items()}
        return fill(read("page.html"), TITLE=escape(title), **parts)

    def save_page(self, path, title=TITLE):
        """Write that page to a file."""
        Path(path).write_text(self.page(title), encoding="utf-8")

    def _ipython_display_(self):
        display(widgets.VBox([self]), self, self)


def one_of_each(y, first):
    """Return where images with labels `y` are: those at `first`, and one of each other digit."""
    first = list(first)
    there = {int(y[k]) for k in first}
    others = [int(np.argmax(y == digit)) for digit in np.unique(y) if int(digit) not in there]
    return sorted(first + others, key=lambda k: y[k])


def display(panel, view, recorded):
    """Show a panel that `view` is in, and below it, for readers without a kernel, another view.

    A saved notebook has no kernel when it is opened again, and JupyterLab then says "model not
    found". So there are two outputs, and the style of the second lets only one of them be seen.
    """
    from IPython.display import display as show  # here, as only notebooks need it

    def mark(_=None):
        if view.seen:
            panel.add_class("nv-live")  # which that style looks for

    view.observe(mark, "seen")
    mark()
    model = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    show({"application/vnd.jupyter.widget-view+json": model, "text/plain": repr(panel)}, raw=True)
    page = fill(read("recorded.html"), TITLE=escape(TITLE), PAGE=escape(recorded.page()))
    show({"text/html": page, "text/plain": "A recorded run"}, raw=True)
