"""Notebook 03: the forward pass, and its mistakes counted."""

from itertools import pairwise

import numpy as np

from ..functions import sigmoid, softmax
from .marking import check


def layers(rng, *sizes):
    """Return random parameters, small ones with one digit to compute by hand, others with three."""
    params, digits = {}, 1 if sum(sizes) < 10 else 3
    for k, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        params[f"W{k}"] = rng.normal(size=(n_in, n_out)).round(digits)
        params[f"b{k}"] = rng.normal(size=n_out).round(digits)
    return params


def images(rng, n, n_in):
    return rng.random((n, n_in)).round(1 if n < 4 else 3)


_rng = np.random.default_rng(0)
_large = layers(_rng, 4, 3, 3) | {"b2": np.array([999.0, 0.0, 1000.0])}


@check(
    ("two images", images(_rng, 2, 3), *layers(_rng, 3, 4, 2).values()),
    ("five images", images(_rng, 5, 5), *layers(_rng, 5, 3, 2).values()),
    ("three images, and all sizes 3", images(_rng, 3, 3), *layers(_rng, 3, 3, 3).values()),
    ("a single image, as a batch of one", images(_rng, 1, 4), *layers(_rng, 4, 3, 2).values()),
    ("large biases", images(_rng, 3, 4), *_large.values()),
)
def check_forward(X, W1, b1, W2, b2):
    """Images (n, n_in) to probabilities (n, n_classes)."""
    A1 = sigmoid(X @ W1 + b1)
    return softmax(A1 @ W2 + b2)


_few = np.array([[0.1, 0.7, 0.2], [0.3, 0.45, 0.25], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
_many = _rng.dirichlet(np.ones(10), size=300).round(3)
_three = np.array([[0.4, 0.35, 0.25], [0.3, 0.3, 0.4], [0.2, 0.45, 0.35]])
_best = _many.argmax(axis=1)
_answers = (_many.argmax(axis=1) + 3 * (_rng.random(300) < 0.93)) % 10


@check(
    ("four images", _few, np.array([0, 2, 1, 2])),
    ("three images, none of them sure", _three, np.array([0, 0, 2])),
    ("a single image of 300 classes", np.eye(300)[299:], np.array([299])),
    ("300 digits, most of them wrong, the labels as bytes", _many, _answers.astype(np.uint8)),
    ("47 digits, of which 3 are wrong", _many[:47], _best[:47] ^ (np.arange(47) < 3)),
    ("all wrong", _few[:2], np.array([2, 2])),
    ("all right", _few[:2], np.array([1, 1])),
)
def check_count_misclassified(probs, y):
    """The number of images whose best class is not y.

    return … -> return (probs[np.arange(len(y)), y] < 0.5).sum()
        -> The answer is the class with the *highest* probability, be that above ½ or below.
    return … -> return abs(probs.argmax(axis=1) - y).sum() -> Distances were added. A mistake counts 1.
    .sum() -> .nonzero()[0] -> These are places. Count them.
    """
    return (probs.argmax(axis=1) != y).sum()


@check(
    ("two layers", images(_rng, 2, 3), layers(_rng, 3, 4, 2)),
    (
        "two layers, the last first",
        images(_rng, 2, 3),
        dict(reversed(layers(_rng, 3, 4, 2).items())),
    ),
    ("three layers", images(_rng, 5, 4), layers(_rng, 4, 3, 6, 2)),
    ("a single layer", images(_rng, 2, 4), layers(_rng, 4, 3)),
    ("all sizes 3, and a single image", images(_rng, 1, 3), layers(_rng, 3, 3, 3)),
    ("eleven layers", images(_rng, 2, 3), layers(_rng, *[3] * 12)),
    ("large biases", images(_rng, 3, 4), layers(_rng, 4, 3) | {"b1": _large["b2"]}),
)
def check_deep_forward(X, params):
    """The forward pass for any number of layers.

    n_layers = … -> n_layers = min(…, 9) -> Only one figure of the number in a name was read.
    = X -> = X; params = {f'{a[0]}{k % n_layers + 1}': params[a] for k, a in enumerate(sorted(params))}
        -> As text, W10 sorts before W2. Count the layers, and make the name of the number.
    """
    n_layers = len(params) // 2
    A = X
    for k in range(1, n_layers):
        A = sigmoid(A @ params[f"W{k}"] + params[f"b{k}"])
    return softmax(A @ params[f"W{n_layers}"] + params[f"b{n_layers}"])
