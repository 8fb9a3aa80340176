"""A panel that trains a network live, with a knob for everything that can be set."""

import asyncio
import signal
import threading
from functools import partial

import ipywidgets as widgets

from .. import _checks
from ..network import Network
from . import cells
from .live_run import Run
from .network_view import NetworkView, display_with_recording, one_of_each
from .parts import ArrowKeys, Status, close_parts
from .settings import make_knobs, read_knobs

SLICE = 0.02  # seconds of training, after which the kernel gets a turn


class Playground(widgets.VBox):
    """Train a network live, look inside, and see at once what each setting does.

    Train starts a run, Stop pauses it, Reset goes back to new weights. A run that is kept stays in
    the curves. To move a knob during training starts again with the new setting. Training is a task
    of the notebook's event loop, so cells can be run meanwhile; to close the panel, or to run its
    cell again, ends it. In a script, where no such loop runs, `wait` trains.

    Parameters
    ----------
    X_train, y_train, X_test, y_test : ndarray, shapes (n, 784) and (n,)
        Images as rows, pixels 0–1, and their labels.
    shown : iterable of int
        Test images to choose from, beside one of each other digit: ``digits.familiar.values()``.

    Attributes
    ----------
    run : Run
        What is trained: its `state`, `settings`, `network`, and its `code()`.
    kept, knobs : dict
        The runs that were kept, by number; the controls, by name: ``knobs["epochs"].value = 1``.

    Raises
    ------
    ValueError
        If the images or labels have the wrong shape or values.
    """

    def __init__(self, X_train, y_train, X_test, y_test, *, shown=()):
        network = Network([28 * 28, 10])
        train = _checks.examples(network, X_train, y_train)
        X, y = test = _checks.validation(network, (X_test, y_test))
        self.digits = train, test
        self.kept, self.run, self._task, self._halt = {}, None, None, threading.Event()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # in a script
            self._loop = None
        some = one_of_each(X, y, shown)
        self.view = NetworkView(X[some], y[some], live=True)
        self.view.on_msg(self._queued(self._on_message))
        self.knobs, self.buttons, self.status = make_knobs(len(X_train)), {}, Status()
        for knob in self.knobs.values():
            knob.observe(self._queued(self._turn), "value")
        for name, action in (("Train", self.train), ("Stop", self.stop), ("Reset", self.reset)):
            self.buttons[name] = widgets.Button(description=name, tooltip=action.__doc__)
            self.buttons[name].on_click(self._queued(action))
        self.buttons["Stop"].on_click(lambda _: self._halt.set())  # whatever its thread is doing
        self.buttons["Train"].button_style = "primary"
        columns = {"grid_template_columns": "repeat(auto-fill, minmax(min(100%, 380px), 1fr))"}
        knobs = widgets.GridBox([*self.knobs.values()], layout=columns | {"align_items": "center"})
        top = widgets.HBox([*self.buttons.values(), self.status, ArrowKeys()])
        top.layout.flex_flow = "row wrap"
        super().__init__([top, knobs, self.view])
        self.add_class("course-widget")
        self.reset()
        cells.enter(self)

    def __repr__(self):
        return "Playground: a panel of knobs; run this cell in a notebook to turn them"

    def _ipython_display_(self):
        display_with_recording(self)

    @property
    def training(self):
        """Whether a run is under way."""
        return self.run.state == "training"

    def train(self, *_):
        """Start, or go on after Stop."""
        if self.run.steps is None or self.run.settings != read_knobs(self.knobs):
            self._renew()
        if not self.training:
            self._halt.clear()
            self.run.state, self.run.message = "training", ""
            self._show()
        if self._loop and (self._task is None or self._task.done()):
            self._task = self._loop.create_task(self._work(), name="playground")

    def stop(self, *_):
        """Pause; Train goes on from here."""
        if self.training:
            self.run.pause()
            self._show()

    def reset(self, *_):
        """Begin with new weights."""
        self._renew()
        self._show()

    def wait(self):
        """Train until the run is finished, stopped or blown up; an interrupt is a click on Stop."""
        # an exception in the middle of a step would end the run for good
        before = signal.signal(signal.SIGINT, lambda *_: self._halt.set())
        try:
            while self.training:
                self._advance()
        finally:
            signal.signal(signal.SIGINT, before)

    def close(self):
        """End training, take the panel away, and let go of what it holds."""
        if self.comm is None:  # closed already, or never opened
            return
        self.stop()
        cells.OPEN.pop(self, None)
        for run in {self.run, *self.kept.values()}:
            run.release()
        self.view.sent.clear()  # IPython's `Out` may keep the panel
        self.digits = None
        close_parts(self)
        super().close()

    def _queued(self, action):
        """Return what lets the panel's loop run `action`: a click may come in another thread."""
        return partial(self._loop.call_soon_threadsafe, action) if self._loop else action

    def _turn(self, _):
        """Begin again with the knob that was turned, if nothing is lost by it."""
        self.knobs["units"].disabled = self.knobs["hidden_layers"].value == 0
        if action := {"training": self.train, "ready": self.reset}.get(self.run.state):
            action()
        elif self.run.settings != read_knobs(self.knobs):
            self.status.say("The settings have changed. Press Train to try them.")

    def _on_message(self, _, message, __):
        """Keep the run that is trained, drop one, or clear away all others."""
        kind, number, now = message["type"], message.get("run"), self.run.number
        if kind == "keep" and number == now:  # or it has just been replaced
            self.kept[now] = self.run
            self.view.keep(now)
        gone = {"drop": {number}, "clear": {*self.kept} - {now}}.get(kind, ())
        for each in gone:
            self.kept.pop(each, None)
            self.view.drop(each)
        if now in gone:
            self.reset()

    def _renew(self):
        """Put a run with new weights in the place of the one before, if that is not kept."""
        number = 1
        if self.run:
            self.run.release()
            number += self.run.number
            if self.run.number not in self.kept:
                self.view.drop(self.run.number)
        if self.digits:  # or a click came when the panel was closed already
            self.run = Run(number, read_knobs(self.knobs), self.digits, self.view)

    async def _work(self):
        """Train in slices; between them the kernel has time for cells and clicks."""
        while self.training:
            self._advance()
            await asyncio.sleep(0.001)  # as a message passes through queues of other threads

    def _advance(self):
        self.run.advance(SLICE, self._halt)
        if not self.training:
            self._show()

    def _show(self):
        """Bring everything but the pictures up to date."""
        self.buttons["Train"].disabled = self.training
        self.buttons["Stop"].disabled = not self.training
        self.view.state = self.run.state
        self.view.tell({"type": "code", "run": self.run.number, "code": self.run.code()})
        self.status.say(self.run.message)
