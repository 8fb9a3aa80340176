"""Notebook 03: the forward pass, and its mistakes counted."""

from itertools import pairwise

import numpy as np

from ..functions import relu, sigmoid, softmax
from .faults import with_step
from .marking import Check
from .notebook_02 import Shifts, softmax_with


def layers(rng, *sizes):
    """Return random parameters for a network of these sizes, biases included."""
    params = {}
    for k, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        params[f"W{k}"] = rng.normal(size=(n_in, n_out))
        params[f"b{k}"] = rng.normal(size=n_out)
    return params


def _deep_forward(X, params, *, hidden=sigmoid, output=softmax, bias=lambda b: b):
    A, n = X, len(params) // 2
    for k in range(1, n + 1):
        Z = A @ params[f"W{k}"] + bias(params[f"b{k}"])
        A = hidden(Z) if k < n else output(Z)
    return A


def _forward(X, W1, b1, W2, b2, **wrong):
    return _deep_forward(X, {"W1": W1, "b1": b1, "W2": W2, "b2": b2}, **wrong)


class Hiddens:  # what follows a hidden layer
    def nothing(Z):
        """The sigmoid is missing. Without it between them, two layers do no more than one."""
        return Z

    def with_relu(Z):
        """A hidden layer has relu here. This network has the sigmoid."""
        return relu(Z)

    def with_softmax(Z):
        """There is a softmax behind every layer. Only the last one has it."""
        return softmax(Z)


class Outputs:  # what follows the last layer
    def nothing(Z):
        """These are the logits. The softmax at the end is missing."""
        return Z

    def with_sigmoid(Z):
        """The last layer ends in a softmax, so that probabilities add up to 1, not in a sigmoid."""
        return sigmoid(Z)

    def sigmoid_too(Z):
        """The last layer has a sigmoid before its softmax. Only hidden layers have one."""
        return softmax(sigmoid(Z))

    def unstable_softmax(Z):
        """exp overflows. Use the stable softmax of notebook 02."""
        return softmax_with(Z, shift=Shifts.nothing)

    def labels(Z):
        """These are the predicted labels. Return all probabilities; argmax comes later."""
        return Z.argmax(axis=1)


def no_bias(b):
    """The biases are missing."""
    return 0


_rng = np.random.default_rng(0)
_large = layers(_rng, 4, 3, 3) | {"b2": np.array([999, 0, 1000])}

check_forward = Check(
    "forward(X, W1, b1, W2, b2): images (n, n_in) to probabilities (n, n_classes).",
    [
        ("five images", _rng.random((5, 4)), *layers(_rng, 4, 3, 2).values()),
        ("three images, and all sizes 3", _rng.random((3, 3)), *layers(_rng, 3, 3, 3).values()),
        ("a single image, as a batch of one", _rng.random((1, 4)), *layers(_rng, 4, 3, 2).values()),
        ("large biases", _rng.random((3, 4)), *_large.values()),
    ],
    _forward,
    with_step(_forward, hidden=Hiddens, output=Outputs, bias=no_bias),
)


def _count(probs, y):
    return int((probs.argmax(axis=1) != y).sum())


class CountMistakes:
    def right_ones(probs, y):
        """This counts the images that are right. Count those that are not: `!=`."""
        return int((probs.argmax(axis=1) == y).sum())

    def share(probs, y):
        """This is a share. A count is asked for."""
        return (probs.argmax(axis=1) != y).mean()

    def true_or_false(probs, y):
        """This is true or false for each image. Add up: `.sum()` counts the true ones."""
        return probs.argmax(axis=1) != y

    def no_axis(probs, y):
        """argmax without an axis gives one place in the whole table. Use axis=1."""
        return int((probs.argmax() != y).sum())

    def below_half(probs, y):
        """The answer is the class with the *highest* probability, be that above ½ or below."""
        return int((probs[np.arange(len(y)), y] < 0.5).sum())


_few = np.array([[0.1, 0.7, 0.2], [0.3, 0.45, 0.25], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
_many = _rng.dirichlet(np.ones(10), size=40)

check_count_misclassified = Check(
    "count_misclassified(probs, y): the number of images whose best class is not y.",
    [
        ("four images", _few, np.array([0, 1, 1, 2])),
        ("forty digits", _many, _rng.integers(0, 10, 40)),
        ("all wrong", _few[:2], np.array([2, 2])),
        ("all right", _few[:2], np.array([1, 1])),
    ],
    _count,
    CountMistakes,
)


class DeepMistakes:
    def last_layer_missing(X, params):
        """The last layer is missing. range(1, n) ends at n - 1."""
        for k in range(1, len(params) // 2):
            X = sigmoid(X @ params[f"W{k}"] + params[f"b{k}"])
        return X

    def sorted_as_text(X, params):
        """As text, W10 sorts before W2. Count the layers, and make the name of the number: f"W{k}"."""
        numbers = sorted(name[1:] for name in params if name[0] == "W")
        in_order = [(k, number, a) for k, number in enumerate(numbers, start=1) for a in "Wb"]
        return _deep_forward(X, {f"{a}{k}": params[a + number] for k, number, a in in_order})


check_deep_forward = Check(
    "deep_forward(X, params): the forward pass for any number of layers.",
    [
        ("two layers", _rng.random((3, 4)), layers(_rng, 4, 4, 4)),
        ("three layers", _rng.random((5, 4)), layers(_rng, 4, 3, 6, 2)),
        ("a single layer", _rng.random((2, 4)), layers(_rng, 4, 3)),
        ("eleven layers", _rng.random((2, 3)), layers(_rng, *[3] * 12)),
        ("large biases", _rng.random((3, 4)), layers(_rng, 4, 3) | {"b1": _large["b2"]}),
    ],
    _deep_forward,
    DeepMistakes,
    with_step(_deep_forward, hidden=Hiddens, output=Outputs, bias=no_bias),
)
