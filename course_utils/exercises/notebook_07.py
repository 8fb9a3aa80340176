"""Notebook 07: an interval by bootstrap, a reliability table, shifts, and the gradient of the pixels."""

from collections import namedtuple

import numpy as np

from ..functions import one_hot, sigmoid, softmax
from .marking import check
from .notebook_03 import images, layers

_rng = np.random.default_rng(0)
_Interval = namedtuple("_Interval", "low high")
_some = np.array([True, False, True, True, False, True, True, True])


@check(
    ("four images, five resamples", _some[:4], _rng.integers(0, 4, (5, 4))),
    ("eight images, six resamples", _some, _rng.integers(0, 8, (6, 8))),
    ("a single resample", _some[:5], np.array([[4, 0, 0, 1, 3]])),
    ("all are right", np.ones(6, dtype=bool), _rng.integers(0, 6, (7, 6))),
    ("300 images, 400 resamples", _rng.random(300) < 0.9, _rng.integers(0, 300, (400, 300))),
)
def check_interval(right, picks):
    """(lower end, upper end) of the middle 95 %.

    .mean(axis=1) -> .mean(axis=0) -> Each row of `picks` is a resample. The mean ran down the columns.
    .mean(axis=1) -> .sum(axis=1) -> These are counts. The accuracy is a share.
    right[picks] -> (~right[picks]) -> The mistakes were counted, not the right answers.
    [0.025, 0.975] -> [0.05, 0.95] -> This is the middle 90 %: 5 % are cut off at each end.
    [0.025, 0.975] -> [0, 1] -> These are the lowest and the highest of all, not the middle 95 %.
    [0.025, 0.975] -> [0.975, 0.025] -> The lower end comes first.
    low, high = … -> m, s = accuracies.mean(), accuracies.std(); low, high = m - 1.96 * s, m + 1.96 * s
        -> It is 1.96 standard deviations to each side. Take the quantiles.
    """
    accuracies = right[picks].mean(axis=1)
    low, high = np.quantile(accuracies, [0.025, 0.975])
    return _Interval(low, high)


_edges = np.array([0, 0.5, 0.75, 0.9, 1])
_few = np.array([0.4, 0.6, 0.7, 0.8, 0.95, 0.99, 0.55])
_right = np.array([False, True, False, True, True, True, True])
_many = 1 - _rng.random(500).round(3) ** 2 / 1.5
_often = _rng.random(500) < _many - 0.1


@check(
    ("seven answers, four bins", _few, _right, _edges),
    ("one just at an edge", np.array([0.5, 0.75, 1.0, 0.6]), _right[:4], _edges),
    ("an empty bin", np.array([0.3, 0.95, 0.97]), _right[:3], _edges),
    ("two bins", np.array([0.9, 0.2, 0.3]), _right[-3:], np.array([0.1, 0.5, 1.0])),
    ("some below the first edge", _few, _right, np.array([0.5, 0.8, 1])),
    ("500 answers, ten bins", _many, _often, np.linspace(0, 1, 11)),
)
def check_reliability(confidence, right, edges):
    """A row for each bin: how many, mean confidence, share right.

    (confidence > edges[i]) -> (confidence >= edges[i])
        -> What lies just at the lower edge is not in the bin: `>`.
    (confidence <= edges[i + 1]) -> (confidence < edges[i + 1])
        -> What lies just at the upper edge is in the bin: `<=`.
    (confidence > edges[i]) & (confidence <= edges[i + 1])
        -> (confidence >= edges[i]) & (confidence < edges[i + 1])
        -> The edges are the wrong way round: above the lower, and *at most* the upper.
    (confidence > edges[i]) & (confidence <= edges[i + 1]) -> confidence > edges[i]
        -> All above the lower edge were taken. A bin ends at its upper edge.
    if inside.any() -> if True -> The mean of no images is nan. The row of an empty bin is zeros.
    inside.sum(), -> inside.mean(), -> The first number is a count, not a share.
    confidence[inside].mean() -> (edges[i] + edges[i + 1]) / 2
        -> The middle of the bin is not the mean confidence of what is in it.
    right[inside].mean() -> right[inside].sum() -> The right answers were counted. It is their share.
    right[inside].mean() -> (right & inside).mean() -> Divided by all images, not by those in the bin.
    """
    rows = np.zeros((len(edges) - 1, 3))
    for i in range(len(edges) - 1):
        inside = (confidence > edges[i]) & (confidence <= edges[i + 1])
        if inside.any():
            rows[i] = inside.sum(), confidence[inside].mean(), right[inside].mean()
    return rows


