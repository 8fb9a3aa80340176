"""What a network in training tells a view: its weights from time to time, and how good it is."""

import numpy as np

from ..._checks import training_options
from ...training import sgd
from . import weights_of

SNAPSHOTS = 60  # of a run, at most
BYTES = 5_000_000  # of a run: a large network has fewer of them
POWER = 3  # they lie evenly on the cube root of the iteration: most happens at the start
LOOKED_AT = 2000  # images to train on, and as many to test on, that each of them is tested on


class Recorder:
    """Tell a view of a network in training, by up to `snapshots`, denser at the start.

    `train` and `test` are (X, y). `run`, a number, and `name` are the run's; of the options of
    `sgd`, two count here.
    """

    def __init__(
        self, view, network, train, test, *, run, name, epochs, batch_size, snapshots=SNAPSHOTS, **_
    ):
        self.view, self.run, self.network, self.digits = view, run, network, (train, test)
        per_epoch = -(-len(train[0]) // batch_size)  # rounded up
        size = 2 * sum(array.size for array in network.params.values())
        last = min(max(BYTES // size, 8), snapshots) - 1
        places = per_epoch * epochs * (np.arange(last + 1) / last) ** POWER
        self.marks = np.unique(np.rint(places).astype(int))
        self.losses, self.taken = [], 0
        about = {"layers": network.layer_sizes, "activation": network.activation, "epochs": epochs}
        about |= {"name": name, "per_epoch": per_epoch, "marks": self.marks.tolist()}
        view.tell({"type": "run", "run": run, **about})
        self.snapshot(0)

    def see(self, step):
        """Take notice of a step of `sgd`."""
        self.losses.append(step.loss)
        if step.iteration >= self.marks[self.taken]:
            self.snapshot(step.iteration)

    def snapshot(self, iteration):
        """Send the weights as they are, if they are finite, and how good they are."""
        weights = weights_of(self.network)
        if iteration and not (self.losses and np.isfinite(weights).all()):
            return
        X, y = self.digits[0]
        losses = self.losses or [self.network.gradients(X[:100], y[:100])[0]]  # before the first
        loss = [np.quantile(losses, 0.1), np.mean(losses), np.quantile(losses, 0.9)]
        at_end = iteration == self.marks[-1]
        self.error = [self._error(*d, len(d[1]) if at_end else LOOKED_AT) for d in self.digits]
        # exact at the end, and where float16 would be infinite
        dtype = "f4" if at_end or np.abs(weights).max() > np.finfo("f2").max else "f2"
        message = {"type": "snapshot", "run": self.run, "iteration": iteration, "dtype": dtype}
        message |= {"loss": [float(v) for v in loss], "error": self.error}
        self.view.tell(message, weights.astype(f"<{dtype}").tobytes())
        self.losses = []
        self.taken = min(self.taken + 1, len(self.marks) - 1)  # the last place is for the end

    def _error(self, X, y, most):
        """Return the share of images read wrong, of some from all over."""
        step = max(1, len(X) // most)
        X, y = X[::step][:most], y[::step][:most]
        with np.errstate(all="ignore"):
            return float((self.network.forward(X)[-1].argmax(axis=1) != y).mean())


def record(view, network, train, test, *, run=1, name="", snapshots=SNAPSHOTS, **options):
    """Train `network` by `sgd` on `train`, (X, y), with `options`, and tell `view` of it."""
    options = training_options(sgd, options)  # with sgd's defaults filled in
    about = {"run": run, "name": name, "snapshots": snapshots}
    recorder = Recorder(view, network, train, test, **about, **options)
    for step in sgd(network, *train, **options):
        recorder.see(step)
