"""A panel that trains a network live, with a knob for everything that can be set."""

import asyncio
import signal
import threading
from functools import wraps

import ipywidgets as widgets

from .. import _checks
from ..network import Network
from . import cells
from .live_run import Run
from .network_view import NetworkView, display_with_recording, one_of_each
from .parts import ArrowKeys
from .settings import make_knobs, read_knobs

SLICE = 0.02  # seconds of training, after which the kernel gets a turn


def _at_home(method):
    """Let a method run in the thread that trains: JupyterLab may hand a click to another one."""

    @wraps(method)
    def call(self, *arguments):
        if self._loop is None or threading.current_thread() is self._thread:
            return method(self, *arguments)
        return self._loop.call_soon_threadsafe(method, self, *arguments)

    return call


class Playground(widgets.VBox):
    """Train a network live, look inside, and see at once what each setting does.

    Train starts a run, Stop pauses it, Reset goes back to new weights. A run that is kept stays in
    the curves. To move a knob during training starts again with the new setting. Training is a task
    of the notebook's event loop, so cells can be run meanwhile; to close the panel, or to run its
    cell again, ends it. Where no such loop runs, as in a script, `wait` trains.

    Parameters
    ----------
    X_train, X_test : ndarray, shape (n, 784)
        Images as rows, pixels 0–1.
    y_train, y_test : ndarray of int, shape (n,)
        Labels.
    shown : iterable of int
        Test images to choose from, beside one of each other digit: ``digits.familiar.values()``.

    Attributes
    ----------
    run : Run
        What is trained: its `state`, `settings`, `network`, and its `code()`.
    kept : dict of Run
        The runs that were kept, by their numbers.
    knobs : dict
        The controls, by name: ``playground.knobs["epochs"].value = 1``.

    Raises
    ------
    ValueError
        If the images or labels have the wrong shape or values.
    """

    def __init__(self, X_train, y_train, X_test, y_test, *, shown=()):
        network = Network([28 * 28, 10])
        train = _checks.examples(network, X_train, y_train)
        self.digits = train, _checks.validation(network, (X_test, y_test))
        self.kept, self.run, self._number = {}, None, 0
        self._halt, self._task, self._thread = threading.Event(), None, threading.current_thread()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # in a script
            self._loop = None
        X, y = self.digits[1]
        some = one_of_each(y, shown)
        self.view = NetworkView(X[some], y[some], live=True)
        self.view.on_msg(self._on_message)
        self.knobs, self.buttons = make_knobs(len(X_train)), {}
        for knob in self.knobs.values():
            knob.observe(self._turn, "value")
        for name, action in (("Train", self.train), ("Stop", self.stop), ("Reset", self.reset)):
            self.buttons[name] = widgets.Button(description=name, tooltip=action.__doc__)
            self.buttons[name].on_click(action)
        self.buttons["Train"].button_style = "primary"
        columns = {"grid_template_columns": "repeat(auto-fill, minmax(min(100%, 340px), 1fr))"}
        knobs = widgets.GridBox(list(self.knobs.values()), layout=columns)
        super().__init__([widgets.HBox([*self.buttons.values(), ArrowKeys()]), knobs, self.view])
        self.add_class("course-widget")
        self.reset()
        cells.enter(self)

    def __repr__(self):
        return "Playground: a panel of knobs; run this cell in a notebook to turn them"

    def _ipython_display_(self):
        display_with_recording(self, self.view)

    @property
    def network(self):
        """The network of the run that is trained."""
        return self.run.network

    @property
    def training(self):
        """Whether a run is under way."""
        return self.run.state == "training"

    @property
    def settings(self):
        """What the knobs say, as `Settings`."""
        return read_knobs(self.knobs)

    @_at_home
    def train(self, *_):
        """Start, or go on after Stop."""
        if not self.run.under_way or self.run.settings != self.settings:
            self._renew()
        if not self.training:
            self._begin()

    def stop(self, *_):
        """Pause; Train goes on from here."""
        self._halt.set()  # at once, whatever the panel's own thread is doing
        self._pause()

    @_at_home
    def reset(self, *_):
        """Begin with new weights."""
        self._renew()
        self._show()

    @_at_home
    def keep(self, number=None):
        """Keep the run that is trained, to compare others with."""
        if not self.run.iteration:
            self.view.message = "There is nothing to keep yet. Press Train first."
        elif number in (None, self.run.number):
            self.kept[self.run.number] = self.run
            self.view.keep(self.run.number)

    @_at_home
    def remove(self, number):
        """Take a run away."""
        self.kept.pop(number, None)
        self.view.drop(number)
        if number == self.run.number:
            self.reset()

    @_at_home
    def clear(self):
        """Take all runs away but the one that is trained."""
        for number in {*self.kept} - {self.run.number}:
            self.remove(number)

    def wait(self):
        """Train until the run is finished, stopped or blown up; an interrupt is a click on Stop."""
        before = signal.getsignal(signal.SIGINT)
        # an exception in the middle of a step would end the run for good
        signal.signal(signal.SIGINT, lambda *_: self._halt.set())
        try:
            while self.training:
                self._advance()
        finally:
            signal.signal(signal.SIGINT, before)

    def close(self):
        """End training, take the panel away, and let go of what it holds."""
        if self.comm is None:  # closed already, or never opened
            return
        self._halt.set()
        self._end_task()
        cells.OPEN.pop(self, None)
        for run in {self.run, *self.kept.values()}:
            run.release()
        self.view.sent.clear()
        self.digits = None
        for part in (*self.children, self.layout):
            _close(part)
        super().close()

    @_at_home
    def _pause(self):
        self._end_task()
        if self.training:
            self.run.pause()
            self._show()

    @_at_home
    def _turn(self, _):
        """Begin again with the knob that was turned, if nothing is lost by it."""
        self.knobs["units"].disabled = self.knobs["hidden_layers"].value == 0
        if self.run.state in ("ready", "training"):
            go_on = self._begin if self.training else self._show
            self._renew()
            go_on()
        else:
            self.view.message = "The settings have changed. Press Train to try them."

    def _renew(self):
        """Put a run with new weights in the place of the one before, if that is not kept."""
        self._end_task()
        if self.run:
            self.run.release()
            if self.run.number not in self.kept:
                self.view.drop(self.run.number)
        self._number += 1
        self.run = Run(self._number, self.settings, self.digits, self.view)

    def _begin(self):
        self._halt.clear()
        self.run.state, self.run.message = "training", ""
        self._show()
        if self._loop:
            self._task = self._loop.create_task(self._work(), name="playground")

    def _end_task(self):
        if self._task:
            self._task.cancel()
            self._task = None

    async def _work(self):
        """Train in slices; between them the kernel has time for cells and clicks."""
        while self.training:
            self._advance()
            for _ in range(4):
                await asyncio.sleep(0)

    def _advance(self):
        if not self.run.advance(SLICE, self._halt):
            self._show()
        elif self._halt.is_set():
            self._pause()

    def _show(self):
        """Bring everything but the pictures up to date."""
        self.buttons["Train"].disabled = self.training
        self.buttons["Stop"].disabled = not self.training
        with self.view.hold_sync():  # one message
            self.view.state = {"failed": "diverged"}.get(self.run.state, self.run.state)
            self.view.message, self.view.text_code = self.run.message, self.run.code()

    def _on_message(self, _, message, __):
        actions = {"train": self.train, "stop": self.stop, "reset": self.reset, "clear": self.clear}
        actions |= {"keep": self.keep, "drop": self.remove}
        if action := actions.get(message["type"]):
            action(*([message["run"]] if "run" in message else []))


def _close(widget):
    """Close a widget, and all that it has made for itself."""
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    for part in (*getattr(widget, "children", ()), *filter(None, parts)):
        _close(part)
    widget.close()
