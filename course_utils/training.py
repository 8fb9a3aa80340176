"""Minibatch stochastic gradient descent."""

import math
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np

from .network import Parameters
from .weight_files import check_folder

# multiplications in a matrix product; with fewer, the library for those (BLAS) gets one core
SMALL_PRODUCT = 20_000_000


class Step(NamedTuple):
    """One iteration of training that is done: one minibatch seen, the parameters moved once."""

    epoch: int  # from 1
    iteration: int  # from 1, counted through all epochs
    loss: float  # of the minibatch, before the parameters moved; nats, with the L2 term


class Epoch(NamedTuple):
    """What was measured at the end of an epoch."""

    epoch: int  # from 1
    iteration: int  # the last one of the epoch
    loss: float  # mean over the epoch's iterations; nats, with the L2 term
    train_accuracy: float | None  # on all training images; None without a validation set
    validation_accuracy: float | None


@dataclass
class History:
    """What `train` saw.

    Attributes
    ----------
    loss : list of float
        The minibatch's loss, one value an iteration; nats, with the L2 term.
    epochs : list of Epoch
        One record for each finished epoch.
    interrupted : bool
        Whether training was stopped before its end.
    """

    loss: list = field(default_factory=list)
    epochs: list = field(default_factory=list)
    interrupted: bool = False

    def __repr__(self):
        last = f", loss of the last {self.loss[-1]:.4g}" if self.loss else ""
        return f"History: {len(self.loss):,} iterations, {len(self.epochs)} epochs{last}"


class DivergenceError(ArithmeticError):
    """Raised when training has come to nothing: loss or parameters are no longer finite, or huge.

    Attributes
    ----------
    history : History or None
        All that `train` saw before.
    """

    history = None


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
    """Train `network` one minibatch at a time, and hand each step out as it is done.

    With the gradient g of a minibatch's loss, each iteration does::

        velocity = momentum * velocity - learning_rate * g
        parameters = parameters + velocity

    Parameters
    ----------
    network : Network
        Changed in place; training goes on from the parameters that it has.
    X : array_like, shape (n, n_in)
        Images as rows, pixels 0–1.
    y : array_like of int, shape (n,)
        Labels.
    epochs : int
        How many times to go through all images.
    batch_size : int
        Images in a minibatch; the last one of an epoch may be smaller.
    learning_rate : float
        Length of a step, more than 0.
    momentum : float
        Share of the last step that is taken again, from 0 to less than 1.
    l2 : float
        Strength λ of L2 regularisation: λ/2 · Σ‖W‖² is added to the loss.
    shuffle : bool
        Whether each epoch has a new random order.
    rng : int or numpy.random.Generator
        The same seed gives the same order, and on one computer the same weights, bit for bit. With
        another number of cores for matrix products they differ by rounding, less than 1e-5.

    Returns
    -------
    iterator of Step
        The network moves only while this is being iterated over.

    Raises
    ------
    ValueError
        At once, if an option or the data is not as described above.
    DivergenceError
        During training, if a loss is not finite; the step it belongs to is not taken. Also at the
        end of an epoch, if a parameter is not finite.
    """
    X, y = network.check_examples(X, y, rows=None)
    for name, value in [("epochs", epochs), ("batch_size", batch_size)]:
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number of 1 or more, but is {value!r}")
    for name, value, fits, allowed in [
        ("learning_rate", learning_rate, lambda v: v > 0, "more than 0"),
        ("momentum", momentum, lambda v: 0 <= v < 1, "from 0 to less than 1"),
        ("l2", l2, lambda v: v >= 0, "0 or more"),
    ]:
        is_number = isinstance(value, float | int | np.floating | np.integer)
        if not (is_number and fits(value) and value <= sys.float_info.max):
            raise ValueError(f"{name} must be a finite number {allowed}, but is {value!r}")
    rng = np.random.default_rng(rng)
    return _steps(network, X, y, epochs, batch_size, learning_rate, momentum, l2, shuffle, rng)


