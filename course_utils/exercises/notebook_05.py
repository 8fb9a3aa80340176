"""Notebook 05: minibatches, a step, momentum, and an epoch of training."""

import copy
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..functions import one_hot
from .marking import compare, describe_error, mark
from ..network import Network
from ..training import sgd
from .notebook_03 import layers
from .notebook_04 import START_MISTAKES, backpropagate, with_mistakes


def _step(params, grads, learning_rate, *, new=lambda W, g, rate: W - rate * g, only=""):
    return {
        name: new(W, grads[name], learning_rate) if name.startswith(only) else W
        for name, W in params.items()
    }


def check_sgd_step(attempt):
    """Check ``sgd_step(params, grads, learning_rate)``: a new dict of parameters, one step on."""
    rng = np.random.default_rng(0)
    small = {"W1": np.array([[1.0, -2.0]]), "b1": np.array([0.5, 3.0])}
    slopes = {"W1": np.array([[4.0, 2.0]]), "b1": np.array([-1.0, 0.5])}
    two = {"params": layers(rng, 4, 3, 2), "grads": layers(rng, 4, 3, 2)}
    cases = [
        ("one layer", {"params": small, "grads": slopes, "learning_rate": 0.1}),
        ("two layers", two | {"learning_rate": 0.25}),
        ("a learning rate of 0", two | {"learning_rate": 0.0}),
    ]
    mistakes = {
        "The step goes uphill. The gradient says which way the loss *rises*: subtract it.": partial(
            _step, new=lambda W, g, rate: W + rate * g
        ),
        "The learning rate is missing: the step is learning_rate times the gradient.": partial(
            _step, new=lambda W, g, rate: W - g
        ),
        "This is the step. The parameters after the step are asked for.": partial(
            _step, new=lambda W, g, rate: rate * g
        ),
        "This is the step, with its sign. The parameters after the step are asked for.": partial(
            _step, new=lambda W, g, rate: -rate * g
        ),
        "The parameters themselves were multiplied by the learning rate. Only the gradient is.": partial(
            _step, new=lambda W, g, rate: rate * (W - g)
        ),
        "Only the weights have moved. Biases learn, too.": partial(_step, only="W"),
        "Nothing has moved.": partial(_step, only="nothing"),
    }
    return mark(attempt, cases, compare(_step, mistakes))


def _minibatch_fault(args, came):
    """Say what is wrong by what the minibatches hold, since any random order is right."""
    if isinstance(came, BaseException):
        return describe_error(came)
    n, size = len(args["y"]), args["batch_size"]
    sizes = [min(size, n - start) for start in range(0, n, size)]
    for batch in came[0]:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            return "Why: Each minibatch is a pair: `yield X_batch, y_batch`."
        if [getattr(part, "ndim", None) for part in batch] != [2, 1]:
            return "Why: Each minibatch is a pair of arrays, of the shapes (m, n_in) and (m,)."
    if len(came[0]) == _MOST_BATCHES:
        return "Why: It goes on and on. One call is one epoch: stop when all images are dealt out."
    for X_batch, y_batch in came[0]:
        if not np.array_equal(X_batch[:, 0], y_batch):
            return (
                "Why: The images have lost their labels: X and y are not in the same order. Make one "
                "random order, and use it for both."
            )
    lengths = [len(y_batch) for _, y_batch in came[0]]
    told = f"Expected minibatches of the sizes: {sizes}\nCame: {lengths}\nWhy: "
    if lengths == sizes[:-1] and sizes[-1] < size:
        return f"{told}The last one, which is smaller, is missing. Its images would never be seen."
    if sum(lengths) == n and lengths != sizes:
        return f"{told}Each should have batch_size images, and the last one what is left."
    orders = [np.concatenate([y for _, y in batches] or [[]]).tolist() for batches in came]
    if sorted(orders[0]) != args["y"].tolist():
        twice = len(set(orders[0])) < len(orders[0])
        return told + (
            "Some images come up more than once. Deal them out like a deck of cards: "
            "rng.permutation(len(X)) has each place once."
            if twice
            else "Not all images come up. Go through the whole deck."
        )
    if orders[0] == args["y"].tolist():
        return (
            "Why: The images come in their old order. Shuffle them first: rng.permutation(len(X))."
        )
    if all((np.diff(y_batch) == 1).all() for _, y_batch in came[0]) and len(sizes) > 1:
        return (
            "Why: The minibatches come in random order, but each holds neighbours. Shuffle the "
            "images, not the minibatches."
        )
    if orders[0] == orders[2]:
        return (
            "Why: A second epoch has the same order. Take the random numbers from the rng that is "
            "handed in; a generator made inside begins anew each time."
        )
    if orders[0] != orders[1]:
        return (
            "Why: With the same seed the order is another one. Take the random numbers from the rng "
            "that is handed in, and from nowhere else."
        )
    return None


