"""The settings and the state of one training under way; no widget and no picture in here."""

import time
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np

from .._cores import one_core_if_small
from ..network import Network
from ..training import DivergenceError, Epoch, sgd

LIVE_IMAGES = 300  # of the test images: so many are looked at for each picture
_CHUNK = 2000  # images that are looked at in one go, so that a click never has to wait long
_POINTS = 150  # of a curve


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run will come to; the same settings give the same weights."""

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

    def changes(self, other):
        """Return the names of the fields whose values differ from those of `other`."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]


class Look(NamedTuple):
    """How many of the first `LIVE_IMAGES` test images were right at some moment."""

    epochs: float  # done until then, with a fraction
    accuracy: float  # 0 to 1


class Curve:
    """The loss of each iteration, gathered as it comes into a fixed number of points.

    Parameters
    ----------
    n_iterations : int
        How many there will be.
    per_epoch : int
        Iterations in an epoch.
    """

    def __init__(self, n_iterations, per_epoch):
        self.n_iterations, self.per_epoch = n_iterations, per_epoch
        self.n_points = min(n_iterations, _POINTS)
        self.sums, self.counts = np.zeros((2, self.n_points))
        self.low = np.full(self.n_points, np.inf)
        self.high = np.full(self.n_points, -np.inf)

    def add(self, losses, first):
        """Add the losses of the iterations from number `first` on, counted from 0."""
        points = np.arange(first, first + len(losses)) * self.n_points // self.n_iterations
        np.add.at(self.sums, points, losses)
        np.add.at(self.counts, points, 1)
        np.minimum.at(self.low, points, losses)
        np.maximum.at(self.high, points, losses)

    def _begun(self):
        n = int(np.count_nonzero(self.counts))
        return n, (np.arange(n) + 0.5) * self.n_iterations / self.n_points / self.per_epoch

    def raw(self):
        """Return x (epochs) and y (nats) of a line between the lowest and highest loss at each point."""
        n, x = self._begun()
        return np.repeat(x, 2), np.column_stack([self.low[:n], self.high[:n]]).ravel()

    def smooth(self, width=5):
        """Return x (epochs) and y (nats) of the running mean over the last `width` points."""
        n, x = self._begun()
        sums, counts = (np.cumsum(np.insert(a[:n], 0, 0)) for a in (self.sums, self.counts))
        start = np.maximum(0, np.arange(1, n + 1) - width)
        return x, (sums[1:] - sums[start]) / np.maximum(counts[1:] - counts[start], 1)