def _steps(network, X, y, epochs, batch_size, learning_rate, momentum, l2, shuffle, rng):
    parameters = network.params.vector
    velocity = np.zeros_like(parameters)
    grads = Parameters(network.layer_sizes, dtype=network.dtype)
    X = np.ascontiguousarray(X)  # as it is, if its rows lie one after the other
    images = np.empty((min(batch_size, len(X)), X.shape[1]), X.dtype)  # for all minibatches
    # by bytes, since from a cluster numbers come unaligned, and `take` would copy all of them first
    all_bytes, image_bytes = X.view(np.uint8), images.view(np.uint8)
    iteration = 0
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(X)) if shuffle else np.arange(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            iteration += 1
            # clip: with mode="raise", the default, NumPy would not write straight into `images`
            all_bytes.take(batch, axis=0, out=image_bytes[: len(batch)], mode="clip")
            X_batch = images[: len(batch)].astype(network.dtype, copy=False)
            with np.errstate(over="ignore", invalid="ignore"):  # told below, in plain words
                loss = network.backpropagate(X_batch, y[batch], l2, grads)
                if not math.isfinite(loss):
                    raise DivergenceError(
                        f"the loss is no longer a finite number at iteration {iteration:,} (epoch "
                        f"{epoch}): {_too_large(learning_rate)}"
                    )
                step = grads.vector
                step *= -learning_rate
                if momentum:
                    velocity *= momentum
                    velocity += step
                    step = velocity
                parameters += step
            # before the step is handed out, since at the end of an epoch the network may be saved
            if start + batch_size >= len(X) and not np.isfinite(parameters).all():
                raise DivergenceError(
                    f"a weight or bias is no longer a finite number after epoch {epoch}: "
                    + _too_large(learning_rate)
                )
            yield Step(epoch, iteration, loss)


def _too_large(learning_rate):
    return (
        f"the steps are too large. Lower learning_rate (now {learning_rate:g}), perhaps to a "
        "tenth, or momentum or l2, and start again from a new network"
    )


def train(
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
    validation=None,
    checkpoint=None,
    progress=True,
):
    """Train `network` by `sgd`, with a progress bar, and return the history.

    An interrupt (Ctrl-C, or the kernel's stop button) ends training after the iteration under way:
    the network keeps what it has learned, the history so far is returned, and a line says so. To go
    on, call `train` again: it starts from the weights that the network has, with a momentum of its
    own.

    Parameters
    ----------
    network, X, y, epochs, batch_size, learning_rate, momentum, l2, shuffle, rng
        As in `sgd`.
    validation : tuple of (X, y), optional
        Images and labels that are not trained on. With them, both accuracies are measured after
        each epoch.
    checkpoint : path-like, optional
        A file to save the network to after each epoch, by `Network.save`. After a crash,
        `Network.load` has the network as it was at the end of the last whole epoch. If the file
        cannot be written, a line says so and training goes on.
    progress : bool
        Whether to show a bar with epoch, iteration and loss.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        At once, if an option or the data is not as described.
    FileNotFoundError
        At once, if there is no folder for the checkpoint.
    DivergenceError
        As in `sgd`; or if the mean loss of an epoch is both more than ten times that of a guess,
        ln(number of classes), and more than one and a half times that at the start, on the first
        100 images. The attribute `history` holds what was seen until then.
    """
    from tqdm import tqdm

    if validation is not None:
        validation = _checked_validation(network, validation)
    if checkpoint is not None:
        check_folder(checkpoint)
    steps = sgd(
        network,
        X,
        y,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        l2=l2,
        shuffle=shuffle,
        rng=rng,
    )
    history = History()
    per_epoch = -(-len(X) // batch_size)
    bar = tqdm(total=epochs * per_epoch, file=sys.stdout, disable=not progress, unit="it")
    with bar, one_core_if_small(network, batch_size), interrupts_wait() as interrupts:
        with np.errstate(over="ignore", invalid="ignore"):  # not finite? sgd says so
            loss_at_start, _ = network.gradients(X[:100], y[:100], l2)
        too_high = max(10 * math.log(network.layer_sizes[-1]), 1.5 * loss_at_start)
        try:
            for step in steps:
                history.loss.append(step.loss)
                if step.iteration % per_epoch == 0:
                    loss = float(np.mean(history.loss[-per_epoch:]))
                    history.epochs.append(_epoch(step, loss, network, X, y, validation))
                    if loss > too_high:
                        raise DivergenceError(
                            f"the loss is {loss:.3g} after epoch {step.epoch}, and far worse than "
                            f"that of a guess: {_too_large(learning_rate)}"
                        )
                    if checkpoint is not None:
                        _save(network, checkpoint)
                if bar.update():  # true when it was drawn again, some ten times a second
                    _describe(bar, step, epochs)
                if interrupts:
                    break
        except DivergenceError as error:
            error.history = history
            raise
        _describe(bar, step, epochs)
    if interrupts and step.iteration < epochs * per_epoch:  # not in the last one: all is done
        history.interrupted = True
        print(
            f"Interrupted after iteration {step.iteration:,} (epoch {step.epoch} of {epochs}). "
            "The network keeps what it has learned; the history so far is returned."
        )
    return history


def one_core_if_small(network, batch_size):
    """Return a context in which the matrix products of a training get one core, if they are small.

    A second core does not pay for small products, and costs a lot where other programs use it: the
    two wait for each other at every product.

    Parameters
    ----------
    network : Network
    batch_size : int

    Returns
    -------
    context manager
    """
    small = batch_size * max(W.size for W in network.params.weights) < SMALL_PRODUCT
    return blas_cores(1 if small else None)


def blas_cores(limit):
    """Return a context in which matrix products get so many cores; with None it changes nothing."""
    return _blas().limit(limits=limit, user_api="blas")


@cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks for the libraries that are loaded, which takes a while


def _describe(bar, step, epochs):
    bar.set_description(f"epoch {step.epoch}/{epochs}", refresh=False)
    bar.set_postfix(loss=f"{step.loss:.3f}")


def _epoch(step, loss, network, X, y, validation):
    accuracies = (None, None)
    if validation is not None:
        accuracies = (network.accuracy(X, y), network.accuracy(*validation))
    return Epoch(step.epoch, step.iteration, loss, *accuracies)


def _checked_validation(network, validation):
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        kind = type(validation).__name__
        raise ValueError(f"validation must be a pair of images and labels, (X, y), but is {kind}")
    try:
        return network.check_examples(*validation, rows=None)
    except ValueError as error:
        raise ValueError(f"in validation: {error}") from None


def _save(network, checkpoint):
    try:
        network.save(checkpoint)
    except OSError as error:  # such as a full disk, which need not cost what was learned
        tell_checkpoint_lost(error, "training")


def tell_checkpoint_lost(error, work):
    """Print why a checkpoint cannot be written, and that the work, such as "training", goes on."""
    reason = error.strerror or type(error).__name__  # str(error) would hold a path
    print(f"The checkpoint cannot be written ({reason}); {work} goes on without it.")


@contextmanager
def interrupts_wait():
    """Collect interrupts in a list, so that none falls into the middle of things.

    Without this, Ctrl-C could come between moving the parameters and writing down the loss.
    """
    interrupts = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts  # signals reach the main thread only
        return
    previous = signal.signal(signal.SIGINT, lambda *signal_and_frame: interrupts.append(1))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)
