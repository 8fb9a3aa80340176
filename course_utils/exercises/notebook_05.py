"""Notebook 05: minibatches, a step, momentum, and an epoch of training."""
# ruff: noqa: D205, D209, D401, D403, D404 (the docstring of a mistake is its hint)

import copy
from collections import namedtuple
from itertools import islice

import numpy as np

from ..functions import relu, softmax
from ..network import Network
from ..training import sgd
from .faults import describe_error, with_step
from .marking import Check
from .notebook_03 import layers
from .notebook_04 import Biases, ReluSlopes, Starts, _case, backpropagate


def _step(params, grads, learning_rate):
    return {name: W - learning_rate * grads[name] for name, W in params.items()}


class StepMistakes:
    def uphill(params, grads, learning_rate):
        """The step goes uphill. The gradient says which way the loss *rises*: subtract it."""
        return _step(params, grads, -learning_rate)

    def without_rate(params, grads, learning_rate):
        """The learning rate is missing: the step is learning_rate times the gradient."""
        return _step(params, grads, 1)

    def step_alone(params, grads, learning_rate):
        """This is the step. The parameters after the step are asked for."""
        return {name: learning_rate * grads[name] for name in params}

    def step_with_its_sign(params, grads, learning_rate):
        """This is the step, with its sign. The parameters after the step are asked for."""
        return {name: -learning_rate * grads[name] for name in params}

    def rate_for_all(params, grads, learning_rate):
        """The parameters themselves were multiplied by the learning rate. Only the gradient is."""
        return {name: learning_rate * (W - grads[name]) for name, W in params.items()}

    def weights_only(params, grads, learning_rate):
        """Only the weights have moved. Biases learn, too."""
        moved = _step(params, grads, learning_rate)
        return {name: moved[name] if name[0] == "W" else params[name] for name in params}

    def nothing(params, grads, learning_rate):
        """Nothing has moved."""
        return params


_rng = np.random.default_rng(0)
_small = {"W1": np.array([[1.0, -2.0]]), "b1": np.array([0.5, 3.0])}
_slopes = {"W1": np.array([[4.0, 2.0]]), "b1": np.array([-1.0, 0.5])}
_two = layers(_rng, 4, 3, 2), layers(_rng, 4, 3, 2)

check_sgd_step = Check(
    "sgd_step(params, grads, learning_rate): a new dict of parameters, one step on.",
    [
        ("one layer", _small, _slopes, 0.1),
        ("two layers", *_two, 0.25),
        ("a learning rate of 0", *_two, 0.0),
    ],
    _step,
    StepMistakes,
)

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


def _minibatch_fault(args, came, passed):
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
    if not all(np.array_equal(X_batch[:, 0], y_batch) for X_batch, y_batch in came[0]):
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
    if len(set(orders[0])) < len(orders[0]):
        return (
            f"{told}Some images come up more than once. Deal them out like a deck of cards: "
            "rng.permutation(len(X)) has each place once."
        )
    if sorted(orders[0]) != args["y"].tolist():
        return f"{told}Not all images come up. Go through the whole deck."
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


def _deck(title, n, batch_size):
    y = np.arange(n)
    X = np.stack([y, -y], axis=1)  # rows that say which label belongs to them
    return title, X, y, batch_size, np.random.default_rng(0)


check_minibatches = Check(
    "minibatches(X, y, batch_size, rng): pairs (X_batch, y_batch), in random order.",
    [
        _deck("twelve images by threes", 12, 3),
        _deck("fifty images by eights, which leaves two", 50, 8),
        _deck("forty images, fewer than a minibatch", 40, 64),
    ],
    judge=_minibatch_fault,
    run=_three_epochs,
)

_Moved = namedtuple("_Moved", "W v")


def _momentum(W, v, grad, learning_rate, momentum):
    v = momentum * v - learning_rate * grad
    return _Moved(W + v, v)


class MomentumMistakes:
    def uphill(W, v, grad, learning_rate, momentum):
        """It goes uphill: the gradient is to be subtracted, v = momentum * v - learning_rate * grad."""
        return _momentum(W, v, grad, -learning_rate, momentum)

    def against_v(W, v, grad, learning_rate, momentum):
        """The velocity is right, but W went against it. With this v the step is W + v."""
        v = momentum * v - learning_rate * grad
        return W - v, v

    def other_custom(W, v, grad, learning_rate, momentum):
        """This is the other custom, in which v keeps its sign and W = W - v. The formula here has the
        minus in v."""
        v = momentum * v + learning_rate * grad
        return W - v, v

    def old_velocity(W, v, grad, learning_rate, momentum):
        """W moved by the *old* velocity. First the new v, then W + v."""
        return W + v, momentum * v - learning_rate * grad

    def forgotten(W, v, grad, learning_rate, momentum):
        """The last step is forgotten: momentum * v is missing."""
        return _momentum(W, v, grad, learning_rate, 0)

    def mean(W, v, grad, learning_rate, momentum):
        """The gradient was multiplied by 1 - momentum. That is a mean; the formula here has none."""
        return _momentum(W, v, (1 - momentum) * grad, learning_rate, momentum)

    def for_all(W, v, grad, learning_rate, momentum):
        """The momentum was applied to the new velocity as a whole, not to the old one alone."""
        v = momentum * (v - learning_rate * grad)
        return W + v, v

    def rate_twice(W, v, grad, learning_rate, momentum):
        """The learning rate came in twice: it is in v already, so the step is W + v."""
        v = momentum * v - learning_rate * grad
        return W + learning_rate * v, v

    def without_rate(W, v, grad, learning_rate, momentum):
        """The learning rate is missing in v: it is multiplied with the gradient."""
        return _momentum(W, v, grad, 1, momentum)

    def other_order(W, v, grad, learning_rate, momentum):
        """The two are in the wrong order: return W first, then v."""
        W, v = _momentum(W, v, grad, learning_rate, momentum)
        return v, W

    def velocity_only(W, v, grad, learning_rate, momentum):
        """v is right, but W has not moved."""
        return W, momentum * v - learning_rate * grad

    def old_v_returned(W, v, grad, learning_rate, momentum):
        """W is right, but the old v came back. The next step needs the new one."""
        return W + momentum * v - learning_rate * grad, v