_X = _rng.random((5, 784)).round(2)
_bytes = _rng.integers(0, 256, (3, 784)).astype(np.uint8)


@check(
    ("three images", _X[:3], np.array([[1, 0], [0, 2], [-2, 1]])),
    ("a single image, up and to the left", _X[3:4], np.array([[-1, -2]])),
    ("one that stays", _X[:2], np.array([[0, 0], [2, -1]])),
    ("whole numbers", _bytes, np.array([[2, 1], [-1, 1], [0, -2]])),
    ("a shift around the corner", _X[3:], np.array([[27, -30], [13, 14]])),
)
def check_shift_each(X, shifts):
    """The images, each moved by its own shift.

    (down, right), -> (right, down), -> Down and right are exchanged: axis 0 runs down the rows.
    (down, right), -> (-down, -right), -> They moved the other way: up, and to the left.
    (down, right), -> (0, right), -> They did not move down. Each shift has two numbers.
    (down, right), -> (down, 0), -> They did not move to the right. Each shift has two numbers.
    (down, right), -> tuple(shifts[0]), -> All moved by the first shift. Each image has its own.
    return moved… -> return np.roll(images, shifts.sum(axis=0), axis=(1, 2)).reshape(-1, 784)
        -> All images moved by the sum of all shifts. Each has its own.
    , axis=(0, 1) ->  -> np.roll got no axis, and moved the image as one long row.
    return moved.reshape(-1, 784) -> return moved -> An image comes back as a row of 784 numbers.
    """
    images = X.reshape(-1, 28, 28)
    moved = np.zeros_like(images)
    for i, (down, right) in enumerate(shifts):
        moved[i] = np.roll(images[i], (down, right), axis=(0, 1))
    return moved.reshape(-1, 784)


def _case(seed, title, n, sizes, more=0.0):
    rng = np.random.default_rng(seed)
    X, params = images(rng, n, sizes[0]), layers(rng, *sizes)
    Y = one_hot(rng.integers(0, sizes[-1], n), sizes[-1]).astype(float)
    params["b3"] += more
    return (title, X, Y, *params.values())


@check(
    _case(1, "three images", 3, (2, 4, 3, 2)),
    _case(2, "five images, four classes", 5, (4, 3, 2, 4)),
    _case(3, "three images, and all sizes 3", 3, (3, 3, 3, 3)),
    _case(4, "a single image", 1, (4, 5, 2, 3)),
    _case(5, "large scores", 2, (3, 2, 4, 2), np.array([999.0, 1000.0])),
)
def check_input_gradient(X, Y, W1, b1, W2, b2, W3, b3):
    """dX, of the shape of X, network with two hidden layers and the sigmoid.

    softmax(A2 @ W3 + b3) - Y -> Y - softmax(A2 @ W3 + b3)
        -> It is turned round: probabilities minus truth.
    softmax(A2 @ W3 + b3) - Y -> (softmax(A2 @ W3 + b3) - Y) / len(X)
        -> It was divided by n. Here each image has its own loss.
    softmax(A2 @ W3 + b3) - Y -> softmax(A2 @ W3 + b3) -> The truth was not taken away: minus Y.
     * A2 * (1 - A2) ->  -> The slope of the second hidden layer is missing.
     * A1 * (1 - A1) ->  -> The slope of the first hidden layer is missing.
    return dZ1 @ W1.T -> return dZ1 -> It stops at the first layer. One more line leads to the pixels.
    return dZ1 @ W1.T -> return X.T @ dZ1 -> This is the gradient of W1. That of the pixels is asked for.
    return dZ1 @ W1.T -> return np.sign(dZ1 @ W1.T) -> These are only the signs.
    return dZ1 @ W1.T -> return (dZ1 @ W1.T).mean(axis=0) -> Each image has a row of its own.
    """
    A1 = sigmoid(X @ W1 + b1)
    A2 = sigmoid(A1 @ W2 + b2)
    dZ3 = softmax(A2 @ W3 + b3) - Y
    dZ2 = dZ3 @ W3.T * A2 * (1 - A2)
    dZ1 = dZ2 @ W2.T * A1 * (1 - A1)
    return dZ1 @ W1.T
