"""A panel that trains a network live, with a knob for everything that can be set."""

import threading
from functools import wraps
from html import escape

import ipywidgets as widgets

from .. import _checks
from ..network import Network
from . import cells
from .parts import LiveImage
from .pictures import SIZE, LiveCurves, digits_picture, plot_run, png, weights_picture
from .runs import Run, Settings

FRAME = 0.08  # seconds from picture to picture
SEEN = {  # the pictures, for those who don't see them, and their heights
    "Against epochs: the loss, and the share of training and test images read right.": SIZE[1],
    "The first test digits, and below each the network's answer with a tick or a cross.": 82,
    "The weights of the first layer's units as small pictures, blue adds, red takes away.": 108,
}


def _click(method):
    """Let a method work while training pauses: no two threads have the same run in hands.

    JupyterLab may send a click to one thread of the kernel and the next to another: the lock lets
    one wait for the other.
    """

    @wraps(method)
    def call(self, *_):
        with self._lock:
            self._halt.set()
            if self._thread:
                self._thread.join()
            method(self)
            if self.training:
                self._halt.clear()
                # a daemon: no kernel waits for it
                self._thread = threading.Thread(target=self._work, name="playground", daemon=True)
                self._thread.start()

    return call


class Playground(widgets.VBox):
    """Train a network live, and see at once what each setting does.

    Train starts a run, Stop pauses it, Reset goes back to new weights, and Keep this run puts it
    into a table to compare others with. To move a knob during training starts the run again with
    the new setting. Training is a thread of its own, so the kernel stays usable; to close the panel,
    or to run its cell again, ends it.

    Parameters
    ----------
    X_train, X_test : ndarray, shape (n, 784)
        Images as rows, pixels 0–1.
    y_train, y_test : ndarray of int, shape (n,)
        Labels.

    Attributes
    ----------
    run : Run
        What is shown: its network, its losses, its accuracies.
    network : Network
        That of `run`.
    kept : list of Run
        The runs in the table, as they were then.

    Raises
    ------
    ValueError
        If the images or labels have the wrong shape or values.
    """

    def __init__(self, X_train, y_train, X_test, y_test):
        self._lock, self._halt, self._thread = threading.Lock(), threading.Event(), None
        network = Network([28 * 28, 10])
        train = _checks.examples(network, X_train, y_train)
        self.digits = train, _checks.validation(network, (X_test, y_test))
        self.kept, self.knobs, self.buttons = [], _knobs(len(X_train)), {}
        for name, tooltip, action in (
            ("Train", "Start, or go on after Stop", self.start),
            ("Stop", "Pause; Train goes on from here", self.stop),
            ("Reset", "Begin with new weights", self.reset),
            ("Keep this run", "Put it into the table, to compare others with", self.keep),
        ):
            button = widgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})
            button.on_click(action)
            self.buttons[name] = button
        self.buttons["Train"].button_style = "primary"
        wide = {"width": f"{SIZE[0]}px"}
        self.progress = widgets.FloatProgress(max=1, description="Progress", layout=wide)
        self.status = widgets.HTML(layout=wide | {"min_height": "72px"})
        self.message, self.table = widgets.HTML(layout=wide), widgets.HTML()
        self.pictures = [
            LiveImage(alt=alt, width=SIZE[0], height=height) for alt, height in SEEN.items()
        ]
        shown = [("the run that is shown", 0)]
        self.code_of = widgets.Dropdown(description="Code of", options=shown)
        self.code = widgets.Textarea(description="Code", rows=6, layout={"width": "96%"})
        for knob in self.knobs.values():
            knob.observe(self._turn, "value")
        self.code_of.observe(self._show_code, "value")
        knobs = widgets.VBox(list(self.knobs.values()), layout={"flex": "0 0 auto"})
        buttons = widgets.HBox(list(self.buttons.values()))
        display = [buttons, self.progress, self.status, self.message, *self.pictures]
        top = widgets.HBox([knobs, widgets.VBox(display)], layout={"flex_flow": "row wrap"})
        super().__init__([top, self.table, self.code_of, self.code])
        self.reset()
        cells.enter(self)

    def __repr__(self):
        return "Playground: a panel of knobs; run this cell in a notebook to turn them"

    @property
    def network(self):
        """The network of the run that is shown."""
        return self.run.network

    @property
    def settings(self):
        """What the knobs say, as `Settings`."""
        values = {name: knob.value for name, knob in self.knobs.items()}
        hidden = (values.pop("units"),) * values.pop("hidden_layers")
        if values["n_images"] == len(self.digits[0][0]):
            values["n_images"] = None
        return Settings(hidden, **values)

    @property
    def training(self):
        """Whether a run is under way."""
        return self.run.state == "training"

    @_click
    def start(self):
        """Train: go on after Stop; else begin anew with what the knobs say."""
        if not self.run.under_way or self.run.settings != self.settings:
            self._renew()
        self.run.state = "training"
        self._show_all()

    @_click
    def stop(self):
        """Stop: pause the run where it is."""
        if self.training:
            self.run.state = "stopped"
        self._show_all()

    @_click
    def reset(self):
        """Reset: end the run, and begin with new weights."""
        self._renew()
        self._show_all()

    @_click
    def keep(self):
        """Keep this run: put it into the table."""
        if not self.run.loss:
            self._say("There is nothing to keep yet. Press Train first.")
            return
        self.kept.append(self.run.copy())
        self.table.value = _table(self.kept)
        self.code_of.options = [*self.code_of.options, (f"run {len(self.kept)}", len(self.kept))]
        self._live = LiveCurves(self.run, self.kept)
        self._show_all()

    def wait(self):
        """Wait until the run that was started is finished, stopped or diverged."""
        while self.training:
            with self._lock:  # after a click that is under way
                thread = self._thread
            thread.join()

    def close(self):
        """End training and take the panel away."""
        if self._thread and self._thread.is_alive():
            self.stop()
        cells.OPEN.pop(self, None)
        super().close()

    def snapshot(self, **settings):
        """Train from new weights to the end, apart from the panel, and draw what it would show.

        `settings` are what differs from those of a new panel, by the names of `Settings`.
        """
        return plot_run(Run(Settings(**settings), self.digits).finish())

    @_click
    def _turn(self):
        """Begin again with the knob that was turned, if nothing is lost by it."""
        self.knobs["units"].disabled = self.knobs["hidden_layers"].value == 0
        state = self.run.state
        if state in ("ready", "training"):
            self._renew()
            self.run.state = state
            self._show_all()
        else:
            self._say("The settings have changed. Press Train to try them.")

    def _renew(self):
        self.run = Run(self.settings, self.digits)
        self._live = LiveCurves(self.run, self.kept)

    def _work(self):
        """Train until the end or a click, and show it."""
        try:
            while not self._halt.is_set() and self.run.advance(FRAME):
                self._show()
        except Exception as error:  # told here, since nobody waits for the thread
            self.run.state = "failed"
            self.run.message = (
                "Something went wrong that should not, and it is not your fault. Run the cell "
                f"again. The error was: {type(error).__name__}: {error}"
            )
        if not self.training:
            self._show_all()

    def _show_all(self):
        self.buttons["Train"].disabled = self.training
        self.buttons["Stop"].disabled = not self.training
        self._say(self.run.message)
        self._show_code()
        self._show()

    def _show(self):
        """Bring the pictures and the figures up to date, many times a second."""
        self.progress.value, self.status.value = self.run.done, _status(self.run)
        curves, digits, weights = self.pictures
        curves.value = self._live.png(self.run)
        digits.value, weights.value = png(digits_picture(self.run)), png(weights_picture(self.run))

    def _say(self, text):
        style = "border-left:4px solid #D55E00;padding:2px 10px;line-height:1.4" if text else ""
        self.message.value = f'<div role="status" style="{style}">{escape(text)}</div>'

    def _show_code(self, _=None):
        number = self.code_of.value
        self.code.value = (self.kept[number - 1] if number else self.run).code()