class Run:
    """A network and how far its training is.

    Parameters
    ----------
    settings : Settings
    digits : Digits or tuple of ((X_train, y_train), (X_test, y_test))

    Attributes
    ----------
    network : Network
    state : {"ready", "training", "stopped", "finished", "diverged", "failed"}
    message : str
        In plain words, what a learner should know of how it went; mostly empty.
    loss : list of float
        One value an iteration, as in `History`.
    epochs : list of Epoch
        One record for each finished epoch, as in `History`.
    looks : list of Look
    probs : ndarray, shape (LIVE_IMAGES, 10)
        What the network said to the first test images when `look` was last called.
    seconds : float
        Spent in training, without the pauses.

    Raises
    ------
    ValueError
        If the settings or the data are not valid.
    """

    def __init__(self, settings, digits):
        (X, y), (self.X_test, self.y_test) = digits
        n = len(X) if settings.n_images is None else settings.n_images
        if not 1 <= n <= len(X):
            raise ValueError(f"the number of training images must be 1 to {len(X):,}, but is {n}")
        self.settings = settings
        self.X, self.y = X[:n], y[:n]
        self.network = Network(
            [X.shape[1], *settings.hidden, 10],
            activation=settings.activation,
            init=settings.init,
            rng=settings.seed,
        )
        options = ("epochs", "batch_size", "learning_rate", "momentum", "l2")
        self._options = {name: getattr(settings, name) for name in options}
        self._work = self._train(
            sgd(self.network, self.X, self.y, rng=settings.seed, **self._options)
        )
        self.per_epoch = -(-n // settings.batch_size)
        self.n_iterations = self.per_epoch * settings.epochs
        self.curve = Curve(self.n_iterations, self.per_epoch)
        self.loss, self.epochs, self.looks = [], [], []
        self.state, self.message, self.seconds = "ready", "", 0.0
        self._in_curve, self._mark = 0, None
        self.look()

    def __repr__(self):
        return f"Run: {self.state}, {self.iteration:,} of {self.n_iterations:,} iterations"

    @property
    def iteration(self):
        """How many iterations are done."""
        return len(self.loss)

    @property
    def under_way(self):
        """Whether there is something left to do."""
        return self.state in ("ready", "training", "stopped")

    @property
    def images_per_second(self):
        """Training images seen a second, since the start and without the pauses."""
        batch = min(self.settings.batch_size, len(self.X))
        return self.iteration * batch / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self):
        """How long the rest will take, judging from what is done."""
        left = self.n_iterations - self.iteration
        return self.seconds / self.iteration * left if self.iteration else 0.0

    def advance(self, seconds):
        """Train for so long, at least for one iteration; return whether there is more to do."""
        now = time.perf_counter()
        start = self._mark or now
        self.state, end = "training", now + seconds
        try:
            with one_core_if_small(self.network, self.settings.batch_size):
                for _ in self._work:
                    if time.perf_counter() > end:
                        break
                else:
                    self._finish("finished", self._lesson())
        except DivergenceError as error:
            self._finish("diverged", _explain(error, self))
        except BaseException:  # no memory, an interrupt: the steps have ended, and cannot go on
            self._finish("failed", "")
            raise
        self._mark = time.perf_counter()
        self.seconds += self._mark - start
        return self.under_way

    def stop(self):
        """Pause; `advance` goes on from here."""
        if self.state == "training":
            self.state, self._mark = "stopped", None

    def finish(self):
        """Train to the end in one go, and return this run."""
        while self.advance(0.05):
            self.look()
        self.look()
        return self

    def look(self):
        """Bring `curve`, `probs` and `looks` up to date."""
        self.curve.add(self.loss[self._in_curve :], self._in_curve)
        self._in_curve = self.iteration
        X, y = self.X_test[:LIVE_IMAGES], self.y_test[:LIVE_IMAGES]
        one_core = one_core_if_small(self.network, self.settings.batch_size)
        with one_core, np.errstate(over="ignore", invalid="ignore"):
            self.probs = self.network.predict_proba(X)
        right = float((self.probs.argmax(axis=1) == y).mean())
        self.looks.append(Look(self.iteration / self.per_epoch, right))
        if len(self.looks) > 2 * _POINTS:  # a long run: every other one will do
            del self.looks[1:-1:2]

    def code(self):
        """Return the lines of Python that repeat this run, to the last bit of the weights."""
        s = self.settings
        sizes = list(self.network.layer_sizes)
        part = "" if s.n_images is None else f"[:{len(self.X)}]"
        data = f"network, X_train{part}, y_train{part}"
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        lines = [
            f"network = Network({sizes}, activation={s.activation!r}, init={s.init!r}, "
            f"rng={s.seed!r})"
        ]
        if self.state in ("ready", "finished"):
            return "\n".join(
                [
                    "from course_utils import Network, train",
                    "",
                    *lines,
                    f"history = train({data}, {options}, rng={s.seed!r}, "
                    "validation=(X_test, y_test))",
                ]
            )
        return "\n".join(
            [
                "from itertools import islice",
                "from course_utils import Network, sgd",
                "",
                *lines,
                f"steps = sgd({data}, {options}, rng={s.seed!r})",
                f"losses = [step.loss for step in islice(steps, {self.iteration})]",
            ]
        )

    def _train(self, steps):
        """Take all steps, measure after each epoch, and yield often."""
        for step in steps:
            self.loss.append(step.loss)
            yield
            if step.iteration % self.per_epoch == 0:
                on_train = yield from self._accuracy(self.X, self.y)
                on_test = yield from self._accuracy(self.X_test, self.y_test)
                loss = float(np.mean(self.loss[-self.per_epoch :]))
                self.epochs.append(Epoch(step.epoch, step.iteration, loss, on_train, on_test))

    def _accuracy(self, X, y):
        right = 0
        for start in range(0, len(X), _CHUNK):
            part = slice(start, start + _CHUNK)
            with np.errstate(over="ignore", invalid="ignore"):
                right += int((self.network.predict(X[part]) == y[part]).sum())
            yield
        return right / len(X)

    def _finish(self, state, message):
        self.state, self.message = state, message

    def _lesson(self):
        """Return advice for a run that came to its end but learned nothing."""
        right, rate = self.epochs[-1].train_accuracy, self.settings.learning_rate
        if right > 0.3:
            return ""
        text = f"It ended, but it reads only {right:.0%} of its training images right. "
        self.look()
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


