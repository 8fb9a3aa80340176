"""A panel that trains a network live, with a knob for everything that can be set."""

import threading
from functools import wraps
from html import escape
from itertools import pairwise

import ipywidgets as widgets

from .. import _checks
from ..network import Network
from . import cells
from .live_image import LiveImage
from .pictures import SIZE, LiveCurves, digits_picture, plot_run, png, weights_picture
from .runs import Kept, Run, Settings

FRAME = 0.08  # seconds from picture to picture
SEEN = (  # pictures: for those who don't see them, and the height
    (
        "Two diagrams against epochs: the loss, raw values faint and their running mean on top; "
        "and the share of training and test images that are read right.",
        SIZE[1],
    ),
    ("The first test digits, and below each the network's answer with a tick or a cross.", 82),
    ("The weights of the first layer's units as small pictures, blue adds, red takes away.", 108),
)


def _click(method):
    """Let a method work while training pauses, and show an unexpected error in the panel.

    So two threads never have the same run in hands. JupyterLab may send a click to one thread of the
    kernel and the next to another: the lock lets one wait for the other.
    """

    @wraps(method)
    def call(self, *_):
        with self._lock:
            self._pause()
            try:
                method(self)
            except Exception as error:
                self._fail(error)
                raise
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
    kept : list of Kept
        The runs in the table.
    knobs, buttons : dict
        The controls, by the names of the settings (the hidden layers in two) and by their labels.

    Raises
    ------
    ValueError
        If the images or labels have the wrong shape or values.
    """

    _axes = None

    def __init__(self, X_train, y_train, X_test, y_test):
        self._lock, self._halt, self._thread = threading.Lock(), threading.Event(), None
        network = Network([28 * 28, 10])
        train = _checks.examples(network, X_train, y_train)
        self.digits = train, _checks.validation(network, (X_test, y_test))
        self.kept, self.knobs = [], _knobs(len(X_train))
        tooltips = {
            "Train": "Start, or go on after Stop",
            "Stop": "Pause; Train goes on from here",
            "Reset": "Begin with new weights",
            "Keep this run": "Put it into the table, to compare others with",
        }
        self.buttons, actions = {}, (self.start, self.stop, self.reset, self.keep)
        for (name, tip), action in zip(tooltips.items(), actions, strict=True):
            button = widgets.Button(description=name, tooltip=tip, layout={"width": "auto"})
            button.on_click(action)
            self.buttons[name] = button
        self.buttons["Train"].button_style = "primary"
        wide = {"width": f"{SIZE[0]}px"}
        self.progress = widgets.FloatProgress(max=1, description="Progress", layout=wide)
        self.status = widgets.HTML(layout=wide | {"min_height": "72px"})
        self.message, self.table = widgets.HTML(layout=wide), widgets.HTML()
        self.curves, self.test_digits, self.weights = (
            LiveImage(alt=alt, width=SIZE[0], height=height) for alt, height in SEEN
        )
        shown = [("the run that is shown", 0)]
        self.code_of = widgets.Dropdown(description="Code of", options=shown)
        self.code = widgets.Textarea(description="Code", rows=6, layout={"width": "96%"})
        for knob in self.knobs.values():
            knob.observe(self._turn, "value")
        self.code_of.observe(self._show_code, "value")
        knobs = widgets.VBox(list(self.knobs.values()), layout={"flex": "0 0 auto"})
        display = [widgets.HBox(list(self.buttons.values())), self.progress, self.status]
        display += [self.message, self.curves, self.test_digits, self.weights]
        top = widgets.HBox([knobs, widgets.VBox(display)], layout={"flex_flow": "row wrap"})
        super().__init__([top, self.table, self.code_of, self.code])
        self._renew()
        self._show_all()
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
        self.kept.append(Kept.of(self.run, len(self.kept) + 1))
        self.table.value = _table([kept.row for kept in self.kept])
        kept = [(f"run {number}", number) for number in range(1, len(self.kept) + 1)]
        self.code_of.options = [("the run that is shown", 0), *kept]
        self._fit_axes()
        self._show_all()

    def wait(self):
        """Wait until the run that was started is finished, stopped or diverged."""
        while True:
            with self._lock:  # after a click that is under way
                thread = self._thread
            if thread:
                thread.join()
            if not self.training:
                return

    def close(self):
        """End training and take the panel away."""
        with self._lock:
            self._pause()
            if self._thread and self.training:
                self.run.state = "stopped"
        cells.leave(self)
        for widget in _tree(self):  # with what each has of its own, or they stay in the kernel
            for part in (getattr(widget, "style", None), widget.layout):
                if part is not None:
                    part.close()
            if widget is not self:
                widget.close()
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
        if self.run.state not in ("ready", "training"):
            self._say("The settings have changed. Press Train to try them.")
            return
        state = self.run.state
        self._renew()
        self.run.state = state
        self._show_all()

    def _pause(self):
        self._halt.set()
        if self._thread:
            self._thread.join()

    def _renew(self):
        self.run = Run(self.settings, self.digits)
        self._fit_axes()

    def _fit_axes(self):
        """Draw the axes anew, which takes a while, if others are needed."""
        needed = self.run.settings.epochs, len(self.kept)
        if self._axes != needed:
            self._axes, self._live = needed, LiveCurves(self.run, self.kept)

    def _work(self):
        """Train until the end or a click, and show it."""
        try:
            while not self._halt.is_set() and self.run.advance(FRAME):
                self._show()
            if not self.training:
                self._show_all()
        except Exception as error:  # told here, since nobody waits for the thread
            self._fail(error)

    def _fail(self, error):
        self.run.state = "failed"
        self.run.message = (
            "Something went wrong that should not, and it is not your fault. Run the cell again. The "
            f"error was: {type(error).__name__}: {error}"
        )
        self._show_words()

    def _show_all(self):
        self._show()
        self._show_words()

    def _show(self):
        """Bring the pictures and the figures up to date, many times a second."""
        self.progress.value, self.status.value = self.run.done, _status(self.run)
        self.curves.value = self._live.png(self.run)
        self.test_digits.value = png(digits_picture(self.run))
        self.weights.value = png(weights_picture(self.run))

    def _show_words(self):
        self.buttons["Train"].disabled = self.training
        self.buttons["Stop"].disabled = not self.training
        self.status.value = _status(self.run)
        self._say(self.run.message)
        self._show_code()

    def _say(self, text):
        style = "border-left:4px solid #D55E00;padding:2px 10px;line-height:1.4" if text else ""
        self.message.value = f'<div role="status" style="{style}">{escape(text)}</div>'

    def _show_code(self, _=None):
        number = self.code_of.value
        self.code.value = self.kept[number - 1].code if number else self.run.code()


def _knobs(n_train):
    """Return the controls by the names of `Settings`, the hidden layers in two."""
    look = {"style": {"description_width": "108px"}, "layout": {"width": "268px"}}

    def choice(description, values, value):
        options = [(f"{v:,}" if isinstance(v, int) else f"{v:g}", v) for v in values]
        more = {"options": options, "value": value, "continuous_update": False}
        return widgets.SelectionSlider(description=description, **more, **look)

    def menu(description, options):
        return widgets.Dropdown(description=description, options=options, **look)

    def slider(description, value, low, high):
        more = {"min": low, "max": high, "continuous_update": False}
        return widgets.IntSlider(value, description=description, **more, **look)

    def series(first, last):
        return [(m, e) for e in range(first, last) for m in (1, 2, 5)]

    new = Settings()
    sizes = [m * 10**e for m, e in series(2, 7) if m * 10**e < n_train]
    batches = sorted([m * 10**e for m, e in series(0, 3)] + [32, 1000])
    rates = [float(f"{m}e{e}") for m, e in series(-4, 2)] + [100.0]
    inits = {
        "he: √(2 / n_in)": "he",
        "xavier: √(2 / (n_in + n_out))": "xavier",
        "normal: N(0, 1)": "normal",
    }
    return {
        "hidden_layers": slider("Hidden layers", 1, 0, 3),
        "units": choice("Units in each", [2, 5, 10, 20, 50, 100, 200], new.hidden[0]),
        "activation": menu("Activation", ["relu", "sigmoid"]),
        "init": menu("First weights", list(inits.items())),
        "learning_rate": choice("Learning rate", rates, new.learning_rate),
        "batch_size": choice("Batch size", batches, new.batch_size),
        "epochs": slider("Epochs", new.epochs, 1, 30),
        "momentum": choice("Momentum", [k / 20 for k in range(20)], new.momentum),
        "l2": choice("L2", [0.0, 1e-5, 1e-4, 0.001, 0.01, 0.1], new.l2),
        "n_images": choice("Training images", [*sizes, n_train], n_train),
        "seed": widgets.BoundedIntText(0, min=0, max=9999, description="Seed", **look),
    }


def _status(run):
    """Return two lines of text about a run, as HTML."""
    n, seconds = len(run.loss), run.seconds
    left = seconds * (1 / run.done - 1) if n else 0
    first = {
        "ready": "Ready. Press Train.",
        "training": f"About {left:.0f} s left.",
        "stopped": "Stopped. Train goes on from here.",
        "finished": f"Finished in {seconds:.1f} s.",
        "diverged": "Blown up.",
        "failed": "Ended by an error. Train begins anew.",
    }[run.state]
    epochs = run.settings.epochs
    first = (
        f"<b>{first}</b> Epoch {min(n // run.per_epoch + 1, epochs)} of {epochs} · iteration {n:,} "
        f"of {run.n_iterations:,}"
    )
    second = f"Right: ≈ {run.looks[-1][1]:.0%} of {len(run.probs):,} test images now"
    if run.points:
        batch = min(run.settings.batch_size, len(run.X))
        first += f" · {n * batch / seconds:,.0f} images/s"
        second = f"Loss {run.curve()[-1][-1]:.3f} · {second}"
    if run.epochs:
        epoch, _, _, on_train, on_test = run.epochs[-1]
        second += (
            f"; after epoch {epoch} <b>{on_train:.1%}</b> of the training images, "
            f"<b>{on_test:.1%}</b> of all test images"
        )
    return f'<div style="line-height:1.5">{first}<br>{second}</div>'


def _table(rows):
    """Return the kept runs as an HTML table; what differs from the run above is bold."""
    lines = []
    for above, row in pairwise([rows[0], *rows]):
        settings = list(row)[1:-5]
        bold = {name: name in settings and row[name] != above[name] for name in row}
        cells = [f"<b>{escape(t)}</b>" if bold[name] else escape(t) for name, t in row.items()]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    return (
        '<table style="border-spacing:7px 2px;line-height:1.4;font-size:12px;text-align:right">'
        '<caption style="text-align:left">Kept runs; the numbers are those in the diagrams, and '
        "bold is what changed from the run above</caption>"
        + "".join(f"<tr>{line}</tr>" for line in [head, *lines])
        + "</table>"
    )


def _tree(widget):
    """Yield a widget and all those inside of it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _tree(child)