def _knobs(n_train):
    """Return the controls by the names of `Settings`, the hidden layers in two."""
    look = {"style": {"description_width": "108px"}, "layout": {"width": "268px"}}

    def choice(description, values, value):
        options = [(f"{v:,g}", v) for v in values]
        more = {"options": options, "value": value, "continuous_update": False}
        return widgets.SelectionSlider(description=description, **more, **look)

    def slider(description, value, low, high):
        more = {"min": low, "max": high, "continuous_update": False}
        return widgets.IntSlider(value, description=description, **more, **look)

    def series(first, last):
        return [float(f"{m}e{e}") for e in range(first, last) for m in (1, 2, 5)]

    new = Settings()
    sizes = [int(n) for n in series(2, 7) if n < n_train]
    batches = sorted([int(n) for n in series(0, 3)] + [32, 1000])
    inits = {
        "he: √(2 / n_in)": "he",
        "xavier: √(2 / (n_in + n_out))": "xavier",
        "normal: N(0, 1)": "normal",
    }
    return {
        "hidden_layers": slider("Hidden layers", 1, 0, 3),
        "units": choice("Units in each", [2, 5, 10, 20, 50, 100, 200], new.hidden[0]),
        "activation": widgets.Dropdown(
            description="Activation", options=["relu", "sigmoid"], **look
        ),
        "init": widgets.Dropdown(description="First weights", options=inits, **look),
        "learning_rate": choice("Learning rate", [*series(-4, 2), 100.0], new.learning_rate),
        "batch_size": choice("Batch size", batches, new.batch_size),
        "epochs": slider("Epochs", new.epochs, 1, 30),
        "momentum": choice("Momentum", [k / 20 for k in range(20)], new.momentum),
        "l2": choice("L2", [0.0, 1e-5, 1e-4, 0.001, 0.01, 0.1], new.l2),
        "n_images": choice("Training images", [*sizes, n_train], n_train),
        "seed": widgets.BoundedIntText(0, min=0, max=9999, description="Seed", **look),
    }