_MOST_BATCHES = 60  # more than any of the inputs below gives


def _three_epochs(attempt, args):
    """Collect the minibatches of an epoch, of the same again, and of the one after the first."""
    again, later = copy.deepcopy(args), copy.deepcopy(args)
    first = attempt(*args.values())
    if first is None or first is ...:
        return first
    epochs = [list(islice(first, _MOST_BATCHES))]
    later["rng"] = args["rng"]  # which has moved on
    for repeated in (again, later):
        epochs.append(list(islice(attempt(*repeated.values()), _MOST_BATCHES)))
    return epochs


def check_minibatches(attempt):
    """Check ``minibatches(X, y, batch_size, rng)``: pairs (X_batch, y_batch), in random order."""
    y = np.arange(50)
    X = np.stack([y, -y], axis=1)  # rows that say which label belongs to them
    cases = [
        (title, {"X": X[:n], "y": y[:n], "batch_size": size, "rng": np.random.default_rng(0)})
        for title, n, size in [
            ("twelve images by threes", 12, 3),
            ("fifty images by eights, which leaves two", 50, 8),
            ("forty images, fewer than a minibatch", 40, 64),
        ]
    ]
    return mark(attempt, cases, _minibatch_fault, run=_three_epochs)


class _Moved(NamedTuple):
    W: np.ndarray
    v: np.ndarray


def _momentum(W, v, grad, learning_rate, momentum, *, sign=1, keep=1, push=lambda m: 1, old=False):
    new = keep * momentum * v - sign * push(momentum) * learning_rate * grad
    return _Moved(W + (v if old else new), new)


def check_momentum_step(attempt):
    """Check ``momentum_step(W, v, grad, learning_rate, momentum)``: the new (W, v)."""
    rng = np.random.default_rng(0)
    W, v, grad = rng.normal(size=(3, 2, 4))
    small = {"W": np.array([1.0, 2.0]), "v": np.array([0.5, -1.0]), "grad": np.array([3.0, 4.0])}
    rest = {"learning_rate": 0.1, "momentum": 0.9}
    cases = [
        ("two numbers on their way", {**small, **rest}),
        ("a table", {"W": W, "v": v, "grad": grad, "learning_rate": 0.05, "momentum": 0.5}),
        ("the first step", {"W": W, "v": np.zeros_like(v), "grad": grad, **rest}),
    ]

    def swapped(*args):
        W, v = _momentum(*args)
        return _Moved(v, W)

    mistakes = {
        "It goes uphill: the gradient is to be subtracted, v = momentum * v - learning_rate * "
        "grad.": partial(_momentum, sign=-1),
        "The velocity is right, but W went against it. With this v the "
        "step is W + v.": lambda W, v, *rest: _Moved(
            W - _momentum(W, v, *rest).v, _momentum(W, v, *rest).v
        ),
        "This is the other custom, in which v keeps its sign and W = W - v. The formula here has "
        "the minus in v.": lambda W, v, grad, rate, m: _Moved(
            W - (m * v + rate * grad), m * v + rate * grad
        ),
        "W moved by the *old* velocity. First the new v, then W + v.": partial(_momentum, old=True),
        "The last step is forgotten: momentum * v is missing.": partial(_momentum, keep=0),
        "The gradient was multiplied by 1 - momentum. That is a mean; the formula "
        "here has none.": partial(_momentum, push=lambda m: 1 - m),
        "The momentum was applied to the new velocity as a whole, not to the old one alone.": partial(
            _momentum, push=lambda m: m
        ),
        "The learning rate came in twice: it is in v already, so the "
        "step is W + v.": lambda W, v, grad, rate, m: _Moved(
            W + rate * (m * v - rate * grad), m * v - rate * grad
        ),
        "The learning rate is missing in v: it is multiplied with "
        "the gradient.": lambda W, v, grad, rate, m: _momentum(W, v, grad, 1, m),
        "The two are in the wrong order: return W first, then v.": swapped,
        "v is right, but W has not moved.": lambda W, *rest: _Moved(W, _momentum(W, *rest).v),
        "W is right, but the old v came back. The next step needs the new one.": lambda W, v, *rest: (
            _Moved(_momentum(W, v, *rest).W, v)
        ),
    }
    return mark(attempt, cases, compare(_momentum, mistakes))


