"""The mathematics of the network: one function for each formula.

Rows are images: `z` is (n, k), and a function that needs an axis takes the last one. No function
changes its arguments. Those in `_checks` return their input as arrays that are ready to use, or say
what is wrong with it.
"""

import numpy as np

from . import _checks


def sigmoid(z):
    """Squash each number between 0 and 1: 1 / (1 + exp(-z)).

    Only exponentials of numbers ≤ 0 are taken, so nothing overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    z = _checks.as_float(z)
    # for z ≥ 0 the formula; for z < 0 both halves of it times exp(z), which is exp(z) / (exp(z) + 1)
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


def relu(z):
    """Keep positive numbers and replace the others by 0: max(0, z).

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.maximum(z, 0)


def softmax(logits):
    """Turn scores (k,) or (n, k) into probabilities, row by row: exp(z) / sum(exp(z)).

    The largest score of each row is subtracted first. That changes no result, and every
    exponential is then at most 1, so nothing overflows.

    >>> softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    z = _checks.scores(logits)
    exps = np.exp(z - z.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def cross_entropy(probs, y):
    """Measure how wrong `probs` (n, k) are about the labels `y` (n,): the mean of -log(p), in nats.

    p is the probability that was given to the right label. Below the smallest number that its type
    holds with all digits (about 1e-38 in float32) it counts as that, so the loss stays finite.
    Knowing nothing about ten digits costs ln 10:

    >>> round(cross_entropy(np.full((1, 10), 0.1), [3]), 4)
    2.3026
    """
    probs, y = _checks.probabilities(probs, y)
    p = probs[np.arange(len(y)), y]
    return float(-np.log(np.maximum(p, np.finfo(p.dtype).tiny)).mean())


def one_hot(y, n_classes=10):
    """Write each label as a row of zeros with a single 1 at its place: (n,) to (n, n_classes).

    >>> one_hot([2, 0], n_classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    return np.eye(n_classes, dtype=np.float32)[
        _checks.labels(y, n_classes)
    ]  # row k is that of label k


def accuracy(y_pred, y):
    """Return the share of predictions (n,) that are right, 0 to 1.

    >>> accuracy([7, 2, 1, 1], [7, 2, 1, 0])
    0.75
    """
    y_pred, y = _checks.same_length(y_pred, y)
    return float((y_pred == y).mean())


def confusion_matrix(y, y_pred, n_classes=10):
    """Count how often label i (row) was taken for j (column): an (n_classes, n_classes) table.

    Mind the order: the right labels first.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], n_classes=2)
    array([[1, 0],
           [1, 1]])
    """
    y, y_pred = _checks.same_length(_checks.labels(y, n_classes), _checks.labels(y_pred, n_classes))
    matrix = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(matrix, (y, y_pred), 1)  # each pair as often as it comes
    return matrix


def numerical_gradient(f, x, h=1e-5):
    """Estimate the slope of `f` at `x` for each entry by (f(x + h) - f(x - h)) / 2h.

    The slow, certain way that backpropagation is held against: two calls of `f` for each entry, in
    float64, since float32 is too coarse for differences this small.

    >>> numerical_gradient(lambda x: (x**2).sum(), [1.0, -3.0]).round(6)
    array([ 2., -6.])
    """
    x = np.array(x, dtype=np.float64)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        below = f(x)
        x[index] = value  # put it back, before the next one moves
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a, b):
    """Compare two gradients: their largest difference, as a share of the largest absolute value.

    Below about 1e-6 for a right gradient in float64.

    >>> round(relative_error([1.0, 2.0], [1.0, 2.002]), 6)
    0.000999
    """
    a, b = _checks.same_shape(a, b)
    largest = np.abs([a, b]).max(initial=0)  # of both; 0 if there is no entry
    return float(np.abs(a - b).max() / largest) if largest != 0 else 0.0