def _status(run):
    """Return two lines of text about a run, as HTML."""
    n, epochs = len(run.loss), run.settings.epochs
    state = {
        "ready": "Ready. Press Train.",
        "training": f"About {run.seconds * (1 / run.done - 1) if n else 0:.0f} s left.",
        "stopped": "Stopped. Train goes on from here.",
        "finished": f"Finished in {run.seconds:.1f} s.",
        "diverged": "Blown up.",
        "failed": "Ended by an error. Train begins anew.",
    }[run.state]
    epoch = min(n // run.per_epoch + 1, epochs)
    first = f"<b>{state}</b> Epoch {epoch} of {epochs} · iteration {n:,} of {run.n_iterations:,}"
    second = f"Right: ≈ {run.looks[-1][1]:.0%} of {len(run.probs):,} test images now"
    if n:
        batch = min(run.settings.batch_size, len(run.X))
        first += f" · {n * batch / run.seconds:,.0f} images/s"
        second = f"Loss {run.curve()[-1][-1]:.3f} · {second}"
    if run.epochs:
        epoch, _, _, on_train, on_test = run.epochs[-1]
        second += (
            f"; after epoch {epoch} <b>{on_train:.1%}</b> of the training images, "
            f"<b>{on_test:.1%}</b> of all test images"
        )
    return f'<div style="line-height:1.5">{first}<br>{second}</div>'


def _table(runs):
    """Return the kept runs as an HTML table; what differs from the run above is bold."""
    lines, above = [], None
    for number, run in enumerate(runs, start=1):
        settings, results = run.row()
        changed = [name for name in settings if above and settings[name] != above[name]]
        cells = [f"<b>{text}</b>" if n in changed else text for n, text in settings.items()]
        cells = [str(number), *cells, *results.values()]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
        above = settings
    names = ["run", *settings, *results]
    lines.insert(0, "".join(f'<th scope="col">{name}</th>' for name in names))
    return (
        '<table style="border-spacing:7px 2px;line-height:1.4;font-size:12px;text-align:right">'
        '<caption style="text-align:left">Kept runs; the numbers are those in the diagrams, and '
        "bold is what changed from the run above</caption>"
        + "".join(f"<tr>{line}</tr>" for line in lines)
        + "</table>"
    )
