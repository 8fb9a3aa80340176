"""Notebook 03: the forward pass, and its mistakes counted."""

from functools import partial
from itertools import pairwise

import numpy as np

from ..functions import relu, sigmoid, softmax
from .marking import compare, mark
from .notebook_02 import softmax_with


def _forward(X, W1, b1, W2, b2, *, hidden=sigmoid, output=softmax, bias=1):
    return output(hidden(X @ W1 + bias * b1) @ W2 + bias * b2)


def layers(rng, *sizes):
    """Return random parameters for a network of these sizes, biases included."""
    params = {}
    for k, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        params[f"W{k}"] = rng.normal(size=(n_in, n_out))
        params[f"b{k}"] = rng.normal(size=n_out)
    return params


def check_forward(attempt):
    """Check ``forward(X, W1, b1, W2, b2)``: images (n, n_in) to probabilities (n, n_classes)."""
    rng = np.random.default_rng(0)
    large = layers(rng, 4, 3, 2)
    large["b2"] = large["b2"] + 1000
    cases = [
        ("five images", {"X": rng.random((5, 4)), **layers(rng, 4, 3, 2)}),
        ("three images, and all sizes 3", {"X": rng.random((3, 3)), **layers(rng, 3, 3, 3)}),
        ("a single image, as a batch of one", {"X": rng.random((1, 4)), **layers(rng, 4, 3, 2)}),
        ("large biases", {"X": rng.random((3, 4)), **large}),
    ]
    mistakes = {
        "The activation is missing: without the sigmoid between them, two layers do no more than "
        "one.": partial(_forward, hidden=lambda Z: Z),
        "These are the logits. The softmax at the end is missing.": partial(
            _forward, output=lambda Z: Z
        ),
        "The last layer ends in a softmax, not in a sigmoid: the probabilities of an image must "
        "add up to 1.": partial(_forward, output=sigmoid),
        "The last layer has a sigmoid before its softmax. Only hidden layers have one.": partial(
            _forward, output=lambda Z: softmax(sigmoid(Z))
        ),
        "The hidden layer has relu here. This network has the sigmoid.": partial(
            _forward, hidden=relu
        ),
        "The hidden layer has a softmax here. Only the last layer has one.": partial(
            _forward, hidden=softmax
        ),
        "The biases are missing.": partial(_forward, bias=0),
        "The softmax runs over the whole batch, so that all images share a probability of 1. It "
        "belongs to each row.": (
            partial(_forward, output=partial(softmax_with, shift=np.max, total=np.sum)),
            partial(_forward, output=partial(softmax_with, total=np.sum)),
        ),
        "The softmax runs down the columns, over the images. It belongs to each row.": partial(
            _forward, output=lambda Z: softmax(Z.T).T
        ),
        "These are the predicted labels. Return all probabilities; argmax comes later.": lambda *args: (
            _forward(*args).argmax(axis=1)
        ),
        "This is the answer for the first image only. Return a row for each image.": lambda *args: (
            _forward(*args)[0]
        ),
        "exp overflows. Use the stable softmax of notebook 02.": partial(
            _forward, output=partial(softmax_with, shift=lambda z: 0)
        ),
    }
    return mark(attempt, cases, compare(_forward, mistakes))


def check_count_misclassified(attempt):
    """Check ``count_misclassified(probs, y)``: the number of images whose best class is not y."""
    rng = np.random.default_rng(7)
    few = np.array([[0.1, 0.8, 0.1], [0.4, 0.35, 0.25], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    few = np.vstack([few, [[0.3, 0.45, 0.25], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]]])
    many = rng.dirichlet(np.ones(10), size=40)
    cases = [
        ("seven images", {"probs": few, "y": np.array([0, 2, 2, 0, 1, 0, 1])}),
        ("forty digits", {"probs": many, "y": rng.integers(0, 10, 40)}),
        ("all wrong", {"probs": few[:2], "y": np.array([2, 2])}),
        ("all right", {"probs": few[:2], "y": np.array([1, 0])}),
    ]

    def wrong(probs, y, best=lambda probs: probs.argmax(axis=1)):
        return best(probs) != y

    mistakes = {
        "This counts the images that are right. Count those that are not: `!=`.": lambda probs, y: (
            int((~wrong(probs, y)).sum())
        ),
        "This is a share. A count is asked for.": lambda probs, y: wrong(probs, y).mean(),
        "This is true or false for each image. Add up: `.sum()` counts the true ones.": wrong,
        "These are the places of the mistakes. How many are there?": lambda probs, y: (
            np.flatnonzero(wrong(probs, y))
        ),
        "argmax without an axis gives one place in the whole table, not one for each image. Use "
        "axis=1.": lambda probs, y: int(wrong(probs, y, np.argmax).sum()),
        "Not so: an answer is right if the right class has the *highest* probability, be that "
        "above ½ or below.": lambda probs, y: int((probs[np.arange(len(y)), y] < 0.5).sum()),
        "The class with the *lowest* probability was compared. Use argmax.": lambda probs, y: int(
            wrong(probs, y, lambda probs: probs.argmin(axis=1)).sum()
        ),
        "The labels were taken for one-hot rows. y holds integers: compare "
        "with y itself.": lambda probs, y: int((probs.argmax(axis=1) != y.argmax()).sum()),
    }
    reference = lambda probs, y: int(wrong(probs, y).sum())  # noqa: E731
    return mark(attempt, cases, compare(reference, mistakes))


def _deep_forward(X, params, *, names=None, hidden=sigmoid, output=softmax):
    n = len(params) // 2
    A = X
    for place, k in enumerate(names(n) if names else range(1, n + 1), start=1):
        Z = A @ params[f"W{k}"] + params[f"b{k}"]
        A = hidden(Z) if place < n else output(Z)
    return A


def check_deep_forward(attempt):
    """Check ``deep_forward(X, params)``: the forward pass for any number of layers."""
    rng = np.random.default_rng(0)
    cases = [
        ("two layers", {"X": rng.random((3, 4)), "params": layers(rng, 4, 4, 4)}),
        ("three layers", {"X": rng.random((5, 4)), "params": layers(rng, 4, 3, 6, 2)}),
        ("a single layer", {"X": rng.random((2, 4)), "params": layers(rng, 4, 3)}),
        ("eleven layers", {"X": rng.random((2, 3)), "params": layers(rng, *[3] * 12)}),
    ]
    mistakes = {
        "The last layer has a sigmoid before its softmax. Only hidden layers have one.": partial(
            _deep_forward, output=lambda Z: softmax(sigmoid(Z))
        ),
        "The last layer ends in a sigmoid. It should end in a softmax.": partial(
            _deep_forward, output=sigmoid
        ),
        "These are the logits. The softmax at the end is missing.": partial(
            _deep_forward, output=lambda Z: Z
        ),
        "The hidden layers have no activation.": partial(_deep_forward, hidden=lambda Z: Z),
        "There is a softmax behind every layer. Only the last one has it.": partial(
            _deep_forward, hidden=softmax
        ),
        "The last layer is missing. range(1, n) ends at n - 1.": partial(
            _deep_forward, names=lambda n: range(1, n)
        ),
        "As text, W10 sorts before W2. Count the layers with a number, and make the name of it: "
        'f"W{k}".': partial(_deep_forward, names=lambda n: sorted(range(1, n + 1), key=str)),
    }
    return mark(attempt, cases, compare(_deep_forward, mistakes))
