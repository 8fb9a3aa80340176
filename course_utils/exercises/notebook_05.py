"""Notebook 05: a step, minibatches, and an epoch of training."""

import copy
from collections import namedtuple
from itertools import islice

import numpy as np

from ..functions import relu, softmax
from .marking import check
from .notebook_03 import layers
from .notebook_04 import case

_rng = np.random.default_rng(0)
_small = {"W1": np.array([[1.0, -2.0]]), "b1": np.array([0.5, 3.0])}
_slopes = {"W1": np.array([[4.0, 2.0]]), "b1": np.array([-1.0, 0.5])}
_two = layers(_rng, 4, 3, 2), layers(_rng, 4, 3, 2)


@check(
    ("one layer", _small, _slopes, 0.1),
    ("two layers", *_two, 0.125),
    ("gradients in another order", _two[0], dict(reversed(_two[1].items())), 0.5),
    ("a learning rate of 0", *_two, 0.0),
)
def check_sgd_step(params, grads, learning_rate):
    """A new dict of parameters, one step on.

    params[name] - -> - -> This is the step, downhill. The parameters after it are asked for.
    params[name] - -> learning_rate * params[name] - -> The rate is for the step only.
    * grads[name] -> * grads[name] * (name[0] == 'W') -> Only the weights moved. Biases learn, too.
    """
    return {name: params[name] - learning_rate * grads[name] for name in params}


_Dealt = namedtuple("_Dealt", "sizes images together shuffled from_rng")  # with hints as docstrings
_Dealt.sizes.__doc__ = "Each should have batch_size images, and the last one what is left, if any."
_Dealt.images.__doc__ = (
    "Each image should come up once, and none twice, as with cards that are dealt."
)
_Dealt.together.__doc__ = "The images have lost their labels. Use one order for both X and y."
_Dealt.shuffled.__doc__ = "Old neighbours stay together. Shuffle all images: rng.permutation(n)."
_Dealt.from_rng.__doc__ = "The order must come from the rng handed in, and from no other one."


def _deal(attempt, args):
    """Sum up what is dealt out in an epoch, in one that begins alike, and in the one that follows."""
    again, later, epochs = copy.deepcopy(args), copy.deepcopy(args) | {"rng": args["rng"]}, []
    for given in (args, again, later):
        dealt = attempt(*given.values())
        if dealt is None or dealt is ...:
            return dealt
        epochs.append(list(islice(dealt, 60)))  # some go on for ever
    if any(batch is ... for batch in epochs[0]):
        return ...
    for batch in epochs[0]:
        if not isinstance(batch, tuple | list) or [np.ndim(part) for part in batch] != [2, 1]:
            raise TypeError("yield pairs X_batch, y_batch, of the shapes (m, n_in) and (m,)")
    first, again, later = ([label for _, y in epoch for label in y] for epoch in epochs)
    in_order = [(np.diff(y) == 1).all() for _, y in epochs[0] if len(y) > 1]
    return _Dealt(
        sizes=tuple(len(y) for _, y in epochs[0]),
        images=np.sort(first),
        together=all(np.array_equal(X[:, 0], y) for X, y in epochs[0]),
        shuffled=first != sorted(first) and not (len(in_order) > 1 and all(in_order)),
        from_rng=first == again and first != later,
    )


def _deck(title, n, batch_size):
    y = np.arange(n) + 3  # not the number of the row
    X = np.stack([y, -y], axis=1)  # rows that say which label belongs to them
    return title, X, y, batch_size, np.random.default_rng(0)


@check(
    _deck("twelve images by threes", 12, 3),
    _deck("ten images by threes, which leaves one", 10, 3),
    _deck("300 images by 128, which leaves 44", 300, 128),
    _deck("forty images, fewer than a minibatch", 40, 64),
    _deck("five images, one at a time", 5, 1),
    run=_deal,
)
def check_minibatches(X, y, batch_size, rng):
    """Pairs (X_batch, y_batch), in random order."""
    deck = rng.permutation(len(X))
    for start in range(0, len(X), batch_size):
        batch = deck[start : start + batch_size]
        yield X[batch], y[batch]


_Parameters = namedtuple("_Parameters", "W1 b1 W2 b2")
_rng = np.random.default_rng(3)


@check(
    case(_rng, "a single minibatch of three images", 3, (2, 4, 2), 0.5, 3),
    case(_rng, "ten images by fours, which leaves two", 10, (4, 5, 3), 0.125, 4),
    case(_rng, "seven images by threes, which leaves one", 7, (4, 2, 3), 0.5, 3),
    case(_rng, "all sizes 3", 6, (3, 3, 3), 0.5, 3),
    case(_rng, "two images, fewer than a minibatch", 2, (3, 4, 2), 0.5, 8),
    case(_rng, "large scores", 2, (3, 2, 2), 0.5, 2),
    case(_rng, "a black image and biases of 0", 2, (3, 2, 2), 0.5, 2),
)
def check_train_epoch(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    """New W1, b1, W2, b2.

    len(X), batch_size -> len(X) - batch_size + 1, batch_size -> The last minibatch is left out.
    / len(X_batch) -> / batch_size -> Divided by batch_size: the last one has fewer images.
    """
    for start in range(0, len(X), batch_size):
        X_batch, Y_batch = X[start : start + batch_size], Y[start : start + batch_size]
        Z1 = X_batch @ W1 + b1
        A1 = relu(Z1)
        probs = softmax(A1 @ W2 + b2)
        dZ2 = (probs - Y_batch) / len(X_batch)
        dZ1 = dZ2 @ W2.T * (Z1 > 0)
        W2 = W2 - learning_rate * A1.T @ dZ2
        b2 = b2 - learning_rate * dZ2.sum(axis=0)
        W1 = W1 - learning_rate * X_batch.T @ dZ1
        b1 = b1 - learning_rate * dZ1.sum(axis=0)
    return _Parameters(W1, b1, W2, b2)