_W, _v, _grad = np.random.default_rng(0).normal(size=(3, 2, 4))

check_momentum_step = Check(
    "momentum_step(W, v, grad, learning_rate, momentum): the new (W, v).",
    [
        ("two numbers on their way", *np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 4.0]]), 0.1, 0.9),
        ("a table", _W, _v, _grad, 0.05, 0.5),
        ("the first step", _W, np.zeros_like(_v), _grad, 0.1, 0.9),
    ],
    _momentum,
    MomentumMistakes,
)

_Parameters = namedtuple("_Parameters", "W1 b1 W2 b2")


def _course_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    """Return the parameters after an epoch of `sgd`."""
    network = Network([len(W1), len(W2), len(b2)], dtype="float64")
    network.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    options = {"learning_rate": learning_rate, "batch_size": batch_size, "shuffle": False}
    for _ in sgd(network, X, Y.argmax(axis=1), epochs=1, **options):
        pass
    return _Parameters(**network.params)


def _epoch(X, Y, *rest, start_from=None, **wrong):
    """Do the same; a step of the way back can be replaced by a wrong one."""
    *params, learning_rate, batch_size = rest
    for k in range(0, len(X), batch_size):
        batch = slice(k, k + batch_size)
        grads = backpropagate(X[batch], Y[batch], *(start_from or params), **wrong)
        params = [
            W - learning_rate * grads[n] for n, W in zip(_Parameters._fields, params, strict=True)
        ]
    return tuple(params)


class EpochMistakes:
    def new_W2(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
        """W2 was moved before W1's gradient was computed, so that the way back went through the
        *new* W2. Compute all four gradients first, then move."""
        for k in range(0, len(X), batch_size):
            X_batch, Y_batch = X[k : k + batch_size], Y[k : k + batch_size]
            A1 = relu(X_batch @ W1 + b1)
            dZ2 = (softmax(A1 @ W2 + b2) - Y_batch) / len(X_batch)
            W2 = W2 - learning_rate * A1.T @ dZ2
            b2 = b2 - learning_rate * dZ2.sum(axis=0)
            dZ1 = dZ2 @ W2.T * (A1 > 0)
            W1 = W1 - learning_rate * X_batch.T @ dZ1
            b1 = b1 - learning_rate * dZ1.sum(axis=0)
        return W1, b1, W2, b2

    def from_the_start(X, Y, *rest):
        """The gradients of all minibatches were computed with the parameters of the start. Each step
        begins where the one before has ended."""
        return _epoch(X, Y, *rest, start_from=rest[:4])

    def first_minibatch(X, Y, *rest):
        """Only the first minibatch was used. Go on to the end of the images."""
        return _epoch(X[: rest[-1]], Y[: rest[-1]], *rest)

    def without_the_last(X, Y, *rest):
        """The last minibatch, which is smaller, was left out. `range(0, len(X), batch_size)` reaches
        it."""
        n = len(X) // rest[-1] * rest[-1]
        return _epoch(X[:n], Y[:n], *rest)

    def divided_by_batch_size(X, Y, *rest):
        """The gradient was divided by batch_size, also for the last minibatch, which has fewer
        images. Divide by the number that it has: len(X_batch)."""
        return _epoch(X, Y, *rest, start=lambda probs, Y: (probs - Y) / rest[-1])

    def single_step(X, Y, *rest):
        """There was a single step, with all images together. Take one step for each minibatch."""
        return _epoch(X, Y, *rest[:-1], len(X))

    def nothing(X, Y, *rest):
        """Nothing has moved."""
        return rest[:4]


_rng = np.random.default_rng(3)

check_train_epoch = Check(
    "train_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size): new W1, b1, W2, b2.",
    [
        _case(_rng, "a single minibatch of four images", 4, (4, 5, 3), 0.5, 4),
        _case(_rng, "three minibatches of four images", 12, (4, 5, 3), 0.5, 4),
        _case(_rng, "ten images by fours, which leaves two", 10, (4, 5, 3), 0.5, 4),
        _case(_rng, "all sizes 3", 6, (3, 3, 3), 0.5, 3),
    ],
    _course_epoch,
    EpochMistakes,
    with_step(_epoch, start=Starts, bias=Biases.mean, slope=ReluSlopes),
)
