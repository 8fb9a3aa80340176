"""A network as a live picture: how it reads a digit, and how it came to do that.

What is seen is drawn in the browser, by three modules to be read in this order: ``numbers.js``,
``drawing.js``, ``view.js``. Python sends them messages; a page without a kernel replays those.
"""

import json
import re
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from threading import RLock

import numpy as np
import traitlets
from IPython.display import display

from ..._files import whole_file
from ...datasets import data_path
from ..pages import PageWidget

HERE = Path(__file__).parent


def joined_modules():
    """Return the three modules as one: without their imports, and with one export, the last."""
    names = ("numbers", "drawing", "view")
    text = "".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?!default )", "", text, flags=re.MULTILINE)


class NetworkView(PageWidget):
    """The picture of a network that reads `images` (n, 784), pixels 0–1, with `labels` (n,).

    A run goes to the browser as messages, `sent`, by its number, for pages that are loaded later,
    too. ``recorder`` makes runs; ``NetworkView.of`` shows a network as it is.
    """

    title = "A network reads digits"
    height = 580
    # text, since anywidget keeps a widget for ever that has a path here
    _esm, _css = joined_modules(), (HERE / "network_view.css").read_text("utf-8")
    html = traitlets.Unicode().tag(sync=True)  # what the page is made of
    digits = traitlets.Bytes().tag(sync=True)  # to choose from, 784 bytes each, 0–255
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)  # whether there is someone who trains
    backward = traitlets.Bool(False).tag(sync=True)  # whether gradients are shown at first
    state = traitlets.Unicode("finished").tag(sync=True)  # or ready, training, stopped, diverged

    def __init__(self, images, labels, **traits):
        self.sent, self._lock = {}, RLock()  # a browser may ask in a thread of its own
        self._asked = False  # whether a browser has: until then nothing needs to be sent
        pixels = np.rint(np.asarray(images) * 255).astype(np.uint8).tobytes()
        html = (HERE / "network_view.html").read_text(encoding="utf-8")
        super().__init__(html=html, digits=pixels, labels=[int(k) for k in labels], **traits)
        self.on_msg(self._on_message)

    @classmethod
    def of(cls, network, X, y, *, shown=(), backward=False):
        """Return a view of `network` as it is, at work on one image of each digit in `X`, `y`.

        `shown` are the places of images to take. With `backward` it begins with the gradients.
        """
        some = one_of_each(X, y, shown)
        view = cls(X[some], y[some], backward=backward)
        about = {"layers": network.layer_sizes, "activation": network.activation, "name": ""}
        view.tell({"type": "run", "run": 1, "epochs": 1, "per_epoch": 1, "marks": [0], **about})
        message = {"type": "snapshot", "run": 1, "iteration": 0, "dtype": "f4"}
        message |= {"loss": [0, 0, 0], "error": [0, 0]}  # with one snapshot, there are no curves
        view.tell(message, weights_of(network).astype("<f4").tobytes())
        return view

    @classmethod
    def load(cls, path=None):
        """Return a view of what `save` wrote; by default of the run that comes with the course."""
        with np.load(path or data_path("recorded_run.npz")) as file:
            about, digits, weights = json.loads(str(file["about"])), file["digits"], file["weights"]
        view, sizes, start = cls(digits, about["labels"]), {}, 0
        for message in about["messages"]:
            if message["type"] == "run":
                sizes[message["run"]] = sum((a + 1) * b for a, b in pairwise(message["layers"]))
            if message["type"] != "snapshot":
                view.tell(message)
            else:
                end = start + sizes[message["run"]]
                view.tell(message, weights[start:end].tobytes())
                start = end
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
            if self._asked:
                self.send(message, list(buffers))

    def keep(self, run):
        """Let a run stay when another begins, on pages that are loaded later, too."""
        about, _ = self.sent[run][0]
        about["kept"] = True

    def drop(self, run):
        """Take a run away, if it is there."""
        with self._lock:
            if self.sent.pop(run, None):
                self.send({"type": "drop", "run": run})

    def _on_message(self, _, message, __):
        if message["type"] == "hello":
            with self._lock:
                self._asked = True
                for content, buffers in self.messages():
                    self.send(content, list(buffers))


def weights_of(network):
    """Return all weights of a network, layer by layer, and then all biases, as one array."""
    params = network.params
    order = sorted(params, key=lambda name: (name[0] == "b", int(name[1:])))
    return np.concatenate([params[name].ravel() for name in order])


def one_of_each(X, y, first):
    """Return where images with labels `y` are: those at `first`, and one of each other digit.

    Of these it is the one that is nearest to the mean of its digit.
    """
    places = list(first)
    for digit in np.setdiff1d(y, y[places]):
        (of_digit,) = np.nonzero(y == digit)
        distances = ((X[of_digit] - X[of_digit].mean(axis=0)) ** 2).sum(axis=1)
        places.append(int(of_digit[distances.argmin()]))
    return sorted(places, key=lambda k: y[k])


# Of the two outputs below only one is seen: the panel where a kernel has told of a run, the frame
# elsewhere. Until then the panel has a width, or it could not be drawn.
_ONE_OF_TWO = """<style>
.jp-OutputArea-child:has(.nv-runs > *) ~ .jp-OutputArea-child:has(.nv-recorded) { display: none; }
.jp-OutputArea-child:has(+ .jp-OutputArea-child .nv-recorded):not(:has(.nv-runs > *)) {
  height: 0;
  overflow: hidden;
  visibility: hidden;
}
</style>"""


@cache
def _recording():
    """Return the HTML of a frame with the run that comes with the course."""
    # not closed: a browser that has just been told of it would say that it failed
    return NetworkView.load()._repr_mimebundle_()["text/html"]


def display_with_recording(panel):
    """Show a panel with a view in it, and below, for readers without a kernel, a recorded run.

    A saved notebook has no kernel when it is opened again, and JupyterLab then says "model not
    found"; an export shows nothing.
    """
    model = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    live = {"application/vnd.jupyter.widget-view+json": model, "text/plain": repr(panel)}
    display(live, raw=True)
    told = "<p>Nobody trains here, as there is no kernel. This is a run that was recorded.</p>"
    html = f'{_ONE_OF_TWO}<div class="nv-recorded">{told}{_recording()}</div>'
    display({"text/html": html, "text/plain": "A recorded run"}, raw=True)