def _explain(error, run):
    """Return what a learner should know of a run that blew up."""
    s, epoch = run.settings, run.iteration // run.per_epoch + 1
    also = [f"momentum (now {s.momentum:g})"] * (s.momentum > 0) + [f"L2 (now {s.l2:g})"] * (
        s.l2 > 0
    )
    return (
        f"It blew up: in iteration {run.iteration + 1:,} (epoch {epoch}) the loss became too "
        "large for a number. Each step jumped over the valley and landed higher than the one "
        f"before. Try a learning rate of {s.learning_rate / 10:g} in place of "
        f"{s.learning_rate:g}{', or a lower ' + ' or '.join(also) if also else ''}, and Train again."
    )


COLUMNS = {
    "hidden": "hidden layers",
    "activation": "activation",
    "init": "init",
    "learning_rate": "learning rate",
    "batch_size": "batch",
    "epochs": "epochs",
    "momentum": "momentum",
    "l2": "L2",
    "n_images": "images",
    "seed": "seed",
}


@dataclass(frozen=True, eq=False)
class Kept:
    """What stays of a run: its settings, its curve, its figures and its code, not its network."""

    number: int
    settings: Settings
    curve: tuple  # x in epochs, y in nats; smoothed
    record: Epoch | None
    last_look: Look
    iteration: int
    n_iterations: int
    n_images: int
    seconds: float
    code: str

    @classmethod
    def of(cls, run, number):
        """Keep `run`, which may still be under way, under a number."""
        return cls(
            number,
            run.settings,
            run.curve.smooth(),
            run.epochs[-1] if run.epochs else None,
            run.looks[-1],
            run.iteration,
            run.n_iterations,
            len(run.X),
            run.seconds,
            run.code(),
        )

    def row(self):
        """Return the kept run as a row of the table: heading to text."""
        values = asdict(self.settings) | {
            "hidden": " × ".join(map(str, self.settings.hidden)) or "none",
            "n_images": f"{self.n_images:,}",
        }
        r = self.record
        return {
            "run": str(self.number),
            **{COLUMNS[name]: f"{value}" for name, value in values.items()},
            "done": f"{self.iteration / self.n_iterations:.0%}",
            "loss": f"{r.loss:.3f}" if r else "–",
            "right, train": f"{r.train_accuracy:.1%}" if r else "–",
            "right, test": f"{r.validation_accuracy:.1%}"
            if r
            else f"≈ {self.last_look.accuracy:.0%}",
            "seconds": f"{self.seconds:.1f}",
        }


def as_digits(X_train, y_train, X_test, y_test):
    """Return the four arrays as they are passed on, or say what is wrong with their shapes."""
    for name, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
        if np.ndim(X) != 2 or np.shape(X)[1] != 28 * 28:
            raise ValueError(
                f"X_{name} must have the shape (n, 784), one row an image, but has {np.shape(X)}"
            )
        if np.shape(y) != (len(X),) or not len(X):
            raise ValueError(
                f"y_{name} must hold one label for each of the {len(X):,} images, but has the "
                f"shape {np.shape(y)}"
            )
    return (np.asarray(X_train), np.asarray(y_train)), (np.asarray(X_test), np.asarray(y_test))
