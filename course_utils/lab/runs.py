"""One training under way: its settings, its state, and the lines that repeat it. No widget here."""

import time
from array import array
from copy import copy
from dataclasses import asdict, dataclass

import numpy as np

from .. import _checks
from .._cores import one_core_if_small
from ..network import Network
from ..training import DivergenceError, Epoch, sgd

LOOKED_AT = 300  # test images that are asked for each picture
POINTS = 150  # of a curve


@dataclass(frozen=True)
class Settings:
    """All that decides what a run comes to; the same settings give the same weights."""

    hidden: tuple = (20,)  # units in each hidden layer
    activation: str = "relu"
    init: str = "he"
    learning_rate: float = 0.1
    batch_size: int = 32
    epochs: int = 5
    momentum: float = 0.0
    l2: float = 0.0
    n_images: int | None = None  # to train on, from the first; None for all
    seed: int = 0

    @property
    def of_training(self):
        """The options of `sgd`, but for the seed."""
        names = ("epochs", "batch_size", "learning_rate", "momentum", "l2")
        return {name: getattr(self, name) for name in names}


class Run:
    """A network and how far its training is; `digits` are ``(X_train, y_train), (X_test, y_test)``.

    `state` is ready, training, stopped, finished, diverged or failed, and `message` says in plain
    words what a learner should know of that. `loss` and `epochs` are as in `History`. `looks` has
    the epochs done and the share of the first test images that were right, for each picture.
    """

    def __init__(self, settings, digits):
        (X, y), self.test = digits
        n = len(X) if settings.n_images is None else settings.n_images
        _checks.whole_number("n_images", n)
        _checks.sgd_options(**settings.of_training)
        self.settings, self.X, self.y = settings, X[:n], y[:n]
        self.network = Network(
            [X.shape[1], *settings.hidden, 10], settings.activation, settings.init, settings.seed
        )
        self.steps = sgd(self.network, self.X, self.y, rng=settings.seed, **settings.of_training)
        self.per_epoch = -(-len(self.X) // settings.batch_size)  # rounded up
        self.n_iterations = self.per_epoch * settings.epochs
        n, points = self.n_iterations, min(self.n_iterations, POINTS)
        self.starts = np.arange(points) * n // points  # where each point of a curve begins
        self.loss = array("d")  # quicker to draw than a list
        self.epochs, self.looks = [], []
        self.state, self.message, self.seconds = "ready", "", 0.0
        self.look()

    @property
    def under_way(self):
        """Whether there is something left to do."""
        return self.state in ("ready", "training", "stopped")

    @property
    def done(self):
        """The share that is done, 0 to 1."""
        return len(self.loss) / self.n_iterations

    def advance(self, seconds):
        """Train for so long, at least for one iteration; return whether there is more to do."""
        start, self.state = time.perf_counter(), "training"
        with (
            one_core_if_small(self.network, self.settings.batch_size),
            np.errstate(all="ignore"),  # a network that is blowing up says so below
        ):
            try:
                for step in self.steps:
                    self.loss.append(step.loss)
                    if step.ends_epoch:
                        loss = float(np.mean(self.loss[-self.per_epoch :]))
                        right = [self.network.accuracy(*d) for d in ((self.X, self.y), self.test)]
                        self.epochs.append(Epoch(step.epoch, step.iteration, loss, *right))
                    if time.perf_counter() - start > seconds:
                        break
                else:
                    self.state = "finished"
            except DivergenceError:
                self.state, self.message = "diverged", self._explain()
            finally:
                self.seconds += time.perf_counter() - start
            self.look()
        if self.state == "finished":
            self.message = self._lesson()
        return self.under_way

    def finish(self):
        """Train to the end in one go, and return this run."""
        while self.advance(0.05):
            pass
        return self

    def look(self):
        """Ask the network for the first test images."""
        X, y = (part[:LOOKED_AT] for part in self.test)
        self.probs = self.network.predict_proba(X)
        right = float((self.probs.argmax(axis=1) == y).mean())
        self.looks.append((len(self.loss) / self.per_epoch, right))

    def curve(self, width=5):
        """Return epochs, lowest, highest and mean loss (a running one) at up to `POINTS` points."""
        loss = np.array(self.loss)
        starts = self.starts[self.starts < len(loss)]
        sizes = np.diff([*starts, len(loss)])
        low, high = np.minimum.reduceat(loss, starts), np.maximum.reduceat(loss, starts)
        mean = np.add.reduceat(loss, starts) / sizes
        smooth = [mean[max(0, k - width) : k].mean() for k in range(1, len(mean) + 1)]
        return (starts + sizes / 2) / self.per_epoch, low, high, np.array(smooth)

    def code(self):
        """Return the lines of Python that repeat this run, to the last bit of the weights."""
        s, part = self.settings, "" if self.settings.n_images is None else f"[:{len(self.X)}]"
        options = "".join(f", {name}={value!r}" for name, value in s.of_training.items())
        network = (
            f"network = Network({self.network.layer_sizes}, activation={s.activation!r}, "
            f"init={s.init!r}, rng={s.seed})"
        )
        call = f"(network, X_train{part}, y_train{part}{options}, rng={s.seed}"
        if self.state in ("ready", "finished"):
            return (
                f"from course_utils import Network, train\n\n{network}\n"
                f"history = train{call}, validation=(X_test, y_test))"
            )
        return (
            f"from itertools import islice\nfrom course_utils import Network, sgd\n\n{network}\n"
            f"steps = sgd{call})\nlosses = [step.loss for step in islice(steps, {len(self.loss)})]"
        )

    def copy(self):
        """Return this run as it is now, to look at; only the original can train on."""
        kept = copy(self)
        kept.loss, kept.epochs, kept.looks = self.loss[:], self.epochs[:], self.looks[:]
        return kept

    def row(self):
        """Return what a table says of this run: its settings, and what it has come to."""
        values = asdict(self.settings) | {
            "hidden": " × ".join(map(str, self.settings.hidden)) or "none",
            "n_images": f"{len(self.X):,}",
        }
        names = {"hidden": "hidden layers", "batch_size": "batch", "l2": "L2", "n_images": "images"}
        settings = {names.get(n, n.replace("_", " ")): str(v) for n, v in values.items()}
        results = "–", "–", f"≈ {self.looks[-1][1]:.0%}"
        if self.epochs:
            _, _, loss, on_train, on_test = self.epochs[-1]
            results = f"{loss:.3f}", f"{on_train:.1%}", f"{on_test:.1%}"
        results = f"{self.done:.0%}", *results, f"{self.seconds:.1f}"
        headings = ("done", "loss", "right, train", "right, test", "seconds")
        return settings, dict(zip(headings, results, strict=True))

    def _lesson(self):
        """Return advice for a run that came to its end but learned nothing."""
        right, rate = self.epochs[-1].train_accuracy, self.settings.learning_rate
        if right > 0.3:
            return ""
        text = f"It ended, but it reads only {right:.0%} of its training images right. "
        if self.settings.activation == "relu" and np.ptp(self.probs, axis=0).max() < 0.01:
            return text + (
                "It gives the same answer to every image. The steps were so large that they "
                "switched its units off for good. Try a learning rate of "
                f"{rate / 10:g} in place of {rate:g}, and Train again."
            )
        return text + (
            f"Look at the loss: if it leapt up, try a lower learning rate than {rate:g}; if it is "
            "flat, try a higher one, or more epochs, or another activation or init."
        )

    def _explain(self):
        """Return what a learner should know of a run that blew up."""
        s, n = self.settings, len(self.loss)
        also = [f"{name} (now {v:g})" for name, v in (("momentum", s.momentum), ("L2", s.l2)) if v]
        return (
            f"It blew up: in iteration {n + 1:,} (epoch {n // self.per_epoch + 1}) the loss became "
            "too large for a number. Each step jumped over the valley and landed higher than the "
            f"one before. Try a learning rate of {s.learning_rate / 10:g} in place of "
            f"{s.learning_rate:g}{', or a lower ' + ' or '.join(also) if also else ''}, and Train "
            "again."
        )