class _Parameters(NamedTuple):
    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def _epoch(
    X,
    Y,
    W1,
    b1,
    W2,
    b2,
    learning_rate,
    batch_size,
    *,
    at_start=False,
    W2_first=False,
    last=True,
    most=None,
    **wrong,
):
    """Train for an epoch in the order given; each step can be replaced by a wrong one."""
    params = start = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    n = len(X) if last else len(X) // batch_size * batch_size
    for k in range(0, n, batch_size)[:most]:
        batch = X[k : k + batch_size], Y[k : k + batch_size]
        used = start if at_start else params
        if W2_first:
            moved = _step(params, backpropagate(*batch, **used), learning_rate)
            used, back = params, moved["W2"]
            wrong = wrong | {"back": lambda dZ2, W2, back=back: dZ2 @ back.T}
        params = _step(params, backpropagate(*batch, **used, **wrong), learning_rate)
    return _Parameters(**params)


def _course_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    """Return the parameters after an epoch of `sgd`."""
    network = Network([len(W1), len(W2), len(b2)], activation="relu", dtype="float64")
    network.params.update({"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    options = {"learning_rate": learning_rate, "batch_size": batch_size, "shuffle": False}
    for _ in sgd(network, X, Y.argmax(axis=1), epochs=1, **options):
        pass
    return _Parameters(**network.params)


def check_train_epoch(attempt):
    """Check ``train_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size)``: new W1, b1, W2, b2."""
    rng = np.random.default_rng(3)
    cases = []
    for title, n, sizes, batch_size in [
        ("a single minibatch of four images", 4, (4, 5, 3), 4),
        ("three minibatches of four images", 12, (4, 5, 3), 4),
        ("ten images by fours, which leaves two", 10, (4, 5, 3), 4),
        ("all sizes 3", 6, (3, 3, 3), 3),
    ]:
        Y = one_hot(rng.integers(0, sizes[-1], n), sizes[-1])
        args = {"X": rng.random((n, sizes[0])), "Y": Y, **layers(rng, *sizes)}
        cases.append((title, args | {"learning_rate": 0.5, "batch_size": batch_size}))
    mistakes = {
        "W2 was moved before W1's gradient was computed, so that the way back went through the "
        "*new* W2. Compute all four gradients first, then move.": {"W2_first": True},
        "The gradients of all minibatches were computed with the parameters of the start. Each "
        "step begins where the one before has ended.": {"at_start": True},
        "Only the first minibatch was used. Go on to the end of the images.": {"most": 1},
        "The last minibatch, which is smaller, was left out. `range(0, len(X), batch_size)` "
        "reaches it.": {"last": False},
        **START_MISTAKES,
        "The mask of relu is missing: where Z1 is not positive, dZ1 is 0.": {
            "slope": lambda Z1, A1: 1
        },
    }
    judged = {
        **with_mistakes(_epoch, mistakes),
        "The gradient was divided by batch_size, also for the last minibatch, which has fewer "
        "images. Divide by the number that it has: len(X_batch).": lambda *args: _epoch(
            *args, start=lambda probs, Y: (probs - Y) / args[-1]
        ),
        "There was a single step, with all images together. Take one step for "
        "each minibatch.": lambda *args: _epoch(*args[:-1], len(args[0])),
        "Nothing has moved.": lambda X, Y, *args: _Parameters(*args[:4]),
    }
    return mark(attempt, cases, compare(_course_epoch, judged))
