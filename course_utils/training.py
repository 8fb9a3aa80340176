"""Minibatch stochastic gradient descent."""

import math
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from . import _checks, _files
from ._cores import one_core_if_small


class Step(NamedTuple):  # a tuple whose places have names
    """One iteration that is done: one minibatch seen, the parameters moved once."""

    epoch: int  # from 1
    iteration: int  # from 1, through all epochs
    loss: float  # of the minibatch, before the parameters moved; nats, with the L2 term
    ends_epoch: bool


class Epoch(NamedTuple):
    """What was measured at the end of an epoch; accuracies only where there are validation images."""

    epoch: int  # from 1
    iteration: int  # the last one of the epoch
    loss: float  # mean over the epoch's iterations
    train_accuracy: float | None
    validation_accuracy: float | None


@dataclass
class History:
    """What `train` saw: the loss of each iteration, and an `Epoch` for each that was finished."""

    loss: list = field(default_factory=list, repr=False)  # a new list each time, too long to print
    epochs: list = field(default_factory=list)
    interrupted: bool = False


class DivergenceError(ArithmeticError):
    """Raised when a loss or a parameter is not finite; `history` holds what `train` saw before."""

    history = None


def _diverged(what, learning_rate):
    return DivergenceError(
        f"{what}: the steps are too large. Lower learning_rate (now {learning_rate:g}, perhaps to a "
        "tenth of that), momentum or l2, and start again from a new network"
    )


def sgd(
    network,
    X,
    y,
    *,
    epochs=5,
    batch_size=32,
    learning_rate=0.1,
    momentum=0.0,
    l2=0.0,
    shuffle=True,
    rng=0,
):
    """Train `network` in place, one minibatch at a time, and yield each `Step` as it is done.

    With the gradient g of a minibatch's loss, each iteration does, for each parameter W::

        velocity = momentum * velocity - learning_rate * g
        W = W + velocity

    Parameters
    ----------
    network : Network
        Training goes on from the parameters that it has.
    X, y : ndarray, shapes (n, n_in) and (n,)
        Images as rows, pixels 0–1, and their labels.
    epochs : int
        How often to go through all images.
    batch_size : int
        Images in a minibatch; the last one of an epoch may be smaller.
    learning_rate, momentum : float
        Length of a step, above 0; share of the last step that is taken again, 0 to below 1.
    l2 : float
        λ of λ/2 · ΣW², which is added to the loss.
    shuffle : bool
        Whether each epoch has a new random order.
    rng : int or numpy.random.Generator
        The same seed gives the same order, and on one computer the same weights.

    Yields
    ------
    Step

    Raises
    ------
    ValueError
        When the first step is asked for (before, nothing is run), if an argument does not fit.
    DivergenceError
        If a loss or, at the end of an epoch, a parameter is not finite.
    """
    X, y = _checks.examples(network, X, y)
    _checks.sgd_options(epochs, batch_size, learning_rate, momentum, l2)
    rng = np.random.default_rng(rng)
    params = network.params
    velocity = dict.fromkeys(params, 0)  # name: 0, and soon an array
    iteration = 0
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(X)) if shuffle else np.arange(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            iteration += 1
            with np.errstate(all="ignore"):  # numbers that are too large are reported below
                loss, grads = network.backpropagate(X[batch], y[batch], l2)
                if not math.isfinite(loss):
                    what = f"the loss is no longer a finite number at iteration {iteration:,}"
                    raise _diverged(what, learning_rate)
                for name, v in grads.items():
                    v *= -learning_rate  # the gradient itself is changed, which is quicker
                    if momentum:
                        v += momentum * velocity[name]
                        velocity[name] = v
                    params[name] += v
            ends_epoch = start + batch_size >= len(X)
            # the loss is that before the step: so look at what the step has led to
            if ends_epoch and not all(np.isfinite(array).all() for array in params.values()):
                what = f"a parameter is no longer a finite number after epoch {epoch}"
                raise _diverged(what, learning_rate)
            yield Step(epoch, iteration, loss, ends_epoch)


def train(network, X, y, *, validation=None, checkpoint=None, progress=True, **options):
    """Train `network` by `sgd` with a progress bar, and return the `History`.

    The stop button (Ctrl-C) ends training early: the network keeps what it has learned, and the
    history so far is returned. To go on, call `train` again, with another `rng`: the same one would
    deal the same minibatches, in the same order.

    Parameters
    ----------
    network, X, y, **options
        As in `sgd`.
    validation : tuple of (X, y), optional
        Images that are not trained on; with them, both accuracies are measured after each epoch.
    checkpoint : path-like, optional
        A file to save the network to after each epoch.
    progress : bool
        Whether to show the bar.

    Returns
    -------
    History

    Raises
    ------
    ValueError, FileNotFoundError
        At once, if an option or the data are not as described, or the checkpoint has no folder.
    DivergenceError
        As in `sgd`; or if the loss of an epoch was far worse than that of a guess, and than at the
        start. Its `history` holds what was seen until then.
    """
    X, y = _checks.examples(network, X, y)
    validation = None if validation is None else _checks.validation(network, validation)
    _files.check_folder(checkpoint)
    options = _checks.training_options(sgd, options)  # with sgd's defaults filled in
    epochs, batch_size = options["epochs"], options["batch_size"]
    with np.errstate(all="ignore"):
        at_start, _ = network.backpropagate(X[:100], y[:100], options["l2"])
    # a rule of thumb: an epoch whose loss is ten times that of a guess has led nowhere, unless the
    # first weights, drawn from N(0,1) for example, were as bad already
    too_high = max(10 * math.log(network.layer_sizes[-1]), 1.5 * at_start)
    per_epoch = -(-len(X) // batch_size)  # rounded up
    history = History()
    bar = tqdm(total=epochs * per_epoch, file=sys.stdout, disable=not progress)
    try:
        with bar, one_core_if_small(network, batch_size):  # two cores only wait for each other
            for step in sgd(network, X, y, **options):
                history.loss.append(step.loss)
                if step.ends_epoch:
                    loss = float(np.mean(history.loss[-per_epoch:]))
                    accuracies = (None, None)
                    if validation:
                        accuracies = network.accuracy(X, y), network.accuracy(*validation)
                    history.epochs.append(Epoch(step.epoch, step.iteration, loss, *accuracies))
                    if loss > too_high:
                        raise _diverged(f"the loss is {loss:.3g}", options["learning_rate"])
                    if checkpoint is not None:  # on a full disk it says so, and training goes on
                        _files.try_to(network.save, checkpoint, "training")
                if bar.update():  # true when it was drawn again, some ten times a second
                    bar.set_description(f"epoch {step.epoch}/{epochs}, loss {step.loss:.3g}")
    except KeyboardInterrupt:
        history.interrupted = True
        print(
            f"Interrupted after iteration {len(history.loss):,} of {epochs * per_epoch:,}. The "
            "network keeps what it has learned; the history so far is returned."
        )
    except DivergenceError as error:
        error.history = history
        raise
    return history
