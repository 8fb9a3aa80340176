"""A panel that trains a network live, with a knob for everything that can be set."""

import asyncio
import time
from functools import wraps
from html import escape

import ipywidgets as widgets

from . import cells
from .live_image import LiveImage
from .pictures import LiveCurves, digits_png, plot_run, weights_png
from .runs import Kept, Run, Settings, as_digits

SLICE = 0.02  # seconds of training between two looks at what the learner wants
FRAME = 0.08  # seconds from picture to picture
_IN_TURN = ("text", "digits", "text", "weights")  # beside the curves, one of these in each picture
_BREATHS = 4  # turns of the event loop in each break, so that a click gets through in one of them
_SERIES = (1, 2, 5)

_CURVES_ALT = (
    "Two diagrams against epochs: the loss, raw values faint and their running mean on top; and "
    "the share of training and test images that are read right."
)
_DIGITS_ALT = "The first test digits, and below each the network's answer with a tick or a cross."
_WEIGHTS_ALT = (
    "The weights of the first layer's units as small pictures, blue adds, red takes away."
)


def _callback(method):
    """Call a method in the thread that trains; show an unexpected error in the panel, and raise it.

    JupyterLab may send a click to one thread of the kernel and the next to another. If each did
    its work at once, a run could be replaced while another thread is about to start it.
    """

    @wraps(method)
    def call(self, *args):
        if self._loop not in (None, _running_loop()) and self._loop.is_running():
            self._loop.call_soon_threadsafe(call, self, *args)
            return None
        try:
            return method(self, *args)
        except Exception as error:
            self._show_error(error)
            raise

    return call


