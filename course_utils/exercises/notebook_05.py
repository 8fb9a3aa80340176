"""Notebook 05: minibatches, a step, momentum, and an epoch of training."""

import copy
from collections import namedtuple
from itertools import islice

import numpy as np

from .faults import describe_error, with_step
from .marking import Check
from .notebook_03 import layers
from .notebook_04 import Biases, ReluSlopes, Starts, backpropagate, case


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

    def weights_only(params, grads, learning_rate):
        """Only the weights have moved. Biases learn, too."""
        moved = _step(params, grads, learning_rate)
        return {name: moved[name] if name[0] == "W" else params[name] for name in params}


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
    fault = _fault_of_pairs(came[0]) or _fault_of_sizes(came[0], len(args["y"]), args["batch_size"])
    return fault or _fault_of_order(came, args["y"].tolist())


def _fault_of_pairs(batches):
    if len(batches) == _MOST_BATCHES:
        return "Why: It goes on and on. One call is one epoch: stop when all images are dealt out."
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            return "Why: Each minibatch is a pair: `yield X_batch, y_batch`."
        if [getattr(part, "ndim", None) for part in batch] != [2, 1]:
            return "Why: Each minibatch is a pair of arrays, of the shapes (m, n_in) and (m,)."
        if not np.array_equal(batch[0][:, 0], batch[1]):
            return "Why: The images have lost their labels. Use one random order for both X and y."
    return None


def _fault_of_sizes(batches, n, size):
    sizes = [min(size, n - start) for start in range(0, n, size)]
    lengths = [len(y_batch) for _, y_batch in batches]
    told = f"Expected minibatches of the sizes: {sizes}\nCame: {lengths}\nWhy: "
    if lengths == sizes[:-1] and sizes[-1] < size:
        return f"{told}The last one, which is smaller, is missing. Its images would never be seen."
    if sum(lengths) < n:
        return f"{told}Not all images come up. Go through the whole deck."
    if lengths != sizes:
        return f"{told}Each should have batch_size images, and the last one what is left."
    return None


def _fault_of_order(epochs, in_order):
    first, again, later = ([label for _, y in epoch for label in y] for epoch in epochs)
    if len(set(first)) < len(first):
        return "Why: Some images come up more than once. Deal them like cards: rng.permutation(n)."
    if first == in_order:
        return "Why: The images come in their old order. Shuffle them first: rng.permutation(n)."
    if len(epochs[0]) > 1 and all((np.diff(y_batch) == 1).all() for _, y_batch in epochs[0]):
        return "Why: Each minibatch holds neighbours. Shuffle the images, not the minibatches."
    if first == later or first != again:
        return "Why: The order must come from the rng that is handed in, and from no other one."
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


def _momentum(
    W,
    v,
    grad,
    learning_rate,
    momentum,
    *,
    velocity=lambda v, grad, rate, momentum: momentum * v - rate * grad,
    result=lambda W, v, new_v: (W + new_v, new_v),
):
    return _Moved(*result(W, v, velocity(v, grad, learning_rate, momentum)))


class Velocities:
    def uphill(v, grad, rate, momentum):
        """It goes uphill. Subtract the gradient: v = momentum * v - learning_rate * grad."""
        return momentum * v + rate * grad

    def forgotten(v, grad, rate, momentum):
        """The last step is forgotten: momentum * v is missing."""
        return -rate * grad

    def mean(v, grad, rate, momentum):
        """The gradient was multiplied by 1 - momentum. The formula here does not do that."""
        return momentum * v - rate * (1 - momentum) * grad

    def without_rate(v, grad, rate, momentum):
        """The learning rate is missing in v: it is multiplied with the gradient."""
        return momentum * v - grad


class Moves:  # from W, v and the new v to the result
    def against_v(W, v, new_v):
        """The velocity is right, but W went against it. With this v the step is W + v."""
        return W - new_v, new_v

    def old_velocity(W, v, new_v):
        """W moved by the *old* velocity. First the new v, then W + v."""
        return W + v, new_v

    def other_order(W, v, new_v):
        """The two are in the wrong order: return W first, then v."""
        return new_v, W + new_v

    def old_v_returned(W, v, new_v):
        """W is right, but the old v came back. The next step needs the new one."""
        return W + new_v, v


def other_custom(*arguments):
    """This is the other custom, with W = W - v. The formula here has the minus in v."""
    return _momentum(*arguments, velocity=Velocities.uphill, result=Moves.against_v)


_W, _v, _grad = np.random.default_rng(0).normal(size=(3, 2, 4))

check_momentum_step = Check(
    "momentum_step(W, v, grad, learning_rate, momentum): the new (W, v).",
    [
        ("two numbers on their way", *np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 4.0]]), 0.1, 0.9),
        ("a table", _W, _v, _grad, 0.05, 0.5),
        ("the first step", _W, np.zeros_like(_v), _grad, 0.1, 0.9),
    ],
    _momentum,
    with_step(_momentum, velocity=Velocities, result=Moves),
    other_custom,
)

_Parameters = namedtuple("_Parameters", "W1 b1 W2 b2")


def _epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size, **wrong):
    params = _Parameters(W1, b1, W2, b2)
    for k in range(0, len(X), batch_size):
        grads = backpropagate(X[k : k + batch_size], Y[k : k + batch_size], *params, **wrong)
        params = _Parameters(**_step(params._asdict(), grads, learning_rate))
    return params


class EpochMistakes:
    def new_W2(X, Y, *rest):
        """The way back went through the *new* W2. Compute all four gradients first, then move."""
        rate = rest[-2]
        return _epoch(X, Y, *rest, back=lambda dZ2, W2, dW2: dZ2 @ (W2 - rate * dW2).T)

    def first_minibatch(X, Y, *rest):
        """Only the first minibatch was used. Go on to the end of the images."""
        return _epoch(X[: rest[-1]], Y[: rest[-1]], *rest)

    def without_the_last(X, Y, *rest):
        """The last minibatch was left out. `range(0, len(X), batch_size)` reaches it."""
        n = len(X) // rest[-1] * rest[-1]
        return _epoch(X[:n], Y[:n], *rest)

    def divided_by_batch_size(X, Y, *rest):
        """The last minibatch has fewer images than batch_size. Divide by their number, len(X_batch)."""
        return _epoch(X, Y, *rest, start=lambda probs, Y: (probs - Y) / rest[-1])

    def single_step(X, Y, *rest):
        """There was a single step, with all images together. Take one step for each minibatch."""
        return _epoch(X, Y, *rest[:-1], len(X))


_rng = np.random.default_rng(3)

check_train_epoch = Check(
    "train_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size): new W1, b1, W2, b2.",
    [
        case(_rng, "a single minibatch of four images", 4, (4, 5, 3), 0.5, 4),
        case(_rng, "three minibatches of four images", 12, (4, 5, 3), 0.5, 4),
        case(_rng, "ten images by fours, which leaves two", 10, (4, 5, 3), 0.5, 4),
        case(_rng, "all sizes 3", 6, (3, 3, 3), 0.5, 3),
    ],
    _epoch,
    EpochMistakes,
    with_step(_epoch, start=Starts, bias=Biases.mean, slope=ReluSlopes),
)
