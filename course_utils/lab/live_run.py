"""A run of the playground: its state, what it tells a view, and the lines that repeat it."""

import time

from .._cores import one_core_if_small
from ..network import Network
from ..training import DivergenceError, sgd
from .network_view.recorder import Recorder

LEARNED_NOTHING = (
    "It ended, but reads only {:.0%} of its training images right: the steps were too large or too "
    "small. Try another learning rate, more epochs, or another activation or init."
)
BLEW_UP = (
    "It blew up: in iteration {:,} the loss became too large for a number, as each step landed higher "
    "than the one before. Try a learning rate of {:g} in place of {:g}, or less momentum or L2."
)


class Run:
    """A network in training, told to `view`; `digits` are ``(X_train, y_train), (X_test, y_test)``.

    `state` is ready, training, stopped, finished or diverged; `message` says in plain words what a
    learner should know of that. `iteration` is the last one that is done.
    """

    def __init__(self, number, settings, digits, view):
        (X, y), test = digits
        train = X[: settings.n_images], y[: settings.n_images]
        self.number, self.settings = number, settings
        sizes = [X.shape[1], *settings.hidden, 10]
        self.network = Network(sizes, settings.activation, settings.init, settings.seed)
        self.steps = sgd(self.network, *train, rng=settings.seed, **settings.of_training)
        about = {"run": number, "name": f"{number}: {settings.changes}", **settings.of_training}
        self.recorder = Recorder(view, self.network, train, test, **about)
        self.iteration, self.state, self.message = 0, "ready", ""

    def advance(self, seconds, halt):
        """Train for so long, or until `halt` is set, or to the end."""
        end = time.perf_counter() + seconds
        try:
            with one_core_if_small(self.network, self.settings.batch_size):
                for step in self.steps:
                    self.iteration = step.iteration
                    self.recorder.see(step)
                    if halt.is_set():
                        return self.pause()
                    if time.perf_counter() > end:
                        return
            self.state, wrong = "finished", self.recorder.error[0]
            self.message = "" if wrong < 0.7 else LEARNED_NOTHING.format(1 - wrong)
        except DivergenceError:
            rate = self.settings.learning_rate
            self.state = "diverged"
            self.message = BLEW_UP.format(self.iteration + 1, rate / 10, rate)
        except Exception as error:  # told here, since nobody waits for it
            self.state, self.message = "diverged", f"{type(error).__name__} ended the run: {error}"
        self.release()

    def pause(self):
        """Stop in the middle, and show the network as it is."""
        self.state = "stopped"
        self.recorder.snapshot(self.iteration)

    def release(self):
        """Let go of what only training needs, above all the images."""
        self.steps = self.recorder = None

    def code(self):
        """Return the lines of Python that repeat this run, to the last bit of the weights."""
        return self.settings.code(None if self.state in ("ready", "finished") else self.iteration)