class Playground(widgets.VBox):
    """Train a network live, and see at once what each setting does.

    Train starts a run, Stop pauses it, Reset goes back to new weights, and Keep this run puts it
    into a table to compare others with. To move a knob during training starts the run again with
    the new setting. A kernel stays usable meanwhile, since training is an asyncio task.

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
    kept : list of Kept
        The runs in the table.
    network : Network
        That of `run`.

    Raises
    ------
    ValueError
        If the images or labels have the wrong shape or values.

    Notes
    -----
    To close the panel, or to run its cell again, ends its training. Where there is no event loop,
    as in a script, click and then ``asyncio.run(playground.run_until_done())``.
    """

    _task = _curves = None

    def __init__(self, X_train, y_train, X_test, y_test):
        self.digits = as_digits(X_train, y_train, X_test, y_test)
        self._loop = _running_loop()
        self.run, self.kept = Run(Settings(), self.digits), []
        self._knobs = _knobs(len(X_train))
        for name, knob in self._knobs.items():
            setattr(self, name, knob)
            knob.observe(self._on_knob, "value")
        self._make_buttons()
        self._make_display()
        super().__init__([self._layout(), self.table, self.code_of, self.code])
        self._show()
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
        values = {name: knob.value for name, knob in self._knobs.items()}
        n_layers, n_units = values.pop("hidden_layers"), values.pop("units")
        values["momentum"] = round(values["momentum"], 4)  # a slider adds up its steps
        if values["n_images"] == len(self.digits[0][0]):
            values["n_images"] = None
        return Settings(hidden=(n_units,) * n_layers, **values)

    @property
    def training(self):
        """Whether a run is under way."""
        return self.run.state == "training"

    # what the buttons do

    @_callback
    def start(self, *_):
        """Train: go on after Stop; else begin anew with what the knobs say."""
        if self.training:
            return
        goes_on = self.run.state == "stopped" and self.run.settings == self.settings
        if not goes_on and not self._renew():
            return
        self.run.state, self.run.message = "training", ""
        self._show()
        self._begin_task()

    @_callback
    def stop(self, *_):
        """Stop: pause the run where it is."""
        self._end_task()
        self.run.stop()
        self._show()

    @_callback
    def reset(self, *_):
        """Reset: end the run, and begin with new weights."""
        self._end_task()
        self.run.stop()
        self._renew()

    @_callback
    def keep(self, *_):
        """Keep this run: put it into the table."""
        if not self.run.iteration:
            self._say("There is nothing to keep yet. Press Train first.")
            return
        self.run.look()
        self.kept.append(Kept.of(self.run, len(self.kept) + 1))
        self.table.value = _table([kept.row() for kept in self.kept])
        shown = [("the run that is shown", 0)]
        self.code_of.options = shown + [(f"run {kept.number}", kept) for kept in self.kept]
        self._show()

    def close(self):
        """End training and take the panel away."""
        self._end_task()
        cells.leave(self)
        for widget in _tree(self):
            for part in ("style", "layout"):
                if getattr(widget, part, None) is not None:
                    getattr(widget, part).close()
            if widget is not self:
                widget.unobserve_all()
                widget.close()
        super().close()

    async def run_until_done(self):
        """Wait until the run that was started is finished, stopped or diverged."""
        if self.training and self._task is None:  # started where there was no event loop
            self._begin_task()
        while (task := self._task) is not None:
            await asyncio.wait([task])
            await asyncio.sleep(0)  # for what is to be done when it ends
            if not task.cancelled():
                task.result()  # raises what it raised

    def snapshot(self, **settings):
        """Train from new weights to the end, apart from the panel, and draw what it would show.

        Parameters
        ----------
        **settings
            What differs from the settings that a new panel has, by the names of `Settings`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return plot_run(Run(Settings(**settings), self.digits).finish())

    # training

    def _renew(self):
        """Make a new run from the knobs; return whether that could be done."""
        try:
            self.run = Run(self.settings, self.digits)
        except ValueError as error:
            self._say(f"These settings do not work: {error}.")
            return False
        self._show()
        return True

    def _begin_task(self):
        loop = _running_loop()
        if loop is None:
            return  # `run_until_done` will begin it
        self._task = loop.create_task(self._train(self.run))
        self._task.add_done_callback(self._task_done)

    def _end_task(self):
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _task_done(self, task):
        if task is self._task:
            self._task = None
        if not task.cancelled() and task.exception():
            self.run.stop()
            self._set_buttons()
            self._show_code()
            self.status.value = _status(self.run)
            self._show_error(task.exception())
            task.get_loop().call_exception_handler(
                {"message": "the playground's training failed", "exception": task.exception()}
            )

    async def _train(self, run):
        drawn, n = 0.0, 0
        while run.under_way:
            more = run.advance(SLICE)
            if not more or time.perf_counter() - drawn > FRAME:
                drawn, n = time.perf_counter(), n + 1
                self._draw(_IN_TURN[n % len(_IN_TURN)] if more else None)
            for _ in range(_BREATHS):
                await asyncio.sleep(0)
        self._show()

    # what is seen

    def _show(self):
        """Bring everything up to date, the slow and the quick."""
        self._set_buttons()
        self._say(self.run.message)
        self._draw()
        self._show_code()

    def _set_buttons(self):
        self.train_button.disabled = self.training
        self.stop_button.disabled = not self.training

    def _draw(self, part=None):
        """Draw the curves and one of the other parts, or all of them; quick, for each frame."""
        run = self.run
        run.look()
        if self._curves is None or not self._curves.fits(run, self.kept):
            self._curves = LiveCurves(run, self.kept)
        self.curves.value = self._curves.png(run)
        if part in (None, "digits"):
            self.test_digits.value = digits_png(run)
        if part in (None, "weights"):
            self.weights.value = weights_png(run)
        if part in (None, "text"):
            self.progress.value = run.iteration / run.n_iterations
            self.status.value = _status(run)

    def _say(self, text):
        self.message.value = (
            f'<div role="status" style="border-left:4px solid #D55E00;padding:2px 10px;'
            f'line-height:1.4">{escape(text)}</div>'
            if text
            else '<div role="status"></div>'
        )

    def _show_error(self, error):
        self._say(
            "Something went wrong that should not, and it is not your fault. Run the cell again. "
            f"The error was: {type(error).__name__}: {error}"
        )

    @_callback
    def _show_code(self, *_):
        kept = self.code_of.value
        self.code.value = kept.code if kept else self.run.code()

    @_callback
    def _on_knob(self, _):
        self.units.disabled = self.hidden_layers.value == 0
        if self.training:
            self._end_task()
            self.run.stop()
            self.start()
        elif self.run.state == "ready":
            self._renew()
        else:
            self._say("The settings have changed. Press Train to try them.")

    def _make_buttons(self):
        def button(description, tooltip, action):
            layout = widgets.Layout(width="auto", min_width="80px")
            made = widgets.Button(description=description, tooltip=tooltip, layout=layout)
            made.on_click(action)
            return made

        self.train_button = button("Train", "Start, or go on after Stop", self.start)
        self.stop_button = button("Stop", "Pause; Train goes on from here", self.stop)
        self.reset_button = button("Reset", "Begin with new weights", self.reset)
        self.keep_button = button(
            "Keep this run", "Put it into the table, to compare others with", self.keep
        )
        self.train_button.button_style = "primary"

    def _make_display(self):
        width, height = LiveCurves.size
        self.progress = widgets.FloatProgress(
            min=0, max=1, description="Progress", layout={"width": f"{width}px"}
        )
        self.status = widgets.HTML(layout={"width": f"{width}px", "min_height": "72px"})
        self.message = widgets.HTML(layout={"width": f"{width}px"})
        self.curves = LiveImage(alt=_CURVES_ALT, width=width, height=height)
        self.test_digits = LiveImage(alt=_DIGITS_ALT, width=width, height=82)
        self.weights = LiveImage(alt=_WEIGHTS_ALT, width=width, height=108)
        self.table = widgets.HTML()
        self.code_of = widgets.Dropdown(
            description="Code of", options=[("the run that is shown", 0)]
        )
        self.code_of.observe(self._show_code, "value")
        self.code = widgets.Textarea(
            description="Code",
            rows=6,
            tooltip="The lines that repeat the run",
            layout={"width": "96%"},
        )

    def _layout(self):
        buttons = widgets.HBox(
            [self.train_button, self.stop_button, self.reset_button, self.keep_button]
        )
        knobs = widgets.VBox(list(self._knobs.values()), layout={"flex": "0 0 auto"})
        display = widgets.VBox(
            [
                buttons,
                self.progress,
                self.status,
                self.message,
                self.curves,
                self.test_digits,
                self.weights,
            ]
        )
        return widgets.HBox([knobs, display], layout={"flex_flow": "row wrap"})


def _knobs(n_train):
    """Return the controls by the names of `Settings`, the hidden layers in two."""
    default = Settings()
    look = {"style": {"description_width": "108px"}, "layout": {"width": "268px"}}

    def choice(description, options, value):
        return widgets.SelectionSlider(
            description=description,
            options=[(name, option) for option, name in options],
            value=value,
            continuous_update=False,
            **look,
        )

    def numbers(values):
        return [(value, f"{value:,}") for value in values]

    sizes = [m * 10**e for e in range(2, 7) for m in _SERIES if m * 10**e < n_train]
    rates = [float(f"{m}e{e}") for e in range(-4, 2) for m in _SERIES] + [100.0]
    batches = sorted([m * 10**e for e in range(3) for m in _SERIES] + [32, 1000])
    slider = {"continuous_update": False, **look}
    return {
        "hidden_layers": widgets.IntSlider(1, min=0, max=3, description="Hidden layers", **slider),
        "units": choice("Units in each", numbers([2, 5, 10, 20, 50, 100, 200]), default.hidden[0]),
        "activation": widgets.Dropdown(
            options=["relu", "sigmoid"], description="Activation", **look
        ),
        "init": widgets.Dropdown(
            options=[
                ("he: √(2 / n_in)", "he"),
                ("xavier: √(2 / (n_in + n_out))", "xavier"),
                ("normal: N(0, 1)", "normal"),
            ],
            description="First weights",
            **look,
        ),
        "learning_rate": choice(
            "Learning rate", [(rate, f"{rate:g}") for rate in rates], default.learning_rate
        ),
        "batch_size": choice("Batch size", numbers(batches), default.batch_size),
        "epochs": widgets.IntSlider(default.epochs, min=1, max=30, description="Epochs", **slider),
        "momentum": widgets.FloatSlider(
            0, min=0, max=0.95, step=0.05, description="Momentum", **slider
        ),
        "l2": choice(
            "L2", [(v, f"{v:g}") for v in (0.0, 1e-5, 1e-4, 0.001, 0.01, 0.1)], default.l2
        ),
        "n_images": choice("Training images", numbers([*sizes, n_train]), n_train),
        "seed": widgets.BoundedIntText(0, min=0, max=9999, description="Seed", **look),
    }


def _status(run):
    """Return two lines of text about a run, as HTML."""
    epoch = min(run.iteration // run.per_epoch + 1, run.settings.epochs)
    first = {
        "ready": "Ready. Press Train.",
        "training": f"About {run.seconds_left:.0f} s left.",
        "stopped": "Stopped. Train goes on from here.",
        "finished": f"Finished in {run.seconds:.1f} s.",
        "diverged": "Blown up.",
        "failed": "Ended by an error. Train begins anew.",
    }[run.state]
    speed = f" · {run.images_per_second:,.0f} images/s" if run.iteration else ""
    parts = [
        f"<b>{first}</b> Epoch {epoch} of {run.settings.epochs} · iteration {run.iteration:,} of "
        f"{run.n_iterations:,}{speed}"
    ]
    _, loss = run.curve.smooth()
    now = f"Right: ≈ {run.looks[-1].accuracy:.0%} of {len(run.probs):,} test images now"
    if run.epochs:
        record = run.epochs[-1]
        now += (
            f"; after epoch {record.epoch} <b>{record.train_accuracy:.1%}</b> of the training "
            f"images, <b>{record.validation_accuracy:.1%}</b> of all test images"
        )
    parts.append(f"Loss {loss[-1]:.3f} · {now}" if len(loss) else now)
    return f'<div style="line-height:1.5">{"<br>".join(parts)}</div>'


def _table(rows):
    """Return the kept runs as an HTML table; what differs from the run above is bold."""
    lines, above = [], {}
    for row in rows:
        cells = []
        for name, text in row.items():
            changed = bool(above) and name in list(row)[1:-5] and above.get(name) != text
            cells.append(f"<td>{'<b>' * changed}{escape(text)}{'</b>' * changed}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
        above = row
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    return (
        '<table style="border-spacing:7px 2px;line-height:1.4;font-size:12px;text-align:right">'
        '<caption style="text-align:left">Kept runs; the numbers are those in the diagrams, and '
        f"bold is what changed from the run above</caption><tr>{head}</tr>{''.join(lines)}</table>"
    )


def _running_loop():
    """Return the event loop of this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _tree(widget):
    """Yield a widget and all those inside of it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _tree(child)
