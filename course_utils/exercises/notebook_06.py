"""Notebook 06: a step with momentum, an early stop, and an epoch without a hidden layer."""

from collections import namedtuple

import numpy as np

from ..functions import softmax
from .marking import check
from .notebook_04 import case

_Moved = namedtuple("_Moved", "W v")
_W, _v, _grad = np.random.default_rng(0).normal(size=(3, 2, 4)).round(3)


@check(
    ("two numbers on their way", *np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 4.0]]), 0.1, 0.9),
    ("a table", _W, _v, _grad, 0.0625, 0.625),
    ("whole numbers", *np.array([[[1], [2]], [[3], [-1]], [[2], [5]]]), 0.25, 0.5),
    ("the first step", _W, np.zeros_like(_v), _grad, 0.1, 0.9),
)
def check_momentum_step(W, v, grad, learning_rate, momentum):
    """The new (W, v).

    * grad -> * (1 - momentum) * grad -> The gradient was multiplied by 1 - momentum.
    new_W = … -> new_v = momentum * v + grad; new_W = W - learning_rate * new_v
        -> This is the other custom, with the rate in W = W - rate * v. Here the rate is in v.
    W + new_v -> W + momentum * new_v -> The momentum was used twice, in W as well.
    W + new_v -> W + momentum * new_v - learning_rate * grad -> W moved by Nesterov's rule, not by v.
    """
    new_v = momentum * v - learning_rate * grad
    new_W = W + new_v
    return _Moved(new_W, new_v)


@check(
    ("the lowest is in the middle", np.array([0.5, 0.3, 0.2, 0.25, 0.3, 0.35]), 2),
    ("up and down, then up twice", np.array([0.5, 0.4, 0.45, 0.3, 0.35, 0.2, 0.25, 0.3, 0.1]), 2),
    ("a patience of 1", np.array([0.5, 0.4, 0.41, 0.1]), 1),
    ("three equal losses", np.array([0.5, 0.3, 0.3, 0.3, 0.3, 0.2]), 3),
    ("up, a little down, still above the lowest", np.array([0.5, 0.2, 0.4, 0.3, 0.1]), 2),
    ("it falls to the end", np.array([0.5, 0.4, 0.3, 0.2, 0.1]), 2),
    ("the epochs end before the patience", np.array([0.5, 0.3, 0.4]), 5),
    ("the first is the lowest", np.array([0.2, 0.3, 0.4, 0.5]), 3),
    ("losses above 1", np.array([40.0, 12.0, 6.0, 13.0, 14.0, 15.0, 16.0, 2.0]), 3),
    ("a single epoch", np.array([0.7]), 2),
)
def check_early_stop(losses, patience):
    """A whole number, the epoch to keep, counted from 1.

    return best + 1 -> return int(losses.argmin()) + 1
        -> This is the lowest of all. The training had stopped before and never came to see it.
    return best + 1 -> return epoch + 1 -> There it stops. The epoch to keep is the best until then.
    return best + 1 -> return best -> It is counted from 0. The first epoch is 1.
    return best + 1 -> return float(losses[best]) -> This is the loss. Asked for is its epoch.
    losses[epoch] < -> losses[epoch] <= -> An equal loss is not lower: the patience runs on.
    < losses[best] -> < losses[epoch - 1]
        -> A loss was compared with the one before it. Compare it with the lowest until then.
    epoch - best == -> epoch - best - 1 == -> It waits for one epoch too many.
    if epoch - best == -> if sum(losses[k] >= min(losses[:k]) for k in range(1, epoch + 1)) ==
        -> The patience is not renewed. A new lowest loss begins the count again.
    """
    best = 0
    for epoch in range(1, len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        if epoch - best == patience:
            break
    return best + 1


_Trained = namedtuple("_Trained", "W b")
_rng = np.random.default_rng(6)
_large = case(_rng, "scores of a thousand", 4, (3, 2), 0.5, 0.9, 2)
_large[4][:] += [999, 1000]  # b


@check(
    case(_rng, "a single minibatch of three images", 3, (2, 2), 0.5, 0.9, 3),
    case(_rng, "ten images by fours, which leaves two", 10, (4, 3), 0.125, 0.9, 4),
    case(_rng, "seven images by threes, which leaves one", 7, (4, 3), 0.5, 0.5, 3),
    case(_rng, "all sizes 3", 6, (3, 3), 0.5, 0.625, 3),
    case(_rng, "two images, fewer than a minibatch", 2, (3, 4), 0.5, 0.9, 8),
    _large,
    case(_rng, "a momentum of 0", 6, (3, 4), 0.25, 0.0, 2),
)
def check_momentum_epoch(X, Y, W, b, learning_rate, momentum, batch_size):
    """New W, b.

    len(X), batch_size -> len(X) - batch_size + 1, batch_size -> The last minibatch is left out.
    / len(X_batch) -> / batch_size -> Divided by batch_size: the last one has fewer images.
    / len(X_batch) -> / len(X) -> Divided by all images, not by those of the minibatch.
    momentum * vW -  -> -
        -> The velocity is forgotten at each step. Keep it from one minibatch to the next.
    momentum * vb -  -> -
        -> The bias moved without momentum. Its velocity counts, too.
    """
    vW, vb = np.zeros(W.shape), np.zeros(b.shape)
    for start in range(0, len(X), batch_size):
        X_batch, Y_batch = X[start : start + batch_size], Y[start : start + batch_size]
        probs = softmax(X_batch @ W + b)
        dZ = (probs - Y_batch) / len(X_batch)
        vW = momentum * vW - learning_rate * X_batch.T @ dZ
        vb = momentum * vb - learning_rate * dZ.sum(axis=0)
        W = W + vW
        b = b + vb
    return _Trained(W, b)
