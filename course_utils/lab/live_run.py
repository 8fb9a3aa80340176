"""A run of the playground: its state, what it tells a view, and the lines that repeat it."""

import time

import numpy as np

from .._cores import one_core_if_small
from ..network import Network
from ..training import DivergenceError, sgd
from .network_view.recorder import Recorder


class Run:
    """A network in training, told to `view`; `digits` are ``(X_train, y_train), (X_test, y_test)``.

    `state` is ready, training, stopped, finished, diverged or failed; `message` says in plain words
    what a learner should know of that. `iteration` is the last one that is done.
    """

    def __init__(self, number, settings, digits, view):
        (X, y), test = digits
        train = X[: settings.n_images], y[: settings.n_images]
        self.number, self.settings = number, settings
        sizes = [X.shape[1], *settings.hidden, 10]
        self.network = Network(sizes, settings.activation, settings.init, settings.seed)
        self.steps = sgd(self.network, *train, rng=settings.seed, **settings.of_training)
        about = {"epochs": settings.epochs, "batch_size": settings.batch_size}
        about |= {"run": number, "name": f"{number}: {settings.changes}"}
        self.recorder = Recorder(view, self.network, train, test, **about)
        self.iteration, self.loss, self.state, self.message = 0, None, "ready", ""

    @property
    def under_way(self):
        """Whether there is something left to do."""
        return self.state in ("ready", "training", "stopped")

    def advance(self, seconds, halt):
        """Train for so long, or until `halt` is set; return whether there is more to do."""
        end = time.perf_counter() + seconds
        try:
            with one_core_if_small(self.network, self.settings.batch_size):
                for step in self.steps:
                    self.iteration, self.loss = step.iteration, step.loss
                    self.recorder.see(step)
                    if halt.is_set() or time.perf_counter() > end:
                        return True
            self.state, self.message = "finished", self._lesson()
        except DivergenceError:
            self.state, self.message = "diverged", self._explain()
        except Exception as error:  # told here, since nobody waits for it
            self.state = "failed"
            what = f"{type(error).__name__}: {error}"
            self.message = f"An error ended the run, and it is not your fault: {what}"
        self.release()
        return False

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

    def _lesson(self):
        """Return advice for a run that came to its end but learned nothing."""
        right, rate = 1 - self.recorder.error[0], self.settings.learning_rate
        if right > 0.3:
            return ""
        text = f"It ended, but it reads only {right:.0%} of its training images right. "
        probs = self.network.predict_proba(self.recorder.digits[1][0][:300])
        if np.ptp(probs, axis=0).max() > 0.01:
            return text + "Try another learning rate, more epochs, or another activation or init."
        return text + (
            "It gives the same answer to every image: the steps were so large that they switched its "
            f"units off for good. Try a learning rate of {rate / 10:g} in place of {rate:g}."
        )

    def _explain(self):
        """Return what a learner should know of a run that blew up."""
        s, loss = self.settings, "" if self.loss is None else f" was {self.loss:.0e}, and then"
        others = (("momentum", s.momentum), ("L2", s.l2))
        also = "".join(f", or less {name} (now {v:g})" for name, v in others if v)
        return (
            f"It blew up: in iteration {self.iteration + 1:,} the loss{loss} became too large for a "
            "number. Each step jumped over the valley and landed higher than the one before. Try a "
            f"learning rate of {s.learning_rate / 10:g} in place of {s.learning_rate:g}{also}."
        )
